//! Why a data folder cannot be used: one error for the folder, the log and the history in it.
use std::any::Any;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The data folder cannot be used, or no longer. Every variant ends the coordinator (exit status
/// 1): it must not acknowledge what it cannot keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// Another process uses it.
    #[error("data folder {path} is in use by another process")]
    Locked {
        /// The folder.
        path: String,
    },
    /// A later release wrote it.
    #[error("{what} is of {kind} {found}; this program reads up to {kind} {known}")]
    Newer {
        /// The file or record.
        what: String,
        /// `format` or `level`.
        kind: &'static str,
        /// What was found.
        found: u64,
        /// The newest that this program reads.
        known: u64,
    },
    /// It is a member of another cluster, or another member.
    #[error("{0}")]
    WrongCluster(String),
    /// What was written there does not read back as it was written.
    #[error("{what} is damaged: {detail}")]
    Corrupt {
        /// The file.
        what: String,
        /// What is wrong with it, and where.
        detail: String,
    },
    /// The operating system reports an error.
    #[error("{what}: {detail}")]
    Disk {
        /// What was tried, on which file.
        what: String,
        /// The system's words.
        detail: String,
        /// No space is left (`disk_full`); otherwise the disk failed.
        full: bool,
    },
    /// Too little space to run.
    #[error("no space for data folder {path}: {free_mib} MiB free, {needed_mib} MiB needed")]
    Full {
        /// The folder.
        path: String,
        /// Free in its file system.
        free_mib: u64,
        /// Needed to start.
        needed_mib: u64,
    },
}

impl FolderError {
    /// The code that scripts see (CONTRACT).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "data_locked",
            Self::Newer { kind: "level", .. } => "newer_level",
            Self::Newer { .. } => "newer_format",
            Self::WrongCluster(_) => "wrong_cluster",
            Self::Corrupt { .. } => "corrupt",
            Self::Disk { full: false, .. } => "disk_failed",
            Self::Disk { full: true, .. } | Self::Full { .. } => "disk_full",
        }
    }

    /// What the operator can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Locked { .. } => {
                "stop the other coordinator, or give this one a --data folder of its own"
            }
            Self::Newer { .. } => "start the release that wrote it, or a later one",
            Self::WrongCluster(_) => {
                "give --data the folder of this member; a member whose disk was lost joins anew: \
                 `interrex member add`"
            }
            Self::Corrupt { .. } => {
                "keep the folder for inspection, check the disk, and bring this member back with \
                 an empty folder and a new place in the cluster: `interrex member add`"
            }
            Self::Disk { full: false, .. } => {
                "check the disk, its mount and the folder's rights, then start again"
            }
            Self::Disk { full: true, .. } | Self::Full { .. } => {
                "make space in the file system, then start again"
            }
        }
    }

    /// An error of the operating system. A full disk is told as such.
    pub fn disk(what: impl Display, error: &io::Error) -> Self {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        Self::Disk { what: what.to_string(), detail: error.to_string(), full }
    }

    /// As [`Self::disk`], for something tried on a file.
    pub(crate) fn io<'p>(verb: &'p str, path: &'p Path) -> impl FnOnce(io::Error) -> Self + 'p {
        move |error| Self::disk(format!("{verb} {}", path.display()), &error)
    }

    /// Something panicked while it did this: an error like any other, never a thread that is just
    /// gone.
    pub(crate) fn panicked(what: impl Display, panic: &(dyn Any + Send)) -> Self {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let detail = said.unwrap_or_else(|| "it failed without a word".into());
        Self::Disk { what: what.to_string(), detail, full: false }
    }

    /// Damage in a file.
    pub(crate) fn corrupt(what: impl Display, detail: impl Display) -> Self {
        Self::Corrupt { what: what.to_string(), detail: detail.to_string() }
    }
}

impl From<FolderError> for io::Error {
    /// For openraft, whose storage traits speak `io::Error`; the words are kept.
    fn from(error: FolderError) -> Self {
        let kind = match error {
            FolderError::Full { .. } | FolderError::Disk { full: true, .. } => {
                io::ErrorKind::StorageFull
            }
            FolderError::Corrupt { .. } => io::ErrorKind::InvalidData,
            FolderError::Locked { .. }
            | FolderError::Newer { .. }
            | FolderError::WrongCluster(_)
            | FolderError::Disk { full: false, .. } => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
