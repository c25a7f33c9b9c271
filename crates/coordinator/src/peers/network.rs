//! openraft's network: one line each for appends, heartbeats and votes, so that none waits behind
//! another. Every call has its own time limit; openraft gives appends none (OPENRAFT.md section 3).
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bincode::{Decode, Encode};
use futures::stream::{BoxStream, StreamExt};
use interrex_wire::pb;
use openraft::OptionalSend;
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::base::BoxFuture;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::storage::RaftStateMachine;
use tonic::{Code, Status};

use super::bodies::{
    AppendAnswer, AppendCall, StreamAnswer, TransferAnswer, TransferCall, VoteAnswer, VoteCall,
};
use super::line::Line;
use super::{Circle, Dialer};
use crate::history::Machine;
use crate::log::records::{BadRecord, decode, encode};
use crate::log::types::{Cfg, MemberNode};

/// A stream of appends that makes no progress for so long is given up. Above openraft's hint
/// (3/4 of a heartbeat): a slow sync of the other's disk must not double the traffic.
const STUCK: Duration = Duration::from_millis(500);

/// Makes clients for openraft; dials nothing itself.
pub(crate) struct Network {
    circle: Arc<Circle>,
    dialer: Dialer,
    lines: BTreeMap<(u64, Purpose, String), Line>,
}

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    /// Entries, votes and transfers of leadership.
    Work,
    Heartbeat,
    Snapshot,
}

/// One purpose's client to one member.
pub(crate) struct Client {
    circle: Arc<Circle>,
    target: u64,
    purpose: Purpose,
    line: Line,
}

impl Network {
    pub(crate) fn new(circle: Arc<Circle>, dialer: Dialer) -> Self {
        Self { circle, dialer, lines: BTreeMap::new() }
    }

    fn client(&mut self, target: u64, node: &MemberNode, purpose: Purpose) -> Client {
        // Votes build a fresh client each time: the line is kept, and dials once.
        let key = (target, purpose, node.addr.clone());
        let dialer = &self.dialer;
        let line = self.lines.entry(key);
        let line = line.or_insert_with(|| Line::new(dialer, &node.name, &node.addr)).clone();
        Client { circle: Arc::clone(&self.circle), target, purpose, line }
    }
}

impl RaftNetworkFactory<Cfg> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, node: &MemberNode) -> Client {
        self.client(target, node, Purpose::Work)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &MemberNode) -> Client {
        self.client(target, node, Purpose::Heartbeat)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &MemberNode) -> Client {
        self.client(target, node, Purpose::Snapshot)
    }
}

impl Client {
    fn call(&self, body: &impl Encode) -> Result<pb::RaftCall, RPCError<Cfg>> {
        let envelope = Some(self.circle.envelope(self.target));
        let body = encode(body).map_err(unsound)?.into();
        Ok(pb::RaftCall { envelope, body })
    }

    /// Waits for one answer, at most `limit`.
    async fn answer<A: Decode<()>>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<tonic::Response<pb::RaftAnswer>, Status>>,
    ) -> Result<A, RPCError<Cfg>> {
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(answer)) => {
                self.line.worked();
                decode(&answer.into_inner().body).map_err(unsound)
            }
            Ok(Err(status)) => {
                self.line.failed();
                Err(failed(&status))
            }
            Err(_) => {
                self.line.failed();
                Err(RPCError::Network(NetworkError::from_string("no answer in time")))
            }
        }
    }

    /// Sends as openraft hands over, and hands back in order. Given up when nothing comes back.
    async fn pipeline<S>(&self, input: S) -> Result<Answers, RPCError<Cfg>>
    where
        S: futures::Stream<Item = AppendEntriesRequest<Cfg>> + Send + Unpin + 'static,
    {
        let sent = Arc::new(AtomicU64::new(0));
        let (circle, target, count) = (Arc::clone(&self.circle), self.target, Arc::clone(&sent));
        // An entry that cannot be encoded ends the stream: the session fails and is logged.
        let calls = input.map(move |request| {
            let body = encode(&AppendCall::from(&request));
            let body = body.inspect_err(|error| tracing::error!(%error, "append")).ok()?;
            count.fetch_add(1, Ordering::Relaxed);
            Some(pb::RaftCall { envelope: Some(circle.envelope(target)), body: body.into() })
        });
        let calls = calls.take_while(|call| std::future::ready(call.is_some()));
        let calls = calls.filter_map(std::future::ready);
        let mut client = self.line.client();
        let opened = tokio::time::timeout(STUCK, client.append_stream(calls));
        match opened.await {
            Ok(Ok(answers)) => {
                let answers = answers.into_inner();
                Ok(Answers { answers, line: self.line.clone(), sent, answered: 0 })
            }
            Ok(Err(status)) => {
                self.line.failed();
                Err(failed(&status))
            }
            Err(_) => {
                self.line.renew();
                Err(RPCError::Unreachable(Unreachable::from_string("no stream in time")))
            }
        }
    }
}

/// What comes back on a stream of appends.
struct Answers {
    answers: tonic::Streaming<pb::RaftAnswer>,
    line: Line,
    sent: Arc<AtomicU64>,
    answered: u64,
}

impl Answers {
    /// The next answer. Silence counts only while something is unanswered, and only if nothing was
    /// answered for one whole [`STUCK`].
    async fn next(&mut self) -> Option<Result<StreamAppendResult<Cfg>, RPCError<Cfg>>> {
        let mut waited = false;
        loop {
            match tokio::time::timeout(STUCK, self.answers.message()).await {
                Ok(Ok(Some(answer))) => {
                    self.answered += 1;
                    self.line.worked();
                    let answer = decode::<StreamAnswer>(&answer.body);
                    return Some(answer.map(StreamAppendResult::from).map_err(unsound));
                }
                Ok(Ok(None)) => return None,
                Ok(Err(status)) => {
                    self.line.failed();
                    return Some(Err(failed(&status)));
                }
                Err(_) if self.sent.load(Ordering::Relaxed) <= self.answered => waited = false,
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

impl RaftNetworkV2<Cfg> for Client {
    type SnapshotData = <Machine as RaftStateMachine<Cfg>>::SnapshotData;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Cfg>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Cfg>, RPCError<Cfg>> {
        let call = self.call(&AppendCall::from(&rpc))?;
        let mut client = self.line.client();
        let answer: AppendAnswer = self.answer(option.hard_ttl(), client.append(call)).await?;
        Ok(answer.into())
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Cfg>, RPCError<Cfg>>>, RPCError<Cfg>>,
    >
    where
        S: futures::Stream<Item = AppendEntriesRequest<Cfg>> + OptionalSend + Unpin + 'static,
    {
        if self.purpose == Purpose::Heartbeat {
            // A stream of one request costs more than a call.
            return stream_append_sequential(self, input, option);
        }
        Box::pin(async move {
            let answers = self.pipeline(input).await?;
            let stream = futures::stream::unfold(answers, |mut answers| async {
                let next = answers.next().await?;
                Some((next, answers))
            });
            Ok(stream.boxed())
        })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Cfg>,
        option: RPCOption,
    ) -> Result<VoteResponse<Cfg>, RPCError<Cfg>> {
        let call = self.call(&VoteCall::from(&rpc))?;
        let mut client = self.line.client();
        let answer: VoteAnswer = self.answer(option.hard_ttl(), client.vote(call)).await?;
        Ok(answer.into())
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Cfg>,
        option: RPCOption,
    ) -> Result<VoteResponse<Cfg>, RPCError<Cfg>> {
        let call = self.call(&VoteCall::from(&rpc))?;
        let mut client = self.line.client();
        let answer: VoteAnswer = self.answer(option.hard_ttl(), client.pre_vote(call)).await?;
        Ok(answer.into())
    }

    async fn full_snapshot(
        &mut self,
        _vote: VoteOf<Cfg>,
        _snapshot: SnapshotOf<Cfg, Self::SnapshotData>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Cfg>, StreamingError<Cfg>> {
        // Nothing is purged yet, so no member needs one; the transfer of segments comes with the
        // change of members.
        let told = io::Error::other("this member needs history that this version cannot send");
        tracing::error!(target_id = self.target, "{told}");
        Err(StreamingError::Unreachable(Unreachable::new(&told)))
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<Cfg>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Cfg>, RPCError<Cfg>> {
        let call = self.call(&TransferCall::from(&rpc))?;
        let mut client = self.line.client();
        let asked = client.transfer_leader(call);
        let answer: TransferAnswer = self.answer(option.hard_ttl(), asked).await?;
        Ok(match (answer.changed, answer.unflushed) {
            (Some((expected, actual)), _) => Err(TransferLeaderError::VoteChanged {
                expected: expected.into(),
                actual: actual.into(),
            }),
            (None, Some((expected, actual))) => Err(TransferLeaderError::LogNotFlushed {
                expected: expected.map(Into::into),
                actual: actual.map(Into::into),
            }),
            (None, None) => Ok(()),
        })
    }
}

/// A member that cannot be reached, or refuses us, is asked again after a rest; anything else at
/// once.
fn failed(status: &Status) -> RPCError<Cfg> {
    if matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) {
        return RPCError::Network(NetworkError::from_string(status.message()));
    }
    RPCError::Unreachable(Unreachable::from_string(status.message()))
}

fn unsound(bad: BadRecord) -> RPCError<Cfg> {
    RPCError::Unreachable(Unreachable::new(&bad))
}
