//! What the end-to-end tests share: a cluster of real processes, questions to it by its own
//! commands, and the outside witness. Nothing here knows how Interrex works inside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "only tests use it"
)]
pub mod bad;
pub mod copies;
pub mod net;
mod world;

pub use world::{World, fleet, names, now_ms, relaxed};

/// True as root: network namespaces, FUSE.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
