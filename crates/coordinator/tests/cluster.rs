//! Three coordinators in this process, on loopback with TLS: they found a cluster, decide, lose
//! their leader, and move a recorder off an agent that falls silent.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interrex_client::client::{Client, Error, Read, Seen, Settings, Wish, new_operation};
use interrex_client::fleet_toml;
use interrex_client::identity::{
    Connector, HOSTS_DEFAULT, IssueRequest, Role, Security, TlsFolder, create_ca,
    install_crypto_provider, issue,
};
use interrex_client::views::{List, Note, Recorder, RecorderState, Status};
use interrex_coordinator::config::{Config, Founders, LogFormat, Security as Secured};
use interrex_coordinator::{CoordinatorArgs, Running};
use interrex_core::Command;
use interrex_wire::pb;
use interrex_wire::pb::agents_client::AgentsClient;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const NAMES: [&str; 3] = ["c1", "c2", "c3"];
/// Everything here is done within this, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Cluster {
    folder: tempfile::TempDir,
    listen: Vec<u16>,
    members: Vec<Option<Running>>,
}

fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|socket| socket.local_addr().unwrap().port()).collect()
}

fn identity(folder: &Path, role: Role, name: &str) -> PathBuf {
    let out = folder.join(format!("tls-{name}"));
    let hosts = HOSTS_DEFAULT.iter().map(ToString::to_string).collect();
    let request = IssueRequest { role, name: name.parse().unwrap(), hosts, days: 2 };
    issue(&folder.join("ca"), &request, &out).unwrap();
    out
}

impl Cluster {
    /// Founds one; ready when this returns.
    fn found() -> Self {
        install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        create_ca(&folder.path().join("ca")).unwrap();
        for name in NAMES {
            identity(folder.path(), Role::Coordinator, name);
        }
        identity(folder.path(), Role::Admin, "anna");
        let ports = free_ports(9);
        let initial: Vec<_> =
            (0..3).map(|at| format!("{}=127.0.0.1:{}", NAMES[at], ports[3 + at])).collect();
        let initial = initial.join(",");
        let starts: Vec<_> = (0..3)
            .map(|at| {
                let args = CoordinatorArgs {
                    name: Some(NAMES[at].into()),
                    data: Some(folder.path().join(NAMES[at])),
                    listen: Some(format!("127.0.0.1:{}", ports[at])),
                    peer_listen: Some(format!("127.0.0.1:{}", ports[3 + at])),
                    http: Some(format!("127.0.0.1:{}", ports[6 + at])),
                    tls: Some(folder.path().join(format!("tls-{}", NAMES[at]))),
                    initial: Some(initial.clone()),
                    ..CoordinatorArgs::default()
                };
                let config = Config::load(&args).unwrap();
                std::thread::spawn(move || Running::start(config, CancellationToken::new()))
            })
            .collect();
        let members: Vec<_> =
            starts.into_iter().map(|start| Some(start.join().unwrap().unwrap())).collect();
        Self { folder, listen: ports[..3].to_vec(), members }
    }

    fn endpoints(&self) -> Vec<String> {
        self.listen.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    fn security(&self, name: &str) -> Security {
        let folder = self.folder.path().join(format!("tls-{name}"));
        Security::Tls(Arc::new(TlsFolder::load(&folder).unwrap()))
    }

    fn client(&self) -> Client {
        let (endpoints, security) = (self.endpoints(), self.security("anna"));
        Client::new(Settings { endpoints, security, timeout: Duration::from_secs(20) }).unwrap()
    }

    async fn ready(&self) {
        for member in self.members.iter().flatten() {
            let mut ready = member.ready();
            tokio::time::timeout(PATIENCE, ready.wait_for(|ready| *ready)).await.unwrap().unwrap();
        }
    }

    /// Takes the leader out, and tells which it was.
    async fn leader(&mut self, client: &Client) -> Running {
        let status: Status = client.read(&Read::all(pb::View::Status)).await.unwrap();
        let leader = status.leader.unwrap();
        let at = NAMES.iter().position(|name| *name == leader).unwrap();
        self.members[at].take().unwrap()
    }
}

fn wish(command: Command) -> Wish {
    Wish {
        operation: new_operation(),
        seen: Seen::New,
        reason: "test".into(),
        ticket: String::new(),
        dry_run: false,
        command,
    }
}

fn note(key: &str, text: &str) -> Wish {
    wish(Command::Note { key: key.into(), text: text.into(), expect: None })
}

async fn read_note(client: &Client, key: &str) -> Option<String> {
    let read = Read { view: pb::View::Notes, name: key.into(), stale: false };
    let notes: List<Note> = client.read(&read).await.unwrap();
    notes.items.first().map(|note| note.text.clone())
}

/// Waits until `recorder` is in `state`.
async fn recorder_is(client: &Client, state: RecorderState) -> Recorder {
    let deadline = tokio::time::sleep(PATIENCE);
    tokio::pin!(deadline);
    loop {
        let recorders: List<Recorder> = client.read(&Read::all(pb::View::Recorders)).await.unwrap();
        if recorders.items[0].state == state {
            return recorders.items[0].clone();
        }
        tokio::select! {
            () = &mut deadline => panic!("still {:?}", recorders.items[0]),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}

#[test]
fn what_was_acknowledged_outlives_its_leader() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::found();
    runtime.block_on(async {
        cluster.ready().await;
        let client = cluster.client();
        for at in 0..20 {
            let done = client.change(&note("incident", &format!("text {at}"))).await.unwrap();
            assert_eq!(done.events, ["noted"]);
        }
        assert_eq!(read_note(&client, "incident").await.as_deref(), Some("text 19"));
        // The same id again: the recorded answer, and no second note.
        let again = note("once", "only");
        let first = client.change(&again).await.unwrap();
        let second = client.change(&again).await.unwrap();
        assert_eq!(first.revision, second.revision);

        // Killed: nothing is handed over.
        drop(cluster.leader(&client).await);
        client.change(&note("incident", "after the kill")).await.unwrap();
        assert_eq!(read_note(&client, "incident").await.as_deref(), Some("after the kill"));
        assert_eq!(read_note(&client, "once").await.as_deref(), Some("only"));
    });
}

#[test]
fn a_leader_that_is_asked_to_stop_hands_over_first() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::found();
    runtime.block_on(async {
        cluster.ready().await;
        let client = cluster.client();
        client.change(&note("k", "before")).await.unwrap();
        let before: Status = client.read(&Read::all(pb::View::Status)).await.unwrap();
        let next = client.step_down().await.unwrap();
        assert_ne!(next, before.leader);
        let leader = cluster.leader(&client).await;
        tokio::task::spawn_blocking(move || leader.stop()).await.unwrap();
        client.change(&note("k", "after")).await.unwrap();
        assert_eq!(read_note(&client, "k").await.as_deref(), Some("after"));
        let status: Status = client.read(&Read::all(pb::View::Status)).await.unwrap();
        assert!(status.problems.iter().any(|problem| problem.code == "coordinator_unreachable"));
    });
}

/// An agent that says yes to everything. Beats until it is dropped.
struct Agent(Vec<JoinHandle<()>>);

impl Agent {
    fn start(cluster: &Cluster, server: &'static str) -> Self {
        identity(cluster.folder.path(), Role::Agent, server);
        let security = cluster.security(server);
        let beat = |port: &u16| {
            let address = format!("http://127.0.0.1:{port}");
            tokio::spawn(beat(address, security.clone(), server))
        };
        Self(cluster.listen.iter().map(beat).collect())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

async fn beat(address: String, security: Security, server: &'static str) {
    let connector = Connector::new(&security, Role::Coordinator, None).unwrap();
    let endpoint = tonic::transport::Endpoint::from_shared(address).unwrap();
    let channel = endpoint.connect_with_connector_lazy(connector);
    let (beats, sent) = tokio::sync::mpsc::channel(4);
    let sent = tokio_stream::wrappers::ReceiverStream::new(sent);
    let heartbeat = |seq: u64, held: Option<&pb::Assignment>| pb::Beat {
        heartbeat: Some(pb::Heartbeat {
            server: server.into(),
            boot: 7,
            seq,
            holds: held.and_then(|held| held.id),
            duties: held.iter().flat_map(|held| &held.duties).map(status).collect(),
            wall_ms: now_ms(),
            ..Default::default()
        }),
        ..Default::default()
    };
    beats.send(heartbeat(1, None)).await.unwrap();
    let mut replies = AgentsClient::new(channel).attend(sent).await.unwrap().into_inner();
    let (mut held, mut seq) = (None, 1);
    let mut ticks = tokio::time::interval(Duration::from_millis(150));
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                seq += 1;
                if beats.send(heartbeat(seq, held.as_ref())).await.is_err() {
                    return;
                }
            }
            reply = replies.message() => match reply {
                Ok(Some(reply)) => held = reply.ack.and_then(|ack| ack.assignment).or(held),
                Ok(None) | Err(_) => return,
            }
        }
    }
}

fn status(duty: &pb::Duty) -> pb::DutyStatus {
    let phase = match duty.kind() {
        pb::DutyKind::Act => pb::Phase::Acting,
        pb::DutyKind::Release => pb::Phase::Released,
        pb::DutyKind::Prepare | pb::DutyKind::Unspecified => pb::Phase::Prepared,
    };
    pb::DutyStatus {
        recorder: duty.recorder.clone(),
        epoch: duty.epoch,
        phase: phase.into(),
        config: duty.config.clone(),
        recording: duty.channels,
        channels: duty.channels,
        first_ms: Some(now_ms()),
        last_ms: Some(now_ms()),
        tick_ms: 20,
        failed: false,
    }
}

const FLEET: &str = r#"
api_version = 1
[group.hall-a]
mode = "auto"
timeout = "2s"
failback = "auto"
[server.srv-1]
group = "hall-a"
role = "recorder-host"
[server.srv-2]
group = "hall-a"
role = "standby"
[recorder.rec-1]
home = "srv-1"
channels = 2
"#;

#[test]
fn a_recorder_leaves_a_silent_server() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::found();
    runtime.block_on(async {
        cluster.ready().await;
        let client = cluster.client();
        let fleet = Arc::new(fleet_toml::parse(FLEET).unwrap().fleet);
        client.change(&wish(Command::ApplyFleet { fleet, expect: None })).await.unwrap();
        let home = Agent::start(&cluster, "srv-1");
        let _standby = Agent::start(&cluster, "srv-2");
        assert_eq!(recorder_is(&client, RecorderState::Recording).await.epoch, 1);

        drop(home);
        let away = recorder_is(&client, RecorderState::Substituted).await;
        assert_eq!((away.holder.as_deref(), away.epoch), (Some("srv-2"), 2));
    });
}

#[test]
fn an_empty_disk_neither_founds_nor_rejoins() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::found();
    runtime.block_on(cluster.ready());
    // c2 is stopped, and comes again with nothing.
    cluster.members[1].take().unwrap().stop();
    let ports = free_ports(3);
    let peers: Vec<u16> = std::fs::read_to_string(cluster.folder.path().join("c1/identity"))
        .unwrap()
        .split("127.0.0.1:")
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
        .map(|digits| digits.parse().unwrap())
        .collect();
    let founders = NAMES
        .iter()
        .zip(&peers)
        .map(|(name, port)| (name.parse().unwrap(), format!("127.0.0.1:{port}")));
    let config = Config {
        name: "c2".parse().unwrap(),
        data: cluster.folder.path().join("wiped"),
        listen: format!("127.0.0.1:{}", ports[0]).parse().unwrap(),
        peer_listen: format!("127.0.0.1:{}", peers[1]).parse().unwrap(),
        http: format!("127.0.0.1:{}", ports[2]).parse().unwrap(),
        security: Secured::Tls(cluster.folder.path().join("tls-c2")),
        initial: Founders(founders.collect()),
        advertise: format!("127.0.0.1:{}", ports[0]),
        log_format: LogFormat::Text,
    };
    let failure = Running::start(config, CancellationToken::new()).err().unwrap();
    assert_eq!((failure.exit, failure.code), (1, "wrong_cluster"));
    assert!(failure.remedy.contains("member add"), "{failure}");
}

#[test]
fn a_role_does_only_what_it_may() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::found();
    identity(cluster.folder.path(), Role::Viewer, "otto");
    runtime.block_on(async {
        cluster.ready().await;
        let (endpoints, security) = (cluster.endpoints(), cluster.security("otto"));
        let settings = Settings { endpoints, security, timeout: Duration::from_secs(20) };
        let viewer = Client::new(settings).unwrap();
        let _: Status = viewer.read(&Read::all(pb::View::Status)).await.unwrap();
        let denied = viewer.change(&note("k", "t")).await.unwrap_err();
        assert!(matches!(denied, Error::Denied { .. }), "{denied}");
    });
}
