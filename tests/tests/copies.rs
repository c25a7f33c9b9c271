//! Material comes home: real processes, judged from the files on their disks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::process::Command;
use std::time::Duration;

use interrex_tests::copies::fleet_at;
use interrex_tests::{World, is_root};
use rand::RngExt;

/// Bulk of a copy that is disturbed, in segments of 2 MB: 200 MB, or what `./test --long copies`
/// asks for.
fn bulk() -> usize {
    let asked = std::env::var("INTERREX_COPY_MB").ok().and_then(|mb| mb.parse::<usize>().ok());
    asked.unwrap_or(200) / 2
}

/// Long enough for any bulk at the rates of these tests.
fn patience() -> u64 {
    60 + u64::try_from(bulk()).unwrap()
}

// FEATURE: MB-06, MB-09, SY-27, C1
#[test]
fn what_the_substitute_recorded_comes_home() {
    let mut world = World::on_loopback("copy-home");
    world.start("2s");
    world.place.kill("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=substituted", 30);
    world.until("it records", 60, |world| {
        let ticks = world.ticks("rec-1");
        interrex_cli::local::material::first_ms(&ticks, "srv-3", 2)
    });
    world.place.start("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=recording", 60);
    let copy = world.copy_is(2, "done", 60);
    assert_eq!(
        (&copy["recorder"], &copy["from"], &copy["to"]),
        (&"rec-1".into(), &"srv-3".into(), &"srv-1".into())
    );
    // What the source wrote down when it closed them is what lies at home.
    let journal = std::fs::read_to_string(world.place.data("srv-3").join("journal.jsonl")).unwrap();
    let lines =
        journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let recorded =
        lines.filter(|line| line["event"] == "segment" && line["epoch"] == 2).map(|line| {
            let file = line["file"].as_str().unwrap().strip_prefix("material/rec-1/").unwrap();
            (file.to_owned(), line["blake3"].as_str().unwrap().to_owned())
        });
    let recorded = recorded.collect();
    world.assert_came_home(2, &recorded);
    for (channel, ticks) in world.ticks("rec-1") {
        let twice =
            ticks.iter().find(|(_, by)| by.len() > 1 && by.windows(2).any(|w| w[0] == w[1]));
        assert!(twice.is_none(), "{channel}: {twice:?}");
    }
    world.assert_verified();
}

// FEATURE: MB-08, MB-09, MB-10, IX-10
#[test]
fn whoever_dies_in_the_middle_the_copy_ends_once_and_whole() {
    let mut world = World::on_loopback("copy-deaths");
    world.start("2s");
    world.apply(&fleet_at("40MB/s"));
    world.fail_over_and_back();
    world.bulk(2, bulk(), 2_000_000);
    let recorded = world.found("srv-3", 2);
    world.place.start("srv-3").unwrap();
    let mut copied = 0;
    for round in 0..6 {
        copied += rand::rng().random_range(1..8_000_000_u64);
        world.copied(2, copied);
        let victim = match round % 3 {
            0 => "srv-3".to_owned(),
            1 => "srv-1".to_owned(),
            _ => world.leader(),
        };
        world.place.kill(&victim).unwrap();
        world.place.start(&victim).unwrap();
    }
    world.copy_is(2, "done", patience());
    world.assert_came_home(2, &recorded);
    world.assert_verified();
}

// FEATURE: SY-30
#[test]
fn a_source_that_nobody_can_dial_brings_it() {
    let mut world = World::on_loopback("copy-push");
    world.place.dials_out.insert("srv-3".into());
    world.start("2s");
    world.fail_over_and_back();
    world.bulk(2, 20, 1_000_000);
    let recorded = world.found("srv-3", 2);
    world.place.start("srv-3").unwrap();
    world.copy_is(2, "done", 90);
    world.assert_came_home(2, &recorded);
}

// FEATURE: MB-08
#[test]
fn a_damaged_segment_is_told_and_the_others_come_home() {
    let mut world = World::on_loopback("copy-damage");
    world.start("2s");
    world.fail_over_and_back();
    world.bulk(2, 6, 1_000_000);
    let mut recorded = world.found("srv-3", 2);
    let (bad, hash) = recorded.iter().find(|(name, _)| name.ends_with(".seg")).unwrap();
    let (bad, hash) = (bad.clone(), hash.clone());
    world.write_down(2, &bad, &hash);
    let path = world.place.data("srv-3").join("material/rec-1").join(&bad);
    let mut content = std::fs::read(&path).unwrap();
    content[0] ^= 1;
    std::fs::write(&path, content).unwrap();
    world.place.start("srv-3").unwrap();
    let copy = world.copy_is(2, "failed", 90);
    assert_eq!(copy["segments_failed"], 1, "{copy}");
    recorded.remove(&bad);
    let home = world.found("srv-1", 2);
    assert!(recorded.iter().all(|(name, hash)| home.get(name) == Some(hash)), "the others");
    assert!(!home.contains_key(&bad), "what is not what was recorded is not taken in");
    assert!(!world.found("srv-3", 2).is_empty(), "nothing is removed while some is missing");
}

// FEATURE: C2, C3
#[test]
fn a_second_failover_in_the_middle_opens_a_second_copy() {
    let mut world = World::on_loopback("copy-second");
    world.start("2s");
    world.apply(&fleet_at("4MB/s"));
    world.fail_over_and_back();
    world.bulk(2, 20, 2_000_000);
    let first = world.found("srv-3", 2);
    world.place.start("srv-3").unwrap();
    world.copied(2, 2_000_000);
    world.place.kill("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=substituted", 60);
    let epoch = world.item(&["get", "recorders", "rec-1"])["epoch"].as_u64().unwrap();
    world.until("it records", 60, |world| {
        let ticks = world.ticks("rec-1");
        interrex_cli::local::material::first_ms(&ticks, "srv-3", epoch)
    });
    let waiting = world.copy_of(2).unwrap();
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    assert_eq!(waiting["waits_for"], "home_lost", "{waiting}");
    world.place.start("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=recording", 60);
    world.copy_is(2, "done", 120);
    world.copy_is(epoch, "done", 120);
    world.assert_came_home(2, &first);
    assert!(!world.found("srv-1", epoch).is_empty());
    world.assert_verified();
}

// FEATURE: MB-09, C3
#[test]
fn the_network_is_cut_in_the_middle() {
    if !is_root() {
        println!("not run: cuts need root (network namespaces)");
        return;
    }
    let mut world = World::in_namespaces("copy-cut");
    world.start("2s");
    world.apply(&fleet_at("10MB/s"));
    world.fail_over_and_back();
    world.bulk(2, 40, 2_000_000);
    let recorded = world.found("srv-3", 2);
    world.place.start("srv-3").unwrap();
    world.copied(2, 10_000_000);
    world.net().isolate("srv-3").unwrap();
    let waiting = world.copy_is(2, "waiting", 60);
    assert_eq!(waiting["waits_for"], "other_end_expired", "{waiting}");
    // Longer than any connection lives without a sign of life.
    let seconds = if std::env::var_os("INTERREX_COPY_MB").is_some() { 60 } else { 12 };
    std::thread::sleep(Duration::from_secs(seconds));
    world.net().heal("srv-3").unwrap();
    world.copy_is(2, "done", 120);
    world.assert_came_home(2, &recorded);
}

/// A small disk under one server's data folder, as long as it is held.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: std::path::PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&at).unwrap();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&at));
        Self(at)
    }

    fn grow(&self, size: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

// FEATURE: MB-08
#[test]
fn a_full_disk_at_home_is_waited_for_and_told() {
    if !is_root() {
        println!("not run: a small disk needs root (mount)");
        return;
    }
    let mut world = World::on_loopback("copy-full");
    let disk = SmallDisk::mount(world.place.data("srv-1"), "40m");
    world.start("2s");
    world.fail_over_and_back();
    world.bulk(2, 30, 2_000_000);
    let recorded = world.found("srv-3", 2);
    world.place.start("srv-3").unwrap();
    // At first it may still wait for the source, which is only just back.
    let waiting = world.until("the copy waits for the disk", 90, |world| {
        world.copy_of(2).filter(|copy| copy["waits_for"] == "disk_full")
    });
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    // The source closed what it had left open when it started again.
    let (home, source) = (world.found("srv-1", 2), world.found("srv-3", 2));
    let whole = |(name, hash): (&String, &String)| source.get(name) == Some(hash);
    assert!(home.iter().all(whole), "nothing half is visible: {home:?} of {source:?}");
    let recorder = world.item(&["get", "recorders", "rec-1"]);
    assert_eq!(recorder["state"], "recording", "the copy leaves room to record: {recorder}");
    disk.grow("400m");
    world.copy_is(2, "done", 90);
    world.assert_came_home(2, &recorded);
    drop(world);
    drop(disk);
}
