//! Leading: ticks, the table of reports, answers, and when to judge (L4 to L6, P10). What is judged
//! is in `proposer`; what reports say together is in `table`.
use std::collections::BTreeMap;
use std::time::Duration;

use super::Coordinator;
use crate::coordinator::io::{Alarm, Output};
use crate::numbers::{REPORT_AGE_MAX, STALLED, TICK};
use crate::proposer::Proposer;
use crate::table::Table;
use crate::{
    CoordinatorId, Entry, Evidence, Listened, LogIndex, LogTime, Moment, Mono, OpenStep, Outcome,
    Report, Revision, ServerId, State, Term, Tick,
};

/// What a leader knows beside the state. Gone with its term.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    term: Term,
    /// False from the loss of leadership on. The term may not be over yet, so the flight stays (L6).
    active: bool,
    /// L4: what the log held when this began.
    last: LogIndex,
    pub(super) table: Table,
    pub(super) proposer: Proposer,
    /// What the table says, until when.
    evidence: Option<(Evidence, Mono)>,
    /// Since when each step has been open, as this leader saw it (D8).
    ages: BTreeMap<OpenStep, (Revision, Listened)>,
    /// Since when a minority misses these (D1).
    splits: BTreeMap<ServerId, Listened>,
    skewed: Vec<(CoordinatorId, Duration)>,
    /// Something may be due that was not when we last looked (L5).
    due: bool,
    looked: Mono,
    looked_at: LogTime,
    ticked: Option<Mono>,
    /// When usable reports of a majority were last there.
    quorum: Mono,
    /// When we last waited for no entry, or one was applied.
    progress: Mono,
    /// L6: when to ask to step aside, while that is so.
    stalled: Option<Mono>,
}

impl Leader {
    fn begin(term: Term, last: LogIndex, now: Mono) -> Self {
        Self {
            term,
            active: true,
            last,
            table: Table::of(term),
            proposer: Proposer::of(term.number),
            evidence: None,
            ages: BTreeMap::new(),
            splits: BTreeMap::new(),
            skewed: Vec::new(),
            due: true,
            looked: now,
            looked_at: LogTime::default(),
            ticked: None,
            quorum: now,
            progress: now,
            stalled: None,
        }
    }

    /// True while it leads, settled or not.
    pub(super) fn leads(&self) -> bool {
        self.active
    }

    /// True if commands may wait here.
    pub(super) fn accepts(&self) -> bool {
        self.active && self.stalled.is_none()
    }

    /// True if this is the leader of `term`.
    pub(super) fn is_of(&self, term: u64, leader: Option<CoordinatorId>) -> bool {
        (self.term.number, Some(self.term.leader)) == (term, leader)
    }

    /// P10, L4, L6: nothing is answered or judged while something of ours is in flight, before we
    /// have applied all that our log held when we began to lead, or while we stall.
    fn may_judge(&self, applied: LogIndex) -> bool {
        self.accepts() && applied >= self.last && !self.proposer.in_flight()
    }

    fn take(&mut self, report: Report) {
        self.due |= self.table.insert(report);
        self.evidence = None;
    }

    /// The proposal in flight is in no log: it is judged anew, and so is what was due.
    pub(super) fn not_appended(&mut self, term: u64) {
        self.due |= self.proposer.not_appended(term);
    }

    /// An entry was applied. `touches`: something that may make more due.
    #[expect(clippy::too_many_arguments, reason = "all that an applied entry is")]
    pub(super) fn applied(
        &mut self,
        state: &State,
        index: LogIndex,
        entry: &Entry,
        outcome: Option<Outcome>,
        touches: bool,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        self.progress = now.mono;
        self.due |= touches || outcome != Some(Outcome::Applied(state.revision));
        if matches!(entry, Entry::Members(_)) {
            self.evidence = None;
        }
        self.proposer.applied(state, index, entry, outcome, now.mono, out);
    }

    /// L6: clients are told that their outcome is unknown, and no report counts again. The flight
    /// stays.
    fn stop(&mut self, out: &mut Vec<Output>) {
        self.proposer.give_up(out);
        self.table.drop_reports();
        (self.evidence, self.due) = (None, true);
        self.splits.clear();
    }

    /// L6: no quorum, or no answer of our own log or entry, for two seconds. Leadership is handed
    /// over only if that goes on for a moment: a process that was paused finds all of it at once.
    fn look_if_stalled(&mut self, state: &State, now: Mono, out: &mut Vec<Output>) {
        if self.table.has_majority(&state.members, now) {
            self.quorum = now;
        }
        if state.applied >= self.last && !self.proposer.in_flight() {
            self.progress = now;
        }
        let long = |since: Mono| now.0.saturating_sub(since.0) >= STALLED;
        match self.stalled {
            _ if !long(self.quorum) && !long(self.progress) => self.stalled = None,
            None => {
                self.stop(out);
                self.stalled = Some(Mono(now.0 + REPORT_AGE_MAX));
            }
            Some(at) if now >= at => {
                out.push(Output::StepAside);
                self.stalled = Some(Mono(now.0 + STALLED));
            }
            Some(_) => {}
        }
    }

    /// Forms one decision, if there is anything to decide. L5: what is due is computed from the
    /// table as it stands now, after the answers have gone out.
    fn judge(&mut self, state: &State, listened: Listened, now: Moment, out: &mut Vec<Output>) {
        let pauses = || state.pauses.holding(self.looked_at).count();
        let look = self.due
            || now.mono.0.saturating_sub(self.looked.0) >= TICK
            // A pause that ends by time lets go in the very next decision (D5, L3).
            || pauses() != state.pauses.holding(state.now).count();
        if !look && !self.proposer.wants(now.mono) {
            return;
        }
        let (me, members) = (self.term.leader, &state.members);
        let (mut evidence, until) = match self.evidence.take() {
            Some((evidence, until)) if now.mono <= until => (evidence, until),
            Some(_) | None => {
                let until = self.table.usable_until(members.set, now.mono);
                (self.table.evidence(me, members, now.mono), until)
            }
        };
        let clocks = self.table.clocks(me, now.wall, members, now.mono);
        if look {
            (self.due, self.looked, self.looked_at) = (false, now.mono, state.now);
            self.skewed = clocks.skewed().collect();
            self.look_for_splits(state, &evidence, listened);
        }
        evidence.ages = self.ages_of(state, listened);
        let at = clocks.at(&members.voters, state.now);
        self.proposer.form(state, &evidence, at, look, now.mono, out);
        self.evidence = Some((evidence, until));
    }

    /// D8: for how long each step has been open, in listened time since this leader first saw it.
    fn ages_of(&mut self, state: &State, listened: Listened) -> BTreeMap<OpenStep, Duration> {
        let seen = &self.ages;
        let age = |(step, began): (OpenStep, Revision)| {
            let known = seen.get(&step).filter(|(of, _)| *of == began);
            (step, known.copied().unwrap_or((began, listened)))
        };
        let steps = state.handovers.open_steps().chain(state.copies.open_steps());
        self.ages = steps.map(age).collect();
        let ages = self.ages.iter();
        ages.map(|(step, (_, since))| (*step, listened.0.saturating_sub(since.0))).collect()
    }

    /// D1: those whom some miss, but no majority does.
    fn look_for_splits(&mut self, state: &State, evidence: &Evidence, listened: Listened) {
        if !evidence.voters.majority(|voter| evidence.fresh.contains(&voter)) {
            return;
        }
        let seen = &self.splits;
        let split = evidence.silent.keys().filter(|server| {
            evidence.missed(**server).is_none() && !state.health.is_expired(**server)
        });
        let since = |server: &ServerId| seen.get(server).copied().unwrap_or(listened);
        self.splits = split.map(|server| (*server, since(server))).collect();
    }

    /// What only a leader can know.
    pub(super) fn alarms(&self, state: &State, listened: Listened, alarms: &mut Vec<Alarm>) {
        let long = |server: &ServerId, since: Listened| {
            listened.0 - since.0 > state.fleet.document().timeout(*server).half()
        };
        for (&server, _) in self.splits.iter().filter(|(server, since)| long(server, **since)) {
            let misses = |report: &&Report| report.silent.iter().any(|(of, _)| *of == server);
            let missed_by = self.table.newest().filter(misses).map(|report| report.from).collect();
            alarms.push(Alarm::SplitView { server, missed_by });
        }
        let skewed = self.skewed.iter().copied();
        alarms.extend(skewed.map(|(coordinator, off)| Alarm::ClockSkew { coordinator, off }));
    }
}

impl Coordinator {
    /// This coordinator leads `term`, anew or again.
    pub(super) fn leads_from(
        &mut self,
        number: u64,
        last: LogIndex,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        let term = Term { number, leader: self.identity.id, boot: self.identity.boot };
        if self.standing.is_past(number) {
            return;
        }
        if let Some(leader) = self.leader.as_mut().filter(|own| own.active && own.term == term) {
            leader.last = leader.last.max(last);
            return;
        }
        self.resign(number, out);
        self.standing.lead(term);
        self.promise.follow(Some(term));
        let leader = self.leader.get_or_insert_with(|| Leader::begin(term, last, now.mono));
        (leader.active, leader.last) = (true, last.max(leader.last));
        (leader.quorum, leader.progress, leader.stalled) = (now.mono, now.mono, None);
        self.tick(now, out);
    }

    /// Leadership is lost; `term` is the newest that Raft knows. L6: the flight stays for its term.
    pub(super) fn resign(&mut self, term: u64, out: &mut Vec<Output>) {
        if let Some(leader) = &mut self.leader {
            leader.active = false;
            leader.stop(out);
            if term > leader.term.number {
                self.leader = None;
            }
        }
    }

    /// A coordinator reports.
    pub(super) fn reported(&mut self, report: Report) {
        if let Some(leader) = self.leader.as_mut().filter(|leader| leader.active) {
            leader.take(report);
        }
    }

    /// Ticks when it is time, and looks whether it stalls.
    pub(super) fn lead_step(&mut self, now: Moment, out: &mut Vec<Output>) {
        let Some(leader) = self.leader.as_mut().filter(|leader| leader.active) else { return };
        leader.look_if_stalled(&self.state, now.mono, out);
        if leader.ticked.is_none_or(|ticked| now.mono.0.saturating_sub(ticked.0) >= TICK) {
            self.tick(now, out);
        }
    }

    fn tick(&mut self, now: Moment, out: &mut Vec<Output>) {
        let Some(leader) = &mut self.leader else { return };
        leader.ticked = Some(now.mono);
        let tick = Tick { term: leader.term, seq: leader.table.tick(now.mono) };
        out.push(Output::Tick(tick));
        self.standing.tick(tick);
        self.report(now, out);
    }

    /// P10: first the answers, while nothing is in flight; only then the next decision. Between two
    /// decisions this comes by, so no load of commands starves the answers.
    pub(super) fn turn(&mut self, now: Moment, out: &mut Vec<Output>) {
        let applied = self.state.applied;
        let may_judge = |leader: &&mut Leader| leader.may_judge(applied);
        let Some(leader) = self.leader.as_mut().filter(may_judge) else { return };
        for (to, answer) in leader.table.answers(applied) {
            if to == self.identity.id {
                self.answered(answer, out);
            } else {
                out.push(Output::Answer { to, answer });
            }
        }
        if let Some(leader) = &mut self.leader {
            leader.judge(&self.state, self.detector.listened(), now, out);
        }
    }
}
