//! What operators, clients and agents call. Each call is checked against the role of its caller's
//! certificate. Deliberately absent: judging (core), and the form of the documents (client).
mod access;
mod agents;
mod history;
mod operators;
mod read;
mod render;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use interrex_client::client::{CODE, LEADER, REMEDY};
use interrex_client::identity::{Acceptor, TlsFolder};
use interrex_wire::FILE_DESCRIPTOR_SET;
use interrex_wire::pb::agents_server::AgentsServer;
use interrex_wire::pb::operators_server::OperatorsServer;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::clock::Clock;
use crate::config::Config;
use crate::folder::Room;
use crate::founding::Founding;
use crate::history::History;
use crate::metrics::Metrics;
use crate::node::NodeHandle;
use crate::peers::{Asker, Circle};
use crate::raft::Consensus;

pub(crate) use agents::AgentService;
pub(crate) use operators::OperatorService;

/// Largest message that is taken: a fleet document of 4 MiB, and its envelope.
const TAKEN_MAX: usize = 5 << 20;
/// Largest message that is sent: a page of history, or a document of a whole fleet.
const SENT_MAX: usize = 64 << 20;
/// Calls at once on one connection.
const STREAMS_MAX: u32 = 1_024;
/// A caller that gives no sign of life is let go.
const ALIVE: Duration = Duration::from_secs(10);

/// All that answering takes. One for each coordinator in the process.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) circle: Arc<Circle>,
    pub(crate) consensus: Arc<Consensus>,
    pub(crate) node: NodeHandle,
    pub(crate) history: History,
    pub(crate) asker: Asker,
    /// Holds the data folder, and so its space.
    pub(crate) founding: Arc<Founding>,
    pub(crate) metrics: Metrics,
    /// Streams end with it.
    pub(crate) stop: CancellationToken,
    pub(crate) tls: Option<Arc<TlsFolder>>,
}

impl Shared {
    /// Space for new commands, as the disk has it now: one system call.
    fn room(&self) -> Room {
        let room = self.founding.with(|folder| folder.room());
        room.unwrap_or(Room::Low { free: 0 })
    }

    /// How long this member's certificate is still good; none under `--insecure`.
    fn certificate_left(&self) -> Option<Duration> {
        self.tls.as_ref().map(|tls| tls.remaining(Clock::system()))
    }

    /// The answer of a member that does not lead, and names the one that does.
    pub(crate) async fn not_leader(&self) -> Status {
        let standing = self.consensus.standing();
        let leader = standing.leader.filter(|leader| *leader != self.circle.id);
        let address = match leader {
            Some(leader) => self.asker.address(standing.term, leader).await,
            None => None,
        };
        let mut status = Status::unavailable(match &address {
            Some(address) => format!("the leader answers this, at {address}"),
            None => "no leader is known at the moment".to_owned(),
        });
        if let Some(address) = address.and_then(|at| MetadataValue::try_from(at).ok()) {
            status.metadata_mut().insert(LEADER, address);
        }
        status
    }
}

/// A refusal outside the log, with CONTRACT's code and what to do.
fn refused(grpc: Code, code: &'static str, message: &str, remedy: &'static str) -> Status {
    let mut status = Status::new(grpc, message);
    status.metadata_mut().insert(CODE, MetadataValue::from_static(code));
    status.metadata_mut().insert(REMEDY, MetadataValue::from_static(remedy));
    status
}

/// Serves until `stop`, then finishes what was begun.
///
/// # Errors
///
/// The listener broke.
pub(crate) async fn serve(shared: Arc<Shared>, acceptor: Acceptor) -> io::Result<()> {
    let operators = OperatorsServer::new(OperatorService::new(Arc::clone(&shared)))
        .max_decoding_message_size(TAKEN_MAX)
        .max_encoding_message_size(SENT_MAX);
    let agents = AgentsServer::new(AgentService::new(Arc::clone(&shared)))
        .max_decoding_message_size(TAKEN_MAX);
    let (health, health_service) = tonic_health::server::health_reporter();
    tokio::spawn(report_health(health, Arc::clone(&shared)));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(io::Error::other)?;
    let stop = shared.stop.clone();
    tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(ALIVE))
        .http2_keepalive_timeout(Some(ALIVE))
        .add_service(operators)
        .add_service(agents)
        .add_service(health_service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(acceptor, stop.cancelled_owned())
        .await
        .map_err(io::Error::other)
}

/// Serving once P6 is met; not serving again when the process stops.
async fn report_health(health: tonic_health::server::HealthReporter, shared: Arc<Shared>) {
    health.set_not_serving::<OperatorsServer<OperatorService>>().await;
    health.set_not_serving::<AgentsServer<AgentService>>().await;
    let mut seen = shared.node.seen();
    if seen.wait_for(|seen| seen.ready).await.is_ok() {
        health.set_serving::<OperatorsServer<OperatorService>>().await;
        health.set_serving::<AgentsServer<AgentService>>().await;
    }
    shared.stop.cancelled().await;
    health.set_not_serving::<OperatorsServer<OperatorService>>().await;
    health.set_not_serving::<AgentsServer<AgentService>>().await;
}
