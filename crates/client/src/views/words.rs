//! The closed lists of words in CONTRACT.md's documents.
use serde::{Deserialize, Serialize};

/// A member of one of the lists below, as documents and tables write it.
pub fn word<T: Serialize>(of: &T) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// Whether the automaton acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Automation {
    /// As each group's mode says.
    Auto,
    /// A pause for everything, of scope all, holds.
    Paused,
}

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerRole {
    /// Home of at most one recorder.
    RecorderHost,
    /// Waits to substitute a recorder.
    Standby,
}

/// How a server is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Heard by a majority.
    Ok,
    /// Its heartbeats are late, not yet evidence.
    Late,
    /// A majority missed it; the log says so.
    Expired,
    /// Never heard.
    Unknown,
}

/// Where a recorder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecorderState {
    /// At home.
    Recording,
    /// Moved; its new holder does not record every channel yet.
    TakingOver,
    /// Away from home.
    Substituted,
    /// Waits for a standby.
    Queued,
    /// A brake holds its move back.
    Held,
    /// Step 1 to 3 of a planned hand-over, other than a failback.
    HandingOver,
    /// Step 1 to 3 of its way home.
    FailingBack,
    /// Nobody records it, and nothing is under way.
    Down,
}

/// What holds a move back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brake {
    /// A pause.
    Paused,
    /// A cap on moves (a later issue).
    Cap,
    /// The group only observes.
    Observe,
    /// Too many at once (a later issue).
    Storm,
}

/// Why an episode began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The holder, at home, was silent.
    Disconnection,
    /// The holder, a substitute, was silent.
    StandbyLost,
    /// An operator asked for it.
    Manual,
    /// The receiver could not take over.
    TakeoverFailed,
}

/// Whether an episode is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailoverState {
    /// Under way, or away from home.
    Open,
    /// Over.
    Finalized,
}

/// What a queued recorder waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// Every standby of its group holds something, or is down.
    NoFreeStandby,
    /// A standby still owes material (a later issue).
    StandbyCopying,
}

impl From<interrex_core::Cause> for Cause {
    fn from(cause: interrex_core::Cause) -> Self {
        match cause {
            interrex_core::Cause::Disconnection => Self::Disconnection,
            interrex_core::Cause::StandbyLost => Self::StandbyLost,
            interrex_core::Cause::Manual => Self::Manual,
            interrex_core::Cause::TakeoverFailed => Self::TakeoverFailed,
        }
    }
}

impl From<interrex_core::Brake> for Brake {
    fn from(brake: interrex_core::Brake) -> Self {
        match brake {
            interrex_core::Brake::Paused => Self::Paused,
            interrex_core::Brake::Observe => Self::Observe,
        }
    }
}

impl From<interrex_core::fleet::Role> for ServerRole {
    fn from(role: interrex_core::fleet::Role) -> Self {
        match role {
            interrex_core::fleet::Role::RecorderHost => Self::RecorderHost,
            interrex_core::fleet::Role::Standby => Self::Standby,
        }
    }
}
