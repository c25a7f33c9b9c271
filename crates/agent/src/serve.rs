//! The service of `--listen`: other agents, which fetch material that was recorded here, or offer
//! what they recorded. A certificate speaks for one server, and that server must be the other end
//! of the copy that it names, as the newest assignment has it (WT-16).
pub(crate) mod answer;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use interrex_client::identity::{AcceptLimits, Acceptor, Peer, Role};
use interrex_core::{CopyDuty, CopyKind, ServerId};
use interrex_wire::limits::MATERIAL_MESSAGE_MAX;
use interrex_wire::material::Frame;
use interrex_wire::pb;
use interrex_wire::pb::material_server::{Material, MaterialServer};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use self::answer::Answering;
use crate::copy::line::{ALIVE, ANSWERS_MAX, Line, QUESTIONS_MAX, WINDOWS};
use crate::copy::{Offer, Orders, Setup};

/// Connections at once, and how long a handshake may take.
pub(crate) const LIMITS: AcceptLimits =
    AcceptLimits { connections: 128, handshake: Duration::from_secs(5) };
/// Exchanges at once, over all connections: each has a thread.
const EXCHANGES_MAX: usize = 64;
/// Exchanges on one connection.
const STREAMS_MAX: u32 = 16;
/// How long whoever called may take to say hello.
const HELLO: Duration = Duration::from_secs(5);

struct Service {
    setup: Setup,
    orders: watch::Receiver<Orders>,
    offers: mpsc::Sender<Offer>,
    exchanges: Arc<Semaphore>,
}

/// Serves until the process ends.
///
/// # Errors
///
/// The listener broke.
pub(crate) async fn serve(
    acceptor: Acceptor,
    setup: Setup,
    orders: watch::Receiver<Orders>,
    offers: mpsc::Sender<Offer>,
) -> io::Result<()> {
    let exchanges = Arc::new(Semaphore::new(EXCHANGES_MAX));
    let service = MaterialServer::new(Service { setup, orders, offers, exchanges })
        .max_decoding_message_size(MATERIAL_MESSAGE_MAX)
        .max_encoding_message_size(MATERIAL_MESSAGE_MAX);
    tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .http2_keepalive_interval(Some(ALIVE))
        .http2_keepalive_timeout(Some(ALIVE))
        .add_service(service)
        .serve_with_incoming(acceptor)
        .await
        .map_err(io::Error::other)
}

#[tonic::async_trait]
impl Material for Service {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<pb::MaterialFrame, Status>> + Send>>;

    async fn exchange(
        &self,
        request: Request<Streaming<pb::MaterialFrame>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let caller = agent(request.extensions().get::<Peer>()).map_err(|status| *status)?;
        let permit = Arc::clone(&self.exchanges).try_acquire_owned();
        let permit = permit.map_err(|_| {
            Status::resource_exhausted(format!("{EXCHANGES_MAX} exchanges at once; try again"))
        })?;
        let mut frames = request.into_inner();
        let hello = tokio::time::timeout(HELLO, frames.message()).await;
        let hello = hello.map_err(|_| Status::deadline_exceeded("no hello"))??;
        let duty = self.admit(caller, hello).map_err(|status| *status)?;
        let room = if is_served(&duty) { ANSWERS_MAX } else { QUESTIONS_MAX };
        let (to, out) = Line::outgoing(room);
        let line = Line::new(to, frames);
        if is_served(&duty) {
            let answering = Answering::new(&self.setup, &duty, self.orders.clone(), line);
            drop(answering.spawn(permit));
        } else {
            let offer = self.offers.try_send(Offer { copy: duty.copy, line });
            offer.map_err(|_| Status::resource_exhausted("too many offers; try again"))?;
        }
        Ok(Response::new(Box::pin(out.map(|frame| Ok(pb::MaterialFrame::from(&frame))))))
    }
}

impl Service {
    /// What the caller may do: ask about what it is to bring home, or be asked about what it
    /// recorded. Who may not is told nothing of what there is.
    fn admit(
        &self,
        caller: Option<ServerId>,
        hello: Option<pb::MaterialFrame>,
    ) -> Result<CopyDuty, Box<Status>> {
        let no = |why: String| Box::new(Status::permission_denied(why));
        let hello = hello.ok_or_else(|| Box::new(Status::invalid_argument("no hello")))?;
        let hello = Frame::try_from(hello);
        let hello = hello.map_err(|bad| Box::new(Status::invalid_argument(bad.to_string())))?;
        let Frame::Hello { cluster, server, copy } = hello else {
            return Err(Box::new(Status::invalid_argument("the first frame is no hello")));
        };
        if caller.is_some_and(|caller| caller != server) {
            return Err(no(format!("the certificate is not that of {server}")));
        }
        let orders = self.orders.borrow();
        if orders.cluster != Some(cluster) {
            return Err(no("wrong_cluster: this agent belongs to another cluster".into()));
        }
        let duty = orders.duty(copy).filter(|duty| match &duty.kind {
            CopyKind::Serve { to, .. } => *to == server,
            CopyKind::Fetch { from: None, .. } => duty.source == server,
            CopyKind::Fetch { from: Some(_), .. } | CopyKind::Erase => false,
        });
        let unknown = || {
            tracing::warn!(%copy, %server, "refused: not the other end of that copy");
            no(format!("{server} has no part in {copy}, as far as {} knows", self.setup.server))
        };
        duty.cloned().ok_or_else(unknown)
    }
}

fn is_served(duty: &CopyDuty) -> bool {
    matches!(duty.kind, CopyKind::Serve { .. })
}

/// The server whose agent calls; none under `--insecure`, where everybody is on this machine.
fn agent(peer: Option<&Peer>) -> Result<Option<ServerId>, Box<Status>> {
    let peer = peer.ok_or_else(|| Box::new(Status::unauthenticated("no connection")))?;
    match peer.identity {
        None => Ok(None),
        Some(identity) if identity.role == Role::Agent => Ok(Some(ServerId(identity.name))),
        Some(identity) => Err(Box::new(Status::permission_denied(format!(
            "{identity} may not do this; it takes the role agent"
        )))),
    }
}
