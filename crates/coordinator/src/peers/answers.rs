//! What comes back from appends: remembered before openraft counts on it, taken only from starts
//! that were greeted (M6), and awaited with a limit.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use interrex_core::Boot;
use interrex_wire::pb;
use openraft::errors::{NetworkError, RPCError, Unreachable};
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use tonic::{Code, Status};

use super::bodies::StreamAnswer;
use super::line::Line;
use super::{Circle, Held, Start};
use crate::log::records::{BadRecord, decode};
use crate::log::types::{Cfg, LogId};

/// A stream of appends that makes no progress for so long is given up. Above openraft's hint
/// (3/4 of a heartbeat): a slow sync of the other's disk must not double the traffic.
pub(super) const STUCK: Duration = Duration::from_millis(500);

/// What comes back on a stream of appends.
pub(super) struct Answers {
    pub(super) answers: tonic::Streaming<pb::RaftAnswer>,
    pub(super) circle: Arc<Circle>,
    pub(super) target: u64,
    pub(super) line: Line,
    pub(super) sent: Arc<Sent>,
    pub(super) answered: u64,
}

/// What has gone out on a stream: how many appends, of which term, and what they told is
/// committed.
#[derive(Default)]
pub(super) struct Sent {
    count: AtomicU64,
    term: AtomicU64,
    committed: AtomicU64,
}

impl Sent {
    pub(super) fn one(&self, request: &AppendEntriesRequest<Cfg>) {
        self.term.store(request.vote.leader_id.term, Ordering::Relaxed);
        self.committed.fetch_max(length(request.leader_commit), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// What a follower holds that has acknowledged so much of it.
    pub(super) fn held(&self, upto: Option<LogId>) -> Held {
        let length = length(upto);
        let committed = self.committed.load(Ordering::Relaxed).min(length);
        Held { term: self.term.load(Ordering::Relaxed), length, committed }
    }
}

impl Answers {
    /// The next answer. Silence counts only while something is unanswered, and only if nothing was
    /// answered for one whole [`STUCK`].
    pub(super) async fn next(&mut self) -> Option<Result<StreamAppendResult<Cfg>, RPCError<Cfg>>> {
        let mut waited = false;
        loop {
            match tokio::time::timeout(STUCK, self.answers.message()).await {
                Ok(Ok(Some(answer))) => {
                    self.answered += 1;
                    self.line.worked();
                    return Some(self.take(&answer));
                }
                Ok(Ok(None)) => return None,
                Ok(Err(status)) => {
                    self.line.failed();
                    return Some(Err(failed(&status)));
                }
                Err(_) if self.sent.count.load(Ordering::Acquire) <= self.answered => {
                    waited = false;
                }
                Err(_) if !waited => waited = true,
                Err(_) => {
                    self.line.renew();
                    let stuck = NetworkError::from_string("appends are not answered");
                    return Some(Err(RPCError::Network(stuck)));
                }
            }
        }
    }
}

impl Answers {
    /// M6: what it says it holds is remembered before openraft counts on it.
    fn take(&self, answer: &pb::RaftAnswer) -> Result<StreamAppendResult<Cfg>, RPCError<Cfg>> {
        known(&self.circle, self.target, answer)?;
        let answer = decode::<StreamAnswer>(&answer.body).map_err(unsound)?;
        let answer = StreamAppendResult::from(answer);
        if let Ok(upto) = &answer {
            self.circle.door.acknowledged(self.target, self.sent.held(*upto));
        }
        Ok(answer)
    }
}

/// A member that cannot be reached, or refuses us, is asked again after a rest; anything else at
/// once.
pub(super) fn failed(status: &Status) -> RPCError<Cfg> {
    if matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) {
        return RPCError::Network(NetworkError::from_string(status.message()));
    }
    RPCError::Unreachable(Unreachable::from_string(status.message()))
}

/// Nothing of a start that was not greeted reaches openraft (M6): its log may be shorter than what
/// it has acknowledged before.
pub(super) fn known(
    circle: &Circle,
    target: u64,
    answer: &pb::RaftAnswer,
) -> Result<(), RPCError<Cfg>> {
    let start = Start { boot: Boot(answer.boot), token: answer.token };
    if circle.knows(target, start) {
        return Ok(());
    }
    Err(RPCError::Unreachable(Unreachable::from_string("answered by a start that was not greeted")))
}

/// Entries of a log that ends there.
fn length(last: Option<LogId>) -> u64 {
    last.map_or(0, |id| id.index + 1)
}

pub(super) fn unsound(bad: BadRecord) -> RPCError<Cfg> {
    RPCError::Unreachable(Unreachable::new(&bad))
}
