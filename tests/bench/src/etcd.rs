//! The peer: three etcd processes on loopback, as Debian ships it, with its own defaults.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use interrex_cli::local::Child;
use rand::RngExt;
use tonic::transport::{Channel, Endpoint};

use crate::Args;
use crate::figure::{Book, ETCD, ms, quantile};
use crate::pb::kv_client::KvClient;
use crate::pb::maintenance_client::MaintenanceClient;
use crate::pb::{PutRequest, StatusRequest};

/// Bytes of a value.
pub(crate) const SIZE: usize = 256;
/// Connections at most.
const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_millis(1_500);
const FIRST_CLIENT_PORT: u16 = 23_791;
const FIRST_PEER_PORT: u16 = 23_801;

/// Three members, and which of them run.
#[derive(Debug)]
pub(crate) struct Etcd {
    dir: PathBuf,
    members: [Option<Child>; 3],
}

impl Etcd {
    /// Starts three members on a new folder and waits until they agree on a leader.
    pub(crate) async fn start(dir: &Path) -> Result<Self> {
        if dir.exists() {
            std::fs::remove_dir_all(dir)?;
        }
        std::fs::create_dir_all(dir)?;
        let mut etcd = Self { dir: dir.to_owned(), members: [None, None, None] };
        (0..3).try_for_each(|member| etcd.launch(member))?;
        etcd.leader().await?;
        Ok(etcd)
    }

    /// Starts one member.
    pub(crate) fn launch(&mut self, member: usize) -> Result<()> {
        let at = |first: u16, member: usize| -> Result<String> {
            Ok(format!("http://127.0.0.1:{}", usize::from(first) + member))
        };
        let name = |member: usize| format!("n{}", member + 1);
        let peers = (0..3).map(|m| Ok(format!("{}={}", name(m), at(FIRST_PEER_PORT, m)?)));
        let peers = peers.collect::<Result<Vec<_>>>()?.join(",");
        let (client, peer) = (at(FIRST_CLIENT_PORT, member)?, at(FIRST_PEER_PORT, member)?);
        let mut command = Command::new("etcd");
        command.args(["--name", &name(member), "--initial-cluster", &peers]);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster-state", "new", "--quota-backend-bytes", "8589934592"]);
        command.args(["--logger", "zap", "--log-level", "error", "--data-dir"]);
        command.arg(self.dir.join(name(member)));
        let log = self.dir.join(format!("{}.log", name(member)));
        let slot = self.members.get_mut(member).context("three members")?;
        *slot = Some(Child::start(&name(member), command, &log)?);
        Ok(())
    }

    /// Ends one member at once.
    pub(crate) fn kill(&mut self, member: usize) {
        if let Some(slot) = self.members.get_mut(member) {
            *slot = None;
        }
    }

    /// Who leads, once all members agree.
    pub(crate) async fn leader(&self) -> Result<usize> {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let mut seen = Vec::new();
            for member in 0..3 {
                if let Ok(status) = status(member).await {
                    seen.push((status.header.map(|h| h.member_id), status.leader));
                }
            }
            if let [(a, leader), (b, l2), (c, l3)] = seen[..]
                && leader != 0
                && (leader, leader) == (l2, l3)
                && let Some(at) = [a, b, c].iter().position(|id| *id == Some(leader))
            {
                return Ok(at);
            }
            // Another program's start: there is nothing to be told by.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("etcd agreed on no leader within a minute; see {}", self.dir.display())
    }
}

/// A connection to one member.
pub(crate) async fn connect(member: usize) -> Result<Channel> {
    let uri = format!("http://127.0.0.1:{}", usize::from(FIRST_CLIENT_PORT) + member);
    Ok(Endpoint::from_shared(uri)?.tcp_nodelay(true).connect().await?)
}

async fn status(member: usize) -> Result<crate::pb::StatusResponse> {
    let mut client = MaintenanceClient::new(connect(member).await?);
    let answer = tokio::time::timeout(Duration::from_secs(1), client.status(StatusRequest {}));
    Ok(answer.await??.into_inner())
}

/// A value that does not compress.
pub(crate) fn value() -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    rand::rng().fill(&mut bytes[..]);
    bytes
}

/// Unique keys, 256 bytes, to the leader; closed loop with 1 and with 256 clients.
pub(crate) async fn writes(args: &Args, book: &mut Book) -> Result<()> {
    let etcd = Etcd::start(&args.dir.join("etcd")).await?;
    let leader = etcd.leader().await?;
    let counter = Arc::new(AtomicU64::new(0));
    for clients in [1_usize, 256] {
        let mut channels = Vec::new();
        for _ in 0..clients.min(CONNECTIONS) {
            channels.push(connect(leader).await?);
        }
        puts(&channels, clients, WARM_UP, &counter).await?;
        let (window, began) = (Duration::from_secs(args.seconds), Instant::now());
        let took = puts(&channels, clients, window, &counter).await?;
        #[expect(clippy::cast_precision_loss, reason = "a count of seconds")]
        let per_s = took.len() as f64 / began.elapsed().as_secs_f64();
        book.enter(ETCD, &format!("write.c{clients}.p50_ms"), quantile(&took, 0.5));
        book.enter(ETCD, &format!("write.c{clients}.p99_ms"), quantile(&took, 0.99));
        book.enter(ETCD, &format!("write.c{clients}.per_s"), per_s);
    }
    Ok(())
}

/// Milliseconds of each put.
async fn puts(
    channels: &[Channel],
    clients: usize,
    window: Duration,
    counter: &Arc<AtomicU64>,
) -> Result<Vec<f64>> {
    let end = Instant::now() + window;
    let tasks = channels.iter().cycle().take(clients).map(|channel| {
        let (mut client, counter) = (KvClient::new(channel.clone()), Arc::clone(counter));
        tokio::spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let n = counter.fetch_add(1, Ordering::Relaxed);
                let key = format!("/bench/{n:012}").into_bytes();
                let request = PutRequest { key, value: value(), lease: 0 };
                let began = Instant::now();
                client.put(request).await?;
                took.push(ms(began.elapsed()));
            }
            Ok::<_, tonic::Status>(took)
        })
    });
    let mut all = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        all.extend(task.await??);
    }
    Ok(all)
}
