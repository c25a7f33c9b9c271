//! The thread that keeps the history: writes what was applied, in blocks, and syncs now and then.
//! Nobody waits for it: after a crash the log has what the history lost.
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use interrex_core::LogIndex;
use interrex_wire::segment::{FULL, Writer};

use super::bound::Bound;
use super::segments::{self, Place};
use super::shared::{Shared, State};
use crate::folder::{FolderError, sealed};

/// Frames wait this long for others, so that blocks compress.
const BLOCK_WITHIN: Duration = Duration::from_millis(200);
/// Bytes of content that end the wait.
const BLOCK_BYTES: usize = 128 << 10;
/// Between two syncs while frames come.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// The thread's own.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    bound: File,
    /// The newest file, and how long it is.
    open: Option<(File, u64)>,
    unsynced: bool,
    synced: Instant,
}

impl Keeper {
    /// Starts the thread.
    pub(super) fn start(
        shared: Arc<Shared>,
        bound: &Path,
        open: Option<(File, u64)>,
    ) -> Result<JoinHandle<()>, FolderError> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(bound);
        let bound = file.map_err(FolderError::io("open", bound))?;
        let keeper = Self { shared, bound, open, unsynced: true, synced: Instant::now() };
        let thread = std::thread::Builder::new().name("history".into());
        let started = thread.spawn(move || keeper.run());
        started.map_err(|error| FolderError::disk("start the history's thread", &error))
    }

    /// Until closed, or failed. A failure is final, and a panic is one: a thread that is just gone
    /// would leave a node that looks well and keeps no history.
    fn run(mut self) {
        let served = catch_unwind(AssertUnwindSafe(|| self.serve()));
        let ended =
            served.unwrap_or_else(|panic| Err(FolderError::panicked("write the history", &*panic)));
        if let Err(error) = &ended {
            let (code, remedy) = (error.code(), error.remedy());
            tracing::error!(code, remedy, "the history failed: {error}");
        }
        self.shared.end(ended);
    }

    fn serve(&mut self) -> Result<(), FolderError> {
        loop {
            let (asked, closing) = self.wait();
            self.write()?;
            self.sync(closing || asked > 0 || self.synced.elapsed() >= SYNC_EVERY)?;
            self.shared.finished(asked);
            if closing {
                return Ok(());
            }
        }
    }

    /// Until there is something to write, to sync, or to end; the newest flush asked for, if any.
    fn wait(&self) -> (u64, bool) {
        let mut state = self.shared.state();
        loop {
            let waited = state.since.map(|since| since.elapsed());
            let ripe = state.pending() >= BLOCK_BYTES || waited >= Some(BLOCK_WITHIN);
            let due = self.unsynced && self.synced.elapsed() >= SYNC_EVERY;
            let asked = if state.asked > state.flushed { state.asked } else { 0 };
            if ripe || due || asked > 0 || state.closing {
                return (asked, state.closing);
            }
            let patience = match (waited, self.unsynced) {
                (Some(waited), _) => BLOCK_WITHIN.saturating_sub(waited),
                (None, true) => SYNC_EVERY.saturating_sub(self.synced.elapsed()),
                (None, false) => Duration::from_secs(3_600),
            };
            state = self.shared.wait_for_work(state, patience);
        }
    }

    /// Everything that was pushed, into the file.
    fn write(&mut self) -> Result<(), FolderError> {
        loop {
            let mut state = self.shared.state();
            state.since = None;
            if state.pending() == 0 {
                return Ok(());
            }
            let (bytes, next) = state.take_blocks().map_err(self.disk("compress"))?;
            drop(state);
            self.put(&bytes, next)?;
            if self.open.as_ref().is_some_and(|(_, length)| *length >= FULL) {
                self.roll()?;
            }
        }
    }

    /// At the end of the newest file, which is created for its first bytes.
    fn put(&mut self, bytes: &[u8], next: LogIndex) -> Result<(), FolderError> {
        if self.open.is_none() {
            self.open = Some((self.create(bytes)?, bytes.len() as u64));
        } else if let Some((file, length)) = &mut self.open {
            let written = file.write_all_at(bytes, *length);
            written.map_err(FolderError::io("write a segment in", &self.shared.folder))?;
            *length += bytes.len() as u64;
        }
        self.unsynced = true;
        let length = self.open.as_ref().map_or(0, |(_, length)| *length);
        self.shared.state().written(next, length);
        Ok(())
    }

    /// A new file. Its name and its first bytes are durable before anything refers to it.
    fn create(&self, bytes: &[u8]) -> Result<File, FolderError> {
        let place = self.shared.state().begun();
        let path = segments::path(&self.shared.folder, place.first);
        let create = || -> io::Result<File> {
            let file = OpenOptions::new().create_new(true).write(true).open(&path)?;
            file.write_all_at(bytes, 0)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = create().map_err(FolderError::io("create", &path))?;
        sealed::sync_dir(&self.shared.folder)?;
        self.shared.state().places.push(place);
        Ok(file)
    }

    /// Seals the newest file, durably; the next one is created with its first frames.
    fn roll(&mut self) -> Result<(), FolderError> {
        let (bytes, header) = self.shared.state().seal().map_err(self.disk("seal"))?;
        if let Some((file, length)) = self.open.take() {
            let sealed = file.write_all_at(&bytes, length).and_then(|()| file.sync_all());
            sealed.map_err(FolderError::io("seal a segment in", &self.shared.folder))?;
            self.shared.state().written(header, length + bytes.len() as u64);
        }
        Ok(())
    }

    /// Names first: a record without the name of its actor must not outlast the log.
    fn sync(&mut self, now: bool) -> Result<(), FolderError> {
        if !self.unsynced || !now {
            return Ok(());
        }
        self.shared.people().sync()?;
        if let Some((file, length)) = &self.open {
            let folder = &self.shared.folder;
            let begun = Instant::now();
            file.sync_data().map_err(FolderError::io("sync a segment in", folder))?;
            self.shared.syncs.observe(begun.elapsed().as_secs_f64());
            let segment = self.shared.state().places.last().map_or(0, |place| place.first.0);
            // Synced as well, at the cost of one more sync every two seconds that nobody waits
            // for: without it a power cut would leave no bound to tell damage by.
            let noted = Bound { segment, length: *length }.write(&self.bound);
            let noted = noted.and_then(|()| self.bound.sync_data());
            noted.map_err(FolderError::io("note the bound of", folder))?;
        }
        (self.unsynced, self.synced) = (false, Instant::now());
        Ok(())
    }

    fn disk(&self, verb: &'static str) -> impl FnOnce(io::Error) -> FolderError + use<> {
        let folder: PathBuf = self.shared.folder.clone();
        move |error| FolderError::disk(format!("{verb} a segment in {}", folder.display()), &error)
    }
}

impl State {
    /// Whole blocks of all that was pushed, and the index behind them.
    fn take_blocks(&mut self) -> io::Result<(Vec<u8>, LogIndex)> {
        let Some(writer) = &mut self.writer else { return Err(io::ErrorKind::NotConnected.into()) };
        let bytes = writer.flush()?;
        let next = writer.next();
        self.pending = 0;
        Ok((bytes, next))
    }

    /// The last bytes of the newest file, and the first index of the next one.
    fn seal(&mut self) -> io::Result<(Vec<u8>, LogIndex)> {
        let Some(writer) = self.writer.take() else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let (bytes, header) = writer.seal()?;
        let next = Writer::create(header)?;
        (self.header, self.writer, self.pending) = (header, Some(next), 0);
        Ok((bytes, header.first))
    }

    /// The place of the file that begins with the writer at hand.
    fn begun(&self) -> Place {
        Place { first: self.header.first, before: self.before() }
    }
}
