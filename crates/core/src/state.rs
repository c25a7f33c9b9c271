//! The fold. What an event means is in the views; here is only whether a decision counts.
use crate::lines::Lines;
use crate::views::{
    Copies, FactsView, FailoverLog, FailoverQueue, FleetView, Handovers, Health, Notes, Operations,
    Pauses, Roles, Stamp, Withheld,
};
use crate::{
    Act, Decision, Entry, Event, Generation, LEVEL, Level, LogIndex, LogTime, Members, Outcome,
    Revision,
};

/// All that the log so far implies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each type says what it holds")]
pub struct State {
    pub members: Members,
    /// The highest level of which events may be written (U2).
    pub level: Level,
    pub generation: Generation,
    pub revision: Revision,
    /// Of the newest applied decision.
    pub now: LogTime,
    /// The newest applied entry, of any kind.
    pub applied: LogIndex,
    pub fleet: FleetView,
    pub health: Health,
    pub roles: Roles,
    pub handovers: Handovers,
    pub queue: FailoverQueue,
    pub failovers: FailoverLog,
    pub pauses: Pauses,
    pub operations: Operations,
    pub notes: Notes,
    pub withheld: Withheld,
    pub facts: FactsView,
    pub copies: Copies,
}

/// A cluster that was just founded: nobody in it, nothing applied.
impl Default for State {
    fn default() -> Self {
        Self {
            members: Members::default(),
            level: LEVEL,
            generation: Generation(1),
            revision: Revision::default(),
            now: LogTime::default(),
            applied: LogIndex::default(),
            fleet: FleetView::default(),
            health: Health::default(),
            roles: Roles::default(),
            handovers: Handovers::default(),
            queue: FailoverQueue::default(),
            failovers: FailoverLog::default(),
            pauses: Pauses::default(),
            operations: Operations::default(),
            notes: Notes::default(),
            withheld: Withheld::default(),
            facts: FactsView::default(),
            copies: Copies::default(),
        }
    }
}

impl State {
    /// Applies the entry at `index`, whatever it is; tells what became of a decision.
    pub fn enter(&mut self, index: LogIndex, entry: &Entry) -> Option<Outcome> {
        match entry {
            Entry::Blank => {
                self.applied = index;
                None
            }
            Entry::Members(members) => {
                self.applied = index;
                self.members = members.clone();
                None
            }
            Entry::Decision(decision) => Some(self.commit(index, decision)),
        }
    }

    /// Applies the decision at `index`, or drops it as stale. Never fails, never asks the time.
    pub fn commit(&mut self, index: LogIndex, decision: &Decision) -> Outcome {
        self.applied = index;
        // L2: another leader, an older term, a membership entry between, a doubled proposal.
        if !decision.stands(index) {
            return Outcome::Stale;
        }
        self.open(decision.at);
        for act in &decision.acts {
            self.apply(act);
        }
        Outcome::Applied(self.revision)
    }

    /// Begins a decision: counts it, and moves log time on, never back. A leader does the same to
    /// the state that is ahead (L3), before it judges the first act.
    pub fn open(&mut self, at: LogTime) {
        self.revision.0 += 1;
        self.now = at.not_before(self.now);
    }

    /// Folds one act of the open decision into every view. The order of the views does not matter.
    pub fn apply(&mut self, act: &Act) {
        let stamp = Stamp { revision: self.revision, at: self.now, act };
        self.operations.apply(&stamp);
        for event in act.events() {
            if let Event::LevelRaised { to } = event {
                self.level = *to;
            }
            self.fleet.apply(event, &stamp);
            self.health.apply(event, &stamp);
            self.roles.apply(event, &stamp);
            self.handovers.apply(event, &stamp);
            self.queue.apply(event, &stamp);
            self.failovers.apply(event, &stamp);
            self.pauses.apply(event);
            self.notes.apply(event, &stamp);
            self.withheld.apply(event);
            self.facts.apply(event);
            self.copies.apply(event, &stamp);
        }
    }

    /// All of it as canonical lines: equal states say the same, unequal ones do not. The digest
    /// over them (BLAKE3) is made outside.
    pub fn lines(&self, sink: &mut dyn FnMut(&str)) {
        let mut lines = Lines::to(sink);
        let Members { set, voters, nodes } = &self.members;
        lines.line(format_args!("members {set} {voters:?}"));
        for (id, node) in nodes {
            lines.line(format_args!("member {id} {} {:?}", node.name, node.peer_address));
        }
        let Self { level, generation, revision, now, applied, .. } = self;
        lines.line(format_args!("state {level} {generation} {revision} {} {applied}", now.0));
        self.fleet.lines(&mut lines);
        self.health.lines(&mut lines);
        self.roles.lines(&mut lines);
        self.handovers.lines(&mut lines);
        self.queue.lines(&mut lines);
        self.failovers.lines(&mut lines);
        self.pauses.lines(&mut lines);
        self.operations.lines(&mut lines);
        self.notes.lines(&mut lines);
        self.withheld.lines(&mut lines);
        self.facts.lines(&mut lines);
        self.copies.lines(&mut lines);
    }
}
