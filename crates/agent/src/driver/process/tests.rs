//! The driver `process` with real commands: ffmpeg where it is installed, and a shell that never
//! writes. Times are the machine's.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{ConfigHash, EndedTenure, Epoch};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::*;
use crate::clock;
use crate::driver::direct::Direct;
use crate::material::name::SegmentName;

/// A picture that ffmpeg makes itself, with a key frame every half second, cut every two seconds.
const PICTURE: &str = r#"
command = ["ffmpeg", "-nostdin", "-loglevel", "warning", "-use_wallclock_as_timestamps", "1",
  "-f", "lavfi", "-i", "{source}", "-c:v", "libx264", "-preset", "ultrafast",
  "-tune", "zerolatency", "-g", "10", "-copyts", "-f", "segment", "-segment_atclocktime", "1",
  "-segment_time", "2", "-segment_format", "matroska",
  "-segment_format_options", "flush_packets=1:cluster_time_limit=500", "-y", "{run}-%06d.mkv"]
source = "testsrc=size=128x72:rate=20,realtime"
"#;

struct World {
    temp: TempDir,
    spawner: Arc<Direct>,
}

fn has_ffmpeg() -> bool {
    let there = std::process::Command::new("ffmpeg").arg("-version").output().is_ok();
    if !there {
        println!("not run: ffmpeg is not installed");
    }
    there
}

fn wish(epoch: u64, channels: u32) -> Wish {
    Wish {
        recorder: "rec-1".parse().unwrap(),
        epoch: Epoch(epoch),
        channels,
        config: ConfigHash([1; 32]),
        acting: true,
        lease_end: Some(BootTime(Duration::from_secs(u32::MAX.into()))),
    }
}

impl World {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap(), spawner: Arc::new(Direct::default()) }
    }

    fn start(&self, settings: &str) -> Process {
        let path = self.temp.path().join("driver.toml");
        fs::write(&path, settings).unwrap();
        let settings = Settings::load(&path).unwrap();
        let root = self.temp.path().to_owned();
        let server = "srv-1".parse().unwrap();
        let journal = Arc::new(Journal::open(&root, server).unwrap());
        let spawner = Arc::clone(&self.spawner) as Arc<dyn Spawner>;
        Process::start((root, server), settings, (journal, clock::machine), spawner).unwrap()
    }

    fn dir(&self, channel: &str) -> PathBuf {
        self.temp.path().join("material/rec-1").join(channel)
    }

    fn names(&self, channel: &str) -> Vec<SegmentName> {
        let name = |path: PathBuf| path.file_name()?.to_str()?.parse().ok();
        material_list(&self.dir(channel)).into_iter().filter_map(name).collect()
    }

    fn whole(&self, channel: &str) -> Vec<(u64, u64)> {
        let range = |name: SegmentName| Some((name.start_ms, name.end_ms?));
        self.names(channel).into_iter().filter_map(range).collect()
    }

    fn pids(&self) -> Vec<u32> {
        self.spawner.list().unwrap().into_iter().map(|child| child.pid).collect()
    }

    fn ends(&self, driver: &Process, epoch: u64) -> Vec<EndedTenure> {
        let (tell, ends) = mpsc::channel();
        let answer = move |ended| tell.send(ended).unwrap();
        driver.find_ends(vec![("rec-1".parse().unwrap(), Epoch(epoch))], Box::new(answer));
        ends.recv_timeout(Duration::from_secs(5)).unwrap()
    }
}

fn material_list(dir: &Path) -> Vec<PathBuf> {
    crate::material::list(dir).unwrap()
}

fn now_ms() -> u64 {
    clock::machine().wall_ms()
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "waited for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn status(driver: &Process) -> Option<DriverStatus> {
    driver.status().borrow().first().copied()
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn a_command_is_recorded_named_by_its_frames_and_stopped_as_a_whole() {
    if !has_ffmpeg() {
        return;
    }
    let world = World::new();
    let before = now_ms();
    let driver = world.start(PICTURE);
    driver.run(vec![wish(3, 2)]);
    let records = |s: &DriverStatus| s.recording == 2 && s.prepared && s.first_ms.is_some();
    until("both to record", || status(&driver).filter(records));
    until("segments", || {
        (world.whole("ch-1").len() > 1 && world.whole("ch-2").len() > 1).then_some(())
    });
    let shown = status(&driver).unwrap();
    assert_eq!((shown.tick_ms, shown.channels, shown.failed), (50, 2, false));
    driver.run(Vec::new());
    until("the end", || world.pids().is_empty().then_some(()));
    let after = now_ms();
    let ends = until("its end", || world.ends(&driver, 3).first().cloned());
    let segments = world.whole("ch-1");
    assert!(
        segments.iter().all(|(start, end)| before <= *start && start < end && *end < after + 100)
    );
    assert!(
        segments.windows(2).all(|pair| pair[0].1 == pair[1].0),
        "neighbours touch: {segments:?}"
    );
    assert!(ends.last_ms.unwrap() <= segments.last().unwrap().1);
    assert!(
        after.saturating_sub(ends.last_ms.unwrap()) < 2_500,
        "what was written to the end is kept"
    );
    assert_eq!(world.names("ch-1").len(), segments.len(), "nothing grows");
    Box::new(driver).stop();
    let text = fs::read_to_string(world.temp.path().join("journal.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!((of("start"), of("stop")), (2, 2));
    for line in lines.iter().filter(|line| line["event"] == "segment") {
        let bytes = fs::read(world.temp.path().join(line["file"].as_str().unwrap())).unwrap();
        assert_eq!(line["blake3"], blake3::hash(&bytes).to_hex().as_str());
        assert_eq!(line["unfenced"], false);
    }
    assert!(!world.temp.path().join("recorders/rec-1").exists(), "working folders are gone");
}

#[test]
fn a_killed_command_is_started_again_at_once_and_its_open_file_is_kept() {
    if !has_ffmpeg() {
        return;
    }
    let world = World::new();
    let driver = world.start(PICTURE);
    driver.run(vec![wish(3, 1)]);
    until("frames", || status(&driver).filter(|s| s.recording == 1 && s.last_ms > s.first_ms));
    let killed = world.pids()[0];
    let at = now_ms();
    signal(killed, Signal::KILL);
    until("another one", || world.pids().first().filter(|pid| **pid != killed).copied());
    assert!(now_ms() - at < 1_000, "the first restart comes at once");
    until("frames again", || status(&driver).filter(|s| s.last_ms > Some(at + 1_000)));
    let segments = world.whole("ch-1");
    let last = segments.iter().rfind(|(start, _)| *start < at).unwrap();
    assert!(at - last.1.min(at) < 1_500, "what was written before is kept: {segments:?}, {at}");
    driver.run(Vec::new());
    until("the end", || world.pids().is_empty().then_some(()));
    Box::new(driver).stop();
}

#[test]
fn a_frozen_command_is_noticed_by_what_it_does_not_write() {
    if !has_ffmpeg() {
        return;
    }
    let world = World::new();
    let driver = world.start(&format!("stall_ms = 1000\n{PICTURE}"));
    driver.run(vec![wish(3, 1)]);
    until("frames", || status(&driver).filter(|s| s.recording == 1));
    let frozen = world.pids()[0];
    signal(frozen, Signal::STOP);
    let at = now_ms();
    until("another one", || world.pids().first().filter(|pid| **pid != frozen).copied());
    assert!((900..20_000).contains(&(now_ms() - at)));
    until("frames again", || status(&driver).filter(|s| s.last_ms > Some(at + 1_500)));
    driver.run(Vec::new());
    until("the end", || world.pids().is_empty().then_some(()));
    Box::new(driver).stop();
}

#[test]
fn the_next_agent_takes_up_what_runs_and_closes_what_does_not() {
    if !has_ffmpeg() {
        return;
    }
    let world = World::new();
    let driver = world.start(PICTURE);
    driver.run(vec![wish(3, 2)]);
    until("both to record", || status(&driver).filter(|s| s.recording == 2));
    let pids = world.pids();
    Box::new(driver).stop();
    // Nobody listens: this one ends while there is no agent.
    signal(pids[1], Signal::KILL);
    until("one to end", || (world.pids().len() == 1).then_some(()));
    let driver = world.start(PICTURE);
    driver.run(vec![wish(3, 2)]);
    until("both to record again", || status(&driver).filter(|s| s.recording == 2));
    assert!(world.pids().contains(&pids[0]), "the one that ran is the same");
    driver.run(vec![wish(4, 1)]);
    until("the other epoch", || {
        status(&driver).filter(|s| s.epoch == Epoch(4) && s.recording == 1)
    });
    driver.run(Vec::new());
    until("the end", || world.pids().is_empty().then_some(()));
    until("its end", || world.ends(&driver, 3).first().cloned());
    let epochs: std::collections::BTreeSet<u64> =
        world.names("ch-1").iter().map(|name| name.epoch.0).collect();
    assert_eq!(epochs.into_iter().collect::<Vec<_>>(), [3, 4]);
    until("all to be closed", || {
        (world.names("ch-1").len() == world.whole("ch-1").len()
            && world.names("ch-2").len() == world.whole("ch-2").len())
        .then_some(())
    });
    Box::new(driver).stop();
}

#[test]
fn a_program_that_is_not_there_is_a_failed_duty_and_a_dark_camera_is_none() {
    let world = World::new();
    let driver = world.start("command = [\"no-such-program\"]\n");
    driver.run(vec![wish(3, 1)]);
    until("the failure", || status(&driver).filter(|s| s.failed && !s.prepared));
    Box::new(driver).stop();
    let world = World::new();
    let driver = world.start("command = [\"false\"]\n");
    driver.run(vec![wish(3, 1)]);
    let dark = until("patience to end", || status(&driver).filter(|s| s.prepared));
    assert_eq!((dark.failed, dark.recording, dark.first_ms), (false, 0, None));
    Box::new(driver).stop();
}

#[test]
fn what_is_not_a_picture_is_set_aside() {
    let world = World::new();
    let driver = world.start(
        "command = [\"sh\", \"-c\", \"echo hello > {run}.txt; sleep 60\"]\nstall_ms = 1000\n",
    );
    driver.run(vec![wish(3, 1)]);
    let work = world.temp.path().join("recorders/rec-1/3/ch-1");
    let aside = |path: &PathBuf| path.extension().is_some_and(|end| end == "corrupt");
    until("a file to be set aside", || material_list(&work).into_iter().find(aside));
    driver.run(Vec::new());
    until("the end", || world.pids().is_empty().then_some(()));
    Box::new(driver).stop();
}
