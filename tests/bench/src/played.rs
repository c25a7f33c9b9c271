//! A coordinator that is played, for figures of agents alone: it answers each beat, and hands out
//! one copy.
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use interrex_client::identity::{AcceptLimits, Acceptor, Callers, Security, TlsFolder};
use interrex_wire::pb::agents_server::{Agents, AgentsServer};
use interrex_wire::pb::{self, copy_duty::Kind};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// What it says, and what it has heard.
#[derive(Debug, Default)]
struct State {
    /// Where the source of the copy listens; none: there is no copy yet.
    source: Option<String>,
}

/// A whole cluster of one.
#[derive(Debug)]
pub(crate) struct Played {
    service: Service,
    beats: watch::Receiver<Vec<pb::Heartbeat>>,
    serving: AbortHandle,
}

#[derive(Clone, Debug)]
struct Service {
    state: Arc<Mutex<State>>,
    /// The newest of each server.
    beats: watch::Sender<Vec<pb::Heartbeat>>,
}

impl Drop for Played {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Played {
    /// Answers agents at `endpoint` with the identity in `tls`.
    pub(crate) async fn start(endpoint: &str, tls: &Path) -> Result<Self> {
        let security = Security::Tls(Arc::new(TlsFolder::load(tls)?));
        let listener = TcpListener::bind(endpoint).await?;
        let limits = AcceptLimits::default();
        let acceptor = Acceptor::start(listener, &security, Callers::MustBeKnown, limits)?;
        let (beats, heard) = watch::channel(Vec::new());
        let service = Service { state: Arc::default(), beats };
        let server = tonic::transport::Server::builder()
            .add_service(AgentsServer::new(service.clone()))
            .serve_with_incoming(acceptor);
        let serving = tokio::spawn(async { drop(server.await) }).abort_handle();
        Ok(Self { service, beats: heard, serving })
    }

    /// Where `server` can be dialled, once it has said so.
    pub(crate) async fn listens(&self, server: &str, patience: Duration) -> Result<String> {
        self.heard(server, patience, |beat| {
            beat.facts.as_ref().map(|facts| facts.listen.clone()).filter(|at| !at.is_empty())
        })
        .await
    }

    /// Has `srv-1` fetch the second tenure of `rec-1` from `srv-3`.
    pub(crate) fn copy(&self, source: &str) {
        self.service.state().source = Some(source.to_owned());
    }

    /// How much is durable, once `server` says that all is.
    pub(crate) async fn durable(&self, server: &str, patience: Duration) -> Result<pb::Progress> {
        self.heard(server, patience, |beat| {
            let durable = |copy: &&pb::CopyStatus| copy.standing() == pb::CopyStanding::Durable;
            beat.copies.iter().find(durable).and_then(|copy| copy.progress)
        })
        .await
    }

    async fn heard<T>(
        &self,
        server: &str,
        patience: Duration,
        find: impl Fn(&pb::Heartbeat) -> Option<T>,
    ) -> Result<T> {
        let mut beats = self.beats.clone();
        let of = |beats: &Vec<pb::Heartbeat>| {
            beats.iter().find(|beat| beat.server == server).and_then(&find)
        };
        let heard = beats.wait_for(|beats| of(beats).is_some());
        let heard = tokio::time::timeout(patience, heard).await;
        let found = heard.with_context(|| format!("{server} does not say it"))??;
        of(&found).context("it was there")
    }
}

impl Service {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, beat: pb::Heartbeat) -> pb::Reply {
        let source = self.state().source.clone();
        let id = pb::AssignmentId { generation: 1, index: 1 + u64::from(source.is_some()) };
        let assignment = (beat.holds != Some(id)).then(|| pb::Assignment {
            server: beat.server.clone(),
            id: Some(id),
            copies: source.and_then(|source| duty(&beat.server, source)).into_iter().collect(),
            ..Default::default()
        });
        let ack = pb::Ack {
            coordinator: 1,
            boot: 1,
            agent: beat.boot,
            seq: beat.seq,
            set: 1,
            voters: vec![pb::VoterSet { ids: vec![1] }],
            applied: id.index,
            interval_us: 200_000,
            deaf_us: 1_000_000,
            assignment,
            ..Default::default()
        };
        self.beats.send_modify(|beats| {
            beats.retain(|other| other.server != beat.server);
            beats.push(beat);
        });
        pb::Reply { cluster: vec![7; 16], generation: 1, ack: Some(ack) }
    }
}

fn duty(server: &str, source: String) -> Option<pb::CopyDuty> {
    let kind = match server {
        "srv-1" => Kind::Fetch(pb::Fetch { from: source, ..Default::default() }),
        "srv-3" => Kind::Serve(pb::Serve { to: "srv-1".into(), at: String::new() }),
        _ => return None,
    };
    Some(pb::CopyDuty {
        copy: 1,
        recorder: "rec-1".into(),
        epoch: 2,
        source: "srv-3".into(),
        kind: Some(kind),
    })
}

#[tonic::async_trait]
impl Agents for Service {
    type AttendStream = Pin<Box<dyn Stream<Item = Result<pb::Reply, Status>> + Send>>;

    async fn attend(
        &self,
        request: Request<Streaming<pb::Beat>>,
    ) -> Result<Response<Self::AttendStream>, Status> {
        let (mut beats, own) = (request.into_inner(), self.clone());
        let (send, replies) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(Ok(pb::Beat { heartbeat: Some(beat), .. })) = beats.next().await {
                if send.send(Ok(own.reply(beat))).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }
}
