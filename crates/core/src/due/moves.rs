//! Who holds what next: hand-overs go on, expired holders are replaced, the queue is served, homes
//! take their recorders back. One pass; each recorder is met once.
use std::cmp::Reverse;

use super::act;
use super::choice::Choice;
use super::handover;
use crate::fleet::Failback;
use crate::picture::{brake, paused};
use crate::views::Tenure;
use crate::{
    Act, Cause, Epoch, Event, Evidence, FailoverId, LogTime, RecorderId, Revision, ServerId, State,
    Why,
};

/// D3 to D9: what moves, on the state of an open decision ([`State::open`]), after the facts. One act for each recorder: first the
/// hand-overs that are open, then the recorders without a living holder in the order of the queue,
/// then what a brake withholds, then automatic failbacks.
pub fn moves(state: &State, evidence: &Evidence, now: LogTime) -> Vec<Act> {
    let mut pass = Pass::new(state, evidence, now);
    for open in state.handovers.iter() {
        if let Some(tenure) = state.roles.tenure(open.recorder) {
            handover::go_on(&mut pass, open, &tenure);
        }
    }
    let withheld = pass.replace();
    pass.withhold(withheld);
    pass.fail_back();
    pass.acts
}

/// One computation of what is due.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) state: &'a State,
    pub(super) evidence: &'a Evidence,
    pub(super) now: LogTime,
    pub(super) choice: Choice<'a>,
    next: FailoverId,
    acts: Vec<Act>,
}

impl<'a> Pass<'a> {
    fn new(state: &'a State, evidence: &'a Evidence, now: LogTime) -> Self {
        let (choice, next) = (Choice::new(state, evidence), state.failovers.next_id());
        Self { state, evidence, now, choice, next, acts: Vec::new() }
    }

    pub(super) fn owe(&mut self, events: Vec<Event>) {
        self.acts.push(act(events));
    }

    /// The id of a new entry of the failover log.
    pub(super) fn fresh(&mut self) -> FailoverId {
        let id = self.next;
        self.next.0 += 1;
        id
    }

    /// D4: the entry that a move off the holder goes on with: the one it waits under; for a move
    /// home the newest open one, for it will close them all; otherwise a new one.
    pub(super) fn entry_for(&mut self, tenure: &Tenure, to: ServerId) -> FailoverId {
        let queued = self.state.queue.of(tenure.recorder).map(|waiting| waiting.failover);
        let open = || self.state.failovers.newest_open(tenure.recorder).map(|entry| entry.id);
        let known = queued.or_else(|| if to == tenure.home { open() } else { None });
        known.unwrap_or_else(|| self.fresh())
    }

    /// D3 (a), D4, D6: an expired holder has no lease, however long ago it expired. Returns whom a
    /// brake holds back.
    fn replace(&mut self) -> Vec<Tenure> {
        let mut withheld = Vec::new();
        for tenure in self.without_holder() {
            if brake(self.state, &tenure, self.now).is_some() {
                withheld.push(tenure);
                continue;
            }
            let (recorder, holder) = (tenure.recorder, tenure.holder);
            let cause = lost(&tenure);
            if let Some(to) = self.choice.best(&tenure) {
                self.choice.take(to);
                let failover = self.entry_for(&tenure, to);
                self.owe(vec![moved(&tenure, to, Why::Failover, failover, cause)]);
            } else if !self.state.queue.contains(recorder) {
                let failover = self.fresh();
                self.owe(vec![Event::FailoverQueued { recorder, holder, failover, cause }]);
            }
        }
        withheld
    }

    /// Recorders whose holder is expired, in the order in which they are served: by priority, those
    /// that wait longest, id. Those of an open hand-over are not among them.
    fn without_holder(&mut self) -> Vec<Tenure> {
        let state = self.state;
        // Most of a long queue cannot be served: nobody is free, and the home is the dead holder.
        let choice = &mut self.choice;
        let waiting = state.queue.iter().filter_map(|waiting| {
            let tenure = state.roles.tenure(waiting.recorder)?;
            let nobody = choice.has_nobody_for(waiting.recorder);
            (!nobody || !tenure.is_home()).then_some((waiting.queued, tenure))
        });
        let stranded = state.roles.stranded().map(|tenure| (Revision(u64::MAX), tenure));
        let in_hand =
            |recorder| state.handovers.of(recorder).is_some_and(|open| open.is_before_move());
        let priority = |recorder: RecorderId| {
            Reverse(state.fleet.document().recorders.get(&recorder).map_or(0, |r| r.priority))
        };
        let all = waiting.chain(stranded).filter(|(_, tenure)| !in_hand(tenure.recorder));
        let mut all: Vec<_> =
            all.map(|(queued, tenure)| (priority(tenure.recorder), queued, tenure)).collect();
        all.sort_by_key(|(priority, queued, tenure)| (*priority, *queued, tenure.recorder));
        all.into_iter().map(|(_, _, tenure)| tenure).collect()
    }

    /// D5: once per expiry and brake, with what would have been done: on what the moves above have
    /// left, and what was said to others before. Who waits already would only have been served.
    fn withhold(&mut self, withheld: Vec<Tenure>) {
        let is_new = |(tenure, by): &(Tenure, _)| {
            !self.state.withheld.of(tenure.recorder).is_some_and(|mark| mark.by.contains(by))
        };
        let by = |tenure: Tenure| Some((tenure, brake(self.state, &tenure, self.now)?));
        let new: Vec<_> = withheld.into_iter().filter_map(by).filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let promised = self.state.withheld.iter().filter_map(|(_, mark)| mark.to);
        promised.for_each(|server| self.choice.take(server));
        for (tenure, by) in new {
            let (recorder, holder) = (tenure.recorder, tenure.holder);
            let to = self.choice.best(&tenure);
            if let Some(to) = to {
                self.choice.take(to);
            } else if self.state.queue.contains(recorder) {
                continue;
            }
            self.owe(vec![Event::MoveWithheld { recorder, holder, by, to }]);
        }
    }

    /// MB-03: homes that are well again take their recorders back, where the policy says so.
    fn fail_back(&mut self) {
        for tenure in self.state.roles.away() {
            if self.may_fail_back(&tenure) {
                let Tenure { recorder, holder: from, home: to, epoch, .. } = tenure;
                let open = self.state.failovers.newest_open(recorder);
                let cause = open.map_or(Cause::StandbyLost, |entry| entry.cause);
                let failover = open.map(|entry| entry.id);
                let failover = failover.unwrap_or_else(|| self.fresh());
                let why = Why::Failback;
                self.owe(vec![Event::HandoverPlanned {
                    recorder,
                    from,
                    to,
                    epoch,
                    why,
                    failover,
                    cause,
                }]);
            }
        }
    }

    fn may_fail_back(&self, tenure: &Tenure) -> bool {
        let &Tenure { recorder, home, holder, .. } = tenure;
        if !self.evidence.heard.contains_key(&home) {
            return false;
        }
        let policy = self.state.fleet.document().policy(recorder);
        // WS-15: the recovery time is a condition of this, not of the return.
        policy.failback == Failback::Auto
            && self.evidence.heard_for(home, policy.recovery).is_some()
            && self.choice.connected(home).is_ok()
            && !self.state.health.is_expired(holder)
            && self.state.handovers.of(recorder).is_none()
            && !self.state.queue.contains(recorder)
            && brake(self.state, tenure, self.now).is_none()
            && paused(self.state, tenure, self.now, true).is_none()
            // D11a: what an operator moved, an operator brings back; no loops.
            && self.state.failovers.open_of(recorder).all(|entry| entry.cause != Cause::Manual)
            && self.choice.is_fit(recorder, home)
    }
}

/// Why the holder's silence began an episode.
pub(crate) fn lost(tenure: &Tenure) -> Cause {
    if tenure.is_home() { Cause::Disconnection } else { Cause::StandbyLost }
}

/// D3: the only maker of moves.
pub(crate) fn moved(
    tenure: &Tenure,
    to: ServerId,
    why: Why,
    failover: FailoverId,
    cause: Cause,
) -> Event {
    let &Tenure { recorder, holder: from, epoch: Epoch(epoch), .. } = tenure;
    Event::Moved { recorder, from, to, epoch: Epoch(epoch + 1), why, failover, cause }
}
