//! What is committed stays committed, is the same for all, and follows the named properties.
use std::collections::BTreeMap;
use std::sync::Arc;

use interrex_core::invariants::{self, Step};
use interrex_core::{
    Actor, Cause, Decision, Entry, Event, LogIndex, Outcome, Revision, State, Testimony, Verdict,
    Why,
};

use super::founding;
use crate::clock::At;
use crate::nodes;
use crate::raft::LogEntry;
use crate::reach::Situation;
use crate::setup;
use crate::world::World;

/// Every so many entries the canonical lines of all replicas are compared.
const DIGEST_EVERY: u64 = 32;

/// The committed log, folded.
pub(crate) struct Oracle {
    /// Committed at some coordinator at least.
    pub(crate) log: Vec<Arc<LogEntry>>,
    /// Its fold.
    pub(crate) state: State,
    /// The digest after each entry of which it was taken: it costs more than all the rest.
    pub(crate) digests: BTreeMap<usize, blake3::Hash>,
    /// The revision at which each server was restored last.
    pub(crate) restored: Vec<Revision>,
}

impl Oracle {
    /// A founded cluster.
    pub(crate) fn new(members: usize) -> Self {
        let first = Arc::new(founding(members));
        let mut state = State::default();
        state.enter(LogIndex(0), &first.entry);
        let digests = BTreeMap::new();
        let restored = vec![Revision(0); setup::SERVERS];
        Self { log: vec![first], state, digests, restored }
    }
}

/// BLAKE3 over a state's canonical lines.
pub(crate) fn digest(state: &State) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    state.lines(&mut |line| {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    });
    hasher.finalize()
}

impl World {
    /// A member may know more to be committed than before: it is the same as all others know.
    pub(crate) fn check_commit(&mut self, at: usize) {
        self.checker.tick(self.now);
        let commit = usize::try_from(self.nodes[at].raft.commit).unwrap_or_default();
        let known = self.checker.oracle.log.len();
        let checked = self.nodes[at].checked;
        for index in checked..=commit.min(known - 1) {
            let (ours, theirs) = (&self.checker.oracle.log[index], &self.nodes[at].raft.log[index]);
            if ours.term != theirs.term {
                let what = format!("index {index}: terms {} and {}", ours.term, theirs.term);
                self.checker.blame("committed prefix never taken back", what);
            }
        }
        self.nodes[at].checked = self.nodes[at].checked.max(commit + 1);
        for index in known..=commit {
            let entry = Arc::clone(&self.nodes[at].raft.log[index]);
            self.committed(at, LogIndex(index as u64), &entry);
        }
    }

    fn committed(&mut self, at: usize, index: LogIndex, entry: &Arc<LogEntry>) {
        let before = self.checker.oracle.state.clone();
        let outcome = self.checker.oracle.state.enter(index, &entry.entry);
        self.checker.oracle.log.push(Arc::clone(entry));
        if index.0.is_multiple_of(DIGEST_EVERY) {
            let digest = digest(&self.checker.oracle.state);
            let at = self.checker.oracle.log.len() - 1;
            self.checker.oracle.digests.insert(at, digest);
        }
        let Entry::Decision(decision) = &entry.entry else {
            self.checker.leaderless.1 = self.now;
            return self.say(&format!(
                "commit {} by c{} term {}: blank",
                index.0,
                at + 1,
                entry.term
            ));
        };
        if entry.term < self.nodes[at].raft.term {
            self.reach.count(Situation::LeaderLost);
        }
        match outcome {
            Some(Outcome::Applied(revision)) => {
                self.tell(at, index, entry.term, decision);
                self.judge_decision(&before, decision, index, revision);
            }
            Some(Outcome::Stale) | None => {
                self.reach.count(Situation::StaleDropped);
                self.say(&format!("commit {} by c{}: stale, dropped", index.0, at + 1));
                if before.revision != self.checker.oracle.state.revision {
                    self.checker.blame("a stale decision changes nothing", format!("{index}"));
                }
            }
        }
    }

    fn tell(&mut self, at: usize, index: LogIndex, term: u64, decision: &Decision) {
        let mut text = format!("commit {} by c{} term {term}:", index.0, at + 1);
        for act in &decision.acts {
            match &act.outcome {
                Verdict::Done(events) => {
                    events.iter().for_each(|event| text.push_str(&brief(event)));
                }
                Verdict::Refused(refused) => text.push_str(&format!(" refused {};", refused.code)),
            }
        }
        self.say(&text);
    }

    fn judge_decision(
        &mut self,
        before: &State,
        decision: &Decision,
        index: LogIndex,
        revision: Revision,
    ) {
        let after = &self.checker.oracle.state;
        let broken = invariants::violated_anywhere(Step { before, decision, after });
        for name in broken {
            self.checker.blame(name, format!("{index}: {:?}", decision.acts));
        }
        for act in &decision.acts {
            if let (Actor::Automaton, Verdict::Refused(refused)) = (act.actor, &act.outcome) {
                let what = format!("{index}: {} {}", refused.code, refused.message);
                self.checker.blame("what is due is never refused", what);
            }
        }
        self.judge_operations(decision, revision);
        for event in decision.events() {
            self.count_event(before, decision, event);
            self.judge_event(event);
        }
        for event in decision.events() {
            self.react_to_event(before, event);
        }
    }

    fn judge_event(&mut self, event: &Event) {
        match event {
            &Event::Moved { recorder, to, epoch, .. } => self.judge_move(recorder, to, epoch),
            &Event::TookOver { recorder, epoch, server, first_ms, .. } => {
                let found = self.hosts[setup::place(server)].driver.first_ms(recorder, epoch);
                if found.is_none_or(|found| first_ms < found) {
                    let what = format!("{recorder} {epoch}: first {first_ms}, on disk {found:?}");
                    self.checker.blame("taken over means recorded", what);
                }
            }
            &Event::TenureEnded { recorder, epoch, server, last_ms } => {
                // What it recorded alone, after it had answered, is not yet told (A9).
                let driver = &self.hosts[setup::place(server)].driver;
                let found = driver.oldest_end_ms(recorder, epoch);
                if found.is_some_and(|found| last_ms.unwrap_or_default() < found) {
                    let what = format!("{recorder} {epoch}: ended {last_ms:?}, on disk {found:?}");
                    self.checker.blame("a tenure ends with its material", what);
                }
            }
            Event::HeartbeatRestored { server, .. } => {
                let revision = self.checker.oracle.state.revision;
                self.checker.oracle.restored[setup::place(*server)] = revision;
            }
            _ => {}
        }
    }

    fn count_event(&mut self, before: &State, decision: &Decision, event: &Event) {
        use interrex_core::views::HandoverStep as Step;
        let step = |recorder| before.handovers.of(recorder).map(|handover| handover.step);
        let mut reached = Vec::new();
        match *event {
            Event::HeartbeatExpired { server, ref testimony } => {
                if before.roles.held_by(server).any(|tenure| !tenure.is_home()) {
                    reached.push(Situation::SubstituteDied);
                }
                if self.fell_into_election(setup::place(server), testimony) {
                    reached.push(Situation::ExpiryInElection);
                }
                if decision
                    .events()
                    .any(|e| matches!(e, Event::Moved { from, .. } if *from == server))
                {
                    reached.push(Situation::ExpiredAndMoved);
                }
            }
            Event::HeartbeatRestored { server, .. } => {
                reached.push(Situation::Restored);
                if before.queue.iter().any(|waiting| waiting.holder == server) {
                    reached.push(Situation::ReturnedWhileQueued);
                }
            }
            Event::HandoverAbandoned { recorder, .. } => match step(recorder) {
                Some(Step::Planned) => reached.push(Situation::AbandonedAfter1),
                Some(Step::Ready) => reached.push(Situation::AbandonedAfter2),
                Some(_) | None => {}
            },
            Event::Moved { recorder, from, to, why, cause, .. } => {
                let waiting = before.queue.of(recorder);
                let back = &self.checker.oracle.restored[setup::place(to)];
                if to != from && waiting.is_some_and(|waiting| *back >= waiting.queued) {
                    reached.push(Situation::QueueDrained);
                }
                if step(recorder) == Some(Step::Released) && why == Why::Return {
                    reached.push(Situation::GivenBackAfter3);
                }
                if why == Why::Failback {
                    reached.push(Situation::FailedBack);
                } else if cause == Cause::Manual {
                    reached.push(Situation::ManualFailover);
                }
            }
            Event::TakeoverFailed { .. } => reached.push(Situation::TakeoverFailedAfter4),
            Event::MoveWithheld { .. } => reached.push(Situation::MoveWithheld),
            _ => {}
        }
        reached.into_iter().for_each(|situation| self.reach.count(situation));
    }

    /// The silence of a witness became long enough while nobody led.
    fn fell_into_election(&self, host: usize, testimony: &Testimony) -> bool {
        let timeout = self.checker.oracle.state.fleet.document().timeout(setup::server(host));
        let (from, to) = self.checker.leaderless;
        testimony.by.keys().any(|&witness| {
            let due: At =
                self.checker.hearing[nodes::place(witness)][host].last + timeout.silence();
            from <= due && due <= to
        })
    }

    /// Replicas that have applied as much are equal, line by line.
    pub(crate) fn check_replica(&mut self, at: usize, index: u64) {
        self.checker.tick(self.now);
        let Some(core) = &self.nodes[at].core else { return };
        let index = usize::try_from(index).unwrap_or_default();
        let oracle = &self.checker.oracle;
        let equal = match oracle.digests.get(&index) {
            Some(theirs) => *theirs == digest(core.state()),
            // One that is not behind is compared field by field.
            None => index + 1 != oracle.log.len() || oracle.state == *core.state(),
        };
        if !equal {
            let what = format!("c{} at index {index} differs from the fold of the log", at + 1);
            self.checker.blame("replicas are equal", what);
        }
    }

    /// A fold of the whole log from nothing is what all hold.
    pub(crate) fn check_replay(&mut self) {
        let mut state = State::default();
        for (index, entry) in (0..).zip(&self.checker.oracle.log) {
            state.enter(LogIndex(index), &entry.entry);
        }
        if digest(&state) != digest(&self.checker.oracle.state) {
            self.checker.blame("replay equals the live views", String::new());
        }
    }
}

/// One event for people.
fn brief(event: &Event) -> String {
    match event {
        Event::FleetApplied { .. } => " fleet_applied;".into(),
        Event::HeartbeatExpired { server, testimony } => {
            let by: Vec<_> =
                testimony.by.iter().map(|(c, d)| format!("c{} {}", c.0, d.as_millis())).collect();
            format!(" {server} expired ({});", by.join(", "))
        }
        Event::HeartbeatRestored { server, .. } => format!(" {server} restored;"),
        Event::Moved { recorder, from, to, epoch, why, .. } => {
            format!(" {recorder} moved {from} -> {to} {epoch} {why:?};")
        }
        Event::Noted { key, .. } => format!(" noted {key};"),
        other => format!(" {other:?};"),
    }
}
