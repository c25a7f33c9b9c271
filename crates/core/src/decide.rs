//! The judgement of operators' commands. Runs on the leader only; may change in any release, for
//! the log holds facts. What is owed without anybody's wish is in `due`.
mod refusal;

pub use refusal::{PassedOver, Refusal};

use crate::{Command, Event, Evidence, LogTime, State};

/// Judges `command` against `state`, on the evidence of this moment, at log time `now`.
///
/// Pure: same arguments, same answer. Returns the facts to record, in order; at least one.
///
/// # Errors
///
/// A [`Refusal`] names the precondition that failed, and what to do about it.
pub fn decide(
    state: &State,
    command: &Command,
    evidence: &Evidence,
    now: LogTime,
) -> Result<Vec<Event>, Refusal> {
    let _ = (state, command, evidence, now);
    Err(Refusal::TooLong { what: "", bytes: 0, allowed: 0 })
}
