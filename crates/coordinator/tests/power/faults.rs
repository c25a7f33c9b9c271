//! A disk that fails, and one that is full: the first failed write is final. Nothing is
//! acknowledged any more, the code says which it was, and nothing acknowledged is lost.
use openraft::storage::{RaftLogReader, RaftLogStorage};

use super::common;
use super::model::{Disk, Fault};
use super::mount::Mounted;
use interrex_coordinator::log::types::Vote;

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
    let mut node = common::open(&root).unwrap();
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
