//! The core of Interrex: heartbeats become silence, silence of a majority becomes an event, and an
//! event becomes a role. Coordinators and agents, whole, as functions of their inputs.
//!
//! Deliberately absent: clocks, network, disk, wire, randomness, hashing. The shells are in the
//! crates `coordinator` and `agent`; the simulator (`sim`) drives the same code in virtual time.
mod account;
mod address;
pub mod agent;
mod agents;
mod assignment;
mod clear;
mod command;
pub mod coordinator;
mod copy;
mod decide;
mod decision;
mod detector;
pub mod due;
mod entry;
mod event;
mod evidence;
pub mod fleet;
mod grants;
mod ids;
pub mod invariants;
mod lines;
mod message;
pub mod name;
pub mod numbers;
mod picture;
mod promise;
mod proposer;
mod state;
mod table;
mod time;
pub mod views;

pub use account::*;
pub use address::*;
pub use assignment::assignment;
pub use command::*;
pub use copy::*;
pub use decide::{PassedOver, Refusal, decide};
pub use decision::*;
pub use entry::*;
pub use event::*;
pub use evidence::*;
pub use ids::*;
pub use message::*;
pub use picture::*;
pub use state::State;
pub use time::*;
