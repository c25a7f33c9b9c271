//! The synthetic recorder on a real folder, with a clock that the test moves.
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{BootTime, ConfigHash, EndedTenure, Epoch, RecorderId, ServerId};
use tempfile::TempDir;

use super::TICK_MS;
use super::keeper::Keeper;
use super::synthetic::recorder::Recorder;
use crate::clock::Stamp;
use crate::journal::Journal;
use crate::material::recover::recover;

/// On the grid of segments, so that the tests can count from it.
const T0: u64 = 1_700_000_000_000;

fn at(ms: u64) -> Stamp {
    Stamp { boot: BootTime(Duration::from_millis(ms)), wall: Duration::from_millis(T0 + ms) }
}

fn server() -> ServerId {
    "srv-1".parse().unwrap()
}

fn rec() -> RecorderId {
    "rec-1".parse().unwrap()
}

fn wish(epoch: u64, lease_end: Option<u64>) -> Wish {
    Wish {
        recorder: rec(),
        epoch: Epoch(epoch),
        channels: 2,
        config: ConfigHash([1; 32]),
        acting: lease_end.is_some(),
        lease_end: lease_end.map(|end| BootTime(Duration::from_millis(end))),
    }
}

struct Bench {
    temp: TempDir,
    recorder: Recorder,
    keeper: Keeper,
}

impl Bench {
    fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(temp: TempDir) -> Self {
        let root = temp.path().to_owned();
        let journal = Arc::new(Journal::open(&root, server()).unwrap());
        let keeper = Keeper {
            root: root.clone(),
            server: server(),
            journal,
            clock: || at(0),
            tick_ms: TICK_MS,
        };
        Self { recorder: Recorder::new(root, server()), temp, keeper }
    }

    /// The keeper does its jobs at once, and the recorder hears of it.
    fn keep(&mut self, jobs: Vec<super::keeper::Job>, now: Stamp) {
        let (give, todo) = mpsc::channel();
        jobs.into_iter().for_each(|job| give.send(job).unwrap());
        drop(give);
        let (tell, kept) = mpsc::channel();
        self.keeper.work(&todo, &tell);
        let mut more = Vec::new();
        kept.try_iter().for_each(|kept| self.recorder.kept(kept, now, &mut more));
        if !more.is_empty() {
            self.keep(more, now);
        }
    }

    fn run(&mut self, wishes: Vec<Wish>, ms: u64) {
        let mut jobs = Vec::new();
        self.recorder.run(wishes, at(ms), &mut jobs);
        self.keep(jobs, at(ms));
    }

    fn tick(&mut self, ms: u64) {
        let mut jobs = Vec::new();
        self.recorder.tick(at(ms), &mut jobs);
        self.keep(jobs, at(ms));
    }

    fn ticks(&mut self, from: u64, until: u64) {
        (from..until).step_by(20).for_each(|ms| self.tick(ms));
    }

    fn status(&self, ms: u64) -> DriverStatus {
        self.recorder.status(at(ms))[0]
    }

    fn ends(&mut self, epochs: &[u64]) -> Vec<EndedTenure> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::clone(&found);
        let (mut jobs, tenures) = (Vec::new(), epochs.iter().map(|epoch| (rec(), Epoch(*epoch))));
        let answer = Box::new(move |ended| *answer.lock().unwrap() = ended);
        self.recorder.find_ends(tenures.collect(), answer, &mut jobs);
        self.keep(jobs, at(0));
        found.lock().unwrap().clone()
    }

    fn dir(&self, channel: u32) -> PathBuf {
        self.temp.path().join(format!("material/rec-1/ch-{channel}"))
    }

    /// Segments of one channel by name, and their ticks.
    fn segments(&self, channel: u32) -> BTreeMap<String, Vec<u64>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(self.dir(channel)).unwrap() {
            let path = entry.unwrap().path();
            let ticks = fs::read_to_string(&path).unwrap();
            let ticks = ticks.lines().map(|line| {
                let (ms, seq) = line.split_once(' ').unwrap();
                let (ms, seq): (u64, u64) = (ms.parse().unwrap(), seq.parse().unwrap());
                assert_eq!(seq, ms / 20, "equal on two recorders");
                ms - T0
            });
            let name = path.file_name().unwrap().to_str().unwrap().replace("1700000", "");
            found.insert(name, ticks.collect());
        }
        found
    }

    fn journal(&self, event: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.temp.path().join("journal.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &serde_json::Value| line["event"] == event).collect()
    }
}

fn expect(from: u64, until: u64) -> Vec<u64> {
    (from..until).step_by(20).collect()
}

#[test]
fn every_tick_stands_once_in_segments_that_touch() {
    let mut bench = Bench::new();
    bench.run(vec![wish(3, Some(1_000_000))], 9_000);
    bench.ticks(9_000, 22_000);
    (0..5).for_each(|extra| bench.tick(21_980 + extra));
    bench.run(Vec::new(), 22_000);
    for channel in [1, 2] {
        let segments = bench.segments(channel);
        assert_eq!(segments["009000-010000-3-srv-1.seg"], expect(9_000, 10_000));
        assert_eq!(segments["010000-020000-3-srv-1.seg"], expect(10_000, 20_000));
        assert_eq!(segments["020000-022000-3-srv-1.seg"], expect(20_000, 22_000));
        assert_eq!(segments.len(), 3);
    }
    assert_eq!((bench.journal("start").len(), bench.journal("stop").len()), (2, 2));
    let lines = bench.journal("segment");
    assert_eq!(lines.len(), 6);
    for line in lines {
        let content = fs::read(bench.temp.path().join(line["file"].as_str().unwrap())).unwrap();
        assert_eq!(line["blake3"], blake3::hash(&content).to_hex().as_str());
        assert_eq!((&line["epoch"], &line["server"]), (&3.into(), &"srv-1".into()));
        assert_eq!(line["unfenced"], false);
        assert_eq!(line["lease_end_ns"], 1_000_000_000_000_u64);
    }
}

#[test]
fn ticks_that_were_missed_are_never_made_up() {
    let mut bench = Bench::new();
    bench.run(vec![wish(1, None)], 0);
    bench.ticks(0, 1_000);
    bench.ticks(4_007, 5_000);
    bench.run(Vec::new(), 5_000);
    let segments = bench.segments(1);
    let ticks = &segments["000000-005000-1-srv-1.seg"];
    assert_eq!(*ticks, [expect(0, 1_000), expect(4_000, 5_000)].concat());
}

#[test]
fn a_new_epoch_begins_with_the_next_tick() {
    let mut bench = Bench::new();
    bench.run(vec![wish(1, None)], 0);
    bench.ticks(0, 500);
    bench.run(vec![wish(2, None)], 490);
    bench.ticks(500, 1_000);
    let segments = bench.segments(2);
    assert_eq!(segments["000000-000500-1-srv-1.seg"], expect(0, 500));
    assert_eq!(segments["000500--2-srv-1.part"], expect(500, 1_000));
}

#[test]
fn what_is_written_past_the_lease_is_marked() {
    for (lease_end, unfenced) in [(Some(10_000), false), (Some(9_980), true), (None, true)] {
        let mut bench = Bench::new();
        bench.run(vec![wish(1, lease_end)], 0);
        bench.ticks(0, 10_020);
        let lines = bench.journal("segment");
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line["unfenced"] == unfenced), "{lease_end:?}: {lines:?}");
    }
}

#[test]
fn a_lease_that_was_lost_and_regained_leaves_its_mark() {
    let mut bench = Bench::new();
    bench.run(vec![wish(1, Some(2_000))], 0);
    bench.ticks(0, 3_000);
    bench.run(vec![wish(1, Some(90_000))], 3_000);
    bench.ticks(3_000, 20_020);
    let unfenced: Vec<_> =
        bench.journal("segment").iter().map(|line| line["unfenced"] == true).collect();
    assert_eq!(unfenced, [true, true, false, false], "two channels, two segments");
}

#[test]
fn a_wall_clock_that_is_set_back_begins_another_segment() {
    let mut bench = Bench::new();
    bench.run(vec![wish(1, None)], 5_000);
    bench.ticks(5_000, 5_100);
    bench.tick(5_060); // slewed a little: nothing twice
    bench.ticks(1_000, 1_100);
    bench.run(Vec::new(), 1_100);
    let segments = bench.segments(1);
    assert_eq!(segments["005000-005100-1-srv-1.seg"], expect(5_000, 5_100));
    assert_eq!(segments["001000-001100-1-srv-1.seg"], expect(1_000, 1_100));
}

#[test]
fn only_what_is_durable_is_told() {
    let mut bench = Bench::new();
    bench.run(vec![wish(1, None)], 0);
    assert!(!bench.status(0).prepared);
    bench.ticks(0, 220);
    let early = bench.status(220);
    assert_eq!((early.prepared, early.recording, early.first_ms), (true, 0, None));
    bench.ticks(220, 500);
    let status = bench.status(500);
    assert_eq!((status.recording, status.channels, status.tick_ms), (2, 2, 20));
    assert_eq!((status.first_ms, status.last_ms), (Some(T0), Some(T0 + 460)));
    assert_eq!((status.config, status.failed), (ConfigHash([1; 32]), false));
    assert_eq!(bench.status(3_000).recording, 0, "health is the age of the last durable write");
}

#[test]
fn a_channel_that_cannot_be_written_is_told_and_tried_again() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.temp.path().join("material/rec-1")).unwrap();
    fs::write(bench.dir(1), "in the way").unwrap();
    bench.run(vec![wish(1, None)], 0);
    bench.ticks(0, 500);
    let status = bench.status(500);
    assert_eq!((status.recording, status.failed, status.prepared), (1, false, true));
    assert_eq!(status.first_ms, Some(T0), "of the one that can be recorded");
    fs::remove_file(bench.dir(1)).unwrap();
    bench.ticks(500, 1_500);
    assert_eq!(bench.status(1_500).recording, 2);
    assert_eq!(bench.segments(1)["001000--1-srv-1.part"], expect(1_000, 1_500));
}

#[test]
fn no_channel_at_all_is_a_failed_duty() {
    let mut bench = Bench::new();
    fs::write(bench.temp.path().join("material"), "in the way").unwrap();
    bench.run(vec![wish(1, None)], 0);
    bench.ticks(0, 100);
    let status = bench.status(100);
    assert_eq!((status.failed, status.prepared, status.first_ms), (true, false, None));
}

#[test]
fn a_tenure_ends_with_the_earliest_of_its_channels() {
    let mut bench = Bench::new();
    bench.run(vec![wish(1, None)], 0);
    bench.ticks(0, 1_000);
    assert_eq!(bench.ends(&[1]), [], "it is still recorded");
    bench.run(vec![Wish { channels: 1, ..wish(1, None) }], 1_000);
    bench.ticks(1_000, 2_000);
    bench.run(vec![wish(2, None)], 2_000);
    let end = |epoch, last_ms| EndedTenure {
        recorder: rec(),
        epoch: Epoch(epoch),
        last_ms,
        account: Arc::default(),
    };
    assert_eq!(bench.ends(&[1, 2, 9]), [end(1, Some(T0 + 980)), end(9, None)]);
}

#[test]
fn after_a_crash_the_tenure_goes_on_where_it_began() {
    let mut bench = Bench::new();
    bench.run(vec![wish(1, None)], 0);
    bench.ticks(0, 1_000);
    let Bench { temp, recorder, keeper } = bench;
    drop((recorder, keeper)); // as by kill -9: nothing is closed
    let mut bench = Bench::on(temp);
    let journal = Arc::clone(&bench.keeper.journal);
    assert_eq!(recover(bench.temp.path(), server(), &journal, at(5_000)).unwrap(), 2);
    bench.run(vec![wish(1, None)], 5_000);
    bench.ticks(5_000, 5_500);
    assert_eq!(bench.status(5_500).first_ms, Some(T0));
    let segments = bench.segments(1);
    assert_eq!(segments["000000-001000-1-srv-1.seg"], expect(0, 1_000));
    assert_eq!(segments["005000--1-srv-1.part"], expect(5_000, 5_500));
}
