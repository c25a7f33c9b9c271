//! Why the program ends, as scripts and people are told: exit code, code, message, remedy
//! (CONTRACT). Every way out of this crate ends in one of these.
use std::fmt;

use crate::folder::FolderError;

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

    /// The disk failed: nothing more may be acknowledged.
    pub fn disk(message: impl fmt::Display) -> Self {
        Self::refused(
            "disk_failed",
            format!("the data folder cannot be written any more: {message}"),
            "look at the disk and the kernel's log; what was acknowledged is on the other members; start again once the disk is sound",
        )
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

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        Self::refused(error.code(), error.to_string(), error.remedy())
    }
}
