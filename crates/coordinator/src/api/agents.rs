//! The service of agents: heartbeats in, acknowledgements out. A certificate speaks for one server.
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::Stream;
use interrex_core::{Ack, Heartbeat};
use interrex_wire::pb::agents_server::Agents;
use interrex_wire::pb::{self, Beat, Reply};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::{Shared, access};
use crate::node::AgentLine;

/// Serves agents.
pub(crate) struct AgentService(Arc<Shared>);

/// Counts a connection as long as it lives.
struct Counted(Arc<Shared>);

impl AgentService {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

#[tonic::async_trait]
impl Agents for AgentService {
    type AttendStream = Pin<Box<dyn Stream<Item = Result<Reply, Status>> + Send>>;

    async fn attend(
        &self,
        request: Request<Streaming<Beat>>,
    ) -> Result<Response<Self::AttendStream>, Status> {
        let agent = access::agent(&request).map_err(|status| *status)?;
        let name = agent.map(|agent| agent.name);
        let (line, acks) = AgentLine::open();
        let (refused, refusal) = mpsc::channel(1);
        let shared = Arc::clone(&self.0);
        let beats = request.into_inner();
        tokio::spawn(async move {
            let counted = Counted::new(&shared);
            let heard = tokio::select! {
                () = shared.stop.cancelled() => Err(Box::new(Status::unavailable("stopping"))),
                () = refused.closed() => Ok(()),
                heard = hear(&shared, name.map(|name| name.to_string()), beats, line) => heard,
            };
            drop(counted);
            if let Err(status) = heard {
                let _ = refused.send(Err(*status)).await;
            }
        });
        Ok(Response::new(Box::pin(replies(Arc::clone(&self.0), acks, refusal))))
    }
}

/// Hands in each heartbeat, until the agent ends the stream.
async fn hear(
    shared: &Shared,
    name: Option<String>,
    mut beats: Streaming<Beat>,
    line: AgentLine,
) -> Result<(), Box<Status>> {
    let line = Arc::new(line);
    while let Some(beat) = beats.message().await.map_err(Box::new)? {
        let heartbeat = read(shared, beat)?;
        if name.as_deref().is_some_and(|name| name != heartbeat.server.as_str()) {
            let (name, server) = (name.unwrap_or_default(), heartbeat.server);
            return Err(Box::new(Status::permission_denied(format!(
                "the certificate is that of {name}, the heartbeat that of {server}"
            ))));
        }
        shared.metrics.heartbeats.inc();
        let handed = shared.node.beat(heartbeat, Arc::clone(&line)).await;
        handed.map_err(|gone| Box::new(Status::unavailable(gone.to_string())))?;
    }
    Ok(())
}

fn read(shared: &Shared, beat: Beat) -> Result<Heartbeat, Box<Status>> {
    let circle = &shared.circle;
    // Empty until the first reply named it.
    let known = !beat.cluster.is_empty();
    if known && (beat.cluster != circle.cluster || beat.generation != circle.generation.0) {
        return Err(Box::new(Status::failed_precondition(
            "wrong_cluster: this agent belongs to another cluster, or to one that was given up",
        )));
    }
    let beat = beat.heartbeat.ok_or_else(|| Box::new(Status::invalid_argument("no heartbeat")))?;
    Heartbeat::try_from(beat).map_err(|bad| Box::new(Status::invalid_argument(bad.to_string())))
}

/// What goes to the agent: acknowledgements, and at last why it is refused.
fn replies(
    shared: Arc<Shared>,
    acks: mpsc::Receiver<Ack>,
    refusal: mpsc::Receiver<Result<Reply, Status>>,
) -> impl Stream<Item = Result<Reply, Status>> + Send {
    futures::stream::unfold((shared, acks, refusal), |(shared, mut acks, mut refusal)| async {
        let reply = tokio::select! {
            refused = refusal.recv() => refused?,
            Some(ack) = acks.recv() => Ok(Reply {
                cluster: shared.circle.cluster.to_vec(),
                generation: shared.circle.generation.0,
                ack: Some(pb::Ack::from(&ack)),
            }),
        };
        Some((reply, (shared, acks, refusal)))
    })
}

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.metrics.agents.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.agents.fetch_sub(1, Ordering::Relaxed);
    }
}
