//! The history's documents: one line an event, and what `verify` found.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Time;

/// A line of `interrex history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct EventLine {
    pub revision: u64,
    /// Place within its revision, from 1.
    pub n: u64,
    /// Log time.
    pub at: Time,
    /// As `Event::kind` says; `refused` for a refusal.
    pub kind: String,
    /// Whom it is about: `{"recorder": "rec-1"}`, `{"server": ..}`, `{"key": ..}` and the like.
    pub subject: Map<String, Value>,
    /// `automaton`, or `role/name`; `person/HEX` where the name was forgotten.
    pub actor: String,
    pub operation: Option<String>,
    pub reason: String,
    /// What else it says, by the event's own field names.
    pub data: Map<String, Value>,
    /// Head of the chain before and after the record that holds it, in hex.
    pub prev: String,
    pub hash: String,
}

/// What `interrex verify` prints: of one history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Verification {
    pub ok: bool,
    pub events: u64,
    pub revision: u64,
    pub chain: String,
    /// BLAKE3 over the state's canonical lines, in hex.
    pub state: String,
    pub violations: Vec<Violation>,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Violation {
    pub invariant: String,
    pub revision: u64,
    pub detail: String,
}
