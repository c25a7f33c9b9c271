//! What agents, coordinators and the leader say to each other (PROTOCOL section 3). The cluster id
//! and the generation are checked where a message enters, so they do not appear here.
use std::sync::Arc;
use std::time::Duration;

use crate::fleet::Fencing;
use crate::{
    Account, Address, AgentBoot, BeatSeq, Boot, ConfigHash, CoordinatorId, CopyDuty, CopyId,
    CopyStatus, Epoch, Generation, Level, LogIndex, LogicalAddress, RecorderId, ReportSeq,
    Revision, ServerId, SetId, Term, TickSeq, Voters, Wall,
};

/// Agent to every coordinator: I live, and this is what I am.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Heartbeat {
    pub server: ServerId,
    pub boot: AgentBoot,
    /// The boot of the previous process on this disk (A8).
    pub follows: Option<AgentBoot>,
    pub seq: BeatSeq,
    /// The newest assignment that it knows.
    pub holds: Option<AssignmentId>,
    pub duties: Vec<DutyStatus>,
    /// Answers to [`Assignment::ends_wanted`].
    pub ended: Vec<EndedTenure>,
    pub wall: Wall,
    pub facts: Facts,
    /// How far each copy is that it fetches: at most [`crate::COPIES_MAX`].
    pub copies: Vec<CopyStatus>,
    /// Whose material it has removed, of those that the newest assignment has it erase.
    pub erased: Vec<CopyId>,
}

/// What others must know of a server, and it alone does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Where other agents reach it; without one it only dials out (SY-30).
    pub listen: Option<Address>,
}

/// What an agent is for one recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct DutyStatus {
    pub recorder: RecorderId,
    pub epoch: Epoch,
    pub phase: Phase,
    /// The configuration that it has applied.
    pub config: ConfigHash,
    /// Channels that record durably, of how many.
    pub recording: u32,
    pub channels: u32,
    /// The latest of its channels' first durable times of this tenure; unknown until each channel
    /// that it can record has one.
    pub first_ms: Option<u64>,
    /// The earliest of its channels' last durable times.
    pub last_ms: Option<u64>,
    /// The distance of two ticks of recorded material; 0 if the driver does not know.
    pub tick_ms: u32,
    /// It says that it cannot do this duty.
    pub failed: bool,
}

/// How far an agent is with one duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Applying the configuration, opening channels.
    Preparing,
    /// Able to act as soon as a lease runs.
    Prepared,
    /// Acts, under a running lease.
    Acting,
    /// Has given up acting in this epoch, for good.
    Released,
}

/// Ended tenures in one heartbeat or in the report of one server: as many as fit with full accounts.
pub const ENDED_MAX: usize = 8;

/// When a tenure that is over stopped on this server's disk, and what is there of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct EndedTenure {
    pub recorder: RecorderId,
    pub epoch: Epoch,
    /// The earliest of its channels' last durable times; unknown if there is no material of it.
    pub last_ms: Option<u64>,
    pub account: Arc<Account>,
}

/// Coordinator to agent: heard you, and this is what you may and must.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Ack {
    pub coordinator: CoordinatorId,
    pub boot: Boot,
    /// Of the agent that is answered.
    pub agent: AgentBoot,
    pub seq: BeatSeq,
    pub set: SetId,
    pub voters: Voters,
    pub applied: LogIndex,
    pub grants: Vec<Grant>,
    /// h, before jitter.
    pub interval: Duration,
    /// A3's bound.
    pub deaf: Duration,
    /// Present where the agent does not hold this one.
    pub assignment: Option<Assignment>,
}

/// The part of an acknowledgement that renews the lease of one tenure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Grant {
    pub recorder: RecorderId,
    pub epoch: Epoch,
    /// L, from the sending of the heartbeat.
    pub lease: Duration,
}

/// Which assignment: the highest is the newest (A2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct AssignmentId {
    pub generation: Generation,
    pub index: LogIndex,
}

/// All that a server must be. Complete: what it does not name is to be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Assignment {
    pub server: ServerId,
    pub id: AssignmentId,
    pub duties: Vec<Duty>,
    /// Tenures of this server that are over, and whose end the log still lacks.
    pub ends_wanted: Vec<(RecorderId, Epoch)>,
    /// In id order, at most [`crate::COPIES_MAX`].
    pub copies: Vec<CopyDuty>,
    /// How long material of each recorder is kept here; of those not named, for ever (WS-16).
    pub keep: Vec<(RecorderId, Duration)>,
}

/// One thing that a server must do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Duty {
    pub recorder: RecorderId,
    pub epoch: Epoch,
    pub kind: DutyKind,
    pub channels: u32,
    pub config: ConfigHash,
    pub fencing: Fencing,
    /// Under which clients know the recorder: held while it acts.
    pub addresses: Arc<[LogicalAddress]>,
}

/// What to do for a recorder in an epoch. Under record-first all three record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DutyKind {
    /// Get ready; no lease needed.
    Prepare,
    /// Act while a lease of this epoch runs.
    Act,
    /// Stop acting, drop addresses, say released.
    Release,
}

/// Coordinator to leader: what I see. Always complete. A promise as to `silent` (P4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Report {
    pub from: CoordinatorId,
    pub term: Term,
    pub boot: Boot,
    pub seq: ReportSeq,
    /// The newest tick seen of this term.
    pub echo: TickSeq,
    pub set: SetId,
    pub applied: LogIndex,
    pub revision: Revision,
    pub wall: Wall,
    /// Highest level readable.
    pub reads: Level,
    pub version: String,
    /// Address for operators and clients.
    pub address: String,
    /// Silent past the timeout, and for how long.
    pub silent: Vec<(ServerId, Duration)>,
    /// Heard, of those whose being heard matters (expired, never seen, home away from its recorder).
    pub heard: Vec<(ServerId, Duration)>,
    /// P8.
    pub clear: Vec<(RecorderId, Epoch)>,
    /// Silent for more than half the timeout.
    pub quiet: Vec<ServerId>,
    /// Not heard for two heartbeat intervals (D6).
    pub late: Vec<ServerId>,
    /// Of each server that an open step waits for, as last heard.
    pub duties: Vec<ServerDuties>,
    /// Those that the applied state has otherwise.
    pub facts: Vec<(ServerId, Facts)>,
    /// Of open copies, as their targets last said.
    pub copies: Vec<(ServerId, Vec<CopyStatus>)>,
    /// Closed copies whose sources have said that they removed the material.
    pub erased: Vec<CopyId>,
}

/// What one server last said of its duties, to one coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct ServerDuties {
    pub server: ServerId,
    pub boot: AgentBoot,
    pub seq: BeatSeq,
    pub duties: Vec<DutyStatus>,
    /// Those whose end the applied state lacks.
    pub ended: Vec<EndedTenure>,
}

/// Leader to every coordinator: report now. Names the leader's term and boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Tick {
    pub term: Term,
    pub seq: TickSeq,
}

/// Leader to coordinator: what rests on that report and older ones stands in the log up to
/// `barrier` (P5, P10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Answer {
    pub term: Term,
    /// Of the coordinator that is answered.
    pub boot: Boot,
    pub seq: ReportSeq,
    pub barrier: LogIndex,
}
