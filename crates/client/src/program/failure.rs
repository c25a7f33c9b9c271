//! Why a program ends, as scripts and people are told: exit code, code, message, remedy
//! (CONTRACT). Every way out of a long-running program ends in one of these.
use std::fmt;
use std::io;
use std::path::Path;

/// The program cannot start, or cannot go on. Printed once, by whoever ends the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the process: 1 or 78.
    pub exit: u8,
    /// As CONTRACT names it.
    pub code: &'static str,
    /// Names the thing that is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Failure {
    /// The configuration is wrong (exit 78).
    pub fn config(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit: 78, code: "config", message: message.into(), remedy: remedy.into() }
    }

    /// The machine, the folder or the cluster does not allow it (exit 1).
    pub fn refused(
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { exit: 1, code, message: message.into(), remedy: remedy.into() }
    }

    /// `path` could not be read or written.
    pub fn disk(path: &Path, why: &io::Error) -> Self {
        let is = |kinds: [io::ErrorKind; 2]| kinds.contains(&why.kind());
        let (code, remedy) = if is([io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded]) {
            ("disk_full", "make space on that disk, then start again; nothing was lost")
        } else if is([io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied]) {
            (
                "disk_failed",
                "make the folder writable for this user (owner, mount options), or name another --data",
            )
        } else {
            ("disk_failed", "look at the path, the disk and the kernel's log, then start again")
        };
        Self::refused(code, format!("{}: {why}", path.display()), remedy)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {} [{}]", self.message, self.code)?;
        if self.remedy.is_empty() {
            return Ok(());
        }
        write!(f, "\n  remedy: {}", self.remedy)
    }
}

impl std::error::Error for Failure {}
