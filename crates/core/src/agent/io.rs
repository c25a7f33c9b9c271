//! All that goes into an agent's core, and all that comes out.
use std::time::Duration;

use crate::{
    Ack, AgentBoot, BootTime, ConfigHash, DutyStatus, EndedTenure, Epoch, Heartbeat, RecorderId,
    ServerId, Wall,
};

/// One of the coordinators' addresses in the agent's own configuration, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint(pub u32);

/// Who this agent is; fixed for one life of its process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct AgentIdentity {
    pub server: ServerId,
    /// Drawn at random.
    pub boot: AgentBoot,
    /// Of the previous process on this disk.
    pub follows: Option<AgentBoot>,
    /// How many coordinators it dials.
    pub endpoints: u32,
    /// What it last recorded, from its disk (A9, WS-11).
    pub last_known: Vec<LastKnown>,
    /// How long a starting agent waits for a majority before it records from `last_known`.
    pub connection_timeout: Duration,
}

/// A duty kept on the agent's disk: enough to record by, never enough to act by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct LastKnown {
    pub recorder: RecorderId,
    pub epoch: Epoch,
    pub channels: u32,
    pub config: ConfigHash,
}

/// What the shell reads once for each input: A4's clock, and the wall clock for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each type says what it holds")]
pub struct AgentMoment {
    pub boot: BootTime,
    pub wall: Wall,
}

/// Something that happened to this agent.
#[derive(Clone, Debug)]
pub enum AgentInput {
    /// A coordinator acknowledged a heartbeat, or pushed.
    Ack {
        /// On whose connection it came.
        from: Endpoint,
        /// What it said.
        ack: Ack,
    },
    /// Time passed: at most 10 ms after the last one.
    Step {
        /// Of the next interval, in per mille from -100 to 100: drawn by the shell (jitter).
        jitter: i32,
    },
    /// What the driver says of all that it runs. Whenever it changes, and before each heartbeat.
    Status(Vec<DutyStatus>),
    /// What the driver found on its disk, in answer to [`AgentOutput::FindEnds`].
    Ends(Vec<EndedTenure>),
}

/// Something that this agent wants done. In order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentOutput {
    /// To every coordinator.
    Beat(Heartbeat),
    /// No answer for too long (A3): open another connection, keep the old one until it answers.
    Reconnect(Endpoint),
    /// All that the driver must run from now on; what is not named it stops.
    Run(Vec<Wish>),
    /// Look on the disk where these tenures ended; answer with [`AgentInput::Ends`].
    FindEnds(Vec<(RecorderId, Epoch)>),
    /// Keep this on disk for the next start.
    Remember(Vec<LastKnown>),
    /// One line of `journal.jsonl`.
    Journal(Journal),
    /// A majority acknowledged a heartbeat for the first time.
    Ready,
}

/// What the driver must run for one recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Wish {
    pub recorder: RecorderId,
    pub epoch: Epoch,
    pub channels: u32,
    pub config: ConfigHash,
    /// Hold the logical addresses: only while the lease runs.
    pub act: bool,
    /// Given up acting for good in this epoch (a release was ordered).
    pub released: bool,
    /// The end of the newest lease of this tenure; segments written past it are unfenced (A7).
    pub lease_end: Option<BootTime>,
}

/// What the outside witness reads (CONTRACT, files of an agent). Segments are journalled by the
/// driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Journal {
    pub recorder: RecorderId,
    pub epoch: Epoch,
    pub what: JournalEvent,
    pub lease_end: Option<BootTime>,
}

/// What happened to a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in CONTRACT")]
pub enum JournalEvent {
    Act,
    Release,
    LeaseEnd,
    DropAddresses,
}
