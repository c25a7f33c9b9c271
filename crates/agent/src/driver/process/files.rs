//! The files that one channel's command writes: in the order in which they were begun, the last one
//! growing. As soon as a first frame stands in a file, it moves to where material lies, under the
//! name of a growing segment; the command goes on writing into it.
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interrex_core::{BootTime, Epoch, RecorderId, ServerId};

use super::matroska::{Foreign, Frames};
use crate::clock::Stamp;
use crate::driver::keeper::{Closing, Syncing};
use crate::material::{self, name::SegmentName};

/// A file that was set aside ends so.
const ASIDE: &str = "corrupt";
/// Earlier stamps count from the start of something, not from 1970.
const YEAR_2000_MS: u64 = 946_684_800_000;

/// Whose files, and where.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) server: ServerId,
    pub(super) recorder: RecorderId,
    pub(super) epoch: Epoch,
    pub(super) number: u32,
}

impl Place {
    /// Of its command: the working directory.
    pub(super) fn work(&self) -> PathBuf {
        self.tenure().join(material::channel_name(self.number))
    }

    /// Working directories of all channels.
    pub(super) fn tenure(&self) -> PathBuf {
        let recorder = self.root.join(super::FOLDER).join(self.recorder.as_str());
        recorder.join(self.epoch.0.to_string())
    }

    /// Of its segments, from the data folder on.
    pub(super) fn dir(&self) -> PathBuf {
        material::channel_dir(self.recorder, &material::channel_name(self.number))
    }
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    /// Where it lies: with its command until it has a name.
    work: PathBuf,
    name: Option<SegmentName>,
    frames: Frames,
    length: u64,
    /// What of it was given to the keeper to sync.
    synced_ms: Option<u64>,
    lease_end: Option<BootTime>,
    /// A7: something was written past the lease known then, or while nobody looked.
    past_lease: bool,
}

/// All files of one channel that are not closed yet.
#[derive(Debug)]
pub(super) struct Files {
    place: Place,
    open: Vec<Open>,
    distance_ms: Option<u64>,
}

impl Files {
    /// None is known yet.
    pub(super) fn new(place: Place) -> Self {
        Self { place, open: Vec::new(), distance_ms: None }
    }

    /// Takes up what an earlier agent, or its command, left open.
    pub(super) fn take_up(&mut self) -> io::Result<()> {
        for (name, path) in material::growing(&self.place.root.join(self.place.dir()))? {
            if (name.epoch, name.server) == (self.place.epoch, self.place.server) {
                let open = Open { name: Some(name), past_lease: true, ..Open::new(path)? };
                self.open.push(open);
            }
        }
        self.open.sort_by_key(|open| open.name);
        Ok(())
    }

    /// Looks for what was written since the last time. True if something was.
    pub(super) fn look(&mut self, now: Stamp, lease_end: Option<BootTime>) -> io::Result<bool> {
        self.find()?;
        let mut grown = false;
        let mut at = 0;
        while let Some(open) = self.open.get_mut(at) {
            let length = open.file.metadata()?.len();
            if length > open.length {
                (grown, open.length, open.lease_end) = (true, length, lease_end);
                open.past_lease |= lease_end.is_some_and(|end| now.boot >= end);
            }
            let named = match open.frames.read_on(&open.file)? {
                Ok(()) => open.give_name(&self.place)?,
                Err(Foreign) => Err("it is not Matroska"),
            };
            if let Err(why) = named {
                self.set_aside(at, why)?;
                continue;
            }
            let Some(open) = self.open.get(at) else { break };
            self.distance_ms = open.frames.distance_ms().or(self.distance_ms);
            at += 1;
        }
        Ok(grown)
    }

    /// What is followed by another file: nothing more is written into it.
    pub(super) fn full(&mut self) -> Vec<Closing> {
        let mut closings = Vec::new();
        while let [first, next, ..] = self.open.as_slice()
            && let Some((next_ms, _)) = next.frames.range()
        {
            closings.extend(self.closing(first, Some(next_ms)));
            self.open.remove(0);
        }
        closings
    }

    /// The command has ended: nothing more is written into any.
    pub(super) fn all(&mut self) -> Vec<Closing> {
        let mut closings = self.full();
        for open in std::mem::take(&mut self.open) {
            match self.closing(&open, None) {
                Some(closing) => closings.push(closing),
                None => drop(fs::remove_file(&open.work)), // no frame of it ever was whole
            }
        }
        closings
    }

    /// What is not durable yet.
    pub(super) fn unsynced(&mut self) -> Vec<Syncing> {
        let dir = self.place.dir();
        let sync = |open: &mut Open| {
            let (Some(name), Some((_, last_ms))) = (open.name, open.frames.range()) else {
                return None;
            };
            if open.synced_ms == Some(last_ms) {
                return None;
            }
            let fresh = open.synced_ms.is_none().then(|| dir.clone());
            open.synced_ms = Some(last_ms);
            let (file, first_ms) = (Arc::clone(&open.file), name.start_ms);
            Some(Syncing { file, fresh, first_ms, last_ms })
        };
        self.open.iter_mut().filter_map(sync).collect()
    }

    /// The distance of two frames, as last seen.
    pub(super) fn distance_ms(&self) -> Option<u64> {
        self.distance_ms
    }

    /// Files in the working directory that are not known yet, in the order of their names.
    fn find(&mut self) -> io::Result<()> {
        let known =
            |path: &Path| self.open.iter().any(|open| open.name.is_none() && open.work == path);
        let fresh =
            |path: &PathBuf| path.extension().is_none_or(|end| end != ASIDE) && !known(path);
        let found: Vec<_> = material::list(&self.place.work())?.into_iter().filter(fresh).collect();
        for path in found {
            if path.is_file() {
                self.open.push(Open::new(path)?);
            }
        }
        Ok(())
    }

    fn set_aside(&mut self, at: usize, why: &str) -> io::Result<()> {
        let open = self.open.remove(at);
        let aside = open.work.with_extension(ASIDE);
        tracing::error!(path = %aside.display(), %why, "a recorder's file cannot be used; set aside");
        fs::rename(open.work, aside)
    }

    /// Nothing if it has no name, since it holds no frame.
    fn closing(&self, open: &Open, next_ms: Option<u64>) -> Option<Closing> {
        let (name, (_, last_ms)) = (open.name?, open.frames.range()?);
        let distance = open.frames.distance_ms().or(self.distance_ms).unwrap_or(1);
        // Neighbours touch, unless frames are missing between them.
        let touching = next_ms.filter(|next| *next > last_ms && *next <= last_ms + 3 * distance);
        let end_ms = touching.unwrap_or(last_ms + distance).max(name.start_ms + 1);
        let dir = self.place.dir();
        Some(Closing {
            recorder: self.place.recorder,
            epoch: self.place.epoch,
            number: self.place.number,
            file: Arc::clone(&open.file),
            part: dir.join(name.to_string()),
            whole: dir.join(SegmentName { end_ms: Some(end_ms), ..name }.to_string()),
            length: None,
            first_ms: name.start_ms,
            last_ms,
            lease_end: open.lease_end,
            unfenced: open.past_lease || open.lease_end.is_none(),
        })
    }
}

impl Open {
    fn new(work: PathBuf) -> io::Result<Self> {
        Ok(Self {
            file: Arc::new(File::open(&work)?),
            work,
            name: None,
            frames: Frames::new(),
            length: 0,
            synced_ms: None,
            lease_end: None,
            past_lease: false,
        })
    }

    /// Moves to where material lies, once it is known when it begins. Or says why it cannot.
    fn give_name(&mut self, place: &Place) -> io::Result<Result<(), &'static str>> {
        let (None, Some((start_ms, _))) = (self.name, self.frames.range()) else {
            return Ok(Ok(()));
        };
        if start_ms < YEAR_2000_MS {
            return Ok(Err("its time stamps are not Unix time"));
        }
        let (epoch, server) = (place.epoch, place.server);
        let name = SegmentName { start_ms, end_ms: None, epoch, server };
        let dir = place.root.join(place.dir());
        fs::create_dir_all(&dir)?;
        let part = dir.join(name.to_string());
        if part.exists() {
            return Ok(Err("a segment that begins then is there already"));
        }
        fs::rename(&self.work, &part)?;
        (self.name, self.work) = (Some(name), part);
        Ok(Ok(()))
    }
}
