//! What a killed process and a damaged file leave. Everything acknowledged is there, or the start
//! is refused: never a panic, never a shorter log without a word. Power cuts are in `power`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod common;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use interrex_coordinator::log::types::{Person, RaftEntry, StoredMembership, Vote};
use openraft::storage::{RaftLogReader, RaftLogStorage};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Names the folder in which the child of the kill test works.
const CHILD: &str = "INTERREX_TEST_KILLED_IN";

/// What stands at this index, in every test here.
fn entry(index: u64) -> RaftEntry {
    match index {
        0 => common::members(0, 0),
        index if index % 40 == 0 => common::decided(1, index, 400, index),
        index => common::decided(1, index, 1, index),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Not a test by itself: the process that `a_killed_process_keeps_what_it_acknowledged` kills.
#[test]
#[ignore = "the child of another test"]
fn child() {
    let Ok(root) = std::env::var(CHILD) else { return };
    let mut node = common::open(Path::new(&root)).unwrap();
    runtime().block_on(async {
        let mut next =
            node.log.get_log_state().await.unwrap().last_log_id.map_or(0, |l| l.index + 1);
        let mut applied = node.replayed.len() as u64;
        loop {
            let count = 1 + next % 5;
            let durable = node.append((next..next + count).map(entry).collect()).await.unwrap();
            next += count;
            durable.await.unwrap().unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "durable {}", next - 1).unwrap();
            out.flush().unwrap();
            drop(out);
            node.apply((applied..next).map(entry).collect()).await.unwrap();
            applied = next;
        }
    });
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = SmallRng::seed_from_u64(9);
    let mut owed = None;
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wait = Some(Duration::from_millis(rng.random_range(50..400)));
        let before = owed;
        for line in lines.map_while(Result::ok) {
            let Some(index) = line.strip_prefix("durable ") else { continue };
            owed = Some(index.parse::<u64>().unwrap());
            if let Some(wait) = wait.take() {
                std::thread::sleep(wait);
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(owed > before, "round {round}: the child acknowledged nothing");
        let mut node = common::open(folder.path()).unwrap();
        let found = runtime().block_on(node.log.try_get_log_entries(..)).unwrap();
        assert!(found.len() as u64 > owed.unwrap(), "round {round}: {} < {owed:?}", found.len());
        assert!((0..).zip(&found).all(|(index, found)| *found == entry(index)));
        assert!(node.replayed.len() <= found.len());
        node.close();
    }
}

/// Entries in the folder that is damaged again and again.
const ENTRIES: u64 = 200;

/// A folder with everything in it, closed well.
fn sound() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut node = common::open(folder.path()).unwrap();
    runtime().block_on(async {
        let vote = Vote::new_committed(1, 2);
        node.log.save_vote(&vote).await.unwrap();
        node.append((0..ENTRIES).map(entry).collect()).await.unwrap().await.unwrap().unwrap();
        node.apply((0..ENTRIES).map(entry).collect()).await.unwrap();
    });
    node.close();
    folder
}

/// Every file of ours; not the reserve, in which nothing stands, and not the lock.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.retain(|path| !["reserve", "lock"].iter().any(|name| path.ends_with(name)));
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let new = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(new.parent().unwrap()).unwrap();
        fs::copy(file, new).unwrap();
    }
}

/// Opens it: refused (false) or complete (true); anything else is the failure that we look for.
fn refused_or_complete(root: &Path, what: &str) -> bool {
    let mut node = match common::open(root) {
        Ok(node) => node,
        Err(error) => {
            let known = ["corrupt", "newer_format", "newer_level", "wrong_cluster", "disk_failed"];
            assert!(known.contains(&error.code()), "{what}: {error}");
            return false;
        }
    };
    let (found, vote) = runtime().block_on(async {
        let found = node.log.try_get_log_entries(..).await.unwrap();
        (found, node.log.read_vote().await.unwrap())
    });
    assert_eq!(found.len() as u64, ENTRIES, "{what}: it opened with another log");
    for (index, found) in (0..).zip(&found) {
        assert!(*found == entry(index), "{what}: entry {index} differs");
    }
    assert_eq!(vote, Some(Vote::new_committed(1, 2)), "{what}");
    assert!(node.replayed.len() as u64 <= ENTRIES, "{what}");
    let anna = Person::new("operator", "anna");
    assert_eq!(node.history.person(anna.id), Some(anna), "{what}: a name is lost");
    node.close();
    true
}

/// Damages copies of a sound folder, and counts how many were refused and how many complete.
fn tried(times: usize, seed: u64, damage: impl Fn(&Path, &mut SmallRng) -> String) -> (u32, u32) {
    let sound = sound();
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut refused, mut complete) = (0, 0);
    for file in files(sound.path()) {
        let name = file.strip_prefix(sound.path()).unwrap().to_path_buf();
        let more = if fs::metadata(&file).unwrap().len() > 4_096 { 4 } else { 1 };
        for _ in 0..times * more {
            let folder = tempfile::tempdir().unwrap();
            copy(sound.path(), folder.path());
            let what =
                format!("{}: {}", name.display(), damage(&folder.path().join(&name), &mut rng));
            match refused_or_complete(folder.path(), &what) {
                true => complete += 1,
                false => refused += 1,
            }
        }
    }
    println!("{refused} refused, {complete} complete");
    (refused, complete)
}

fn flip(file: &Path, rng: &mut SmallRng) -> String {
    let mut bytes = fs::read(file).unwrap();
    if bytes.is_empty() {
        return "empty".into();
    }
    let (at, bit) = (rng.random_range(0..bytes.len()), rng.random_range(0..8));
    bytes[at] ^= 1 << bit;
    fs::write(file, &bytes).unwrap();
    format!("bit {bit} of byte {at} flipped")
}

#[test]
fn a_flipped_bit_is_refused_or_harmless() {
    let (refused, complete) = tried(6, 11, flip);
    assert!(refused > 0 && complete > 0, "{refused} refused, {complete} complete");
}

#[test]
fn a_half_written_file_is_refused_or_harmless() {
    let (refused, _) = tried(2, 12, |file, rng| {
        let length = fs::metadata(file).unwrap().len();
        let half = rng.random_range(0..length.max(1));
        OpenOptions::new().write(true).open(file).unwrap().set_len(half).unwrap();
        format!("cut from {length} to {half} bytes")
    });
    assert!(refused > 0);
}

/// A power cut may take both bounds. Then damage near the end cannot be told from a torn tail, and
/// log and history fill each other up.
#[test]
fn without_bounds_log_and_history_repair_each_other() {
    let sound = sound();
    let mut rng = SmallRng::seed_from_u64(13);
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        copy(sound.path(), folder.path());
        for bound in ["log.bound", "history.bound"] {
            fs::remove_file(folder.path().join(bound)).unwrap();
        }
        let segment = files(&folder.path().join("history"))
            .into_iter()
            .find(|path| !path.ends_with("people.jsonl") && !path.ends_with("snapshot"))
            .unwrap();
        let file = if round % 2 == 0 { segment } else { folder.path().join("log/db") };
        let what = flip(&file, &mut rng);
        refused_or_complete(folder.path(), &format!("no bounds, {}: {what}", file.display()));
    }
}

/// Zeros in the middle of what was durable are damage, however whole the rest is.
#[test]
fn a_hole_in_what_was_durable_is_refused() {
    let sound = sound();
    let segment = files(&sound.path().join("history"))
        .into_iter()
        .find(|path| !path.ends_with("people.jsonl") && !path.ends_with("snapshot"))
        .unwrap();
    let length = fs::metadata(&segment).unwrap().len();
    let file = OpenOptions::new().write(true).open(&segment).unwrap();
    file.write_all_at(&[0; 256], length / 2).unwrap();
    assert!(!refused_or_complete(sound.path(), "a hole in the newest segment"));
}

/// A snapshot fits only the history that it was made of, its members included.
#[test]
fn a_snapshot_of_other_members_is_refused() {
    use openraft::RaftSnapshotBuilder;
    use openraft::storage::RaftStateMachine;
    let root = tempfile::tempdir().unwrap();
    let mut node = common::open(root.path()).unwrap();
    runtime().block_on(async {
        node.apply((0..5).map(entry).collect()).await.unwrap();
        let machine = node.machine.as_mut().unwrap();
        let built = machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
        let (mut meta, handle) = (built.meta, built.snapshot);
        machine.install_snapshot(&meta, handle.clone()).await.unwrap();
        meta.last_membership = StoredMembership::default();
        let refused = machine.install_snapshot(&meta, handle).await.unwrap_err();
        assert!(refused.to_string().contains("of other members"), "{refused}");
    });
    node.close();
}

/// The database writes a summary of itself at each start; one that was cut short is no damage.
#[test]
fn a_start_that_was_cut_short_can_be_repeated() {
    let root = tempfile::tempdir().unwrap();
    let mut node = common::open(root.path()).unwrap();
    runtime().block_on(async {
        let durable = node.append((0..50).map(entry).collect()).await.unwrap();
        durable.await.unwrap().unwrap();
    });
    node.close();
    let unfinished = root.path().join("log/snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(unfinished, [7; 100]).unwrap();
    let mut node = common::open(root.path()).unwrap();
    let found = runtime().block_on(node.log.try_get_log_entries(..)).unwrap();
    assert_eq!(found, (0..50).map(entry).collect::<Vec<_>>());
    node.close();
}
