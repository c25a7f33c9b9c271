//! The public library: identities and TLS, the documents that people and programs are shown, the
//! fleet document as TOML, a client that follows the leader and repeats safely, and what the
//! long-running programs share.
//!
//! Deliberately absent: the command line and tables (cli), and everything that decides (core).
pub mod client;
pub mod fleet_toml;
pub mod history;
pub mod identity;
pub mod program;
pub mod views;

pub use client::{Client, Error};
