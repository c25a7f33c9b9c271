//! What this member knows of its log without asking the disk: vote, ends, and the newest entries,
//! which openraft reads back to replicate and to apply them. Older entries are on disk only.
use std::collections::VecDeque;

use openraft::LogIdOptionExt;

use crate::folder::FolderError;

use super::types::{LogId, RaftEntry, Vote};

/// Bytes of records kept in memory.
const KEPT_BYTES: usize = 64 << 20;
/// Entries kept in memory.
const KEPT_ENTRIES: usize = 65_536;

/// The newest entries, and the ends of the log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    entries: VecDeque<Kept>,
    bytes: usize,
    /// Operations given to the writer.
    asked: u64,
    /// Operations that are durable.
    done: u64,
    /// Why the log takes no more writes; final.
    pub(super) failed: Option<FolderError>,
}

#[derive(Debug)]
struct Kept {
    entry: RaftEntry,
    bytes: usize,
    /// The operation that writes it.
    operation: u64,
}

impl Tail {
    /// Of a log whose entries are yet to be pushed.
    pub(super) fn behind(vote: Option<Vote>, purged: Option<LogId>) -> Self {
        Self { vote, purged, last: purged, ..Self::default() }
    }

    /// Index of the first entry that is not purged.
    pub(super) fn first(&self) -> u64 {
        self.purged.next_index()
    }

    /// Index after the last entry.
    pub(super) fn next(&self) -> u64 {
        self.last.next_index()
    }

    /// Index of the first entry that is in memory; [`Self::next`] if none is.
    pub(super) fn first_kept(&self) -> u64 {
        self.entries.front().map_or_else(|| self.next(), |kept| kept.entry.log_id.index)
    }

    /// Number that the next operation will get.
    pub(super) fn next_operation(&self) -> u64 {
        self.asked + 1
    }

    /// Counts an operation for the writer.
    pub(super) fn operation(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Takes an entry at the end. False if it does not belong there.
    pub(super) fn push(&mut self, entry: RaftEntry, bytes: usize, operation: u64) -> bool {
        if entry.log_id.index != self.next() {
            return false;
        }
        self.last = Some(entry.log_id);
        self.bytes += bytes;
        self.entries.push_back(Kept { entry, bytes, operation });
        true
    }

    /// The entries of `from..to` that are in memory.
    pub(super) fn read(&self, from: u64, to: u64) -> impl Iterator<Item = (&RaftEntry, usize)> {
        let start = self.first_kept();
        let skip = usize::try_from(from.saturating_sub(start)).unwrap_or(usize::MAX);
        let take = usize::try_from(to.saturating_sub(from.max(start))).unwrap_or(usize::MAX);
        self.entries.iter().skip(skip).take(take).map(|kept| (&kept.entry, kept.bytes))
    }

    /// Forgets everything after `last`, whose index may not be above the log's.
    pub(super) fn cut(&mut self, last: Option<LogId>) {
        while self.entries.back().is_some_and(|kept| Some(kept.entry.log_id) > last) {
            let cut = self.entries.pop_back();
            self.bytes -= cut.map_or(0, |kept| kept.bytes);
        }
        self.last = last.max(self.purged);
    }

    /// Forgets everything up to `upto`.
    pub(super) fn purge(&mut self, upto: LogId) {
        self.purged = self.purged.max(Some(upto));
        self.last = self.last.max(self.purged);
        while self.entries.front().is_some_and(|kept| kept.entry.log_id.index <= upto.index) {
            self.drop_first();
        }
    }

    /// Everything up to `operation` is durable: older entries need not stay in memory.
    pub(super) fn durable(&mut self, operation: u64) {
        self.done = self.done.max(operation);
        while (self.bytes > KEPT_BYTES || self.entries.len() > KEPT_ENTRIES)
            && self.entries.front().is_some_and(|kept| kept.operation <= self.done)
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let dropped = self.entries.pop_front();
        self.bytes -= dropped.map_or(0, |kept| kept.bytes);
    }
}
