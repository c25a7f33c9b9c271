//! What people and programs are shown: the JSON documents of CONTRACT.md, field by field, in one
//! place. Coordinators write them, the client reads them.
//!
//! Unknown is `null`, never absent. Deliberately absent: how a document comes to be (coordinator)
//! and how it looks on a screen (cli).
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod copies;
mod history;
mod time;
mod words;

pub use copies::{Copy, CopyState, CopyWaitsFor};
pub use history::{EventLine, Verification, Violation};
pub use time::Time;
pub use words::{
    Automation, Brake, Cause, FailoverState, Health, RecorderState, ServerRole, WaitsFor, word,
};

/// Version of every document.
pub const API: u32 = 1;

/// The envelope of every list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// Always [`API`].
    pub api: u32,
    /// The revision that the items show.
    pub revision: u64,
    /// Name of the coordinator that leads, if the one that answered knows it.
    pub leader: Option<String>,
    /// True if whichever coordinator answered said what it has, without asking a majority.
    pub stale: bool,
    /// Since when the answering coordinator has heard nothing newer; null unless `stale`.
    pub age_ms: Option<u64>,
    /// In the order in which they are shown.
    pub items: Vec<T>,
}

/// `interrex status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Status {
    pub api: u32,
    /// The cluster's id, a UUID.
    pub cluster: String,
    pub revision: u64,
    /// Operations applied: what a client sends as `seen` (O1).
    pub operations: u64,
    /// The head of the history's chain after `revision`, in hex.
    pub chain: String,
    pub leader: Option<String>,
    /// Raft's term.
    pub term: u64,
    /// True if the leader heard a majority lately.
    pub quorum: bool,
    pub stale: bool,
    pub age_ms: Option<u64>,
    pub automation: Automation,
    pub level: u32,
    pub coordinators: Vec<Coordinator>,
    pub counts: Counts,
    pub problems: Vec<Problem>,
}

/// A coordinator, as the one that answers sees it; also an item of `member list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Coordinator {
    pub name: String,
    /// False for a learner.
    pub voter: bool,
    /// Null if the coordinator that answers cannot know (it does not lead).
    pub reachable: Option<bool>,
    pub applied_revision: Option<u64>,
    pub version: Option<String>,
    /// What Raft calls its node id.
    pub id: u64,
    /// Where other members reach it.
    pub peer_address: Option<String>,
    /// Where clients reach it.
    pub address: Option<String>,
}

/// How many recorders are in which state, and servers in which health. Every state is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Counts {
    pub recorders: BTreeMap<String, u64>,
    pub servers: BTreeMap<String, u64>,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, for scripts.
    pub code: String,
    /// `server/srv-1`, `recorder/rec-1`, `coordinator/c1` or `cluster`.
    pub subject: String,
    /// One sentence.
    pub message: String,
    /// The next command to type, or what else to do.
    pub remedy: String,
}

/// An item of `get servers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Server {
    pub name: String,
    pub role: ServerRole,
    pub group: String,
    pub health: Health,
    /// Coordinators that have missed it past its timeout.
    pub suspected_by: Vec<String>,
    /// For how long each coordinator has not heard it; null where that is not known.
    pub silent_ms: BTreeMap<String, Option<u64>>,
    /// What the log says it holds.
    pub holds: Option<Held>,
    /// What its agent last said it does.
    pub reported: Option<Reported>,
    /// True if somebody could take over from it now; null if it holds nothing.
    pub protected: Option<bool>,
    /// Its failover timeout.
    pub timeout_ms: u64,
}

/// A tenure, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Held {
    pub recorder: String,
    pub epoch: u64,
}

/// A tenure, as the agent has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Reported {
    pub recorder: String,
    pub epoch: u64,
    /// Hash of the configuration in use, in hex; null while none is.
    pub config: Option<String>,
}

/// An item of `get recorders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Recorder {
    pub name: String,
    pub group: String,
    pub home: String,
    pub holder: Option<String>,
    /// 0 before its first tenure.
    pub epoch: u64,
    pub state: RecorderState,
    pub held_by: Option<Brake>,
    /// Since when it has this holder, or waits for one.
    pub since: Option<Time>,
    /// Its newest open failover.
    pub failover: Option<u64>,
    pub priority: i32,
    pub channels: u32,
    /// Hash of its configuration, in hex.
    pub config: String,
}

/// An item of `get failovers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Failover {
    pub id: u64,
    pub recorder: String,
    pub from: String,
    /// Null while it waits for a standby.
    pub to: Option<String>,
    pub cause: Cause,
    /// Who missed the former holder, and for how long.
    pub evidence: Vec<Silence>,
    pub state: FailoverState,
    pub expired: Option<Time>,
    pub failed_over: Option<Time>,
    pub took_over: Option<Time>,
    pub failback_started: Option<Time>,
    pub failed_back: Option<Time>,
    pub copied: Option<Time>,
    /// Between the last of the old and the first of the new tenure's material.
    pub gap_ms: Option<u64>,
    /// Of the tenure that it made; null while it waits.
    pub epoch: Option<u64>,
    pub actor: String,
    pub reason: String,
    pub ticket: String,
    /// UUID of the operation that asked for it.
    pub operation: Option<String>,
}

/// One coordinator's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Silence {
    pub coordinator: String,
    pub silent_ms: u64,
}

/// An item of `get queue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Waiting {
    /// From 1.
    pub position: u64,
    pub recorder: String,
    pub priority: i32,
    pub since: Time,
    pub waits_for: WaitsFor,
}

/// An item of `get notes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Note {
    pub key: String,
    pub text: String,
    /// Of the decision that wrote it: what `--expect` compares.
    pub revision: u64,
    pub actor: String,
    pub at: Time,
}

/// What the view FLEET answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "those not named here are as in `List`")]
pub struct FleetDocument {
    pub api: u32,
    pub revision: u64,
    pub leader: Option<String>,
    pub stale: bool,
    pub age_ms: Option<u64>,
    /// Revision of the document: what `apply --expect-revision` compares; 0 before the first.
    pub fleet_revision: u64,
    /// Canonical, as `fleet_toml::export` writes it.
    pub toml: String,
}

/// What every verb that changes something prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in CONTRACT.md")]
pub struct Changed {
    pub api: u32,
    pub revision: u64,
    pub operations: u64,
    /// UUID.
    pub operation: String,
    /// Kinds of the events, in order.
    pub events: Vec<String>,
    /// The episode that it opened or will close; of failover and failback only.
    pub failover: Option<u64>,
    /// False for a dry run: it was judged, and nothing was changed.
    pub recorded: bool,
}
