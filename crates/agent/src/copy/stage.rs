//! What was fetched and is not whole yet: `copies/COPY/` in the data folder, a file for each segment
//! that was begun, and the place. Its length is how far a segment is; a power cut may shorten it.
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interrex_core::CopyId;
use interrex_wire::material::{SegmentHash, SegmentKey};

use crate::material;

/// What is read at once to go on with a hash.
const BLOCK: usize = 256 << 10;
/// A segment that grows is made durable each time so many bytes have come.
const SYNC_BYTES: u64 = 16 << 20;
/// Of the disk, this share stays free for what is recorded here: a twentieth, at most a GiB.
const RESERVE: (u64, u64) = (20, 1 << 30);

/// The folder of one copy.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    dir: PathBuf,
}

/// A segment that comes in.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) key: SegmentKey,
    pub(super) path: PathBuf,
    pub(super) length: u64,
    file: Arc<File>,
    hasher: blake3::Hasher,
    synced: u64,
}

impl Stage {
    /// Makes or opens the folder of `copy`.
    pub(super) fn open(root: &Path, copy: CopyId) -> io::Result<Self> {
        let dir = folder(root).join(copy.0.to_string());
        if !dir.exists() {
            fs::create_dir_all(&dir)?;
            File::open(folder(root))?.sync_all()?;
            File::open(root)?.sync_all()?;
        }
        Ok(Self { dir })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// How much is here of a segment.
    pub(super) fn staged(&self, key: &SegmentKey) -> io::Result<u64> {
        match fs::metadata(self.path(key)) {
            Ok(meta) => Ok(meta.len()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(why) => Err(why),
        }
    }

    /// Goes on with a segment behind the first `offset` bytes that are here.
    pub(super) fn part(&self, key: SegmentKey, offset: u64) -> io::Result<Part> {
        let path = self.path(&key);
        let mut options = File::options();
        options.create(true).truncate(false).read(offset > 0).write(true);
        let mut file = options.open(&path)?;
        let mut hasher = blake3::Hasher::new();
        if offset > 0 {
            let mut block = vec![0; BLOCK];
            let mut before = Read::by_ref(&mut file).take(offset);
            loop {
                let read = before.read(&mut block)?;
                if read == 0 {
                    break;
                }
                hasher.update(block.get(..read).unwrap_or_default());
            }
        }
        file.set_len(offset)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Part { key, path, length: offset, file: Arc::new(file), hasher, synced: offset })
    }

    /// What is here of it is worth nothing.
    pub(super) fn discard(&self, key: &SegmentKey) -> io::Result<()> {
        match fs::remove_file(self.path(key)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn path(&self, key: &SegmentKey) -> PathBuf {
        self.dir.join(format!("{}.{}.{}", key.channel, key.kind.name(), key.name))
    }
}

impl Part {
    /// Appends what has come.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_ref().write_all(bytes)?;
        self.hasher.update(bytes);
        self.length += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(())
    }

    /// The file, if enough of it has come since it was last made durable.
    pub(super) fn unsynced(&mut self) -> Option<Arc<File>> {
        let due = self.length >= self.synced + SYNC_BYTES;
        due.then(|| {
            self.synced = self.length;
            Arc::clone(&self.file)
        })
    }

    /// Over all of it.
    pub(super) fn hash(&self) -> SegmentHash {
        *self.hasher.finalize().as_bytes()
    }
}

/// Removes the folders of copies that are not among `open`.
pub(super) fn sweep(root: &Path, open: impl Fn(CopyId) -> bool) -> io::Result<()> {
    for path in material::list(&folder(root))? {
        let copy = path.file_name().and_then(|name| name.to_str()?.parse().ok()).map(CopyId);
        if copy.is_some_and(|copy| !open(copy)) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

/// How many bytes lack on the disk of `root` before `length` more may be taken in.
pub(super) fn lacking(root: &Path, length: u64) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(root)?;
    let (share, most) = RESERVE;
    let reserve = (disk.f_blocks.saturating_mul(disk.f_frsize) / share).min(most);
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok(reserve.saturating_add(length).saturating_sub(free))
}

fn folder(root: &Path) -> PathBuf {
    root.join("copies")
}

#[cfg(test)]
mod tests {
    use super::*;
    use interrex_core::fleet::MaterialKind;

    #[test]
    fn a_segment_goes_on_where_it_was_and_its_hash_is_over_all_of_it() {
        let temp = tempfile::tempdir().unwrap();
        let stage = Stage::open(temp.path(), CopyId(7)).unwrap();
        let key = SegmentKey {
            channel: "ch-1".parse().unwrap(),
            name: "1-2-3-srv-1.seg".parse().unwrap(),
            kind: MaterialKind::Video,
        };
        assert_eq!(stage.staged(&key).unwrap(), 0);
        let mut part = stage.part(key, 0).unwrap();
        part.write(b"one, two").unwrap();
        drop(part);
        assert_eq!(stage.staged(&key).unwrap(), 8);
        let mut part = stage.part(key, 5).unwrap();
        part.write(b"three").unwrap();
        assert_eq!((part.length, part.hash()), (10, *blake3::hash(b"one, three").as_bytes()));
        assert_eq!(fs::read(&part.path).unwrap(), b"one, three");
        stage.discard(&key).unwrap();
        stage.discard(&key).unwrap();
        assert_eq!(stage.staged(&key).unwrap(), 0);
        Stage::open(temp.path(), CopyId(8)).unwrap();
        sweep(temp.path(), |copy| copy == CopyId(8)).unwrap();
        let left = material::list(&folder(temp.path())).unwrap();
        assert_eq!(left, [folder(temp.path()).join("8")]);
    }

    #[test]
    fn room_is_what_is_free_beyond_the_reserve() {
        let here = Path::new("/");
        assert!(lacking(here, u64::MAX / 2).unwrap() > u64::MAX / 4);
    }
}
