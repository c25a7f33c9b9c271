//! The state machine that openraft drives.
use std::io;

use futures::Stream;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};

use crate::log::types::{Cfg, LogId, SnapshotMeta, StoredMembership};

type Snapshot = openraft::alias::SnapshotOf<Cfg, SnapshotHandle>;

/// What a snapshot is beside its meta data: where the chain stands. The segments are sent apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHandle {
    /// Of the last decision in it.
    pub revision: interrex_core::Revision,
    /// BLAKE3 over all records so far.
    pub chain: [u8; 32],
}

/// Applies committed entries: each becomes a frame of the history and a notice to the node task.
#[derive(Debug)]
pub struct Machine;

impl RaftStateMachine<Cfg> for Machine {
    type SnapshotData = SnapshotHandle;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Err(io::ErrorKind::Unsupported.into())
    }
    async fn apply<S>(&mut self, _entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Cfg>>> + Unpin + OptionalSend,
    {
        Err(io::ErrorKind::Unsupported.into())
    }
    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder
    }
    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        _handle: SnapshotHandle,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        Ok(None)
    }
}

/// Builds snapshots.
#[derive(Debug)]
pub struct Builder;

impl RaftSnapshotBuilder<Cfg> for Builder {
    type SnapshotData = SnapshotHandle;
    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
