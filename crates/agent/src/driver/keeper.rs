//! The thread that waits for the disk, so that the one that records never does: syncs what grows,
//! closes what is full, writes the journal, and looks up where tenures end. In order, one by one.
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use interrex_core::{BootTime, Epoch, RecorderId, ServerId};

use super::Answer;
use crate::clock::Clock;
use crate::folder::hex;
use crate::journal::{Entry, Event, Journal};
use crate::material;

/// A channel of a tenure.
pub(super) type Key = (RecorderId, Epoch, u32);

/// What a recorder gives to the keeper. As many as there are channels in the time of a segment, and
/// one batch of syncs at a time.
pub(super) enum Job {
    Sync(Vec<(Key, Syncing)>),
    Close(Closing),
    Note(Entry),
    FindEnds(Vec<(RecorderId, Epoch)>, Answer),
}

/// A segment that grows.
#[derive(Debug)]
pub(super) struct Syncing {
    pub(super) file: Arc<File>,
    /// Its folder, if its name is not durable yet.
    pub(super) fresh: Option<PathBuf>,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
}

/// A segment that is full, or whose tenure is over. Paths are from the data folder on.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) recorder: RecorderId,
    pub(super) epoch: Epoch,
    pub(super) number: u32,
    pub(super) file: Arc<File>,
    pub(super) part: PathBuf,
    pub(super) whole: PathBuf,
    /// Where it is cut off; nothing: all that stands in it.
    pub(super) length: Option<u64>,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    pub(super) lease_end: Option<BootTime>,
    pub(super) unfenced: bool,
}

/// What the keeper tells the recorder.
#[derive(Debug)]
pub(super) enum Kept {
    /// All of it, in this channel, up to there.
    Durable { key: Key, first_ms: u64, last_ms: u64 },
    /// It could not be synced.
    Lost { key: Key },
    /// The batch of syncs is done.
    Synced,
}

/// The keeper's whole world.
pub(super) struct Keeper {
    pub(super) root: PathBuf,
    pub(super) server: ServerId,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Clock,
    /// From the last time stamp of a segment to its end; 0 if that differs.
    pub(super) tick_ms: u64,
}

impl Keeper {
    /// Works until the recorder is gone and all its jobs are done.
    pub(super) fn work(&self, jobs: &Receiver<Job>, kept: &Sender<Kept>) {
        // Nobody to tell means that the recorder is stopping: the jobs are done all the same.
        let tell = |word| drop(kept.send(word));
        for job in jobs {
            match job {
                Job::Sync(batch) => {
                    self.sync(batch, tell);
                    tell(Kept::Synced);
                }
                Job::Close(closing) => self.close(&closing, tell),
                Job::Note(entry) => self.journal.write(&entry),
                Job::FindEnds(tenures, answer) => answer(self.ends(tenures)),
            }
        }
    }

    fn sync(&self, batch: Vec<(Key, Syncing)>, tell: impl Fn(Kept)) {
        let mut folders = BTreeSet::new();
        for (_, syncing) in &batch {
            let fresh = syncing.fresh.iter().flat_map(|dir| dir.ancestors());
            folders.extend(fresh.map(|dir| self.root.join(dir)));
        }
        let named = folders.iter().rev().try_for_each(|dir| File::open(dir)?.sync_all());
        for (key, syncing) in batch {
            let named = match &named {
                Err(why) if syncing.fresh.is_some() => Err(io::Error::from(why.kind())),
                Ok(()) | Err(_) => Ok(()),
            };
            match named.and_then(|()| syncing.file.sync_data()) {
                Ok(()) => {
                    let Syncing { first_ms, last_ms, .. } = syncing;
                    tell(Kept::Durable { key, first_ms, last_ms });
                }
                Err(why) => {
                    let (recorder, channel) = (key.0, material::channel_name(key.2));
                    tracing::error!(%recorder, %channel, error = %why, "cannot make material durable");
                    tell(Kept::Lost { key });
                }
            }
        }
    }

    /// Gives a segment its last name. If that fails it keeps the name of a growing one, and is
    /// closed at the next start.
    fn close(&self, closing: &Closing, tell: impl Fn(Kept)) {
        let (recorder, epoch) = (closing.recorder, closing.epoch);
        let channel = material::channel_name(closing.number);
        match self.finish(closing) {
            Ok(Some(hash)) => {
                let key = (recorder, epoch, closing.number);
                let (first_ms, last_ms) = (closing.first_ms, closing.last_ms);
                tell(Kept::Durable { key, first_ms, last_ms });
                self.journal.write(&Entry {
                    at: (self.clock)(),
                    recorder,
                    epoch,
                    event: Event::Segment,
                    channel: Some(channel),
                    file: Some(closing.whole.to_string_lossy().into_owned()),
                    blake3: Some(hash),
                    lease_end: closing.lease_end,
                    unfenced: Some(closing.unfenced),
                });
            }
            Ok(None) => {}
            Err(why) => {
                let file = closing.part.display();
                tracing::error!(%recorder, %channel, %file, error = %why, "cannot close a segment");
            }
        }
    }

    /// The hash of what stands in it; nothing if nothing does.
    fn finish(&self, closing: &Closing) -> io::Result<Option<String>> {
        let (part, whole) = (self.root.join(&closing.part), self.root.join(&closing.whole));
        if closing.length == Some(0) {
            fs::remove_file(part)?;
            return Ok(None);
        }
        if let Some(length) = closing.length {
            closing.file.set_len(length)?;
        }
        closing.file.sync_all()?;
        let hash = blake3::Hasher::new().update_reader(File::open(&part)?)?.finalize();
        if whole.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&part, &whole)?;
        File::open(whole.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(Some(hex(hash.as_bytes())))
    }

    /// All closings that came before are done, so what is whole is all there is.
    fn ends(&self, tenures: Vec<(RecorderId, Epoch)>) -> Vec<interrex_core::EndedTenure> {
        let end = |tenure| match material::ended(&self.root, self.server, tenure, self.tick_ms) {
            Ok(end) => Some(end),
            Err(why) => {
                tracing::error!(recorder = %tenure.0, error = %why, "cannot look for material");
                None
            }
        };
        tenures.into_iter().filter_map(end).collect()
    }
}
