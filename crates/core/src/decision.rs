//! What the log holds: acts, and the entry that they rest on.
use crate::{Event, Level, LogIndex, LogTime, OperationId, PersonId, Revision};

/// Events in one decision (L3); what is left over waits for the next.
pub const EVENTS_MAX: usize = 4_096;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The last entry, of any kind, that the leader had applied when it decided.
    pub basis: LogIndex,
    /// When that was.
    pub at: LogTime,
    /// What every member could read then.
    pub level: Level,
    /// What was judged, in order.
    pub acts: Vec<Act>,
}

/// One judged command or cause. Refused commands are kept, too: auditors see them, a retry finds
/// its answer (O4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Act {
    pub actor: Actor,
    pub operation: Option<OperationKey>,
    /// In the actor's words; for people only.
    pub reason: String,
    /// Where the actor's own records have it; for people only.
    pub ticket: String,
    pub outcome: Verdict,
}

/// By which an operation is found again, and known to be the same (O1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKey {
    /// The same in every repetition.
    pub id: OperationId,
    /// The first 64 bits of BLAKE3 over the command's bytes.
    pub command: u64,
}

/// Who is answerable for an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// Interrex itself.
    Automaton,
    /// A person, by a number; the name stands beside the history.
    Person(PersonId),
}

/// What came of a command. A refused one has no effect: there is no place to write one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These facts, at least one.
    Done(Vec<Event>),
    /// A precondition failed.
    Refused(Refused),
}

/// A refusal as it was told, in words that no later release changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Refused {
    pub code: String,
    pub message: String,
    pub remedy: String,
}

/// What became of a committed decision. The same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is in the views; this is the revision.
    Applied(Revision),
    /// Another entry stands between. Nothing changed; decide again.
    Stale,
}

impl Decision {
    /// L2: stands directly behind its basis. Otherwise there was another leader, an older term, a
    /// membership entry between, or the proposal was doubled.
    pub fn stands(&self, index: LogIndex) -> bool {
        index.0.checked_sub(1) == Some(self.basis.0)
    }

    /// Every fact in it, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.acts.iter().flat_map(Act::events)
    }
}

impl Act {
    /// The facts that it made; none if it was refused.
    pub fn events(&self) -> &[Event] {
        match &self.outcome {
            Verdict::Done(events) => events,
            Verdict::Refused(_) => &[],
        }
    }
}
