//! What was answered to whom. Bounded: what is forgotten is refused, never judged twice (O3).
use std::collections::{BTreeMap, VecDeque};

use super::Stamp;
use crate::lines::Lines;
use crate::{Event, FailoverId, Operation, OperationId, OperationKey, Refused, Revision, Verdict};

/// Answers kept (O1).
pub const OPERATIONS_KEPT: u64 = 100_000;

/// The recorded answer to one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Answered {
    pub key: OperationKey,
    /// Of the decision that holds it.
    pub revision: Revision,
    /// Operations applied when it was, itself included.
    pub operations: u64,
    /// Kinds of its events, as CONTRACT names them; or why it was refused.
    pub outcome: Result<Vec<&'static str>, Refused>,
    /// The failover that it began or ends.
    pub failover: Option<FailoverId>,
}

/// What the table knows of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// Never judged: judge it.
    New,
    /// Judged before; a repetition is told the same (O2).
    Answered(&'a Answered),
    /// The id belongs to another command: refused, and not recorded (O1).
    Reused(&'a Answered),
    /// Asked for without `seen`, and not in the table: not judged. The outcome is unknown (O1).
    Unheard,
    /// Perhaps judged and forgotten. The outcome is unknown, and judging it is not safe (O3).
    TooOld,
}

/// The newest answers, by operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    answers: BTreeMap<OperationId, Answered>,
    oldest_first: VecDeque<OperationId>,
    applied: u64,
}

impl Operations {
    /// Folds one act in, done or refused.
    pub fn apply(&mut self, stamp: &Stamp<'_>) {
        let Some(key) = stamp.act.operation else { return };
        self.applied += 1;
        let outcome = match &stamp.act.outcome {
            Verdict::Done(events) => Ok(events.iter().map(Event::kind).collect()),
            Verdict::Refused(refused) => Err(refused.clone()),
        };
        let failover = stamp.act.events().iter().find_map(Event::failover);
        let (revision, operations) = (stamp.revision, self.applied);
        let answered = Answered { key, revision, operations, outcome, failover };
        if self.answers.insert(key.id, answered).is_none() {
            self.oldest_first.push_back(key.id);
        }
        if self.oldest_first.len() as u64 > OPERATIONS_KEPT
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }

    /// What is known of `operation`.
    pub fn known(&self, operation: Operation) -> Known<'_> {
        match (self.answers.get(&operation.key.id), operation.seen) {
            (Some(answered), _) if answered.key == operation.key => Known::Answered(answered),
            (Some(answered), _) => Known::Reused(answered),
            (None, None) => Known::Unheard,
            (None, Some(seen)) if self.applied.saturating_sub(seen) >= OPERATIONS_KEPT => {
                Known::TooOld
            }
            (None, Some(_)) => Known::New,
        }
    }

    /// Operations applied so far: `seen` of a new one.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        lines.line(format_args!("operations {}", self.applied));
        for answered in self.oldest_first.iter().filter_map(|id| self.answers.get(id)) {
            lines.line(format_args!("operation {answered:?}"));
        }
    }
}
