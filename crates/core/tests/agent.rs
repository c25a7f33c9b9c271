//! The agent's core from outside: what it does with acknowledgements that are lost, doubled, late,
//! out of order, of another boot, of other voters. Leases (P12), obedience (A1, A2, A9), links (A3).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests may panic, and look for one output among many"
)]
#[path = "agent/bench.rs"]
mod bench;
#[path = "agent/leases.rs"]
mod leases;
#[path = "agent/links.rs"]
mod links;
#[path = "agent/obedience.rs"]
mod obedience;
