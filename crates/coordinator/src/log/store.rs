//! What openraft calls.
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;

use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};

use super::types::{Cfg, LogId, RaftEntry, Vote};

/// The log of this member. Clones are handles to the same log.
#[derive(Clone, Debug)]
pub struct LogStore;

impl LogStore {
    /// Writes what waits and lets go of the files. For the end, after `Raft::shutdown`: blocks for
    /// one sync at most.
    pub fn close(&self) {}
}

fn stub<T>() -> Result<T, io::Error> {
    Err(io::ErrorKind::Unsupported.into())
}

impl RaftLogReader<Cfg> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        _range: RB,
    ) -> io::Result<Vec<RaftEntry>> {
        stub()
    }
    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        stub()
    }
}

impl RaftLogStorage<Cfg> for LogStore {
    type LogReader = Self;
    async fn get_log_state(&mut self) -> io::Result<LogState<Cfg>> {
        stub()
    }
    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }
    async fn save_vote(&mut self, _vote: &Vote) -> io::Result<()> {
        stub()
    }
    async fn append<I>(&mut self, _entries: I, _flushed: IOFlushed<Cfg>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + Send,
        I::IntoIter: Send,
    {
        stub()
    }
    async fn truncate_after(&mut self, _last: Option<LogId>) -> io::Result<()> {
        stub()
    }
    async fn purge(&mut self, _upto: LogId) -> io::Result<()> {
        stub()
    }
}
