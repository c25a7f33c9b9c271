//! All that goes into an agent's core, and all that comes out. The shell moves bytes, reads clocks
//! and runs the driver; the simulator does the same in virtual time.
use std::time::Duration;

use crate::{
    Ack, AgentBoot, BootTime, ConfigHash, CopyDuty, CopyId, CopyStatus, Duty, EndedTenure, Epoch,
    Facts, Heartbeat, RecorderId, ServerId, Wall,
};

/// Who this agent is; fixed for one life of its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    /// Its server.
    pub server: ServerId,
    /// Drawn at random for this process.
    pub boot: AgentBoot,
    /// The boot of the previous process on this disk (A8).
    pub follows: Option<AgentBoot>,
    /// The last [`AgentOutput::Remember`] of the previous process, if any (A9).
    pub last_good: Vec<Duty>,
    /// How many addresses of coordinators are configured: links 0 to this, exclusive.
    pub links: u32,
    /// A9, WS-11: a starting agent waits this long for a majority before it records from its last
    /// good configuration. [`super::CONNECTION_TIMEOUT`] where nothing is set.
    pub connection_timeout: Duration,
    /// Told with each beat.
    pub facts: Facts,
}

/// What an agent's shell reads once for each input (A4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each type says what it holds")]
pub struct AgentMoment {
    pub boot: BootTime,
    pub wall: Wall,
}

/// One configured address of a coordinator, by its place in the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link(pub u32);

/// One connection of a link. A link has two while a new one is not acknowledged yet (A3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Where to.
    pub link: Link,
    /// Counts the connections of that link, from one.
    pub attempt: u64,
}

/// Something that happened to this agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentInput {
    /// Time passed; at least every 10 ms.
    Step {
        /// Any number: jitter of beats and back-off is drawn from it. The core has no dice.
        dice: u32,
    },
    /// The connection stands: what is sent next goes over it, too.
    Opened(Connection),
    /// The connection could not be made, or is over.
    Closed(Connection),
    /// A coordinator answered, over that connection.
    Ack {
        /// Which need not be the newest one.
        via: Connection,
        /// Of our cluster and generation: the shell has looked.
        ack: Ack,
    },
    /// What the driver is doing, complete: what it does not name it does not do.
    Status(Vec<DriverStatus>),
    /// Answers [`AgentOutput::FindEnds`], for those tenures that the driver has stopped recording.
    Ended(Vec<EndedTenure>),
    /// How far each copy is that is being fetched, complete.
    Copies(Vec<CopyStatus>),
    /// The material of these copies has been removed, and that is durable. Adds to what was said.
    Erased(Vec<CopyId>),
}

/// What the driver says of one recorder and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverStatus {
    /// Of which recorder.
    pub recorder: RecorderId,
    /// Under which epoch it writes.
    pub epoch: Epoch,
    /// The configuration that it has applied.
    pub config: ConfigHash,
    /// Channels that record durably.
    pub recording: u32,
    /// Of how many.
    pub channels: u32,
    /// As in [`crate::DutyStatus`].
    pub first_ms: Option<u64>,
    /// As in [`crate::DutyStatus`].
    pub last_ms: Option<u64>,
    /// The distance of two ticks; 0 if unknown.
    pub tick_ms: u32,
    /// The configuration is applied, and each channel that can be opened is open.
    pub prepared: bool,
    /// It cannot do this.
    pub failed: bool,
}

/// What the driver should be doing for one recorder, level-triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// For which recorder.
    pub recorder: RecorderId,
    /// Under which epoch material is written.
    pub epoch: Epoch,
    /// `ch-1` to `ch-N`.
    pub channels: u32,
    /// The configuration to apply.
    pub config: ConfigHash,
    /// Whether logical addresses are to be held. Ends by itself at `lease_end`, whoever sleeps.
    pub acting: bool,
    /// The newest lease end known of this tenure, perhaps past; what is written later is unfenced
    /// (A7).
    pub lease_end: Option<BootTime>,
}

/// What an outside witness should read of (CONTRACT, `journal.jsonl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// It begins to act: the lease runs, the assignment says so (A1).
    Acts,
    /// The lease of a tenure in which it acted is over.
    LeaseEnds,
    /// It gives up its addresses.
    DropsAddresses,
    /// It has been ordered to release, and has: never again in this epoch.
    Releases,
}

/// Something that this agent wants done. In order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentOutput {
    /// To every coordinator, over every connection that is open.
    Beat(Heartbeat),
    /// Open it; the attempt may take h at most (I3).
    Connect(Connection),
    /// Give it up.
    Close(Connection),
    /// All that the driver should be doing; what is not named is to be stopped (A2).
    Wishes(Vec<Wish>),
    /// For the journal. Comes before the beat that tells of it.
    Did {
        /// What.
        deed: Deed,
        /// For which recorder.
        recorder: RecorderId,
        /// In which epoch.
        epoch: Epoch,
        /// The newest lease end known of that tenure.
        lease_end: Option<BootTime>,
    },
    /// Where do these tenures end on this disk? Asked again until [`AgentInput::Ended`] names them.
    FindEnds(Vec<(RecorderId, Epoch)>),
    /// All that is to be done for copies, in id order; what is not named is to be given up, and
    /// what is durable of it kept. Those to erase are named until the log has it that they are.
    Copies(Vec<CopyDuty>),
    /// Keep this durably, in place of what was kept before: the last good configuration (A9).
    Remember(Vec<Duty>),
    /// For the first time, a majority of voters has acknowledged a beat of this boot.
    Ready,
    /// No majority was reached in time: records from the last good configuration (A9, WS-11).
    Alone,
}
