//! A whole agent against coordinators that the test plays: what it says, what it records, and what
//! it leaves in its journal.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may panic"
)]
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use interrex_agent::{AgentArgs, Failure, run_until};
use interrex_wire::pb;
use interrex_wire::pb::agents_server::{Agents, AgentsServer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

const US: u64 = 1_000;

/// What every coordinator of a test says, and what it hears.
#[derive(Debug, Default)]
struct Played {
    cluster: [u8; 16],
    /// Index, kind and epoch of the one duty; none: nothing is to be done.
    duty: Option<(u64, pb::DutyKind, u64)>,
    index: u64,
    grants: bool,
    ends_wanted: Vec<u64>,
    beats: Vec<pb::Beat>,
}

#[derive(Clone)]
struct Coordinator {
    id: u64,
    played: Arc<Mutex<Played>>,
}

impl Coordinator {
    fn reply(&self, beat: pb::Beat) -> pb::Reply {
        let mut played = self.played.lock().unwrap();
        let heartbeat = beat.heartbeat.clone().unwrap();
        played.beats.push(beat);
        let id = pb::AssignmentId { generation: 1, index: played.index };
        let duty = played.duty.map(|(_, kind, epoch)| pb::Duty {
            recorder: "rec-1".into(),
            epoch,
            kind: kind.into(),
            channels: 2,
            config: vec![7; 32],
            ..Default::default()
        });
        let grant = duty.iter().filter(|_| played.grants).map(|duty| pb::Grant {
            recorder: duty.recorder.clone(),
            epoch: duty.epoch,
            lease_us: 750 * US,
        });
        let grants = grant.collect();
        let wanted = played.ends_wanted.iter();
        let ends_wanted =
            wanted.map(|epoch| pb::Tenure { recorder: "rec-1".into(), epoch: *epoch }).collect();
        let assignment = (heartbeat.holds != Some(id)).then(|| pb::Assignment {
            server: heartbeat.server.clone(),
            id: Some(id),
            duties: duty.into_iter().collect(),
            ends_wanted,
            ..Default::default()
        });
        pb::Reply {
            cluster: played.cluster.to_vec(),
            generation: 1,
            ack: Some(pb::Ack {
                coordinator: self.id,
                boot: 1,
                agent: heartbeat.boot,
                seq: heartbeat.seq,
                set: 1,
                voters: vec![pb::VoterSet { ids: vec![1, 2, 3] }],
                applied: played.index,
                grants,
                interval_us: 200 * US,
                deaf_us: 500 * US,
                assignment,
            }),
        }
    }
}

#[tonic::async_trait]
impl Agents for Coordinator {
    type AttendStream = Pin<Box<dyn Stream<Item = Result<pb::Reply, Status>> + Send>>;

    async fn attend(
        &self,
        request: Request<Streaming<pb::Beat>>,
    ) -> Result<Response<Self::AttendStream>, Status> {
        let (mut beats, own) = (request.into_inner(), self.clone());
        let (send, replies) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(Ok(beat)) = beats.next().await {
                if send.send(Ok(own.reply(beat))).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }
}

async fn coordinator(id: u64, played: Arc<Mutex<Played>>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = AgentsServer::new(Coordinator { id, played });
    let server = tonic::transport::Server::builder().add_service(service);
    let task = tokio::spawn(async move {
        server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
    });
    (address, task)
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Failure>>,
}

impl Running {
    async fn stop(self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        self.task.await.unwrap()
    }
}

fn args(data: &Path, addresses: &[SocketAddr]) -> AgentArgs {
    let coordinators: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    AgentArgs {
        server: Some("srv-1".into()),
        data: Some(data.into()),
        coordinators: Some(coordinators.join(",")),
        listen: Some("127.0.0.1:0".into()),
        insecure: true,
        ..AgentArgs::default()
    }
}

fn start(data: &Path, addresses: &[SocketAddr]) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let run = run_until(args(data, addresses), async { drop(stopped.await) });
    Running { stop, task: tokio::spawn(run) }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn journal(data: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(data.join("journal.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn events(data: &Path) -> Vec<(String, u64)> {
    let lines = journal(data).into_iter().filter(|line| line["channel"].is_null());
    lines
        .map(|line| (line["event"].as_str().unwrap().into(), line["epoch"].as_u64().unwrap()))
        .collect()
}

fn last_duty(played: &Mutex<Played>) -> Option<pb::DutyStatus> {
    let played = played.lock().unwrap();
    played.beats.last()?.heartbeat.as_ref()?.duties.first().cloned()
}

async fn three(played: &Arc<Mutex<Played>>) -> (Vec<SocketAddr>, Vec<JoinHandle<()>>) {
    let mut started = (Vec::new(), Vec::new());
    for id in 1..=3 {
        let (address, task) = coordinator(id, Arc::clone(played)).await;
        started.0.push(address);
        started.1.push(task);
    }
    started
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_acts_releases_moves_on_and_tells_where_it_ended() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    let played = Arc::new(Mutex::new(Played {
        cluster: [5; 16],
        duty: Some((1, pb::DutyKind::Act, 1)),
        index: 1,
        grants: true,
        ..Played::default()
    }));
    let (addresses, _tasks) = three(&played).await;
    let agent = start(data, &addresses);
    let recording = || last_duty(&played).is_some_and(|duty| duty.recording == 2);
    until("both channels record", recording).await;
    let duty = last_duty(&played).unwrap();
    assert_eq!((duty.phase(), duty.epoch, duty.config), (pb::Phase::Acting, 1, vec![7; 32]));
    assert!(duty.first_ms.is_some() && duty.last_ms >= duty.first_ms);
    assert_eq!(events(data), [("act".to_owned(), 1)]);
    assert!(fs::read_to_string(data.join("identity.json")).unwrap().contains(&"05".repeat(16)));
    until("remembered", || data.join("last-good.json").exists()).await;

    let order = |index, duty, ends_wanted: &[u64]| {
        let mut played = played.lock().unwrap();
        (played.index, played.duty, played.ends_wanted) = (index, duty, ends_wanted.into());
    };
    order(2, Some((2, pb::DutyKind::Release, 1)), &[]);
    let released = || last_duty(&played).is_some_and(|duty| duty.phase() == pb::Phase::Released);
    until("released", released).await;
    assert_eq!(events(data)[1..], [("drop_addresses".to_owned(), 1), ("release".to_owned(), 1)]);

    order(3, None, &[1]);
    let end = || {
        let played = played.lock().unwrap();
        let heartbeat = played.beats.last()?.heartbeat.clone()?;
        heartbeat.ended.first()?.last_ms
    };
    until("it says where it ended", || end().is_some()).await;
    let names = fs::read_dir(data.join("material/rec-1/ch-1")).unwrap();
    let names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name.ends_with("-1-srv-1.seg")), "{names:?}");
    assert!(names.iter().any(|name| name.contains(&format!("-{}-", end().unwrap() + 20))));
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_coordinators_it_records_on_and_does_not_act() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    let played = Arc::new(Mutex::new(Played {
        cluster: [5; 16],
        duty: Some((1, pb::DutyKind::Act, 4)),
        index: 1,
        grants: true,
        ..Played::default()
    }));
    let (addresses, _tasks) = three(&played).await;
    let agent = start(data, &addresses);
    until("it acts", || events(data).contains(&("act".to_owned(), 4))).await;
    played.lock().unwrap().grants = false;
    until("the lease ends", || events(data).contains(&("lease_end".to_owned(), 4))).await;
    assert_eq!(events(data).last().unwrap().0, "drop_addresses");
    let ticks = || -> u64 {
        let parts = fs::read_dir(data.join("material/rec-1/ch-1")).unwrap();
        parts.map(|part| part.unwrap().metadata().unwrap().len()).sum()
    };
    let before = ticks();
    until("it records on", || ticks() > before + 200).await;
    played.lock().unwrap().grants = true;
    until("it acts again", || events(data).last().unwrap().0 == "act").await;
    agent.stop().await.unwrap();
    let segments = journal(data).into_iter().filter(|line| line["event"] == "segment");
    assert!(segments.into_iter().any(|line| line["unfenced"] == true));
    let left = fs::read_dir(data.join("material/rec-1/ch-2")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| path.extension().is_some_and(|e| e == "seg")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_says_whom_it_follows_and_keeps_to_its_cluster() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    let played = |cluster| Arc::new(Mutex::new(Played { cluster, index: 1, ..Played::default() }));
    let (ours, theirs) = (played([5; 16]), played([6; 16]));
    let (addresses, _tasks) = three(&ours).await;
    let agent = start(data, &addresses);
    let heard = || ours.lock().unwrap().beats.iter().any(|beat| beat.cluster == [5; 16]);
    until("its beats name the cluster", heard).await;
    let identified =
        || fs::read_to_string(data.join("identity.json")).unwrap().contains(&"05".repeat(16));
    until("it keeps the cluster", identified).await;
    let locked = run_until(args(data, &addresses), std::future::pending()).await.unwrap_err();
    assert_eq!((locked.code, locked.exit), ("data_locked", 1));
    agent.stop().await.unwrap();
    let boot = ours.lock().unwrap().beats[0].heartbeat.clone().unwrap().boot;

    let (addresses, _tasks) = three(&theirs).await;
    let wrong = start(data, &addresses).task.await.unwrap().unwrap_err();
    assert_eq!((wrong.code, wrong.exit), ("wrong_cluster", 1));
    assert!(wrong.message.contains(&"06".repeat(16)) && wrong.remedy.contains("--coordinators"));
    let next = theirs.lock().unwrap().beats[0].heartbeat.clone().unwrap();
    assert_eq!(next.follows, Some(boot), "A8");
}
