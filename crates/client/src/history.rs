//! The history, read from a stopped coordinator's folder or from a living one: as lines for people
//! and programs, and folded again with every check (`verify`).
//!
//! Deliberately absent: the format of the files (wire), the fold and the invariants (core).
mod folder;
mod live;
mod material;
mod render;
mod verify;

pub use folder::{read_folder, read_people};
pub use live::LiveChain;
pub use render::{People, Renderer};
pub use verify::Verifier;

use interrex_wire::segment::Damage;

/// The history cannot be read on. What was read before is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHistory {
    /// Correct the path: it must be a coordinator's data folder.
    #[error("{0}")]
    Unreadable(String),
    /// Keep the folder, and rebuild this coordinator from the others.
    #[error(transparent)]
    Damaged(Box<Damage>),
    /// The coordinator sent what does not follow from what it sent before.
    #[error("revision {revision}: {what}")]
    Broken {
        /// Where.
        revision: u64,
        /// What does not fit.
        what: String,
    },
}
