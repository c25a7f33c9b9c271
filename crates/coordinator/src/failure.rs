//! How this program fails: as all do, and for the reasons that only it has.
use std::fmt;

pub use interrex_client::program::Failure;

use crate::folder::FolderError;

/// The disk failed: nothing more may be acknowledged.
pub(crate) fn disk(message: impl fmt::Display) -> Failure {
    Failure::refused(
        "disk_failed",
        format!("the data folder cannot be written any more: {message}"),
        "look at the disk and the kernel's log; what was acknowledged is on the other members; start again once the disk is sound",
    )
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        Self::refused(error.code(), error.to_string(), error.remedy())
    }
}
