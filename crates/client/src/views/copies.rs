//! The document of copies, and its closed lists of words.
use serde::{Deserialize, Serialize};

use super::Time;

/// An item of `get copies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Copy {
    pub id: u64,
    /// Under which the tenure began whose material it is.
    pub failover: Option<u64>,
    pub recorder: String,
    /// Of that tenure.
    pub epoch: u64,
    /// Who recorded it.
    pub from: String,
    /// The recorder's home.
    pub to: Option<String>,
    pub state: CopyState,
    pub waits_for: Option<CopyWaitsFor>,
    pub segments_done: u64,
    pub segments_total: u64,
    /// Those that cannot be had as they were recorded.
    pub segments_failed: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// Null while the whole is not known.
    pub percent: Option<u64>,
    pub opened: Time,
    pub closed: Option<Time>,
    /// Who ended it.
    pub by: Option<String>,
    /// The material is gone where it was recorded.
    pub erased: bool,
}

/// How a copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// Its home has said nothing of it yet.
    Queued,
    /// It goes on.
    Running,
    /// It goes on by itself when what it waits for is there.
    Waiting,
    /// It waits for an operator.
    Paused,
    /// Everything is at home.
    Done,
    /// What can be had is at home; some cannot.
    Failed,
    /// An operator gave up what was missing.
    Stopped,
    /// The material was thrown away.
    Discarded,
    /// An operator gave it up: it cannot be reached any more.
    GivenUp,
    /// The material stays where it was recorded.
    Redirected,
}

/// What a copy waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyWaitsFor {
    /// The recorder's home is expired.
    HomeLost,
    /// Who recorded it is expired.
    OtherEndExpired,
    /// There is no room at home.
    DiskFull,
    /// Neither end reaches the other.
    NoRoute,
}
