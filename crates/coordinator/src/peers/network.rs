//! openraft's network: one line each for appends, heartbeats and votes, so that none waits behind
//! another. Every call has its own time limit; openraft gives appends none (OPENRAFT.md section 3).
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
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
use tonic::Status;

use super::answers::{self, Answers, Sent, failed, known, unsound};
use super::bodies::{AppendAnswer, AppendCall, TransferAnswer, TransferCall, VoteAnswer, VoteCall};
use super::line::Line;
use super::{Circle, Dialer};
use crate::history::Machine;
use crate::log::records::{decode, encode};
use crate::log::types::{Cfg, MemberNode};

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
    /// Nothing is said to a member that was not greeted.
    fn met(&self) -> Result<(), RPCError<Cfg>> {
        if self.circle.door.has_met(self.target) {
            return Ok(());
        }
        Err(RPCError::Unreachable(Unreachable::from_string("not greeted yet")))
    }

    fn call(&self, body: &impl Encode) -> Result<pb::RaftCall, RPCError<Cfg>> {
        self.met()?;
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
                let answer = answer.into_inner();
                known(&self.circle, self.target, &answer)?;
                decode(&answer.body).map_err(unsound)
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
        self.met()?;
        let sent = Arc::new(Sent::default());
        let (circle, target, note) = (Arc::clone(&self.circle), self.target, Arc::clone(&sent));
        // An entry that cannot be encoded ends the stream: the session fails and is logged.
        let calls = input.map(move |request| {
            let body = encode(&AppendCall::from(&request));
            let body = body.inspect_err(|error| tracing::error!(%error, "append")).ok()?;
            note.one(&request);
            Some(pb::RaftCall { envelope: Some(circle.envelope(target)), body: body.into() })
        });
        let calls = calls.take_while(|call| std::future::ready(call.is_some()));
        let calls = calls.filter_map(std::future::ready);
        let mut client = self.line.client();
        let opened = tokio::time::timeout(answers::STUCK, client.append_stream(calls));
        match opened.await {
            Ok(Ok(answers)) => {
                let (answers, circle) = (answers.into_inner(), Arc::clone(&self.circle));
                Ok(Answers { answers, circle, target, line: self.line.clone(), sent, answered: 0 })
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
        let answer = AppendEntriesResponse::from(answer);
        let upto = match &answer {
            AppendEntriesResponse::Success => {
                rpc.entries.last().map(|entry| entry.log_id).or(rpc.prev_log_id)
            }
            AppendEntriesResponse::PartialSuccess(upto) => *upto,
            AppendEntriesResponse::Conflict | AppendEntriesResponse::HigherVote(_) => {
                return Ok(answer);
            }
        };
        let sent = Sent::default();
        sent.one(&rpc);
        self.circle.door.acknowledged(self.target, sent.held(upto));
        Ok(answer)
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
