//! Reading the history while it grows: from the files, then what waits to be written.
use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use interrex_core::{LogIndex, PersonId, Revision};
use interrex_wire::segment::{Reader, Tail, Writer};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::watch;

use super::frame::{Body, Frame, Head};
use super::segments::{self, Place};
use super::shared::Shared;
use crate::folder::FolderError;
use crate::log::types::Person;

/// Bytes of frames that a cursor reads ahead.
const AHEAD: usize = 8 << 20;

/// The history of this member. Clones are handles to the same history.
#[derive(Clone, Debug)]
pub struct History {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl History {
    /// How far it reaches; `changed().await` follows it.
    pub fn head(&self) -> watch::Receiver<Head> {
        self.shared.head.subscribe()
    }

    /// Someone who acts in it, by number; none if forgotten.
    pub fn person(&self, id: PersonId) -> Option<Person> {
        self.shared.people().get(id)
    }

    /// Adds those whom the log names and the table lost.
    pub(crate) fn add_people(&self, people: &[Person]) -> Result<(), FolderError> {
        self.shared.people().add(people)
    }

    /// Reads on from the record that made `from` (0 and 1: from the beginning, with what stands
    /// before the first record).
    pub fn read(&self, from: Revision) -> Cursor {
        let after = Revision(from.0.saturating_sub(1));
        let skip_to = (after > Revision(0)).then_some(from);
        Cursor { shared: self.shared.clone(), next: None, after, skip_to, ahead: VecDeque::new() }
    }

    /// Reads on from the entry at `next`.
    pub(crate) fn read_at(&self, next: LogIndex) -> Cursor {
        let (after, ahead) = (Revision(0), VecDeque::new());
        Cursor { shared: self.shared.clone(), next: Some(next), after, skip_to: None, ahead }
    }

    /// Why the history takes no more entries, if it failed: the coordinator must end.
    pub fn failed(&self) -> Option<FolderError> {
        self.shared.failed().borrow().clone()
    }

    /// As [`Self::failed`], to be waited for.
    pub fn failing(&self) -> watch::Receiver<Option<FolderError>> {
        self.shared.failed()
    }

    /// How long it took to sync segments, in seconds.
    pub(crate) fn syncs(&self) -> Histogram {
        self.shared.syncs.clone()
    }

    /// Writes and syncs what waits. For the end, after `Raft::shutdown`; blocks.
    pub fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = thread.map(JoinHandle::join);
    }
}

/// A place in the history.
#[derive(Debug)]
pub struct Cursor {
    shared: Arc<Shared>,
    /// Index of the next frame; not known before the first was read.
    next: Option<LogIndex>,
    /// Revision of the last record passed, or a lower bound.
    after: Revision,
    /// Nothing is given out before the record that made it.
    skip_to: Option<Revision>,
    ahead: VecDeque<Frame>,
}

impl Cursor {
    /// The next frames, `bytes` of decisions or a little more; none at the end: wait for
    /// [`History::head`] to change, then ask again. Blocks on the disk: `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// The history is damaged.
    pub fn next(&mut self, bytes: usize) -> Result<Vec<Frame>, FolderError> {
        let (mut taken, mut given) = (0, Vec::new());
        while taken < bytes {
            if self.ahead.is_empty() {
                self.fill()?;
            }
            let Some(frame) = self.ahead.pop_front() else { break };
            self.next = Some(LogIndex(frame.index.0 + 1));
            if let Body::Decision { revision, .. } = frame.body {
                self.after = revision;
                self.skip_to = self.skip_to.filter(|wanted| revision < *wanted);
            }
            if self.skip_to.is_none() {
                taken += frame.size();
                given.push(frame);
            }
        }
        Ok(given)
    }

    /// Reads ahead: from the file that holds the next frame, or from what waits.
    fn fill(&mut self) -> Result<(), FolderError> {
        let (place, last, length) = {
            let state = self.shared.state();
            if self.next.is_some() && self.next >= state.writer.as_ref().map(Writer::next) {
                return Ok(());
            }
            let waiting = state.waiting.front().map(|frame| frame.index);
            if waiting.is_some() && self.next >= waiting {
                let new = state.waiting.iter().filter(|frame| Some(frame.index) >= self.next);
                self.ahead.extend(new.cloned());
                return Ok(());
            }
            let behind = |place: &Place| match self.next {
                Some(next) => place.first <= next,
                None => place.before.is_none_or(|before| before.place.revision <= self.after),
            };
            let position = state.places.iter().rposition(behind);
            match position.and_then(|position| state.places.get(position)) {
                None => {
                    let all = state.waiting.iter().cloned();
                    self.ahead.extend(all.filter(|frame| Some(frame.index) >= self.next));
                    return Ok(());
                }
                Some(place) => {
                    (*place, position.map(|p| p + 1) == Some(state.places.len()), state.length)
                }
            }
        };
        self.read_file(&place, if last { length } else { u64::MAX })
    }

    fn read_file(&mut self, place: &Place, length: u64) -> Result<(), FolderError> {
        let path = segments::path(&self.shared.folder, place.first);
        let mut bytes = fs::read(&path).map_err(FolderError::io("read", &path))?;
        bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        let name = path.display().to_string();
        let lift = |damage| segments::lift(&name, damage);
        let mut reader =
            Reader::open(&name, &bytes, place.before.as_ref(), Tail::Whole).map_err(lift)?;
        reader.seek_revision(self.after);
        let mut room = AHEAD;
        while let Some(frame) = reader.next().map_err(lift)? {
            if Some(frame.index) < self.next
                || frame.after.revision < self.skip_to.unwrap_or_default()
            {
                continue;
            }
            let frame = Frame::read(&frame)?;
            room = room.saturating_sub(frame.size());
            self.ahead.push_back(frame);
            if room == 0 {
                break;
            }
        }
        if self.ahead.is_empty() && self.next.is_none() {
            // The record is not in a file yet.
            self.next = Some(reader.end().next);
        }
        Ok(())
    }
}
