//! A disk that fails, and one that is full: the first failed write is final. Nothing is
//! acknowledged any more, the code says which it was, and nothing acknowledged is lost.
use std::time::Duration;

use openraft::storage::{RaftLogReader, RaftLogStorage};

use super::common;
use super::model::{Disk, Fault};
use super::mount::Mounted;
use interrex_coordinator::log::types::Vote;

/// Whoever waits so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn fails(fault: Fault, code: &str) {
    let at = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::mount(Disk::new(), at.path()) else { return };
    let root = at.path().join("data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut node = common::open(&root).unwrap();
    let entry = |index| match index {
        0 => common::members(0, 0),
        index => common::decided(1, index, 1, index),
    };
    runtime.block_on(async {
        let vote = Vote::new(1, 1);
        node.log.save_vote(&vote).await.unwrap();
        node.append((0..20).map(entry).collect()).await.unwrap().await.unwrap().unwrap();
        node.apply((0..10).map(entry).collect()).await.unwrap();
        mounted.disk().fault = Some(fault);
        let refused = node.append(vec![entry(20)]).await.unwrap().await.unwrap();
        assert!(refused.is_err(), "acknowledged by a disk that fails");
        let failed = node.log.failed().expect("the log says that it failed");
        assert_eq!(failed.code(), code, "{failed}");
        // The disk is well again; the node may not go on all the same.
        mounted.disk().fault = None;
        assert!(node.log.save_vote(&Vote::new(2, 1)).await.is_err(), "a vote after a failure");
        let late = node.append(vec![entry(21)]).await;
        let late = match late {
            Ok(told) => told.await.unwrap().is_err(),
            Err(_) => true,
        };
        assert!(late, "an entry after a failure");
    });
    node.close();
    // A new process has the files to itself; here a new mount has to do.
    let mut disk = mounted.take();
    (disk.dead, disk.fault) = (false, None);
    let at = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::mount(disk, at.path()) else { return };
    let mut node = common::open(&at.path().join("data")).unwrap();
    runtime.block_on(async {
        let found = node.log.try_get_log_entries(..).await.unwrap();
        assert!(found.len() >= 20, "{} of 20 acknowledged entries", found.len());
        assert!((0..).zip(&found).all(|(index, found)| *found == entry(index)));
        assert_eq!(node.log.read_vote().await.unwrap(), Some(Vote::new(1, 1)));
    });
    node.close();
}

#[test]
fn a_disk_that_fails_ends_the_log_and_loses_nothing() {
    fails(Fault::Broken, "disk_failed");
}

#[test]
fn a_full_disk_ends_the_log_and_loses_nothing() {
    fails(Fault::Full, "disk_full");
}

/// The disk goes at each of many moments while much is written: everybody who waits for it is
/// answered. sled by itself sleeps for ever at some of them.
#[test]
fn whoever_waits_for_a_disk_that_is_gone_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for moment in (1..=60).map(|n| n * 5) {
        let at = tempfile::tempdir().unwrap();
        let Some(mounted) = Mounted::mount(Disk::new(), at.path()) else { return };
        let mut node = common::open(&at.path().join("data")).unwrap();
        mounted.disk().fuse = Some(moment);
        runtime.block_on(async {
            let mut told = Vec::from([node.append(vec![common::members(0, 0)]).await.unwrap()]);
            for index in 1..200 {
                match node.append(vec![common::decided(1, index, 400, index)]).await {
                    Ok(answer) => told.push(answer),
                    Err(_) => break,
                }
                tokio::task::yield_now().await;
            }
            let all = async {
                for answer in told {
                    let _ = answer.await.expect("an answer");
                }
                node.log.save_vote(&Vote::new(2, 1)).await
            };
            let saved = tokio::time::timeout(PATIENCE, all).await;
            let saved = saved.unwrap_or_else(|_| panic!("nobody answers; gone at {moment}"));
            assert!(saved.is_err() == mounted.disk().dead, "gone at {moment}");
        });
        mounted.disk().dead = true;
        node.close();
    }
}

/// Nothing else has to happen: a history that failed says so by itself.
#[test]
fn a_history_that_fails_says_so() {
    let at = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::mount(Disk::new(), at.path()) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut node = common::open(&at.path().join("data")).unwrap();
    let mut failing = node.history.failing();
    runtime.block_on(async {
        mounted.disk().fault = Some(Fault::Full);
        node.apply(vec![common::members(0, 0), common::blank(1, 1)]).await.unwrap();
        let failed = tokio::time::timeout(PATIENCE, failing.wait_for(Option::is_some)).await;
        let failed = failed.expect("it says so").unwrap().clone().unwrap();
        assert_eq!(failed.code(), "disk_full", "{failed}");
        assert!(node.apply(vec![common::blank(1, 2)]).await.is_err(), "it takes an entry");
        let built = tokio::time::timeout(PATIENCE, build(&mut node)).await;
        assert!(built.expect("an answer").is_err(), "a snapshot of a history that failed");
    });
    node.close();
}

async fn build(node: &mut common::Node) -> std::io::Result<()> {
    use openraft::RaftSnapshotBuilder;
    use openraft::storage::RaftStateMachine;
    let machine = node.machine.as_mut().unwrap();
    machine.get_snapshot_builder().await.build_snapshot().await.map(drop)
}
