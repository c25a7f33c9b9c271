//! Facts. Past tense; complete; never refused. Frozen: variants are only added, and a changed
//! meaning is a new variant.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::fleet::Fleet;
use crate::{
    Account, AgentBoot, CoordinatorId, CopyEnd, CopyId, CopyStanding, Epoch, Facts, FailoverId,
    GroupId, Level, LogTime, Progress, RecorderId, ServerId, SetId, Steering,
};

/// Something that happened. Carries all that its folds need, so they look nothing up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub enum Event {
    /// The whole fleet document was replaced.
    FleetApplied { fleet: Arc<Fleet> },
    /// A majority heard the server for the first time; from now on its silence counts (P2).
    ServerSeen { server: ServerId },
    /// A majority missed the server. A fact about the server; moves nothing (D1).
    HeartbeatExpired { server: ServerId, testimony: Testimony },
    /// A majority hears the server again. Moves nothing either (D2).
    HeartbeatRestored { server: ServerId, testimony: Testimony },
    /// The automaton would have moved the recorder, and something holds it back (D5).
    MoveWithheld { recorder: RecorderId, holder: ServerId, by: Brake, to: Option<ServerId> },
    /// The holder is expired, and no standby is free (D4).
    FailoverQueued { recorder: RecorderId, holder: ServerId, failover: FailoverId, cause: Cause },
    /// Step 1 of the hand-over of `recorder` from `from`, which holds it in `epoch` (D8).
    HandoverPlanned {
        recorder: RecorderId,
        from: ServerId,
        to: ServerId,
        epoch: Epoch,
        why: Why,
        /// The entry that it opens; for a failback the newest open one, which it will close.
        failover: FailoverId,
        cause: Cause,
    },
    /// Step 2: the receiver is prepared.
    HandoverReady { recorder: RecorderId, epoch: Epoch },
    /// The plan is dropped before any release was ordered; `boot` of `to` is unfit (D11a).
    HandoverAbandoned { recorder: RecorderId, epoch: Epoch, to: ServerId, boot: Option<AgentBoot> },
    /// Step 3: the holder gets no more grants of this epoch.
    ReleaseOrdered { recorder: RecorderId, epoch: Epoch },
    /// Step 4: a new tenure begins. Nothing else changes holder or epoch (D3).
    Moved {
        recorder: RecorderId,
        from: ServerId,
        to: ServerId,
        /// The new epoch: one more than that of `from`.
        epoch: Epoch,
        why: Why,
        failover: FailoverId,
        cause: Cause,
    },
    /// Step 5: the new holder acts, and has a first durable time of every channel it can record.
    TookOver {
        recorder: RecorderId,
        epoch: Epoch,
        server: ServerId,
        /// The worst channel's first durable time, in the server's unix milliseconds.
        first_ms: u64,
        /// The distance of two ticks of recorded material; 0 if the driver does not know.
        tick_ms: u32,
        /// Channels that record, of how many.
        recording: u32,
        channels: u32,
    },
    /// Step 5: it says that it cannot, or took too long. `boot` of `server` is unfit (D11a).
    TakeoverFailed { recorder: RecorderId, epoch: Epoch, server: ServerId, boot: Option<AgentBoot> },
    /// The former holder has stopped, or was found stopped.
    TenureEnded {
        recorder: RecorderId,
        epoch: Epoch,
        server: ServerId,
        /// The earliest of its channels' last durable times; unknown if it has no material of it.
        last_ms: Option<u64>,
    },
    /// The automaton begins nothing within `scope` before `until`.
    Paused { subject: Subject, scope: Scope, until: LogTime },
    /// The pause ended early.
    Resumed { subject: Subject },
    /// An operator's note. The revision of the decision that holds it is the note's.
    Noted { key: String, text: String },
    /// Every member reads this level; events of it may be written from now on (U1).
    LevelRaised { to: Level },
    /// Leases granted under a longer timeout than `timeout` have ended everywhere (P3).
    LongestTimeoutLowered { server: ServerId, timeout: Duration },
    /// What the server says of itself has changed.
    FactsReported { server: ServerId, facts: Facts },
    /// The tenure ended away from home; its material is to be brought there (C1).
    CopyOpened {
        copy: CopyId,
        recorder: RecorderId,
        epoch: Epoch,
        /// Who recorded it.
        from: ServerId,
        /// The entry that the tenure began under, if it is known.
        failover: Option<FailoverId>,
    },
    /// How far it is: when its standing changes, and otherwise at most once a minute (C4).
    CopyProgressed { copy: CopyId, progress: Progress, standing: CopyStanding },
    /// It waits, or goes on, by somebody's wish.
    CopySteered { copy: CopyId, steering: Steering },
    /// It is over, with so much of it at home (C1).
    CopyClosed { copy: CopyId, end: CopyEnd, progress: Progress },
    /// The server that recorded the material of a closed copy has removed it.
    MaterialErased { copy: CopyId, server: ServerId },
    /// What the server holds of a tenure that ended, told with its end.
    TenureAccounted { recorder: RecorderId, epoch: Epoch, server: ServerId, account: Arc<Account> },
}

/// For how long each coordinator has missed, or heard, a server, at one moment in one set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Testimony {
    pub set: SetId,
    pub by: BTreeMap<CoordinatorId, Duration>,
}

/// What holds back a move (D5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Brake {
    /// A pause of scope all.
    Paused,
    /// The group only observes.
    Observe,
}

/// What a move was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The holder expired, or an operator moved it off a holder (MI-05).
    Failover,
    /// The home took its recorder back.
    Failback,
    /// Planned, from a healthy holder (PS-02).
    Switchover,
    /// The home changed for good (SY-22).
    Replacement,
    /// The same server takes it anew, in the next epoch.
    Return,
}

/// Why an episode began: a closed list (SY-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The planning of automatic failbacks.
    Failback,
    /// Failovers, too.
    All,
}

/// Whom a pause is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The whole fleet.
    Everything,
    /// The servers of one group.
    Group(GroupId),
    /// One server, and what it holds or is home of.
    Server(ServerId),
}

impl Event {
    /// As CONTRACT names it. A move is named by its why; a return is a failover to the holder.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FleetApplied { .. } => "fleet_applied",
            Self::ServerSeen { .. } => "server_seen",
            Self::HeartbeatExpired { .. } => "heartbeat_expired",
            Self::HeartbeatRestored { .. } => "heartbeat_restored",
            Self::MoveWithheld { .. } => "move_withheld",
            Self::FailoverQueued { .. } => "failover_queued",
            Self::HandoverPlanned { .. } => "handover_planned",
            Self::HandoverReady { .. } => "handover_ready",
            Self::HandoverAbandoned { .. } => "handover_abandoned",
            Self::ReleaseOrdered { .. } => "release_ordered",
            Self::Moved { why, .. } => match why {
                Why::Failover | Why::Return => "failed_over",
                Why::Failback => "failed_back",
                Why::Switchover => "switched_over",
                Why::Replacement => "replaced",
            },
            Self::TookOver { .. } => "took_over",
            Self::TakeoverFailed { .. } => "takeover_failed",
            Self::TenureEnded { .. } => "tenure_ended",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::Noted { .. } => "noted",
            Self::LevelRaised { .. } => "level_raised",
            Self::LongestTimeoutLowered { .. } => "longest_timeout_lowered",
            Self::FactsReported { .. } => "facts_reported",
            Self::CopyOpened { .. } => "copy_opened",
            Self::CopyProgressed { .. } => "copy_progressed",
            Self::CopySteered { .. } => "copy_steered",
            Self::CopyClosed { .. } => "copy_closed",
            Self::MaterialErased { .. } => "material_erased",
            Self::TenureAccounted { .. } => "tenure_accounted",
        }
    }

    /// The entry of the failover log that it opens or goes on with.
    pub fn failover(&self) -> Option<FailoverId> {
        match self {
            Self::FailoverQueued { failover, .. }
            | Self::HandoverPlanned { failover, .. }
            | Self::Moved { failover, .. } => Some(*failover),
            Self::FleetApplied { .. }
            | Self::ServerSeen { .. }
            | Self::HeartbeatExpired { .. }
            | Self::HeartbeatRestored { .. }
            | Self::MoveWithheld { .. }
            | Self::HandoverReady { .. }
            | Self::HandoverAbandoned { .. }
            | Self::ReleaseOrdered { .. }
            | Self::TookOver { .. }
            | Self::TakeoverFailed { .. }
            | Self::TenureEnded { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Noted { .. }
            | Self::LevelRaised { .. }
            | Self::LongestTimeoutLowered { .. }
            | Self::FactsReported { .. }
            | Self::CopyOpened { .. }
            | Self::CopyProgressed { .. }
            | Self::CopySteered { .. }
            | Self::CopyClosed { .. }
            | Self::MaterialErased { .. }
            | Self::TenureAccounted { .. } => None,
        }
    }

    /// The level that brought it (U2). A level never changes what an older one meant.
    pub fn since(&self) -> Level {
        match self {
            Self::FleetApplied { .. }
            | Self::ServerSeen { .. }
            | Self::HeartbeatExpired { .. }
            | Self::HeartbeatRestored { .. }
            | Self::MoveWithheld { .. }
            | Self::FailoverQueued { .. }
            | Self::HandoverPlanned { .. }
            | Self::HandoverReady { .. }
            | Self::HandoverAbandoned { .. }
            | Self::ReleaseOrdered { .. }
            | Self::Moved { .. }
            | Self::TookOver { .. }
            | Self::TakeoverFailed { .. }
            | Self::TenureEnded { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Noted { .. }
            | Self::LevelRaised { .. }
            | Self::LongestTimeoutLowered { .. }
            | Self::FactsReported { .. }
            | Self::CopyOpened { .. }
            | Self::CopyProgressed { .. }
            | Self::CopySteered { .. }
            | Self::CopyClosed { .. }
            | Self::MaterialErased { .. }
            | Self::TenureAccounted { .. } => Level(1),
        }
    }
}
