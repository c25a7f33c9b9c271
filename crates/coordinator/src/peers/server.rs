//! The service of `peer_listen`: checks who speaks, and hands on to Raft, the node task or the
//! founding. It has an accept loop of its own, on Raft's runtime, so that no load of operators or
//! agents delays a heartbeat between members.
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bincode::{Decode, Encode};
use futures::{Stream, StreamExt};
use interrex_client::identity::{Acceptor, Peer};
use interrex_core::coordinator::io::Input;
use interrex_core::{Answer, Report, Tick};
use interrex_wire::pb::peer_frame::Body;
use interrex_wire::pb::peers_server::{Peers, PeersServer};
use interrex_wire::pb::{
    FoundReply, FoundRequest, Hello, ObserveReply, ObserveRequest, PeerFrame, RaftAnswer, RaftCall,
    ReadIndexReply, ReadIndexRequest, Refusal,
};
use interrex_wire::peer;
use openraft::raft::{AppendEntriesRequest, TransferLeaderError};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::bodies::{
    AppendAnswer, AppendCall, StreamAnswer, TransferAnswer, TransferCall, VoteAnswer, VoteCall,
};
use super::{Circle, Start, coordinator, line};
use crate::log::records::{BadRecord, decode, encode};
use crate::log::types::{Cfg, Raft};
use crate::node::NodeHandle;
use crate::raft::Consensus;

/// Streams that one member may have open at once; it needs three.
const STREAMS_MAX: u32 = 64;
/// A member that gives no sign of life is let go.
const ALIVE: Duration = Duration::from_secs(2);

/// What answers a question of the founding.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Durable before it returns, where it changes something.
    fn answer(&self, request: FoundRequest) -> Result<FoundReply, Box<Status>>;
}

/// This member's place, once it has one.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) circle: Arc<Circle>,
    pub(crate) consensus: Arc<Consensus>,
    pub(crate) node: NodeHandle,
    /// Address told to operators and agents.
    pub(crate) address: String,
}

struct PeerService {
    desk: Arc<dyn Desk>,
    seat: Arc<OnceLock<Seat>>,
}

/// Serves until `stop`.
///
/// # Errors
///
/// The listener broke.
pub(crate) async fn serve(
    acceptor: Acceptor,
    desk: Arc<dyn Desk>,
    seat: Arc<OnceLock<Seat>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let service = PeersServer::new(PeerService { desk, seat })
        .max_decoding_message_size(line::MESSAGE_MAX)
        .max_encoding_message_size(line::MESSAGE_MAX);
    tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .http2_keepalive_interval(Some(ALIVE))
        .http2_keepalive_timeout(Some(ALIVE))
        .add_service(service)
        .serve_with_incoming_shutdown(acceptor, stop.cancelled_owned())
        .await
        .map_err(io::Error::other)
}

impl PeerService {
    fn seat(&self) -> Result<&Seat, Box<Status>> {
        self.seat.get().ok_or_else(|| Box::new(Status::unavailable("this member is starting")))
    }

    /// Raft's node and the call, if its sender may make it.
    fn open<R>(
        &self,
        request: Request<R>,
        envelope: impl FnOnce(&R) -> Option<&interrex_wire::pb::Envelope>,
    ) -> Result<(&Seat, R), Box<Status>> {
        let caller = coordinator(request.extensions().get::<Peer>())?;
        let seat = self.seat()?;
        let message = request.into_inner();
        seat.circle.sender(envelope(&message), &caller)?;
        Ok((seat, message))
    }

    fn raft_call<B: Decode<()>>(&self, call: Request<RaftCall>) -> Result<(&Seat, B), Box<Status>> {
        let (seat, call) = self.open(call, |call| call.envelope.as_ref())?;
        Ok((seat, body(&call)?))
    }
}

fn body<B: Decode<()>>(call: &RaftCall) -> Result<B, Box<Status>> {
    decode(&call.body).map_err(|bad| Box::new(Status::invalid_argument(bad.to_string())))
}

impl Seat {
    fn raft(&self) -> &Raft {
        self.consensus.raft()
    }

    fn answer(&self, record: &impl Encode) -> Result<RaftAnswer, Status> {
        answer(self.circle.start, record)
    }
}

fn answer(of: Start, record: &impl Encode) -> Result<RaftAnswer, Status> {
    let body = encode(record).map_err(|bad| Status::internal(bad.to_string()))?;
    Ok(RaftAnswer { body: body.into(), boot: of.boot.0, token: of.token })
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

#[tonic::async_trait]
impl Peers for PeerService {
    async fn vote(&self, call: Request<RaftCall>) -> Result<Response<RaftAnswer>, Status> {
        let (seat, call) = self.raft_call::<VoteCall>(call).map_err(|s| *s)?;
        let voted = seat.raft().vote(call.into()).await.map_err(stopped)?;
        Ok(Response::new(seat.answer(&VoteAnswer::from(&voted))?))
    }

    async fn pre_vote(&self, call: Request<RaftCall>) -> Result<Response<RaftAnswer>, Status> {
        let (seat, call) = self.raft_call::<VoteCall>(call).map_err(|s| *s)?;
        let voted = seat.raft().pre_vote(call.into()).await.map_err(stopped)?;
        Ok(Response::new(seat.answer(&VoteAnswer::from(&voted))?))
    }

    async fn append(&self, call: Request<RaftCall>) -> Result<Response<RaftAnswer>, Status> {
        let (seat, call) = self.raft_call::<AppendCall>(call).map_err(|s| *s)?;
        let call = AppendEntriesRequest::try_from(call);
        let call = call.map_err(|bad| Status::invalid_argument(bad.to_string()))?;
        let appended = seat.raft().append_entries(call).await.map_err(stopped)?;
        Ok(Response::new(seat.answer(&AppendAnswer::from(&appended))?))
    }

    type AppendStreamStream = Pin<Box<dyn Stream<Item = Result<RaftAnswer, Status>> + Send>>;

    async fn append_stream(
        &self,
        calls: Request<Streaming<RaftCall>>,
    ) -> Result<Response<Self::AppendStreamStream>, Status> {
        let caller = coordinator(calls.extensions().get::<Peer>()).map_err(|s| *s)?;
        let Seat { circle, consensus, .. } = self.seat().map_err(|s| *s)?.clone();
        let start = circle.start;
        let refused = Arc::new(OnceLock::new());
        let why = Arc::clone(&refused);
        // What does not decode, or may not be said, ends the stream: nothing is skipped.
        let requests = calls.into_inner().map(move |call| {
            let request = call.map_err(Box::new).and_then(|call| {
                circle.sender(call.envelope.as_ref(), &caller)?;
                let unsound = |bad: BadRecord| Box::new(Status::invalid_argument(bad.to_string()));
                AppendEntriesRequest::<Cfg>::try_from(body::<AppendCall>(&call)?).map_err(unsound)
            });
            request.map_err(|status| drop(refused.set(*status))).ok()
        });
        let requests = requests.take_while(|request| std::future::ready(request.is_some()));
        let requests = requests.filter_map(std::future::ready);
        let answers =
            consensus.raft().stream_append(requests).map(move |appended| match appended {
                Ok(appended) => answer(start, &StreamAnswer::from(&appended)),
                Err(fatal) => Err(stopped(fatal)),
            });
        // The caller is told, once what came before it is answered.
        let end = futures::stream::once(async move { why.get().cloned().map(Err) });
        let answers = answers.chain(end.filter_map(std::future::ready));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn snapshot(&self, call: Request<RaftCall>) -> Result<Response<RaftAnswer>, Status> {
        self.open(call, |call| call.envelope.as_ref()).map_err(|s| *s)?;
        Err(Status::unimplemented(
            "this version cannot take history from another member: start with the old folder, or \
             wait for the release that can",
        ))
    }

    async fn transfer_leader(
        &self,
        call: Request<RaftCall>,
    ) -> Result<Response<RaftAnswer>, Status> {
        let (seat, call) = self.raft_call::<TransferCall>(call).map_err(|s| *s)?;
        let mut told = TransferAnswer { changed: None, unflushed: None };
        match seat.raft().handle_transfer_leader(call.into()).await.map_err(stopped)? {
            Ok(()) => {}
            Err(TransferLeaderError::VoteChanged { expected, actual }) => {
                told.changed = Some((expected.into(), actual.into()));
            }
            Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
                told.unflushed = Some((expected.map(Into::into), actual.map(Into::into)));
            }
        }
        Ok(Response::new(seat.answer(&told)?))
    }

    async fn deliver(
        &self,
        frames: Request<Streaming<PeerFrame>>,
    ) -> Result<Response<PeerFrame>, Status> {
        let caller = coordinator(frames.extensions().get::<Peer>()).map_err(|s| *s)?;
        let Seat { circle, node, .. } = self.seat().map_err(|s| *s)?.clone();
        let mut frames = frames.into_inner();
        while let Some(frame) = frames.message().await? {
            let sender = circle.sender(frame.envelope.as_ref(), &caller).map_err(|s| *s)?;
            let unsound = |bad: interrex_wire::Malformed| Status::invalid_argument(bad.to_string());
            let input = match frame.body {
                Some(Body::Tick(tick)) => Input::Tick(Tick::try_from(tick).map_err(unsound)?),
                Some(Body::Report(report)) => {
                    let report = Report::try_from(report).map_err(unsound)?;
                    if report.from != sender {
                        return Err(Status::invalid_argument("a report of somebody else"));
                    }
                    Input::Report(report)
                }
                Some(Body::Answer(answer)) => {
                    Input::Answer(Answer::try_from(answer).map_err(unsound)?)
                }
                None => return Err(Status::invalid_argument("an empty frame")),
            };
            node.tell(input).await;
        }
        Ok(Response::new(PeerFrame::default()))
    }

    async fn observe(
        &self,
        request: Request<ObserveRequest>,
    ) -> Result<Response<ObserveReply>, Status> {
        let (seat, _) = self.open(request, |asked| asked.envelope.as_ref()).map_err(|s| *s)?;
        let silent = seat.node.silence().await.map_err(stopped)?;
        let refused = seat.circle.door.turned_away().into_iter().map(|(member, refused)| Refusal {
            member,
            code: refused.code.to_owned(),
            why: refused.words,
        });
        Ok(Response::new(ObserveReply {
            silent,
            address: seat.address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: seat.node.seen().borrow().revision.0,
            refused: refused.collect(),
        }))
    }

    async fn read_index(
        &self,
        request: Request<ReadIndexRequest>,
    ) -> Result<Response<ReadIndexReply>, Status> {
        let (seat, _) = self.open(request, |asked| asked.envelope.as_ref()).map_err(|s| *s)?;
        let index = seat.consensus.own_read_index().await.map_err(stopped)?;
        Ok(Response::new(ReadIndexReply { index: index.0 }))
    }

    async fn greet(&self, request: Request<Hello>) -> Result<Response<Hello>, Status> {
        let caller = coordinator(request.extensions().get::<Peer>()).map_err(|s| *s)?;
        let Seat { circle, consensus, .. } = self.seat().map_err(|s| *s)?;
        let reply = circle.greeted(request.into_inner(), &caller, consensus).await?;
        Ok(Response::new(reply))
    }

    async fn found(&self, request: Request<FoundRequest>) -> Result<Response<FoundReply>, Status> {
        let caller = coordinator(request.extensions().get::<Peer>()).map_err(|s| *s)?;
        let request = peer::read_founding(request.into_inner());
        let request = request.map_err(|bad| Status::invalid_argument(bad.to_string()))?;
        if let Some(identity) = caller.identity
            && identity.name.as_str() != request.name
        {
            return Err(Status::permission_denied(format!(
                "{} asks as {}",
                identity.name, request.name
            )));
        }
        // Writes and syncs: not on a thread that Raft waits for.
        let desk = Arc::clone(&self.desk);
        let answered = tokio::task::spawn_blocking(move || desk.answer(request)).await;
        let reply = answered.map_err(stopped)?.map_err(|status| *status)?;
        Ok(Response::new(reply))
    }
}
