//! How this program fails: as all do, and about a file of the data folder.
use std::fmt;
use std::path::Path;

pub use interrex_client::program::Failure;

/// `path` holds something that this program did not write.
pub(crate) fn corrupt(path: &Path, why: impl fmt::Display) -> Failure {
    Failure::refused(
        "corrupt",
        format!("{} cannot be understood: {why}", path.display()),
        "move that file away and start again: the agent learns anew what was in it; material and journal are not touched",
    )
}
