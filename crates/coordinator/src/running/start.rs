//! The steps of a start, in order: peers' port, place in a cluster, log, node task, Raft, services.
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use interrex_client::identity::{
    AcceptLimits, Acceptor, BadIdentity, Callers, Role, Security, TlsFolder,
};
use interrex_core::coordinator::io::Identity;
use interrex_core::{Generation, LEVEL, State, numbers};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Serving;

use crate::api::{self, Shared};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::failure::{self, Failure};
use crate::folder::{Folder, NodeIdentity};
use crate::founding::Founding;
use crate::http;
use crate::log::{self, LogStore, Opened};
use crate::metrics::Metrics;
use crate::node::{self, NodeHandle};
use crate::peers::{self, Asker, Circle, Deliveries, Dialer, Door, Greeter, Seat};
use crate::raft::Consensus;

/// Members and their streams; far more than a cluster has.
const PEER_CONNECTIONS_MAX: usize = 256;
/// Sockets, bound before anything is opened or asked.
pub(super) struct Sockets {
    listen: std::net::TcpListener,
    peer_listen: std::net::TcpListener,
    http: std::net::TcpListener,
}

/// What the parts of a start share.
pub(super) struct Parts {
    config: Config,
    security: Security,
    tls: Option<Arc<TlsFolder>>,
    dialer: Dialer,
    founding: Arc<Founding>,
    level: watch::Sender<u32>,
    seat: Arc<OnceLock<Seat>>,
    failed: watch::Sender<Option<Failure>>,
    ready: watch::Sender<bool>,
    stop: CancellationToken,
    last: CancellationToken,
}

impl Parts {
    /// Everything that can be refused before anybody is asked, and the ports.
    pub(super) fn new(
        config: Config,
        stop: CancellationToken,
        ready: watch::Sender<bool>,
        failed: watch::Sender<Option<Failure>>,
    ) -> Result<(Self, Sockets), Failure> {
        let (security, tls) = secure(&config)?;
        let dialer = Dialer::new(security.clone()).map_err(bad_identity)?;
        let sockets = Sockets::bind(&config)?;
        let folder = Folder::open(&config.data, config.name)?;
        let (level, level_seen) = watch::channel(0);
        let initial = config.initial.clone();
        let founding = Founding::new(config.name, initial, folder, level_seen);
        let (seat, last) = (Arc::default(), CancellationToken::new());
        let parts = Self {
            config,
            security,
            tls,
            dialer,
            founding,
            level,
            seat,
            failed,
            ready,
            stop,
            last,
        };
        Ok((parts, sockets))
    }

    /// Ends the service of `peers` and the node task.
    pub(super) fn last(&self) -> CancellationToken {
        self.last.clone()
    }

    /// On Raft's runtime.
    pub(super) async fn start(
        self,
        sockets: Sockets,
        api: &tokio::runtime::Handle,
    ) -> Result<Serving, Failure> {
        let Sockets { listen, peer_listen, http } = sockets;
        self.serve_peers(peer_listen)?;
        let identity = tokio::select! {
            () = self.stop.cancelled() => return Err(Failure::refused("stopped", "stopped", "")),
            found = self.founding.seek(&self.dialer) => found?,
        };
        let (state, opened) = self.open_log()?;
        self.level.send_replace(state.level.0);
        let generation = state.generation;
        let circle = Arc::new(self.circle(&identity, generation, &opened.log).await?);
        circle.learn(Founding::members(&identity));
        let clock = Clock::start();
        let consensus = Arc::new(OnceLock::new());
        let Opened { log, machine, history, notices } = opened;
        let metrics = Metrics::new(log.syncs(), history.syncs());
        let node = node::start(node::Start {
            identity: self.identity(&circle),
            state,
            clock,
            history: history.clone(),
            deliveries: self.deliveries(&circle),
            notices,
            consensus: Arc::clone(&consensus),
            metrics: metrics.clone(),
            stop: self.last.clone(),
        });
        let node = node.map_err(failure::disk)?;
        let dialer = self.dialer.clone();
        let raft =
            Consensus::start(Arc::clone(&circle), dialer, log, (machine, history.clone())).await?;
        let _ = consensus.set(Arc::clone(&raft));
        self.take_seat(&circle, &raft, &node);
        let shared = Arc::new(Shared {
            config: self.config.clone(),
            clock,
            asker: Asker::new(Arc::clone(&circle), self.dialer.clone()),
            circle,
            consensus: Arc::clone(&raft),
            node: node.clone(),
            history,
            founding: Arc::clone(&self.founding),
            metrics,
            stop: CancellationToken::new(),
            tls: self.tls.clone(),
        });
        self.watch(&raft, &node);
        self.greet(&shared.circle, &raft);
        self.found(&raft, &identity).await?;
        let (api, http) = self.serve(&shared, listen, http, api)?;
        Ok(Serving { consensus: raft, shared, api, http, last: self.last })
    }

    /// Who this member is in this start, and what it knows of the others.
    async fn circle(
        &self,
        identity: &NodeIdentity,
        generation: Generation,
        log: &LogStore,
    ) -> Result<Circle, Failure> {
        let opened = Consensus::opened(log).await?;
        let (boot, known) =
            self.founding.with(|folder| (folder.boot(), folder.path().join("peers")));
        Ok(Circle::new(identity, generation, boot, opened, Door::open(known)?))
    }

    /// M6: greets the others, again and again; ends the process where they refuse it.
    fn greet(&self, circle: &Arc<Circle>, raft: &Arc<Consensus>) {
        let greeter = Greeter::new(
            Arc::clone(circle),
            Arc::clone(raft),
            self.dialer.clone(),
            self.config.data.clone(),
        );
        let (failed, ready, stop) = (self.failed.clone(), self.ready.subscribe(), self.last());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                failure = greeter.run(ready) => { failed.send_replace(Some(failure)); }
            }
        });
    }

    /// From now on peers are answered.
    fn take_seat(&self, circle: &Arc<Circle>, raft: &Arc<Consensus>, node: &NodeHandle) {
        let seat = Seat {
            circle: Arc::clone(circle),
            consensus: Arc::clone(raft),
            node: node.clone(),
            address: self.config.advertise.clone(),
        };
        // Nobody else fills it.
        let _ = self.seat.set(seat);
    }

    fn identity(&self, circle: &Circle) -> Identity {
        Identity {
            id: circle.id,
            boot: circle.start.boot,
            reads: LEVEL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: self.config.advertise.clone(),
        }
    }

    fn deliveries(&self, circle: &Arc<Circle>) -> Deliveries {
        let runtime = tokio::runtime::Handle::current();
        Deliveries::new(Arc::clone(circle), self.dialer.clone(), runtime)
    }

    fn serve_peers(&self, socket: std::net::TcpListener) -> Result<(), Failure> {
        let limits = AcceptLimits { connections: PEER_CONNECTIONS_MAX, ..AcceptLimits::default() };
        let socket = TcpListener::from_std(socket).map_err(failure::disk)?;
        let acceptor = Acceptor::start(socket, &self.security, Callers::MustBeKnown, limits);
        let acceptor = acceptor.map_err(bad_identity)?;
        let (desk, seat, last) =
            (Arc::clone(&self.founding), Arc::clone(&self.seat), self.last.clone());
        tokio::spawn(async move {
            if let Err(error) = peers::serve(acceptor, desk, seat, last).await {
                tracing::error!(%error, "members are not served any more");
            }
        });
        Ok(())
    }

    /// Replays the history: that is the whole state.
    fn open_log(&self) -> Result<(State, Opened), Failure> {
        let mut state = State::default();
        let opened = self.founding.with(|folder| {
            tokio::task::block_in_place(|| {
                log::open(folder, &mut |index, entry| {
                    state.enter(index, &entry);
                })
            })
        })?;
        if state.level > LEVEL {
            return Err(Failure::refused(
                "newer_level",
                format!("the history is at {}, this program reads {LEVEL}", state.level),
                "start a program that reads that level",
            ));
        }
        tracing::info!(revision = state.revision.0, applied = state.applied.0, "history replayed");
        Ok((state, opened))
    }

    /// The founder's first entry, and its duty towards the others.
    async fn found(&self, raft: &Arc<Consensus>, identity: &NodeIdentity) -> Result<(), Failure> {
        let first = identity.founders.first().map(|founder| founder.name);
        if first != Some(self.config.name) {
            return Ok(());
        }
        raft.initialize(Founding::members(identity)).await?;
        let (founding, dialer) = (Arc::clone(&self.founding), self.dialer.clone());
        let (failed, stop) = (self.failed.clone(), self.last.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                handed = founding.hand_over(&dialer) => {
                    if let Err(failure) = handed {
                        failed.send_replace(Some(failure));
                    }
                }
            }
        });
        Ok(())
    }

    /// What Raft tells the node, what the state tells the founding, and when all is ready.
    fn watch(&self, raft: &Arc<Consensus>, node: &NodeHandle) {
        let (consensus, told) = (Arc::clone(raft), node.clone());
        let (failed, last) = (self.failed.clone(), self.last.clone());
        tokio::spawn(async move {
            if let Err(failure) = consensus.watch(told, last).await {
                failed.send_replace(Some(failure));
            }
        });
        let (level, ready, mut gate) = (self.level.clone(), self.ready.clone(), node.gate());
        tokio::spawn(async move {
            loop {
                let now = *gate.borrow_and_update();
                level.send_if_modified(|known| std::mem::replace(known, now.level) != now.level);
                ready.send_if_modified(|known| std::mem::replace(known, now.ready) != now.ready);
                if gate.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Agents, operators and probes, on their own runtime; so is the grid (P1).
    fn serve(
        &self,
        shared: &Arc<Shared>,
        listen: std::net::TcpListener,
        http: std::net::TcpListener,
        api: &tokio::runtime::Handle,
    ) -> Result<(JoinHandle<()>, JoinHandle<()>), Failure> {
        let _within = api.enter();
        let socket = TcpListener::from_std(listen).map_err(failure::disk)?;
        let limits = AcceptLimits::default();
        let acceptor = Acceptor::start(socket, &self.security, Callers::MustBeKnown, limits);
        let acceptor = acceptor.map_err(bad_identity)?;
        let probes = TcpListener::from_std(http).map_err(failure::disk)?;
        api.spawn(shared.node.clone().grid(numbers::GRID));
        let (of_api, of_http) = (Arc::clone(shared), Arc::clone(shared));
        let served = api.spawn(async move {
            if let Err(error) = api::serve(of_api, acceptor).await {
                tracing::error!(%error, "operators and agents are not served any more");
            }
        });
        let probed = api.spawn(async move {
            if let Err(error) = http::serve(of_http, probes).await {
                tracing::error!(%error, "probes are not served any more");
            }
        });
        Ok((served, probed))
    }
}

impl Sockets {
    fn bind(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            listen: bind("listen", config.listen)?,
            peer_listen: bind("peer-listen", config.peer_listen)?,
            http: bind("http", config.http)?,
        })
    }
}

fn bind(key: &str, address: SocketAddr) -> Result<std::net::TcpListener, Failure> {
    let taken = |why: std::io::Error| {
        Failure::refused(
            "address_in_use",
            format!("{key}: {address}: {why}"),
            format!("choose another address for --{key}, or end the program that has it"),
        )
    };
    let socket = std::net::TcpListener::bind(address).map_err(taken)?;
    socket.set_nonblocking(true).map_err(taken)?;
    Ok(socket)
}

/// The identity of this member, which must be a coordinator of its name.
pub(crate) fn secure(config: &Config) -> Result<(Security, Option<Arc<TlsFolder>>), Failure> {
    match &config.security {
        config::Security::Insecure => Ok((Security::Insecure, None)),
        config::Security::Tls(folder) => {
            let tls = TlsFolder::load(folder).map_err(bad_identity)?;
            let name = Some(config.name.as_str());
            tls.require(&[Role::Coordinator], name).map_err(bad_identity)?;
            let tls = Arc::new(tls);
            Ok((Security::Tls(Arc::clone(&tls)), Some(tls)))
        }
    }
}

fn bad_identity(bad: BadIdentity) -> Failure {
    Failure::config(format!("tls: {bad}"), "interrex cert issue --role coordinator --name NAME")
}
