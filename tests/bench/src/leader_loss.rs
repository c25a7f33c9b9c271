//! The leader is killed under a one-client write loop; how long until the next write is accepted.
//! Attempts go out every 10 ms to each survivor, so that one that hangs hides nothing.
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use interrex_cli::local::Place;
use interrex_wire::pb;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tonic::transport::{Channel, Endpoint};

use crate::Args;
use crate::etcd::{Etcd, connect, value};
use crate::figure::{Book, ETCD, OURS, ms};
use crate::ours;
use crate::pb::PutRequest;
use crate::pb::kv_client::KvClient;

const ATTEMPTS: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);

/// Both sides, kill by kill.
pub(crate) async fn measure(args: &Args, book: &mut Book) -> Result<()> {
    peer(args, book).await?;
    interrex(args, book).await
}

async fn peer(args: &Args, book: &mut Book) -> Result<()> {
    let mut etcd = Etcd::start(&args.dir.join("etcd")).await?;
    for _ in 0..args.kills {
        let leader = etcd.leader().await?;
        let mut channels = Vec::new();
        for member in (0..3).filter(|member| *member != leader) {
            channels.push(connect(member).await?);
        }
        let put = |channel: Channel| async move {
            let request = PutRequest { key: b"/loss".to_vec(), value: value(), lease: 0 };
            KvClient::new(channel).put(request).await.is_ok()
        };
        if !put(channels.first().context("two survivors")?.clone()).await {
            bail!("etcd takes no write");
        }
        let killed = Instant::now();
        etcd.kill(leader);
        book.enter(ETCD, "leader_loss_ms", first_accepted(&channels, put, killed).await?);
        etcd.launch(leader)?;
    }
    Ok(())
}

async fn interrex(args: &Args, book: &mut Book) -> Result<()> {
    let mut place = ours::start(&args.dir.join("interrex"), &args.interrex, true)?;
    for _ in 0..args.kills {
        let leader = settled_leader(&place)?;
        let mut channels = Vec::new();
        for name in place.coordinators().into_iter().filter(|name| *name != leader) {
            let uri = format!("http://{}", place.endpoint(&name).context("its address")?);
            channels.push(Endpoint::from_shared(uri)?.tcp_nodelay(true).connect().await?);
        }
        ours::ask(&place, &["note", "loss", "before", "-o", "json"])?;
        let killed = Instant::now();
        place.kill(&leader)?;
        book.enter(OURS, "leader_loss_ms", first_accepted(&channels, note, killed).await?);
        place.start(&leader)?;
    }
    Ok(())
}

async fn note(channel: Channel) -> bool {
    let text = "x".repeat(crate::etcd::SIZE);
    let note = pb::Note { key: "loss".into(), text, expect: None };
    let request = pb::CommandRequest {
        operation: uuid::Uuid::now_v7().into_bytes().to_vec(),
        seen: Some(0),
        command: Some(pb::command_request::Command::Note(note)),
        ..Default::default()
    };
    let answer = pb::operators_client::OperatorsClient::new(channel).judge(request).await;
    answer.is_ok_and(|reply| reply.into_inner().recorded)
}

/// Who leads, once all three are reachable and have applied the same.
fn settled_leader(place: &Place) -> Result<String> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let status = ours::ask(place, &["status", "-o", "json"])?;
        let all = status.get("coordinators").and_then(Value::as_array).map_or(0, |all| {
            all.iter().filter(|c| c.get("reachable") == Some(&Value::Bool(true))).count()
        });
        if let (3, Some(leader)) = (all, status.get("leader").and_then(Value::as_str)) {
            return Ok(leader.to_owned());
        }
        // A process that starts: the next question shows it.
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("not all coordinators are back within {PATIENCE:?}")
}

/// Milliseconds from `killed` to the first accepted write.
async fn first_accepted<F>(
    channels: &[Channel],
    write: impl Fn(Channel) -> F,
    killed: Instant,
) -> Result<f64>
where
    F: Future<Output = bool> + Send + 'static,
{
    let (send, mut accepted) = unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    while killed.elapsed() < PATIENCE {
        for channel in channels {
            let (write, send): (_, UnboundedSender<Instant>) =
                (write(channel.clone()), send.clone());
            tasks.spawn(async move {
                if write.await {
                    send.send(Instant::now()).ok();
                }
            });
        }
        if let Ok(Some(at)) = tokio::time::timeout(ATTEMPTS, accepted.recv()).await {
            return Ok(ms(at - killed));
        }
    }
    bail!("no write was accepted within {PATIENCE:?}")
}
