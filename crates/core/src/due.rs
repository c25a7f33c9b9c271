//! What is owed without anybody's wish (L5): pure functions of the state and the evidence of one
//! moment. Never queued, never refused; computed anew whenever a decision is formed, so no list and
//! no timer is lost with a leader. What an operator wishes is in `decide`.
pub(crate) mod choice;
mod copies;
mod facts;
mod handover;
mod moves;

pub use copies::copies;
pub(crate) use copies::heard;
pub use facts::facts;
pub use moves::moves;
pub(crate) use moves::{lost, moved};

use crate::{Act, Actor, Event, Verdict};

/// An act of Interrex itself.
fn act(events: Vec<Event>) -> Act {
    let (actor, outcome) = (Actor::Automaton, Verdict::Done(events));
    Act { actor, operation: None, reason: String::new(), ticket: String::new(), outcome }
}
