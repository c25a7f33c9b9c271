//! Deterministic simulation: the real core of coordinators and agents, over a model log and a model
//! network, in virtual time, with faults; everything from one number, the seed.
//!
//! Deliberately absent: threads, clocks, sockets, disks. Two runs of a seed are the same, line by
//! line, whatever machine they run on.
#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test program: its machines are numbered from zero, a wrong number is its own fault, \
              and it looks at the few events that it knows how to judge"
)]
mod checker;
mod clock;
mod copying;
mod driver;
mod elections;
mod faults;
mod hosts;
mod mending;
mod network;
mod nodes;
mod operators;
mod raft;
mod reach;
mod reactions;
mod rng;
mod setup;
mod trace;
mod world;

pub use checker::Violation;
pub use reach::{Reach, Situation};

use world::World;

/// What a seed came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// BLAKE3 over the lines of the trace, in hex.
    pub trace: String,
    /// Happenings.
    pub steps: u64,
    /// Virtual time that passed.
    pub virtual_ms: u64,
    /// Faults that were begun.
    pub faults: u64,
    /// Rare situations.
    pub reached: Reach,
    /// What must not be. The run ends at the first.
    pub violations: Vec<Violation>,
    /// The trace, if it was asked for.
    pub story: Vec<String>,
}

/// Runs one seed to its end.
pub fn run(seed: u64, story: bool) -> Verdict {
    let mut world = World::new(seed, story);
    world.run();
    let (steps, virtual_ms, faults) = (world.steps, world.now.ms(), world.faults);
    let violations = std::mem::take(&mut world.checker.violations);
    let reached = std::mem::take(&mut world.reach);
    let (trace, story) = world.trace.end();
    Verdict { seed, trace, steps, virtual_ms, faults, reached, violations, story }
}
