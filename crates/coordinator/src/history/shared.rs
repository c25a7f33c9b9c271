//! What the state machine, the thread that writes and those who read the history have in common.
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use interrex_core::LogIndex;
use interrex_wire::segment::{Body as Written, End, Header, Writer};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::watch;

use super::frame::{Body, Frame, Head};
use super::people::People;
use super::segments::Place;
use crate::folder::FolderError;
use crate::metrics;

/// Bytes of frames that may wait to be written; more, and applying waits for the disk.
const WAITING_BYTES: usize = 64 << 20;

/// The history of one process.
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) head: watch::Sender<Head>,
    state: Mutex<State>,
    people: Mutex<People>,
    /// Frames came, or a flush is wanted.
    work: Condvar,
    /// Frames were written, or none will be any more.
    done: Condvar,
    failed: watch::Sender<Option<FolderError>>,
    /// How long it took to sync a segment.
    pub(super) syncs: Histogram,
}

/// Behind the lock.
pub(super) struct State {
    pub(super) places: Vec<Place>,
    /// Bytes of the last place that hold whole blocks.
    pub(super) length: u64,
    /// Of the file that the writer writes.
    pub(super) header: Header,
    /// None once it has failed.
    pub(super) writer: Option<Writer>,
    /// Bytes pushed that are not yet in blocks.
    pub(super) pending: usize,
    /// Pushed and not yet in a file.
    pub(super) waiting: VecDeque<Frame>,
    waiting_bytes: usize,
    /// The oldest of them came.
    pub(super) since: Option<Instant>,
    /// Flushes asked for and done.
    pub(super) asked: u64,
    pub(super) flushed: u64,
    pub(super) closing: bool,
    /// Why no more frames are taken: it failed, or was closed.
    over: Option<FolderError>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        folder: PathBuf,
        head: Head,
        people: People,
        (places, length): (Vec<Place>, u64),
        (header, writer): (Header, Writer),
    ) -> Self {
        let state = State {
            places,
            length,
            header,
            writer: Some(writer),
            pending: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            since: None,
            asked: 0,
            flushed: 0,
            closing: false,
            over: None,
        };
        let (head, state, people) =
            (watch::Sender::new(head), Mutex::new(state), Mutex::new(people));
        let (work, done, failed) = (Condvar::new(), Condvar::new(), watch::Sender::new(None));
        Self { folder, head, state, people, work, done, failed, syncs: metrics::syncs() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next entry: the frame that it is now. Waits only if very much waits already.
    pub(super) fn push(
        &self,
        (index, term): (LogIndex, u64),
        body: Written<'_>,
        entry: impl FnOnce(&interrex_wire::segment::Place) -> Body,
    ) -> Result<Frame, FolderError> {
        let mut state = self.state();
        while state.waiting_bytes > WAITING_BYTES && state.over.is_none() {
            self.work.notify_one();
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(error) = &state.over {
            return Err(error.clone());
        }
        let place = state.writer.as_mut().ok_or_else(gone)?.append(index, term, body);
        let place =
            place.map_err(|flaw| FolderError::corrupt(format!("the entry at {index}"), flaw))?;
        let frame = Frame { index, term, body: entry(&place) };
        state.pending += frame.size();
        state.waiting_bytes += frame.size();
        if state.since.is_none() {
            state.since = Some(Instant::now());
            self.work.notify_one();
        }
        if state.pending >= WAITING_BYTES / 64 {
            self.work.notify_one();
        }
        state.waiting.push_back(frame.clone());
        Ok(frame)
    }

    /// Everything pushed so far is durable afterwards. Blocks.
    pub(super) fn flush(&self) -> Result<(), FolderError> {
        let mut state = self.state();
        state.asked += 1;
        let mine = state.asked;
        self.work.notify_one();
        while state.flushed < mine && state.over.is_none() {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.flushed >= mine { Ok(()) } else { Err(state.over.clone().unwrap_or_else(gone)) }
    }

    /// The thread writes what waits, and ends.
    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    /// The thread that writes has ended: nobody may wait for it any longer. With an error, the
    /// node must end, too.
    pub(super) fn end(&self, ended: Result<(), FolderError>) {
        let failed = ended.err();
        self.state().over = Some(failed.clone().unwrap_or_else(gone));
        self.done.notify_all();
        if failed.is_some() {
            self.failed.send_replace(failed);
        }
    }

    /// Why the node must end, once there is a reason.
    pub(super) fn failed(&self) -> watch::Receiver<Option<FolderError>> {
        self.failed.subscribe()
    }

    pub(super) fn finished(&self, flush: u64) {
        let mut state = self.state();
        state.flushed = state.flushed.max(flush);
        self.done.notify_all();
    }

    pub(super) fn wait_for_work<'s>(
        &self,
        state: MutexGuard<'s, State>,
        patience: Duration,
    ) -> MutexGuard<'s, State> {
        let waited = self.work.wait_timeout(state, patience);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn gone() -> FolderError {
    FolderError::disk("write the history", &std::io::ErrorKind::BrokenPipe.into())
}

impl State {
    /// Bytes pushed that are not yet in blocks.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    /// Everything below `next` is in files; the newest one is so long.
    pub(super) fn written(&mut self, next: LogIndex, length: u64) {
        while self.waiting.front().is_some_and(|frame| frame.index < next) {
            let size = self.waiting.pop_front().map_or(0, |frame| frame.size());
            self.waiting_bytes = self.waiting_bytes.saturating_sub(size);
        }
        self.length = length;
    }

    /// The end of the file before the one that the writer writes.
    pub(super) fn before(&self) -> Option<End> {
        let Header { cluster, generation, first, term, before, .. } = self.header;
        (first.0 > 0).then_some(End {
            cluster,
            generation,
            next: first,
            term,
            place: before,
            length: 0,
            sealed: true,
            torn: false,
        })
    }
}
