//! One channel of the synthetic recorder: the segment that grows, and how far it is durable.
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use interrex_core::agent::Wish;
use interrex_core::{BootTime, ServerId};

use super::super::TICK_MS;
use super::super::keeper::{Closing, Syncing};
use crate::clock::Stamp;
use crate::material::{self, name::SegmentName};

/// Length of a segment; they begin on the grid of it (CONTRACT).
const SEGMENT_MS: u64 = 10_000;
/// A channel that failed is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);
/// A wall clock that goes back by more than this was set, not slewed: a new segment begins.
const JUMP_MS: u64 = 1_000;
/// A channel records if its last durable tick was made durable within this time.
const ALIVE: Duration = Duration::from_millis(1_500);

/// A segment that grows.
#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    name: SegmentName,
    /// Of its whole lines.
    length: u64,
    last_ms: u64,
    /// What of it was given to the keeper to sync.
    synced_ms: Option<u64>,
    lease_end: Option<BootTime>,
    /// A7: some line was written past the lease that was known then.
    past_lease: bool,
}

/// One channel in one tenure.
#[derive(Debug)]
pub(in crate::driver) struct Channel {
    number: u32,
    /// From the data folder on.
    dir: PathBuf,
    segment: Option<Segment>,
    last_ms: Option<u64>,
    retry: Option<BootTime>,
    /// First and last durable tick of the tenure.
    first_ms: Option<u64>,
    durable_ms: Option<u64>,
    durable_at: BootTime,
}

/// Where a channel writes, for whom.
#[derive(Clone, Copy, Debug)]
pub(in crate::driver) struct Place<'a> {
    pub(in crate::driver) root: &'a Path,
    pub(in crate::driver) server: ServerId,
    pub(in crate::driver) wish: &'a Wish,
}

impl Channel {
    pub(in crate::driver) fn new(number: u32, place: Place<'_>) -> Self {
        let dir = material::channel_dir(place.wish.recorder, &material::channel_name(number));
        // A tenure that an earlier process began, began then.
        let first_ms = material::first_ms(&place.root.join(&dir), place.wish.epoch, place.server);
        Self {
            number,
            dir,
            segment: None,
            last_ms: None,
            retry: None,
            first_ms,
            durable_ms: None,
            durable_at: BootTime::default(),
        }
    }

    pub(in crate::driver) fn name(&self) -> String {
        material::channel_name(self.number)
    }

    pub(in crate::driver) fn number(&self) -> u32 {
        self.number
    }

    /// Writes the tick of this moment, unless it stands already. Ticks that were missed are never
    /// made up: nothing was recorded then. Returns what is to be closed, if a segment is full.
    pub(in crate::driver) fn tick(&mut self, now: Stamp, place: Place<'_>) -> Ticked {
        let ms = now.wall_ms() / TICK_MS * TICK_MS;
        let back = self.last_ms.is_some_and(|last| ms + JUMP_MS < last);
        if !back && self.last_ms.is_some_and(|last| ms <= last) {
            return Ticked::default();
        }
        if self.retry.is_some_and(|retry| now.boot < retry) {
            return Ticked::default();
        }
        let full =
            |segment: &Segment| back || ms / SEGMENT_MS != segment.name.start_ms / SEGMENT_MS;
        let closing =
            if self.segment.as_ref().is_some_and(full) { self.close(place) } else { None };
        let written = self.write(ms, now.boot, place);
        let (error, was) = (written.err(), self.retry.take());
        if error.is_some() {
            self.retry = Some(BootTime(now.boot.0 + RETRY));
            let broken = self.close(place);
            let closing = closing.into_iter().chain(broken).collect();
            return Ticked { closing, error: error.filter(|_| was.is_none()), ..Ticked::default() };
        }
        self.last_ms = Some(ms);
        Ticked { closing: closing.into_iter().collect(), error: None, mended: was.is_some() }
    }

    /// Ends the segment that grows, if one does.
    pub(in crate::driver) fn close(&mut self, place: Place<'_>) -> Option<Closing> {
        let segment = self.segment.take()?;
        let end_ms = Some(segment.last_ms + TICK_MS);
        Some(Closing {
            recorder: place.wish.recorder,
            epoch: place.wish.epoch,
            number: self.number,
            file: segment.file,
            part: self.dir.join(segment.name.to_string()),
            whole: self.dir.join(SegmentName { end_ms, ..segment.name }.to_string()),
            length: Some(segment.length),
            first_ms: segment.name.start_ms,
            last_ms: segment.last_ms,
            lease_end: segment.lease_end,
            unfenced: segment.past_lease || segment.lease_end.is_none(),
        })
    }

    /// What is not durable yet.
    pub(in crate::driver) fn unsynced(&mut self) -> Option<Syncing> {
        let segment = self.segment.as_mut()?;
        let fresh = segment.synced_ms.is_none().then(|| self.dir.clone());
        if segment.length == 0 || segment.synced_ms == Some(segment.last_ms) {
            return None;
        }
        segment.synced_ms = Some(segment.last_ms);
        Some(Syncing {
            file: Arc::clone(&segment.file),
            fresh,
            first_ms: segment.name.start_ms,
            last_ms: segment.last_ms,
        })
    }

    /// The keeper says that all up to `last_ms` is durable.
    pub(in crate::driver) fn durable(&mut self, first_ms: u64, last_ms: u64, now: BootTime) {
        self.first_ms.get_or_insert(first_ms);
        self.durable_ms = Some(last_ms);
        self.durable_at = now;
    }

    /// The keeper could not make it durable: another segment is tried after a while.
    pub(in crate::driver) fn lost(&mut self, place: Place<'_>, now: BootTime) -> Option<Closing> {
        self.retry = Some(BootTime(now.0 + RETRY));
        self.close(place)
    }

    pub(in crate::driver) fn is_failing(&self) -> bool {
        self.retry.is_some()
    }

    pub(in crate::driver) fn is_tried(&self) -> bool {
        self.last_ms.is_some() || self.retry.is_some()
    }

    /// Health is the age of the last durable write, nothing else.
    pub(in crate::driver) fn is_recording(&self, now: BootTime) -> bool {
        !self.is_failing()
            && self.durable_ms.is_some()
            && now.0.saturating_sub(self.durable_at.0) < ALIVE
    }

    pub(in crate::driver) fn first_ms(&self) -> Option<u64> {
        self.first_ms
    }

    pub(in crate::driver) fn durable_ms(&self) -> Option<u64> {
        self.durable_ms
    }

    fn write(&mut self, ms: u64, boot: BootTime, place: Place<'_>) -> io::Result<()> {
        let segment = match self.segment.take() {
            Some(segment) => segment,
            None => begin(&self.dir, ms, place)?,
        };
        let segment = self.segment.insert(segment);
        let line = format!("{ms} {}\n", ms / TICK_MS);
        segment.file.as_ref().write_all(line.as_bytes()).inspect_err(|_| {
            // Half a line may stand; the keeper cuts to `length` when it closes.
            tracing::debug!(length = segment.length, "half a line may be written");
        })?;
        segment.length += u64::try_from(line.len()).unwrap_or_default();
        segment.last_ms = ms;
        segment.lease_end = place.wish.lease_end;
        segment.past_lease |= segment.lease_end.is_some_and(|end| boot >= end);
        Ok(())
    }
}

/// What came of one tick.
#[derive(Debug, Default)]
pub(in crate::driver) struct Ticked {
    pub(in crate::driver) closing: Vec<Closing>,
    /// It fails now, and did not before.
    pub(in crate::driver) error: Option<io::Error>,
    /// It failed before, and does no longer.
    pub(in crate::driver) mended: bool,
}

fn begin(dir: &Path, ms: u64, place: Place<'_>) -> io::Result<Segment> {
    let whole = place.root.join(dir);
    fs::create_dir_all(&whole)?;
    let (epoch, server) = (place.wish.epoch, place.server);
    let name = SegmentName { start_ms: ms, end_ms: None, epoch, server };
    let file = File::options().create_new(true).append(true).open(whole.join(name.to_string()))?;
    Ok(Segment {
        file: Arc::new(file),
        name,
        length: 0,
        last_ms: ms,
        synced_ms: None,
        lease_end: place.wish.lease_end,
        past_lease: false,
    })
}
