//! Raft's calls and answers as bytes: envelopes around the records that the log holds. Frozen like
//! those; what is added is added as a new variant or a new call.
use bincode::{Decode, Encode};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderRequest, VoteRequest, VoteResponse,
};

use crate::log::records::{BadRecord, EntryRecord, LogIdRecord, VoteRecord};
use crate::log::types::{Cfg, LogId, RaftEntry};

/// Asks for a vote, or whether there would be one.
#[derive(Debug, Encode, Decode)]
pub(super) struct VoteCall {
    vote: VoteRecord,
    last: Option<LogIdRecord>,
    transfer: bool,
}

/// The answer to it.
#[derive(Debug, Encode, Decode)]
pub(super) struct VoteAnswer {
    vote: VoteRecord,
    granted: bool,
    last: Option<LogIdRecord>,
}

/// Entries to append; none is a heartbeat.
#[derive(Debug, Encode, Decode)]
pub(super) struct AppendCall {
    vote: VoteRecord,
    previous: Option<LogIdRecord>,
    entries: Vec<EntryRecord>,
    commit: Option<LogIdRecord>,
}

/// The answer to a single append.
#[derive(Debug, Encode, Decode)]
pub(super) enum AppendAnswer {
    Success,
    Partial(Option<LogIdRecord>),
    Conflict,
    HigherVote(VoteRecord),
}

/// The answer to one append of a stream: carries the log id, which the single one drops.
#[derive(Debug, Encode, Decode)]
pub(super) enum StreamAnswer {
    Upto(Option<LogIdRecord>),
    Conflict(LogIdRecord),
    HigherVote(VoteRecord),
}

/// The leader steps aside for `to`.
#[derive(Debug, Encode, Decode)]
pub(super) struct TransferCall {
    from: VoteRecord,
    to: u64,
    last: Option<LogIdRecord>,
}

/// Whether the receiver goes along; if not, why.
#[derive(Debug, Encode, Decode)]
pub(super) struct TransferAnswer {
    pub(super) changed: Option<(VoteRecord, VoteRecord)>,
    pub(super) unflushed: Option<(Option<LogIdRecord>, Option<LogIdRecord>)>,
}

fn id(id: &Option<LogId>) -> Option<LogIdRecord> {
    (*id).map(LogIdRecord::from)
}

impl From<&VoteRequest<Cfg>> for VoteCall {
    fn from(call: &VoteRequest<Cfg>) -> Self {
        let transfer = call.leadership_transfer;
        Self { vote: call.vote.into(), last: id(&call.last_log_id), transfer }
    }
}

impl From<VoteCall> for VoteRequest<Cfg> {
    fn from(call: VoteCall) -> Self {
        let last = call.last.map(LogId::from);
        let mut request = VoteRequest::new(call.vote.into(), last);
        request.leadership_transfer = call.transfer;
        request
    }
}

impl From<&VoteResponse<Cfg>> for VoteAnswer {
    fn from(answer: &VoteResponse<Cfg>) -> Self {
        let granted = answer.vote_granted;
        Self { vote: answer.vote.into(), granted, last: id(&answer.last_log_id) }
    }
}

impl From<VoteAnswer> for VoteResponse<Cfg> {
    fn from(answer: VoteAnswer) -> Self {
        let vote = answer.vote.into();
        let last_log_id = answer.last.map(LogId::from);
        Self { vote, vote_granted: answer.granted, last_log_id }
    }
}

impl From<&AppendEntriesRequest<Cfg>> for AppendCall {
    fn from(call: &AppendEntriesRequest<Cfg>) -> Self {
        Self {
            vote: call.vote.into(),
            previous: id(&call.prev_log_id),
            entries: call.entries.iter().map(EntryRecord::from).collect(),
            commit: id(&call.leader_commit),
        }
    }
}

impl TryFrom<AppendCall> for AppendEntriesRequest<Cfg> {
    type Error = BadRecord;

    fn try_from(call: AppendCall) -> Result<Self, BadRecord> {
        let entries: Result<Vec<RaftEntry>, BadRecord> =
            call.entries.into_iter().map(EntryRecord::entry).collect();
        Ok(Self {
            vote: call.vote.into(),
            prev_log_id: call.previous.map(LogId::from),
            entries: entries?,
            leader_commit: call.commit.map(LogId::from),
        })
    }
}

impl From<&AppendEntriesResponse<Cfg>> for AppendAnswer {
    fn from(answer: &AppendEntriesResponse<Cfg>) -> Self {
        match answer {
            AppendEntriesResponse::Success => Self::Success,
            AppendEntriesResponse::PartialSuccess(upto) => Self::Partial(id(upto)),
            AppendEntriesResponse::Conflict => Self::Conflict,
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote((*vote).into()),
        }
    }
}

impl From<AppendAnswer> for AppendEntriesResponse<Cfg> {
    fn from(answer: AppendAnswer) -> Self {
        match answer {
            AppendAnswer::Success => Self::Success,
            AppendAnswer::Partial(upto) => Self::PartialSuccess(upto.map(LogId::from)),
            AppendAnswer::Conflict => Self::Conflict,
            AppendAnswer::HigherVote(vote) => Self::HigherVote(vote.into()),
        }
    }
}

impl From<&StreamAppendResult<Cfg>> for StreamAnswer {
    fn from(answer: &StreamAppendResult<Cfg>) -> Self {
        match answer {
            Ok(upto) => Self::Upto(id(upto)),
            Err(StreamAppendError::Conflict(at)) => Self::Conflict((*at).into()),
            Err(StreamAppendError::HigherVote(vote)) => Self::HigherVote((*vote).into()),
        }
    }
}

impl From<StreamAnswer> for StreamAppendResult<Cfg> {
    fn from(answer: StreamAnswer) -> Self {
        match answer {
            StreamAnswer::Upto(upto) => Ok(upto.map(LogId::from)),
            StreamAnswer::Conflict(at) => Err(StreamAppendError::Conflict(at.into())),
            StreamAnswer::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote.into())),
        }
    }
}

impl From<&TransferLeaderRequest<Cfg>> for TransferCall {
    fn from(call: &TransferLeaderRequest<Cfg>) -> Self {
        let last = call.last_log_id().map(|id| (*id).into());
        Self { from: (*call.from_leader()).into(), to: *call.to_node_id(), last }
    }
}

impl From<TransferCall> for TransferLeaderRequest<Cfg> {
    fn from(call: TransferCall) -> Self {
        Self::new(call.from.into(), call.to, call.last.map(LogId::from))
    }
}
