//! How every verb fails: exit code, code, message, remedy (CONTRACT), and nothing else on stderr.
use std::io::Write;

use interrex_client::Error;
use interrex_client::history::BadHistory;
use interrex_client::identity::BadIdentity;
use serde_json::json;

/// Wrong arguments.
pub(crate) const USAGE: u8 = 2;
/// The question was answered "no".
pub(crate) const NO: u8 = 3;

/// Why the program ends with something else than 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: u8,
    pub(crate) kind: &'static str,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) remedy: String,
    pub(crate) operation: Option<String>,
    /// Of an unknown outcome: what belongs to the id.
    pub(crate) seen: Option<u64>,
}

impl Failure {
    fn new(exit: u8, kind: &'static str, code: &str, message: String, remedy: &str) -> Self {
        let (code, remedy) = (code.to_owned(), remedy.to_owned());
        Self { exit, kind, code, message, remedy, operation: None, seen: None }
    }

    pub(crate) fn refused(code: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self::new(1, "refused", code, message.into(), remedy)
    }

    pub(crate) fn usage(message: &str, remedy: &str) -> Self {
        Self::new(USAGE, "usage", "usage", message.to_owned(), remedy)
    }

    pub(crate) fn no(code: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self::new(NO, "no", code, message.into(), remedy)
    }

    pub(crate) fn config(message: impl Into<String>, remedy: &str) -> Self {
        Self::new(78, "config", "config", message.into(), remedy)
    }

    /// On stderr: one line of JSON, or words.
    pub(crate) fn print(&self, is_json: bool) {
        let mut out = std::io::stderr().lock();
        if is_json {
            let error = json!({
                "kind": self.kind, "code": self.code, "message": self.message,
                "remedy": self.remedy, "operation": self.operation, "seen": self.seen,
            });
            let _ = writeln!(out, "{}", json!({ "error": error }));
            return;
        }
        let _ = writeln!(out, "error: {} [{}]", self.message, self.code);
        if let Some(operation) = &self.operation {
            let seen = self.seen.map_or(String::new(), |seen| format!(", seen {seen}"));
            let _ = writeln!(out, "  operation: {operation}{seen}");
        }
        if !self.remedy.is_empty() {
            let _ = writeln!(out, "  remedy: {}", self.remedy);
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let failed = Self::new(error.exit(), error.kind(), error.code(), message, &error.remedy());
        match error {
            Error::Refused { operation, .. } => Self { operation, ..failed },
            Error::Unknown { operation, seen, .. } => {
                Self { operation: Some(operation), seen, ..failed }
            }
            Error::Denied { .. }
            | Error::Unavailable { .. }
            | Error::Config(_)
            | Error::Unreadable { .. } => failed,
        }
    }
}

impl From<interrex_client::program::Failure> for Failure {
    fn from(failure: interrex_client::program::Failure) -> Self {
        let kind = if failure.exit == 78 { "config" } else { "refused" };
        Self::new(failure.exit, kind, failure.code, failure.message, &failure.remedy)
    }
}

/// The message names the remedy, too.
impl From<BadIdentity> for Failure {
    fn from(bad: BadIdentity) -> Self {
        Self::config(bad.to_string(), "")
    }
}

impl From<BadHistory> for Failure {
    fn from(bad: BadHistory) -> Self {
        match bad {
            BadHistory::Unreadable(why) => {
                Self::config(why, "give --data the folder of a stopped coordinator")
            }
            BadHistory::Damaged(damage) => Self::no(
                "chain_broken",
                damage.to_string(),
                "keep this folder, and rebuild this coordinator from the others",
            ),
            BadHistory::Broken { .. } => Self::no(
                "chain_broken",
                bad.to_string(),
                "compare with the other coordinators: `interrex verify`",
            ),
        }
    }
}
