//! What can come of a call. Each variant says what the caller may rely on, and has one exit code.
use crate::identity::BadIdentity;

/// A call that was not answered with "done".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum Error {
    /// Judged, or surely not judged: nothing changed. Do as the remedy says.
    #[error("{message}")]
    Refused { code: String, message: String, remedy: String, operation: Option<String> },
    /// The identity is unknown to the coordinators, or its role may not do this. Nothing changed.
    #[error("{message}")]
    Denied { message: String, remedy: String },
    /// No coordinator could be asked in time; nothing was sent. Try again.
    #[error("no coordinator could answer: {why} (asked: {asked})")]
    Unavailable { why: String, asked: String },
    /// Sent, and no answer in time: perhaps done. Ask again with the same operation id.
    #[error("the outcome of operation {operation} is unknown: {why}")]
    Unknown { operation: String, seen: Option<u64>, why: String },
    /// The settings or the identity's files are wrong. Nothing was sent.
    #[error(transparent)]
    Config(#[from] BadIdentity),
    /// The coordinator wrote what this program cannot read: one of them is too old.
    #[error("{address} answered something that this program cannot read: {why}")]
    Unreadable { address: String, why: String },
}

impl Error {
    /// The process's exit code, as CONTRACT has it.
    pub fn exit(&self) -> u8 {
        match self {
            Error::Refused { .. } | Error::Unreadable { .. } => 1,
            Error::Unavailable { .. } => 4,
            Error::Denied { .. } => 5,
            Error::Unknown { .. } => 6,
            Error::Config(_) => 78,
        }
    }

    /// CONTRACT's word for the exit code.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Refused { .. } | Error::Unreadable { .. } => "refused",
            Error::Unavailable { .. } => "unavailable",
            Error::Denied { .. } => "denied",
            Error::Unknown { .. } => "unknown",
            Error::Config(_) => "config",
        }
    }

    /// For scripts.
    pub fn code(&self) -> &str {
        match self {
            Error::Refused { code, .. } => code,
            Error::Unavailable { .. } => "unavailable",
            Error::Denied { .. } => "denied",
            Error::Unknown { .. } => "outcome_unknown",
            Error::Config(_) => "config",
            Error::Unreadable { .. } => "unreadable_answer",
        }
    }

    /// What to do next.
    pub fn remedy(&self) -> String {
        match self {
            Error::Refused { remedy, .. } | Error::Denied { remedy, .. } => remedy.clone(),
            Error::Unavailable { .. } => {
                "check --endpoints and that a majority of the coordinators runs, then try again; \
                 reads work with --stale while one of them does"
                    .to_owned()
            }
            Error::Unknown { .. } => {
                "ask again with the same --operation-id and --seen: it is never done twice"
                    .to_owned()
            }
            Error::Config(_) => String::new(),
            Error::Unreadable { .. } => "use programs of one release".to_owned(),
        }
    }
}
