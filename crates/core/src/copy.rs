//! Bringing the material of one tenure home: what agents are told to do for a copy, and what they
//! say of it. What a copy is to the cluster is in `views::copies`.
use crate::fleet::Kinds;
use crate::{Address, CopyId, Epoch, RecorderId, ServerId};

/// Copies that one server is told of, or tells of, at once; the others follow when these are closed.
pub const COPIES_MAX: usize = 256;

/// How far a copy is, as the server that fetches it last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyStatus {
    /// Which copy.
    pub copy: CopyId,
    /// How much of it is durable.
    pub progress: Progress,
    /// Whether it goes on.
    pub standing: CopyStanding,
}

/// How much of a copy is durable at its target; the totals as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Progress {
    pub segments_done: u64,
    pub segments_total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// Segments that the source cannot give as they were recorded (MB-08).
    pub segments_failed: u64,
}

/// How a copy stands at its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyStanding {
    /// It goes on.
    Running,
    /// It waits for room on the target's disk.
    DiskFull,
    /// Neither end reaches the other.
    NoRoute,
    /// All that can be copied is durable; some segments cannot (MB-08).
    Failed,
    /// Everything is durable, and named as the recorder's own.
    Durable,
}

impl CopyStanding {
    /// For people and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::DiskFull => "disk_full",
            Self::NoRoute => "no_route",
            Self::Failed => "failed",
            Self::Durable => "durable",
        }
    }
}

/// What one server has to do for one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct CopyDuty {
    pub copy: CopyId,
    /// Whose material.
    pub recorder: RecorderId,
    /// Of which tenure.
    pub epoch: Epoch,
    /// Who recorded it.
    pub source: ServerId,
    pub kind: CopyKind,
}

/// The part of a server in a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyKind {
    /// It is the home: bring the material here.
    Fetch {
        /// Where the source is reached; otherwise the source dials, and is asked over that
        /// connection (SY-30).
        from: Option<Address>,
        /// Bytes a second; 0 = no limit.
        rate: u64,
        /// An operator, or the policy, has it wait.
        paused: bool,
        /// Only material of these kinds.
        kinds: Kinds,
    },
    /// It recorded the material: let that server read it, and no other (WT-16).
    Serve {
        /// The home.
        to: ServerId,
        /// Where it is reached. Dialled only where the source itself cannot be.
        at: Option<Address>,
    },
    /// The copy is closed: remove the material of that tenure here, then say so.
    Erase,
}

/// What an operator wants of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyWish {
    /// Begin one that waits for it (MB-10).
    Start,
    /// Let it wait.
    Pause,
    /// Let it go on.
    Resume,
    /// Try anew what failed.
    Retry,
    /// Give up what is not copied yet, though it could be (SY-26).
    Stop,
    /// Throw the material away.
    Discard,
    /// Give up what cannot be copied: its source is gone for good.
    GiveUp,
}

impl CopyWish {
    /// As the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Stop => "stop",
            Self::Discard => "discard",
            Self::GiveUp => "give-up",
        }
    }
}

/// Which copies an operator means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopySubject {
    /// One.
    Id(CopyId),
    /// All open ones of a recorder.
    Recorder(RecorderId),
}

/// Whether a copy is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    /// It waits.
    Paused,
    /// It goes on; after a failure from the beginning, past what is durable.
    Running,
}

/// Why a copy is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEnd {
    /// Everything is durable at home.
    Copied,
    /// An operator gave up what was missing (SY-26).
    Stopped,
    /// The policy or an operator threw the material away (SY-23).
    Discarded,
    /// An operator gave up material that cannot be reached any more.
    GivenUp,
    /// The material stays where it was recorded, by policy (WT-13).
    Redirected,
}

impl CopyEnd {
    /// For people and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Stopped => "stopped",
            Self::Discarded => "discarded",
            Self::GivenUp => "given_up",
            Self::Redirected => "redirected",
        }
    }
}
