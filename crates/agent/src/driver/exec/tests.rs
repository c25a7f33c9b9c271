//! The driver `exec` with a small program: what it is called with, and what is made of its answers.
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

use interrex_core::ConfigHash;
use tempfile::TempDir;

use super::*;
use crate::clock;

/// Keeps each request, answers by verb; files in the state folder change what it says.
const PROGRAM: &str = r#"#!/usr/bin/env python3
import json, os, sys, time
request = json.load(sys.stdin)
verb, epoch = sys.argv[1], request["epoch"]
with open("calls", "a") as calls:
    calls.write(json.dumps(request) + "\n")
def answer(exit, **more):
    base = {"ok": exit == 0, "protocol": {"major": 1, "minor": 0}, "request_id": request["request_id"]}
    print(json.dumps({**base, **more}))
    sys.exit(exit)
seen = int(open("epoch").read()) if os.path.exists("epoch") else 0
if verb in ("apply", "start", "stop"):
    if epoch < seen:
        answer(4, error={"kind": "stale-epoch", "message": "old", "detail": {"epoch": seen}})
    open("epoch", "w").write(str(epoch))
if os.path.exists("slow-" + verb):
    time.sleep(60)
if os.path.exists("hard-" + verb):
    answer(7, error={"kind": "no-space", "message": "full"})
us = lambda: time.time_ns() // 1000
if verb == "describe":
    answer(0, driver="test", driver_version="1", protocols=[[1, 0]], kinds=["video"], verbs=["apply",
           "start", "stop", "fence", "health", "list-material"], reads_open_segments=False,
           segments_have_paths=False, precision_us=1, overlap_us=0, keeps_running_without_agent=True)
if verb == "apply":
    answer(0, applied=request["config_hash"])
if verb == "start":
    open("runs", "w").write(str(epoch))
    answer(0, started=["ch-1"], already=[], failed={})
if verb in ("stop", "fence"):
    if os.path.exists("runs"):
        os.remove("runs")
    answer(0, stopped=["ch-1"], killed=[])
runs = os.path.exists("runs")
if verb == "health":
    state = "recording" if runs else "stopped"
    answer(0, channels=[{"channel": "ch-1", "state": state, "last_written_us": us(), "since_us": 1}],
           config_hash=None, disk={"state": "ok", "free_bytes": 1}, epoch=seen)
if verb == "list-material":
    answer(0, next_cursor=None, complete_to_us={}, segments=[{"id": "a", "channel": "ch-1",
        "kind": "video", "from_us": 1700000000000001, "to_us": 1700000005000000, "bytes": 5,
        "open": runs, "durable_to_us": None, "clock": "arrival", "precision_us": 1, "sha256": None,
        "media_type": "video/x-matroska", "joins": None, "path": None, "epoch": epoch}])
answer(3, error={"kind": "unknown-verb", "message": verb})
"#;

struct World {
    temp: TempDir,
}

impl World {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap() }
    }

    fn start(&self) -> Exec {
        let (program, file) = (self.temp.path().join("program"), self.temp.path().join("d.toml"));
        std::fs::write(&program, PROGRAM).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let text = format!(
            "program = {program:?}\nsource = \"rtsp://h/{{channel}}\"\n[settings]\na = 1\n"
        );
        std::fs::write(&file, text).unwrap();
        let settings = Settings::load(&file).unwrap();
        let root = self.temp.path().to_owned();
        let server = "srv-1".parse().unwrap();
        let journal = Arc::new(Journal::open(&root, server).unwrap());
        Exec::start((root, server), settings, (journal, clock::machine)).unwrap()
    }

    fn state(&self, name: &str) -> PathBuf {
        self.temp.path().join("driver").join(name)
    }

    fn calls(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.state("calls")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn called(&self, verb: &str) -> Vec<serde_json::Value> {
        self.calls().into_iter().filter(|call| call["verb"] == verb).collect()
    }
}

fn wish(epoch: u64) -> Wish {
    Wish {
        recorder: "rec-1".parse().unwrap(),
        epoch: Epoch(epoch),
        channels: 1,
        config: ConfigHash([1; 32]),
        acting: true,
        lease_end: None,
    }
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "waited for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn status(driver: &Exec, epoch: u64) -> Option<DriverStatus> {
    driver.status().borrow().iter().find(|status| status.epoch == Epoch(epoch)).copied()
}

#[test]
fn it_is_described_configured_started_and_stopped_and_its_material_is_believed() {
    let world = World::new();
    let driver = world.start();
    driver.run(vec![wish(3)]);
    let shown = until("recording", || {
        status(&driver, 3)
            .filter(|s| s.recording == 1 && s.first_ms.is_some() && s.last_ms.is_some())
    });
    assert_eq!((shown.prepared, shown.failed), (true, false));
    assert_eq!(shown.first_ms, Some(1_700_000_000_001), "rounded up, into the segment");
    let apply = world.called("apply").remove(0);
    assert_eq!(apply["channels"][0]["source"], "rtsp://h/ch-1");
    assert_eq!(apply["sections"]["settings"]["a"], 1);
    assert_eq!(apply["protocol"], serde_json::json!({"major": 1, "minor": 0}));
    assert_eq!(world.called("describe").len(), 1);
    driver.run(Vec::new());
    until("the stop", || status(&driver, 3).is_none().then_some(()));
    let (tell, ends) = std::sync::mpsc::channel();
    let answer = move |ended| tell.send(ended).unwrap();
    driver.find_ends(vec![("rec-1".parse().unwrap(), Epoch(3))], Box::new(answer));
    let ends: Vec<EndedTenure> = ends.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(ends[0].last_ms, Some(1_700_000_005_000));
    Box::new(driver).stop();
}

#[test]
fn what_has_fallen_is_started_again_and_a_new_epoch_stops_the_old_one_first() {
    let world = World::new();
    let driver = world.start();
    driver.run(vec![wish(3)]);
    until("recording", || status(&driver, 3).filter(|s| s.recording == 1));
    std::fs::remove_file(world.state("runs")).unwrap();
    until("another start", || (world.called("start").len() == 2).then_some(()));
    driver.run(vec![wish(4)]);
    until("the new epoch", || status(&driver, 4).filter(|s| s.recording == 1));
    assert!(status(&driver, 3).is_none());
    let mut order: Vec<_> = world
        .calls()
        .into_iter()
        .filter(|call| call["verb"] == "stop" || call["verb"] == "start")
        .map(|call| (call["verb"].as_str().unwrap().to_owned(), call["epoch"].as_u64().unwrap()))
        .collect();
    order.dedup(); // a start too many is nothing to a driver
    let expect = [("start", 3), ("stop", 3), ("start", 4)];
    assert!(order.iter().map(|(verb, epoch)| (verb.as_str(), *epoch)).eq(expect), "{order:?}");
    Box::new(driver).stop();
}

#[test]
fn the_next_agent_stops_what_the_one_before_it_had_started() {
    let world = World::new();
    let driver = world.start();
    driver.run(vec![wish(3)]);
    until("recording", || status(&driver, 3).filter(|s| s.recording == 1));
    Box::new(driver).stop();
    assert!(world.called("stop").is_empty(), "what records goes on");
    let driver = world.start();
    assert!(status(&driver, 3).is_some(), "it is known to hold it");
    driver.run(Vec::new());
    until("the stop", || (!world.state("runs").exists()).then_some(()));
    assert_eq!(world.called("stop")[0]["epoch"], 3);
    Box::new(driver).stop();
}

#[test]
fn a_full_disk_is_a_failed_duty_until_it_is_not() {
    let world = World::new();
    let driver = world.start();
    std::fs::write(world.state("hard-start"), "").unwrap();
    driver.run(vec![wish(3)]);
    until("the failure", || status(&driver, 3).filter(|s| s.failed));
    std::fs::remove_file(world.state("hard-start")).unwrap();
    until("recording", || status(&driver, 3).filter(|s| s.recording == 1 && !s.failed));
    Box::new(driver).stop();
}
