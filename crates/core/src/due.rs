//! What is owed without anybody's wish (L5): pure functions of the state and the evidence of one
//! moment. Never queued, never refused; computed anew whenever a decision is formed, so no list and
//! no timer is lost with a leader.
use crate::{Act, Evidence, LogTime, State};

/// D1, D2, P2, and what agents told: facts about servers and tenures. They move nothing.
///
/// One act each, in id order.
pub fn facts(state: &State, evidence: &Evidence) -> Vec<Act> {
    let _ = (state, evidence);
    Vec::new()
}

/// D3 to D9: what moves, on the state after the facts. One act for each recorder.
pub fn moves(state: &State, evidence: &Evidence, now: LogTime) -> Vec<Act> {
    let _ = (state, evidence, now);
    Vec::new()
}
