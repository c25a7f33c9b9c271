//! The one thread that writes the log: takes everything that waits, in the order in which it was
//! asked for, into as few batches as possible and one sync, then acknowledges it (group commit).
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openraft::storage::IOFlushed;
use tokio::sync::oneshot;

use super::disk::{Batch, Disk, Meta};
use super::feed::Unseen;
use super::records::LogIdRecord;
use super::tail::Tail;
use super::types::{Cfg, LogId, RaftEntry, Vote};
use crate::folder::FolderError;

/// Bytes of records after which a batch is closed and synced although more waits.
const BATCH_BYTES: usize = 8 << 20;
/// Between two syncs of the bound while writes come.
const BOUND_EVERY: Duration = Duration::from_secs(10);
/// How long a changed `committed` may wait for another write to ride along with. It may lag: it
/// only spares a restarted follower the wait for its leader.
const COMMITTED_WITHIN: Duration = Duration::from_secs(1);

/// Something to be written.
#[derive(Debug)]
pub(super) struct Job {
    /// Counts jobs, from one.
    pub(super) operation: u64,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    Append {
        entries: Vec<RaftEntry>,
        unseen: Vec<Unseen>,
        flushed: Flushed,
    },
    /// Removes the entries of these indices.
    Truncate {
        first: u64,
        last: u64,
        kept: Option<LogId>,
    },
    /// Removes the entries up to this one; the first stands at `first`.
    Purge {
        first: u64,
        upto: LogId,
    },
    Vote(Vote, oneshot::Sender<Result<(), FolderError>>),
    /// Write what waits, then end.
    Close(SyncSender<()>),
}

/// Tells openraft that an append is durable. Dropped unsaid, it tells of an error: silence would
/// leave a node that looks well and keeps nothing.
pub(super) struct Flushed(Option<IOFlushed<Cfg>>);

impl std::fmt::Debug for Flushed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flushed")
    }
}

impl Flushed {
    pub(super) fn new(flushed: IOFlushed<Cfg>) -> Self {
        Self(Some(flushed))
    }

    fn tell(mut self, result: Result<(), FolderError>) {
        if let Some(flushed) = self.0.take() {
            flushed.io_completed(result.map_err(io::Error::from));
        }
    }
}

impl Drop for Flushed {
    fn drop(&mut self) {
        if let Some(flushed) = self.0.take() {
            flushed.io_completed(Err(io::Error::other("the log's writer has ended")));
        }
    }
}

/// Who waits for the sync.
enum Waiter {
    Append(Vec<Unseen>, Flushed),
    Vote(oneshot::Sender<Result<(), FolderError>>),
}

/// The thread's state.
pub(super) struct Writer {
    disk: Arc<Disk>,
    meta: Meta,
    tail: Arc<Mutex<Tail>>,
    jobs: Receiver<Job>,
    batch: Batch,
    /// Bytes since the last sync.
    bytes: usize,
    waiters: Vec<Waiter>,
    operation: u64,
    /// When the bound was last synced; and the batch that it then named.
    bounded: (Instant, u64),
}

impl Writer {
    pub(super) fn new(
        disk: Arc<Disk>,
        meta: Meta,
        tail: Arc<Mutex<Tail>>,
        jobs: Receiver<Job>,
    ) -> Self {
        let (batch, waiters) = (Batch::default(), Vec::new());
        Self {
            disk,
            meta,
            tail,
            jobs,
            batch,
            bytes: 0,
            waiters,
            operation: 0,
            bounded: (Instant::now(), meta.batch),
        }
    }

    /// Until closed, or failed. A failure is final.
    pub(super) fn run(mut self) {
        // sled panics on what it did not expect. That must end the node like any failed write.
        let served = catch_unwind(AssertUnwindSafe(|| self.serve()));
        let ended =
            served.unwrap_or_else(|panic| Err(FolderError::panicked("write the log", &*panic)));
        if let Err(error) = &ended {
            tracing::error!(
                code = error.code(),
                remedy = error.remedy(),
                "the log failed: {error}"
            );
            self.lock().failed = Some(error.clone());
            for waiter in self.waiters.drain(..) {
                match waiter {
                    Waiter::Append(_, flushed) => flushed.tell(Err(error.clone())),
                    Waiter::Vote(done) => {
                        let _ = done.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn serve(&mut self) -> Result<(), FolderError> {
        loop {
            let job = match self.jobs.recv_timeout(COMMITTED_WITHIN) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.note_committed()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            };
            let mut job = Some(job);
            while let Some(Job { operation, work }) = job.take() {
                if let Work::Close(closed) = work {
                    let ended = self.end();
                    let _ = closed.send(());
                    return ended;
                }
                self.take(work)?;
                self.operation = operation;
                if self.bytes < BATCH_BYTES {
                    job = self.jobs.try_recv().ok();
                }
            }
            self.commit()?;
        }
    }

    /// Into the open batch.
    fn take(&mut self, work: Work) -> Result<(), FolderError> {
        match work {
            Work::Append { entries, unseen, flushed } => {
                self.waiters.push(Waiter::Append(unseen, flushed));
                for entry in &entries {
                    self.bytes += self.batch.entry(entry)?;
                }
                self.meta.last = entries.last().map(|e| e.log_id.into()).or(self.meta.last);
            }
            Work::Truncate { first, last, kept } => {
                self.close_batch()?;
                self.disk.remove((first, last), &mut self.batch)?;
                self.meta.last = kept.map(Into::into).or(self.meta.purged);
            }
            Work::Purge { first, upto } => {
                self.close_batch()?;
                self.disk.remove((first, upto.index), &mut self.batch)?;
                self.meta.purged = Some(upto.into());
                let last = self.meta.last.filter(|last| last.index > upto.index);
                self.meta.last = last.or(self.meta.purged);
            }
            Work::Vote(vote, done) => {
                self.meta.vote = Some(vote.into());
                self.waiters.push(Waiter::Vote(done));
            }
            Work::Close(_) => {}
        }
        Ok(())
    }

    /// Hands the open batch to sled, so that the next one can look for keys to remove.
    fn close_batch(&mut self) -> Result<(), FolderError> {
        self.meta.batch += 1;
        self.meta.committed = self.committed().or(self.meta.committed);
        self.disk.apply(std::mem::take(&mut self.batch), &self.meta)
    }

    /// Makes all of it durable, then tells those who wait, in order.
    fn commit(&mut self) -> Result<(), FolderError> {
        self.close_batch()?;
        self.disk.sync(self.meta.batch)?;
        self.bytes = 0;
        for waiter in self.waiters.drain(..) {
            match waiter {
                Waiter::Append(unseen, flushed) => {
                    // M2: the core knows of a membership entry before anybody hears of it.
                    let seen = unseen.iter().all(Unseen::wait);
                    let late = || FolderError::disk("acknowledge an entry", &unready());
                    flushed.tell(seen.then_some(()).ok_or_else(late));
                }
                Waiter::Vote(done) => {
                    let _ = done.send(Ok(()));
                }
            }
        }
        let operation = self.operation;
        self.lock().durable(operation);
        self.sync_bound()
    }

    /// After those who wait were told: it costs the next batch one more sync in ten seconds.
    fn sync_bound(&mut self) -> Result<(), FolderError> {
        let (since, batch) = self.bounded;
        if batch < self.meta.batch && since.elapsed() >= BOUND_EVERY {
            self.disk.sync_bound()?;
            self.bounded = (Instant::now(), self.meta.batch);
        }
        Ok(())
    }

    fn note_committed(&mut self) -> Result<(), FolderError> {
        let committed = self.committed();
        if committed.is_none() || committed == self.meta.committed {
            self.sync_bound()
        } else {
            self.commit()
        }
    }

    /// What is committed, if this very log holds it: a follower hears of it before its own writes
    /// are through. Of two log ids the greater one's log holds the other, if that is committed.
    fn committed(&self) -> Option<LogIdRecord> {
        let committed = self.lock().committed;
        committed.filter(|_| committed <= self.meta.last.map(LogId::from)).map(Into::into)
    }

    fn end(&mut self) -> Result<(), FolderError> {
        self.commit()?;
        self.disk.close()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unready() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the node task did not take note of a membership entry")
}
