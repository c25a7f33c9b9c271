//! The core's domain from outside: stories, the transition table, random histories, refusals.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]
mod brief;
mod commands;
mod due;
mod histories;
mod script;
mod stories;
mod transitions;
mod views;
mod world;
