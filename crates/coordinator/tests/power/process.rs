//! A whole coordinator on a disk that goes: it ends with exit 1, says `disk_failed` or
//! `disk_full`, and shows nobody a backtrace.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use interrex_client::client::{Client, Seen, Settings, Wish, new_operation};
use interrex_client::identity::Security;
use interrex_coordinator::CoordinatorArgs;

use super::model::{Disk, Fault};
use super::mount::Mounted;

/// Data folder and three ports of the child.
const CHILD: &str = "INTERREX_TEST_COORDINATOR";
/// Whoever does not end within this never does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Not a test by itself: the coordinator of the others, as the program runs it.
#[test]
#[ignore = "the child of other tests"]
fn coordinator() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let words: Vec<&str> = told.split(' ').collect();
    let at = |word: usize| Some(format!("127.0.0.1:{}", words[word]));
    let args = CoordinatorArgs {
        name: Some("c1".into()),
        data: Some(words[0].into()),
        listen: at(1),
        peer_listen: at(2),
        http: at(3),
        initial: Some(format!("c1=127.0.0.1:{}", words[2])),
        insecure: true,
        ..CoordinatorArgs::default()
    };
    interrex_client::identity::install_crypto_provider();
    let Err(failure) = interrex_coordinator::run(&args) else { std::process::exit(0) };
    eprintln!("{failure}");
    std::process::exit(failure.exit.into());
}

struct Coordinator {
    child: Child,
    ports: Vec<u16>,
}

impl Coordinator {
    fn start(data: &Path) -> Self {
        let held: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = held.iter().map(|s| s.local_addr().unwrap().port()).collect();
        drop(held);
        let told = format!("{} {} {} {}", data.display(), ports[0], ports[1], ports[2]);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::coordinator", "--ignored", "--nocapture"])
            .env(CHILD, told)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self { child: child.unwrap(), ports }
    }

    fn wait_until_ready(&mut self) {
        let mut lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready c1"), "it ended first");
    }

    /// What it said and its exit status.
    fn end(mut self) -> (String, Option<i32>) {
        let mut stderr = self.child.stderr.take().unwrap();
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("it goes on on a disk that is gone; it said: {}", said.join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        (said.join().unwrap(), status.code())
    }

    fn note(&self) {
        let endpoints = vec![format!("127.0.0.1:{}", self.ports[0])];
        let (security, timeout) = (Security::Insecure, Duration::from_secs(2));
        let wish = Wish {
            operation: new_operation(),
            seen: Seen::New,
            reason: "test".into(),
            ticket: String::new(),
            dry_run: false,
            command: interrex_core::Command::Note {
                key: "k".into(),
                text: "t".into(),
                expect: None,
            },
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::new(Settings { endpoints, security, timeout }).unwrap();
            assert!(client.change(&wish).await.is_err(), "acknowledged by a disk that fails");
        });
    }

    fn metrics(&self) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.ports[2])).unwrap();
        socket.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    }
}

fn assert_clean((said, status): (String, Option<i32>), code: &str, when: &str) {
    assert_eq!(status, Some(1), "{when}: {said}");
    assert!(said.contains(&format!("[{code}]")), "{when}: {said}");
    assert!(!said.contains("panicked") && !said.contains("backtrace"), "{when}: {said}");
}

fn ends_while_it_runs(fault: Fault, code: &str) {
    let at = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::mount(Disk::new(), at.path()) else { return };
    let mut coordinator = Coordinator::start(&at.path().join("data"));
    coordinator.wait_until_ready();
    let metrics = coordinator.metrics();
    for name in ["interrex_log_sync_seconds_count", "interrex_history_sync_seconds_count"] {
        assert!(metrics.contains(name), "{metrics}");
    }
    assert!(!metrics.contains("interrex_log_sync_seconds_count 0\n"), "{metrics}");
    mounted.disk().fault = Some(fault);
    coordinator.note();
    assert_clean(coordinator.end(), code, "while it ran");
}

#[test]
fn a_disk_that_fails_ends_the_coordinator() {
    ends_while_it_runs(Fault::Broken, "disk_failed");
}

#[test]
fn a_full_disk_ends_the_coordinator() {
    ends_while_it_runs(Fault::Full, "disk_full");
}

/// From the first write of a new folder to the first decisions.
#[test]
fn a_disk_that_goes_ends_a_start() {
    for moment in [5, 20, 40, 60, 80, 100, 120, 140] {
        let at = tempfile::tempdir().unwrap();
        let mut disk = Disk::new();
        disk.fuse = Some(moment);
        let Some(mounted) = Mounted::mount(disk, at.path()) else { return };
        let coordinator = Coordinator::start(&at.path().join("data"));
        let begun = Instant::now();
        while !mounted.disk().dead && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        // It wrote less than that in all: the power goes now, and the next write meets it.
        mounted.disk().dead = true;
        let ended = coordinator.end();
        assert_clean(ended, "disk_failed", &format!("after {moment} operations"));
    }
}
