//! openraft's own conformance suite, on the real log and the real history.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod common;

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::{Stream, StreamExt};
use interrex_coordinator::history::{Builder, Machine, SnapshotHandle};
use interrex_coordinator::log::LogStore;
use interrex_coordinator::log::types::{
    Cfg, LogId, RaftEntry, SnapshotMeta, StoredMembership, Vote,
};
use openraft::storage::{
    EntryResponder, IOFlushed, LogState, RaftLogReader, RaftLogStorage, RaftStateMachine,
};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, StorageError};

/// The suite applies entries with holes before them and installs snapshots whose data nobody sent.
/// This fills the holes with blank entries, and brings the segments first, as a receiver will.
struct Filled {
    machine: Machine,
    at: Option<LogId>,
    /// What this one applied; what all of them have, for one that installs a snapshot.
    applied: Vec<RaftEntry>,
    sent: Sent,
}

/// The histories of all machines, by their last log id: what members will send one another.
type Sent = Arc<Mutex<Vec<(LogId, Vec<RaftEntry>)>>>;

impl RaftStateMachine<Cfg> for Filled {
    type SnapshotData = SnapshotHandle;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        self.machine.applied_state().await
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Cfg>>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let id = entry.log_id;
            let term = self.at.map_or(0, |at| at.leader_id.term);
            let from = self.at.map_or(0, |at| at.index + 1);
            let holes = (from..id.index).map(|index| Ok((common::blank(term, index), None)));
            self.applied.extend((from..id.index).map(|index| common::blank(term, index)));
            self.machine.apply(futures::stream::iter(holes)).await?;
            self.applied.push(entry.clone());
            self.machine.apply(futures::stream::iter([Ok((entry, responder))])).await?;
            self.at = Some(id);
            self.sent.lock().unwrap().push((id, self.applied.clone()));
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.machine.get_snapshot_builder().await
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        handle: SnapshotHandle,
    ) -> io::Result<()> {
        // The receiver's part that comes with the members issue: first the history up to the
        // snapshot, then the snapshot. The machine compares both: log id and head of the chain.
        let sent = self.sent.lock().unwrap().clone();
        let found = sent.into_iter().rev().find(|(last, _)| Some(*last) == meta.last_log_id);
        let entries = found.map(|(_, entries)| entries).unwrap_or_default();
        let missing = entries.into_iter().skip(self.applied.len()).map(|e| Ok((e, None)));
        self.machine.apply(futures::stream::iter(missing)).await?;
        self.machine.install_snapshot(meta, handle).await
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<openraft::alias::SnapshotOf<Cfg, SnapshotHandle>>> {
        self.machine.get_current_snapshot().await
    }
}

/// The suite also begins logs at index 1, which openraft itself never does and our log refuses
/// (no hole, ever). This puts blank entries before them.
struct Padded(LogStore);

impl RaftLogReader<Cfg> for Padded {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<RaftEntry>> {
        self.0.try_get_log_entries(range).await
    }

    async fn limited_get_log_entries(&mut self, from: u64, to: u64) -> io::Result<Vec<RaftEntry>> {
        self.0.limited_get_log_entries(from, to).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.0.read_vote().await
    }
}

impl RaftLogStorage<Cfg> for Padded {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> io::Result<LogState<Cfg>> {
        self.0.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.0.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.0.save_vote(vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.0.save_committed(committed).await
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        self.0.read_committed().await
    }

    async fn append<I>(&mut self, entries: I, flushed: IOFlushed<Cfg>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + Send,
        I::IntoIter: Send,
    {
        let mut last = self.0.get_log_state().await?.last_log_id;
        let mut whole = Vec::new();
        for entry in entries {
            let term = last.map_or(0, |last| last.leader_id.term);
            let next = last.map_or(0, |last| last.index + 1);
            whole.extend((next..entry.log_id.index).map(|index| common::blank(term, index)));
            last = Some(entry.log_id);
            whole.push(entry);
        }
        self.0.append(whole, flushed).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.0.truncate_after(last).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.0.purge(upto).await
    }
}

struct Folders(Sent);

/// Keeps the folder and its lock until the test is over.
struct Kept {
    _folder: tempfile::TempDir,
    _node: common::Node,
}

impl StoreBuilder<Cfg, Padded, Filled, Kept> for Folders {
    async fn build(&self) -> Result<(Kept, Padded, Filled), StorageError<Cfg>> {
        let folder = tempfile::tempdir().unwrap();
        let root: &Path = folder.path();
        let mut node = common::open(&root.join("data")).unwrap();
        let machine = node.take_machine();
        let filled = Filled { machine, at: None, applied: Vec::new(), sent: self.0.clone() };
        let log = Padded(node.log.clone());
        Ok((Kept { _folder: folder, _node: node }, log, filled))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_suite_passes() {
    Suite::test_all(Folders(Sent::default())).await.unwrap();
}
