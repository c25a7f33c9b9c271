//! The log's bytes on disk, by sled; no other file names it. sled's `flush` does not reach the
//! disk by itself, takes damage for a torn tail, and panics on what it did not expect: RAFT.md
//! section 1 says how each of these is met, here and in `open`.
//!
//! One tree. Key 0 holds [`Meta`]; keys (1, index, part) hold entries in parts of at most 4 KiB,
//! because sled puts larger pages into files that nobody syncs. Every value begins with a CRC
//! over its key and the rest of it. Each batch holds the new meta record, so that log, vote and
//! their number are of one moment.
use std::fs::{self, File};
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bincode::{Decode, Encode};
use prometheus_client::metrics::histogram::Histogram;

use super::records::{self, EntryRecord, LogIdRecord, VoteRecord};
use super::rouser::Rouser;
use super::types::RaftEntry;
use crate::folder::FolderError;
use crate::metrics;

/// Largest value that sled is given, in bytes, CRC included.
pub(super) const PART_MAX: usize = 4_096;
/// Bytes that sled may keep in memory. Its default is a gigabyte.
const CACHE: u64 = 64 << 20;
const META_KEY: [u8; 1] = [0];
const ENTRY_MARK: u8 = 1;
const KEY_LENGTH: usize = 13;

/// What is known beside the entries. Frozen, like every record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Meta {
    /// Number of the batch that wrote this; counts from 1.
    pub(super) batch: u64,
    pub(super) vote: Option<VoteRecord>,
    /// May lag behind what is committed.
    pub(super) committed: Option<LogIdRecord>,
    /// Everything up to it is gone.
    pub(super) purged: Option<LogIdRecord>,
    /// The last entry, purged or not.
    pub(super) last: Option<LogIdRecord>,
}

/// The open database.
#[derive(Debug)]
pub(super) struct Disk {
    db: Database,
    /// Opened by us, once: what `fdatasync` is called on.
    file: File,
    bound: File,
    path: PathBuf,
    rouser: Rouser,
    /// How long it took to make a batch durable.
    pub(super) syncs: Histogram,
}

/// sled, which writes when it is dropped, and panics or sleeps for ever where the disk is gone. So
/// it is only dropped once it was closed in good order; any other is left to the kernel, which
/// closes the files when the process ends.
#[derive(Debug)]
struct Database {
    sled: sled::Db,
    closed: AtomicBool,
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Acquire) {
            let _kept = ManuallyDrop::new(self.sled.clone());
        }
    }
}

/// Writes that become visible, and durable, together.
#[derive(Debug, Default)]
pub(super) struct Batch(sled::Batch);

impl Disk {
    /// Opens or creates the database in `path`. May panic on damage: call it guarded.
    pub(super) fn open(path: &Path, bound: File) -> Result<Self, FolderError> {
        remove_unfinished(path)?;
        let config = sled::Config::new().path(path).cache_capacity(CACHE).flush_every_ms(None);
        let sled = config.open().map_err(|error| lift(path, error))?;
        let poked = sled.clone();
        let db = Database { sled, closed: AtomicBool::new(false) };
        let file = File::open(path.join("db")).map_err(FolderError::io("open", path))?;
        let rouser = Rouser::start(Arc::new(move || drop(poked.flush())));
        let rouser = rouser.map_err(|error| FolderError::disk("start a thread", &error))?;
        Ok(Self { db, file, bound, path: path.to_path_buf(), rouser, syncs: metrics::syncs() })
    }

    /// The meta record; none in a new database.
    pub(super) fn meta(&self) -> Result<Option<Meta>, FolderError> {
        let value = self.rouser.call(|| self.db.sled.get(META_KEY));
        let value = value.map_err(|error| lift(&self.path, error))?;
        let Some(value) = value else { return Ok(None) };
        let body = self.checked(&META_KEY, &value)?;
        records::decode(body).map(Some).map_err(|error| self.corrupt(error))
    }

    /// Every entry from `first` to `last`, in order and without a hole; stops at the first that
    /// `visit` refuses.
    pub(super) fn scan(
        &self,
        (first, last): (u64, u64),
        visit: &mut dyn FnMut(RaftEntry, usize) -> bool,
    ) -> Result<(), FolderError> {
        let mut parts = self.db.sled.range(key(first, 0)..=key(last, u32::MAX));
        for index in first..=last {
            let bytes = self.gather(index, &mut parts)?;
            let record: EntryRecord =
                records::decode(&bytes).map_err(|error| self.corrupt(error))?;
            if record.id.index != index {
                return Err(self.corrupt(format!("entry {index} calls itself {:?}", record.id)));
            }
            let entry = record.entry().map_err(|error| self.corrupt(error))?;
            if !visit(entry, bytes.len()) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The parts of one entry, put together. The first begins with the whole length.
    fn gather(&self, index: u64, parts: &mut sled::Iter) -> Result<Vec<u8>, FolderError> {
        let (mut bytes, mut length) = (Vec::new(), 4);
        for part in 0.. {
            let found = self
                .rouser
                .call(|| parts.next())
                .transpose()
                .map_err(|error| lift(&self.path, error))?;
            let Some((at, value)) = found.filter(|(at, _)| at[..] == key(index, part)) else {
                return Err(self.corrupt(format!("part {part} of entry {index} is missing")));
            };
            bytes.extend_from_slice(self.checked(&at, &value)?);
            if let (0, Some(head)) = (part, bytes.first_chunk::<4>()) {
                length = 4_usize.saturating_add(u32::from_le_bytes(*head) as usize);
            }
            if bytes.len() >= length {
                break;
            }
        }
        match bytes.len() == length {
            true => Ok(bytes.split_off(4)),
            false => Err(self.corrupt(format!("entry {index} has the wrong length"))),
        }
    }

    /// True if something stands behind the last entry, or before the first.
    pub(super) fn strays(&self, (first, next): (u64, u64)) -> bool {
        let entries = &[ENTRY_MARK][..];
        let before = self.rouser.call(|| self.db.sled.range(entries..&key(first, 0)[..]).next());
        let behind = self.rouser.call(|| self.db.sled.range(key(next, 0)..).next());
        before.is_some() || behind.is_some()
    }

    /// Marks the keys of the entries from `first` to `last` for removal.
    pub(super) fn remove(
        &self,
        (first, last): (u64, u64),
        batch: &mut Batch,
    ) -> Result<(), FolderError> {
        let mut keys = self.db.sled.range(key(first, 0)..=key(last, u32::MAX)).keys();
        while let Some(found) = self.rouser.call(|| keys.next()) {
            batch.0.remove(found.map_err(|error| lift(&self.path, error))?);
        }
        Ok(())
    }

    /// Hands a batch to sled: whole or not at all, behind all earlier ones. Not durable yet.
    pub(super) fn apply(&self, mut batch: Batch, meta: &Meta) -> Result<(), FolderError> {
        let body = records::encode(meta).map_err(|error| self.corrupt(error))?;
        batch.put(&META_KEY, &body);
        let applied = self.rouser.call(|| self.db.sled.apply_batch(batch.0));
        applied.map_err(|error| lift(&self.path, error))
    }

    /// The only way to make it durable: sled's `flush` writes to the file, `fdatasync` reaches the
    /// disk. An error is final: the kernel may have dropped the pages.
    pub(super) fn sync(&self, batch: u64) -> Result<(), FolderError> {
        let begun = Instant::now();
        let flushed = self.rouser.call(|| self.db.sled.flush());
        flushed.map_err(|error| lift(&self.path, error))?;
        self.file.sync_data().map_err(FolderError::io("sync", &self.path))?;
        self.syncs.observe(begun.elapsed().as_secs_f64());
        // A lower bound, so it needs no sync of its own.
        let noted = self.bound.write_all_at(&bound_bytes(batch), 0);
        noted.map_err(FolderError::io("write the bound of", &self.path))
    }

    /// Makes the bound durable too: at open, and now and then while nothing waits. From then on
    /// even a power cut, which may take back what was never synced, leaves a bound by which
    /// damage before it is told from a torn tail.
    pub(super) fn sync_bound(&self) -> Result<(), FolderError> {
        self.bound.sync_data().map_err(FolderError::io("sync the bound of", &self.path))
    }

    /// Also the names: once, after creation, and in the end.
    pub(super) fn sync_names(&self) -> Result<(), FolderError> {
        let sync = |name: &str| File::open(self.path.join(name))?.sync_all();
        sync("conf").and_then(|()| sync("db")).map_err(FolderError::io("sync", &self.path))?;
        self.bound.sync_all().map_err(FolderError::io("sync the bound of", &self.path))?;
        crate::folder::sealed::sync_dir(&self.path)?;
        self.path.parent().map_or(Ok(()), crate::folder::sealed::sync_dir)
    }

    /// The end: only now may the database be dropped.
    pub(super) fn close(&self) -> Result<(), FolderError> {
        self.sync_names()?;
        self.db.closed.store(true, Ordering::Release);
        Ok(())
    }

    /// Why nobody may wait for this database any longer, if a call of it does not end.
    pub(super) fn stuck(&self) -> Option<FolderError> {
        self.rouser.is_stuck().then(|| {
            let what = format!("use the log in {}", self.path.display());
            FolderError::disk(what, &std::io::ErrorKind::TimedOut.into())
        })
    }

    fn checked<'v>(&self, key: &[u8], value: &'v [u8]) -> Result<&'v [u8], FolderError> {
        let (sum, body) = value.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        match u32::from_le_bytes(*sum) == crc(key, body) {
            true => Ok(body),
            false => Err(self.corrupt(format!("the value of key {key:02x?} fails its checksum"))),
        }
    }

    /// Damage in this database.
    pub(super) fn corrupt(&self, detail: impl std::fmt::Display) -> FolderError {
        FolderError::corrupt(format!("the log in {}", self.path.display()), detail)
    }
}

impl Batch {
    /// Adds an entry, in parts; its size in bytes.
    pub(super) fn entry(&mut self, entry: &RaftEntry) -> Result<usize, FolderError> {
        let index = entry.log_id.index;
        let record = records::encode(&EntryRecord::from(entry));
        let record = record.map_err(|error| FolderError::Disk {
            what: format!("encode entry {index}"),
            detail: error.to_string(),
            full: false,
        })?;
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
        let bytes = [&length[..], &record].concat();
        for (part, chunk) in (0..).zip(bytes.chunks(PART_MAX - 4)) {
            self.put(&key(index, part), chunk);
        }
        Ok(record.len())
    }

    fn put(&mut self, key: &[u8], body: &[u8]) {
        let mut value = Vec::with_capacity(4 + body.len());
        value.extend_from_slice(&crc(key, body).to_le_bytes());
        value.extend_from_slice(body);
        self.0.insert(key, value);
    }
}

/// The number of the last batch that was surely durable; 0 if nothing usable was noted.
pub(super) fn read_bound(file: &File) -> u64 {
    let mut bytes = [0; 12];
    let read = file.read_exact_at(&mut bytes, 0);
    let batch = u64::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default());
    if read.is_ok() && bytes == bound_bytes(batch) { batch } else { 0 }
}

fn bound_bytes(batch: u64) -> [u8; 12] {
    let (mut bytes, number) = ([0; 12], batch.to_le_bytes());
    let sum = crc(b"bound", &number).to_le_bytes();
    bytes.iter_mut().zip(number.into_iter().chain(sum)).for_each(|(to, from)| *to = from);
    bytes
}

/// sled keeps a summary of its file in `snap.N`, written at each start as `snap.N.generating`. What
/// a power cut leaves of the latter it takes for the newest summary, and calls damaged. It is only
/// there to save time.
fn remove_unfinished(path: &Path) -> Result<(), FolderError> {
    for found in fs::read_dir(path).map_err(FolderError::io("list", path))? {
        let file = found.map_err(FolderError::io("list", path))?.path();
        if file.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(&file).map_err(FolderError::io("remove", &file))?;
        }
    }
    Ok(())
}

fn key(index: u64, part: u32) -> [u8; KEY_LENGTH] {
    let mut key = [ENTRY_MARK; KEY_LENGTH];
    let tail = index.to_be_bytes().into_iter().chain(part.to_be_bytes());
    key.iter_mut().skip(1).zip(tail).for_each(|(to, from)| *to = from);
    key
}

fn crc(key: &[u8], body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(key);
    sum.update(body);
    sum.finalize()
}

/// sled's errors: those of the system as such, the rest as damage.
fn lift(path: &Path, error: sled::Error) -> FolderError {
    match error {
        sled::Error::Io(error) => FolderError::io("use the log in", path)(error),
        sled::Error::Corruption { .. }
        | sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_) => {
            FolderError::corrupt(format!("the log in {}", path.display()), error)
        }
    }
}
