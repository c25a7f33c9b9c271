//! What openraft calls: changes are visible in memory at once and queued for the writer in the
//! order of the calls; only a vote is waited for. Never blocks openraft's core for longer.
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use interrex_core::LogIndex;
use openraft::EntryPayload;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::oneshot;

use super::disk::{Disk, Meta};
use super::feed::Feed;
use super::tail::Tail;
use super::types::{Cfg, LogId, RaftEntry, Vote};
use super::writer::{Flushed, Job, Work, Writer};
use crate::folder::FolderError;

/// Bytes of entries that one message to a follower carries, or one entry if that is longer.
const MESSAGE_BYTES: usize = 1 << 20;

/// The log of this member. Clones are handles to the same log.
#[derive(Clone, Debug)]
pub struct LogStore {
    disk: Arc<Disk>,
    tail: Arc<Mutex<Tail>>,
    jobs: Sender<Job>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
    feed: Feed,
}

impl LogStore {
    /// A log whose files have been read into `tail`.
    pub(super) fn start(disk: Disk, meta: Meta, tail: Tail, feed: Feed) -> io::Result<Self> {
        let (disk, tail, (jobs, queue)) = (Arc::new(disk), Arc::new(Mutex::new(tail)), channel());
        let writer = Writer::new(disk.clone(), meta, tail.clone(), queue);
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || writer.run())?;
        let writer = Arc::new(Mutex::new(Some(thread)));
        Ok(Self { disk, tail, jobs, writer, feed })
    }

    /// Writes what waits and lets go of the files once the last clone is dropped. For the end,
    /// after `Raft::shutdown`; blocks for a few syncs.
    pub fn close(&self) {
        let (closed, ended) = sync_channel(1);
        let mut tail = self.lock();
        let _ = self.ask(&mut tail, Work::Close(closed));
        drop(tail);
        let _ = ended.recv();
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = thread.map(JoinHandle::join);
    }

    /// Why the log takes no more writes, if it failed: the coordinator must end.
    pub fn failed(&self) -> Option<FolderError> {
        self.lock().failed.clone().or_else(|| self.disk.stuck())
    }

    /// How long it took to make batches durable, in seconds.
    pub(crate) fn syncs(&self) -> Histogram {
        self.disk.syncs.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues work. Under the tail's lock, so that the queue has the order of the changes.
    fn ask(&self, tail: &mut Tail, work: Work) -> io::Result<u64> {
        let operation = tail.operation();
        let asked = self.jobs.send(Job { operation, work });
        match (&tail.failed, asked) {
            (Some(why), _) => Err(why.clone().into()),
            (None, Err(_)) => Err(io::Error::other("the log's writer has ended")),
            (None, Ok(())) => Ok(operation),
        }
    }

    /// Entries of `from..to`, up to about `bytes`, at least one where there is one.
    fn entries(&self, from: u64, to: u64, bytes: usize) -> Result<Vec<RaftEntry>, FolderError> {
        let (mut found, mut room) = (Vec::new(), bytes);
        let (from, to, kept) = {
            let tail = self.lock();
            (from.max(tail.first()), to.min(tail.next()), tail.first_kept())
        };
        if from < to.min(kept) {
            let mut visit = |entry, size| {
                let fits = found.is_empty() || size <= room;
                if fits {
                    found.push(entry);
                    room = room.saturating_sub(size);
                }
                fits
            };
            let scan = || self.disk.scan((from, to.min(kept) - 1), &mut visit);
            let read = catch_unwind(AssertUnwindSafe(scan));
            let read =
                read.unwrap_or_else(|panic| Err(FolderError::panicked("read the log", &*panic)));
            if let Err(error) = read {
                let tail = self.lock();
                if tail.first() > from || tail.next() < to {
                    // It was cut while we read: not damage. Read what is left.
                    drop(tail);
                    return self.entries(from, to, bytes);
                }
                return Err(error);
            }
        }
        let next = from + found.len() as u64;
        if next < to && next < kept {
            return Ok(found);
        }
        let tail = self.lock();
        if tail.first_kept() > next && next < to {
            // Some of it left memory meanwhile: it is on disk now.
            drop(tail);
            found.extend(self.entries(next, to, room)?);
            return Ok(found);
        }
        for (entry, size) in tail.read(next, to) {
            if !found.is_empty() && size > room {
                break;
            }
            found.push(entry.clone());
            room = room.saturating_sub(size);
        }
        Ok(found)
    }
}

impl RaftLogReader<Cfg> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<RaftEntry>> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        Ok(self.entries(from, to, usize::MAX)?)
    }

    async fn limited_get_log_entries(&mut self, from: u64, to: u64) -> io::Result<Vec<RaftEntry>> {
        Ok(self.entries(from, to, MESSAGE_BYTES)?)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.lock().vote)
    }
}

impl RaftLogStorage<Cfg> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Cfg>> {
        let tail = self.lock();
        Ok(LogState { last_purged_log_id: tail.purged, last_log_id: tail.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let (done, durable) = oneshot::channel();
        {
            let mut tail = self.lock();
            self.ask(&mut tail, Work::Vote(*vote, done))?;
        }
        let gone = |_| FolderError::disk("save the vote", &io::ErrorKind::BrokenPipe.into());
        durable.await.map_err(gone)??;
        self.lock().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.lock().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, flushed: IOFlushed<Cfg>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + Send,
        I::IntoIter: Send,
    {
        let entries: Vec<RaftEntry> = entries.into_iter().collect();
        let flushed = Flushed::new(flushed);
        let mut tail = self.lock();
        let operation = tail.next_operation();
        let mut unseen = Vec::new();
        for entry in &entries {
            if !tail.push(entry.clone(), size_of_record(entry), operation) {
                let (index, next) = (entry.log_id.index, tail.next());
                return Err(io::Error::other(format!(
                    "entry {index} appended where {next} is due"
                )));
            }
            if let EntryPayload::Membership(_) = entry.payload {
                unseen.push(self.feed.members_appended(LogIndex(entry.log_id.index)));
            }
        }
        self.ask(&mut tail, Work::Append { entries, unseen, flushed })?;
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let mut tail = self.lock();
        let (first, end) = (last.map_or(0, |last| last.index + 1).max(tail.first()), tail.next());
        if first < end {
            tail.cut(last);
            let kept = tail.last;
            self.ask(&mut tail, Work::Truncate { first, last: end - 1, kept })?;
            self.feed.truncated(first.checked_sub(1).map(LogIndex));
        }
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let mut tail = self.lock();
        let first = tail.first();
        if first <= upto.index {
            tail.purge(upto);
            self.ask(&mut tail, Work::Purge { first, upto })?;
        }
        Ok(())
    }
}

/// About what an entry takes in memory; exact for what can be large.
pub(super) fn size_of_record(entry: &RaftEntry) -> usize {
    let body = match &entry.payload {
        EntryPayload::Normal(proposal) => proposal.bytes.len() + proposal.people.len() * 64,
        EntryPayload::Blank | EntryPayload::Membership(_) => 256,
    };
    body + 64
}
