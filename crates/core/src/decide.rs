//! The judgement of operators' commands. Runs on the leader only; may change in any release, for
//! the log holds facts. What is owed without anybody's wish is in `due`.
mod copy;
mod fleet;
mod note;
mod pause;
mod recorder;
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
    match command {
        Command::ApplyFleet { fleet, expect } => fleet::apply(state, fleet, *expect),
        Command::FailOver { recorder, to, expect, despite } => {
            let asked = recorder::Asked::about(state, *recorder, *expect, *despite)?;
            recorder::fail_over(&asked, evidence, *to, now)
        }
        Command::FailBack { recorder, expect, despite } => {
            let asked = recorder::Asked::about(state, *recorder, *expect, *despite)?;
            recorder::fail_back(&asked, evidence, now)
        }
        Command::Pause { subject, scope, lasts } => {
            pause::pause(state, *subject, *scope, *lasts, now)
        }
        Command::Resume { subject } => pause::resume(state, *subject, now),
        Command::Note { key, text, expect } => note::note(state, key, text, *expect),
        Command::Copy { subject, wish } => copy::copy(state, evidence, *subject, *wish),
    }
}
