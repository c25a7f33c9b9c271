//! The agent of one server: a thin loop over `interrex_core::agent`, which does what that says.
//! Connections, clocks, files and the driver are here; who may act, and when, is in the core.
//!
//! Deliberately absent: the guard and addresses.
mod clock;
mod config;
mod copy;
mod driver;
mod failure;
mod folder;
#[allow(dead_code, reason = "drivers and the loop take it up piece by piece")]
mod guard;
mod journal;
mod link;
mod material;
mod node;
mod save;
mod serve;
mod store;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use interrex_client::identity::{
    Acceptor, BadIdentity, Callers, Connector, Role, Security, TlsFolder,
};
use interrex_client::program::{self, log_to_stderr};
use interrex_core::AgentBoot;
use interrex_core::agent::{Agent, AgentIdentity};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use config::{AgentArgs, Config};
pub use driver::check as driver_check;
pub use failure::Failure;

use crate::copy::{Copying, Setup};
use crate::driver::choice::Place;
use crate::folder::Folder;
use crate::journal::Journal;
use crate::link::{Links, Word};
use crate::node::Node;
use crate::save::Saver;
use crate::store::elsewhere::Elsewhere;
use crate::store::files::Files;

/// Words from connections that wait for the loop; a connection waits when it is full.
const WORDS_MAX: usize = 256;

/// Runs the agent in the foreground until SIGTERM or SIGINT, or only checks its configuration.
///
/// # Errors
///
/// Why it could not start, or why it ended: with exit code, code and remedy for whoever prints it.
pub async fn run(args: AgentArgs) -> Result<(), Failure> {
    let stop = stop_signal().map_err(|why| machine("signals", &why))?;
    run_until(args, stop).await
}

/// The same, until `stop` is there: for tests.
///
/// # Errors
///
/// As [`run`].
pub async fn run_until(args: AgentArgs, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let config = Config::load(&args)?;
    let security = security(&config)?;
    if args.check {
        return Ok(());
    }
    log_to_stderr(config.log_format, "info");
    start(config, &security, stop).await
}

async fn start(
    config: Config,
    security: &Security,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let acceptor = listen(&config, security).await?;
    let facts = config.facts(acceptor.as_ref().map(Acceptor::address));
    let (clock, server, root) = (clock::machine as clock::Clock, config.server, config.data);
    let folder = Folder::open(&root, server, AgentBoot(rand::random()))?;
    let journal = Arc::new(Journal::open(&root, server)?);
    tracing::info!(%server, boot = folder.boot.0, "starts");
    let connector = Connector::new(security, Role::Coordinator, None).map_err(identity)?;
    let (words, heard): (_, mpsc::Receiver<Word>) = mpsc::channel(WORDS_MAX);
    let place = Place { root: root.clone(), server, journal: Arc::clone(&journal), clock };
    let keeps_files = config.driver.keeps_files();
    let driver = config.driver.start(place)?;
    let setup = Setup {
        store: if keeps_files { Arc::new(Files::new(root.clone())) } else { Arc::new(Elsewhere) },
        root,
        server,
        security: security.clone(),
        clock,
        listens: facts.listen.is_some(),
    };
    let copying = Copying::start(&setup).map_err(|why| machine("threads", &why))?;
    let _serving = acceptor.map(|acceptor| copying.serve(acceptor, setup));
    let count = config.coordinators.len();
    let core = Agent::start(
        AgentIdentity {
            server,
            boot: folder.boot,
            follows: folder.follows,
            last_good: folder.last_good.clone(),
            links: u32::try_from(count).unwrap_or(u32::MAX),
            connection_timeout: config.connection_timeout,
            facts,
        },
        clock().moment(),
    );
    let node = Node {
        core,
        server,
        cluster: folder.cluster,
        clock,
        journal,
        driver,
        copying,
        links: Links::new(config.coordinators, connector, words),
        saver: Saver::start(folder.writer()).map_err(|why| machine("threads", &why))?,
        count,
        foreign: BTreeSet::new(),
        unreachable: BTreeSet::new(),
    };
    node.run(heard, stop).await
}

/// Where other agents are answered, unless this one only dials out (SY-30).
async fn listen(config: &Config, security: &Security) -> Result<Option<Acceptor>, Failure> {
    let Some(address) = config.listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|why| {
        Failure::refused(
            "address_in_use",
            format!("cannot listen on {address}: {why}"),
            "end the program that listens there, or name another --listen (none: only dial out)",
        )
    })?;
    let acceptor = Acceptor::start(listener, security, Callers::MustBeKnown, serve::LIMITS);
    acceptor.map(Some).map_err(identity)
}

/// The identity must be this server's: an agent speaks for the server of its name only.
fn security(config: &Config) -> Result<Security, Failure> {
    match &config.security {
        program::Security::Insecure => Ok(Security::Insecure),
        program::Security::Tls(path) => {
            let folder = TlsFolder::load(path).map_err(identity)?;
            folder.require(&[Role::Agent], Some(config.server.as_str())).map_err(identity)?;
            Ok(Security::Tls(Arc::new(folder)))
        }
    }
}

fn identity(why: BadIdentity) -> Failure {
    Failure::config(why.to_string(), "point --tls at a folder that `interrex cert issue` made")
}

fn machine(what: &str, why: &io::Error) -> Failure {
    Failure::refused(
        "no_resources",
        format!("this machine gives us no {what}: {why}"),
        "look at the limits of this user (ulimit -a), then start again",
    )
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::info!("asked to stop: closing segments");
    })
}
