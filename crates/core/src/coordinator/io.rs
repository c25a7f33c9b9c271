//! All that goes into a coordinator's core, and all that comes out. The shell moves bytes and
//! reads clocks; the simulator does the same with virtual ones.
use std::collections::BTreeSet;
use std::time::Duration;

use crate::{
    Ack, AgentBoot, Answer, Boot, CoordinatorId, Decision, Entry, FailoverId, Heartbeat, Level,
    LogIndex, OperationId, Refused, Report, Request, Revision, ServerId, Tick,
};

/// Who this coordinator is; fixed for one life of its process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Identity {
    pub id: CoordinatorId,
    pub boot: Boot,
    /// Highest level readable.
    pub reads: Level,
    /// Of the program.
    pub version: String,
    /// Address told to operators and clients.
    pub address: String,
}

/// By which the shell finds the caller of a request again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Something that happened to this coordinator.
#[derive(Clone, Debug)]
pub enum Input {
    /// An agent spoke. Drained before the next [`Input::Step`].
    Heartbeat(Heartbeat),
    /// The 10 ms grid (P1).
    Step,
    /// Raft says who leads, in which of its terms.
    Follows {
        /// Raft's term.
        term: u64,
        /// Who leads it, once that is known. May be this coordinator: see [`Input::Leads`].
        leader: Option<CoordinatorId>,
    },
    /// This coordinator leads `term`; its log held all up to `last` when it began, the blank entry
    /// of the term included (L4).
    Leads {
        /// Raft's term.
        term: u64,
        /// Must be applied before anything is decided or answered.
        last: LogIndex,
    },
    /// A membership entry was appended to this coordinator's log, and may not be applied yet (M2).
    MembersAppended(LogIndex),
    /// Entries after `last_kept` were cut from this coordinator's log (a conflicting tail).
    Truncated {
        /// The last entry that stayed; none if nothing did.
        last_kept: Option<LogIndex>,
    },
    /// The next entry is committed. Indices are dense.
    Applied {
        /// Where it stands.
        index: LogIndex,
        /// What it is.
        entry: Entry,
    },
    /// A coordinator reports to this leader.
    Report(Report),
    /// The leader ticks.
    Tick(Tick),
    /// The leader answers a report of ours.
    Answer(Answer),
    /// An operator wishes.
    Request {
        /// Comes back in [`Output::Reply`].
        ticket: Ticket,
        /// What, and who.
        request: Request,
        /// Only tell what would come of it.
        dry_run: bool,
    },
    /// The proposal in flight was refused before it was appended to any log.
    NotAppended {
        /// Raft's term under which it was proposed.
        term: u64,
    },
}

/// Something that this coordinator wants done. In order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub enum Output {
    /// To the newest connection of that server.
    Ack { to: ServerId, ack: Ack },
    /// To every other member.
    Tick(Tick),
    /// To the leader.
    Report { to: CoordinatorId, report: Report },
    /// To a coordinator that reported.
    Answer { to: CoordinatorId, answer: Answer },
    /// Append it, if Raft's term is still `term`. One is in flight at a time.
    Propose { decision: Decision, term: u64 },
    /// To the caller behind that ticket.
    Reply { ticket: Ticket, reply: Reply },
    /// Hand leadership to another voter: our disk or our quorum stalls (L6).
    StepAside,
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Judged, now or before: this stands in the log.
    Judged(Judged),
    /// What would come of it; not in the log.
    WouldBe(Result<Vec<&'static str>, Refused>),
    /// Not judged and not in the log: speaks for this attempt only (O4).
    NotNow(Refused),
    /// Sent here, but another coordinator leads, or none does. Surely not judged here.
    NotLeader(Option<CoordinatorId>),
    /// Perhaps judged: ask again with the same id (O5, O3).
    Unknown(OperationId),
}

/// The recorded answer to one operation (O1, O2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Judged {
    pub operation: OperationId,
    /// Of the decision that holds it.
    pub revision: Revision,
    /// Operations applied so far (`seen` of the next one).
    pub operations: u64,
    /// Kinds of its events, as CONTRACT names them; or why it was refused.
    pub outcome: Result<Vec<&'static str>, Refused>,
    pub failover: Option<FailoverId>,
}

/// Something that people should look at. Volatile: gone when it is over, and with the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Some coordinators miss the server, but no majority does, for more than half its timeout
    /// (D1). Told by the leader. Look at the network between them and the server.
    SplitView {
        /// The server that is half missed.
        server: ServerId,
        /// Who misses it.
        missed_by: BTreeSet<CoordinatorId>,
    },
    /// Two processes speak for one server (A8). Neither gets grants. Stop one of them.
    DuplicateIdentity {
        /// The server that both claim to be.
        server: ServerId,
        /// The one that was heard first, and came back, and the one that replaced it.
        boots: [AgentBoot; 2],
    },
    /// A voter's wall clock is this far off the voters' median (T1). Told by the leader. Set it.
    ClockSkew {
        /// Whose clock it is.
        coordinator: CoordinatorId,
        /// How far, either way.
        off: Duration,
    },
}
