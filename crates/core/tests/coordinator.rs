//! Coordinators from outside: three of them over a log in memory, with real agents, in virtual time.
//! Each test is a story of PROTOCOL section 4, 5 or 6, and dies when the rule that it names is
//! broken. Random faults on a whole fleet are the simulator's business (`crates/sim`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests may panic, and look for one output among many"
)]
#[path = "coordinator/commands.rs"]
mod commands;
#[path = "coordinator/failover.rs"]
mod failover;
#[path = "coordinator/fleet.rs"]
mod fleet;
#[path = "coordinator/promises.rs"]
mod promises;
#[path = "coordinator/stalls.rs"]
mod stalls;
#[path = "coordinator/storm.rs"]
mod storm;
#[path = "coordinator/world.rs"]
mod world;
