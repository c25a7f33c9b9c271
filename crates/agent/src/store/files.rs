//! The store of the drivers that record into `material/`: a segment is a file, its name says what
//! it holds, and its hash stands in the journal. Copied files keep their names.
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use interrex_core::RecorderId;
use interrex_core::fleet::MaterialKind;
use interrex_core::name::Name;
use interrex_wire::material::{Listed, SegmentHash, SegmentKey, SegmentName, Totals};

use super::{Fetched, Held, Listing, Store, StoreError, Tenure, hashes, sync};
use crate::material;

/// Segments of which times and hashes are kept at once, so that memory stays flat whatever a tenure
/// holds: a channel with more of them is looked through several times.
const WINDOW: usize = 64 << 10;
/// From a channel's folder up to the data folder: RECORDER/CHANNEL below `material`.
const DEPTH: usize = 4;
/// What is read at once to compute a hash.
const BLOCK: usize = 256 << 10;

/// Material below the data folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    /// The material of the data folder `root`.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn path(&self, recorder: RecorderId, key: &SegmentKey) -> PathBuf {
        let dir = self.root.join(material::channel_dir(recorder, key.channel.as_str()));
        dir.join(key.name.to_string())
    }

    /// The channels of a recorder, in order.
    fn channels(&self, recorder: RecorderId) -> io::Result<Vec<Name>> {
        let dir = self.root.join("material").join(recorder.as_str());
        let paths = material::list(&dir)?.into_iter().filter(|path| path.is_dir());
        Ok(paths.filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect())
    }

    /// Calls `each` with every segment of `tenure` in one channel, whole or growing.
    fn each(
        &self,
        tenure: &Tenure,
        channel: Name,
        mut each: impl FnMut(SegmentName, &fs::DirEntry) -> io::Result<()>,
    ) -> io::Result<()> {
        let dir = material::channel_dir(tenure.recorder, channel.as_str());
        for entry in fs::read_dir(self.root.join(dir))? {
            let entry = entry?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(name) = name else { continue };
            let name: SegmentName = name;
            if (name.epoch, name.server) == (tenure.epoch, tenure.server) {
                each(name, &entry)?;
            }
        }
        Ok(())
    }

    /// A tenure is listed when nothing of it grows any more.
    fn check_closed(&self, tenure: &Tenure) -> Result<Vec<Name>, StoreError> {
        let channels = self.channels(tenure.recorder).map_err(|why| failed(tenure, &why))?;
        for channel in &channels {
            let mut grows = None;
            let look = |name: SegmentName, _: &fs::DirEntry| {
                grows = grows.or(name.end_ms.is_none().then_some(name));
                Ok(())
            };
            self.each(tenure, *channel, look).map_err(|why| failed(tenure, &why))?;
            if let Some(name) = grows {
                return Err(StoreError::Busy(format!("{}/{channel}/{name}", tenure.recorder)));
            }
        }
        Ok(channels)
    }
}

impl Store for Files {
    fn list(&self, tenure: &Tenure, after: Option<&SegmentKey>) -> Result<Listing, StoreError> {
        let mut channels = VecDeque::from(self.check_closed(tenure)?);
        if let Some(after) = after {
            channels.retain(|channel| *channel >= after.channel);
        }
        Ok(Box::new(Walk {
            files: self.clone(),
            tenure: *tenure,
            channels,
            behind: after.map(|key| (key.channel, times(&key.name))),
            window: VecDeque::new(),
            of: None,
        }))
    }

    fn totals(&self, tenure: &Tenure) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        for channel in self.check_closed(tenure)? {
            let add = |_: SegmentName, entry: &fs::DirEntry| {
                totals.segments += 1;
                totals.bytes += entry.metadata()?.len();
                Ok(())
            };
            self.each(tenure, channel, add).map_err(|why| failed(tenure, &why))?;
        }
        Ok(totals)
    }

    fn read(
        &self,
        recorder: RecorderId,
        key: &SegmentKey,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, StoreError> {
        let path = self.path(recorder, key);
        let open = || {
            let mut file = File::open(&path)?;
            if offset > 0 {
                file.seek(SeekFrom::Start(offset))?;
            }
            Ok(file)
        };
        let file = open().map_err(|why: io::Error| {
            if why.kind() == io::ErrorKind::NotFound {
                return StoreError::Missing(path.display().to_string());
            }
            StoreError::Broken(format!("{}: {why}", path.display()))
        })?;
        Ok(Box::new(file))
    }

    fn held(&self, recorder: RecorderId, key: &SegmentKey) -> Result<Option<Held>, StoreError> {
        let path = self.path(recorder, key);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(StoreError::disk(path.display(), &why)),
        };
        let (length, blake3) =
            hash(file).map_err(|why| StoreError::Failed(format!("{}: {why}", path.display())))?;
        Ok(Some(Held { length, blake3 }))
    }

    fn take_in(&self, recorder: RecorderId, fetched: &[Fetched]) -> Result<(), StoreError> {
        let failed = |why: &io::Error| StoreError::disk("fetched segments", why);
        // One that is not there any more was taken in by the try before this one.
        let left: Vec<&Fetched> = fetched.iter().filter(|one| one.path.exists()).collect();
        sync::files(left.iter().map(|one| one.path.as_path())).map_err(|why| failed(&why))?;
        let mut folders = BTreeSet::new();
        for one in left {
            let path = self.path(recorder, &one.key);
            let dir = path.parent().unwrap_or(Path::new("."));
            if !folders.contains(dir) {
                let above = if dir.exists() { 1 } else { DEPTH };
                fs::create_dir_all(dir).map_err(|why| failed(&why))?;
                folders.extend(dir.ancestors().take(above).map(Path::to_owned));
            }
            fs::rename(&one.path, &path).map_err(|why| failed(&why))?;
        }
        sync::folders(folders.into_iter().rev()).map_err(|why| failed(&why))
    }

    fn erase(&self, tenure: &Tenure) -> Result<u64, StoreError> {
        let mut erased = 0;
        for channel in self.channels(tenure.recorder).map_err(|why| failed(tenure, &why))? {
            let dir = self.root.join(material::channel_dir(tenure.recorder, channel.as_str()));
            let mut any = false;
            let remove = |_: SegmentName, entry: &fs::DirEntry| {
                fs::remove_file(entry.path())?;
                erased += 1;
                any = true;
                Ok(())
            };
            let removed = self.each(tenure, channel, remove);
            let removed = removed.and_then(|()| if any { sync::folders([dir]) } else { Ok(()) });
            removed.map_err(|why| failed(tenure, &why))?;
        }
        Ok(erased)
    }
}

/// Goes through a tenure window by window.
struct Walk {
    files: Files,
    tenure: Tenure,
    /// Those that are not walked to their end; the first is next.
    channels: VecDeque<Name>,
    /// The last that came into a window, or that was asked to be passed.
    behind: Option<(Name, Times)>,
    /// What comes next, all of one channel.
    window: VecDeque<(Times, Option<SegmentHash>)>,
    /// Of what is in the window.
    of: Option<Name>,
}

impl Walk {
    /// The next of the first channel that has any left.
    fn fill(&mut self) -> io::Result<()> {
        while self.window.is_empty() {
            let Some(channel) = self.channels.front().copied() else { return Ok(()) };
            let behind = self.behind.filter(|(of, _)| *of == channel).map(|(_, times)| times);
            let mut smallest = BinaryHeap::new();
            self.files.each(&self.tenure, channel, |name, _| {
                let times = times(&name);
                if name.end_ms.is_some() && Some(times) > behind {
                    smallest.push(times);
                    if smallest.len() > WINDOW {
                        smallest.pop();
                    }
                }
                Ok(())
            })?;
            if smallest.len() < WINDOW {
                self.channels.pop_front();
            }
            let wanted = smallest.into_sorted_vec();
            let Some(last) = wanted.last() else { continue };
            self.behind = Some((channel, *last));
            let hashes = hashes::recorded(&self.files.root, &self.tenure, channel, &wanted)?;
            self.window = wanted.iter().map(|one| (*one, hashes.get(one).copied())).collect();
            self.of = Some(channel);
        }
        Ok(())
    }

    fn listed(
        &self,
        channel: Name,
        (start_ms, end_ms): Times,
        blake3: Option<SegmentHash>,
    ) -> io::Result<Listed> {
        let Tenure { recorder, epoch, server } = self.tenure;
        let name = SegmentName { start_ms, end_ms: Some(end_ms), epoch, server };
        let key = SegmentKey { channel, name, kind: MaterialKind::Video };
        let length = fs::metadata(self.files.path(recorder, &key))?.len();
        Ok(Listed { key, length, blake3 })
    }
}

impl Iterator for Walk {
    type Item = Result<Listed, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Err(why) = self.fill() {
                return Some(Err(failed(&self.tenure, &why)));
            }
            let (times, blake3) = self.window.pop_front()?;
            match self.listed(self.of?, times, blake3) {
                Ok(listed) => return Some(Ok(listed)),
                // Removed since the folder was looked through.
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                Err(why) => return Some(Err(failed(&self.tenure, &why))),
            }
        }
    }
}

/// Start and end of a segment; the end is unknown while it grows.
type Times = (u64, u64);

fn times(name: &SegmentName) -> Times {
    (name.start_ms, name.end_ms.unwrap_or(u64::MAX))
}

/// Length and hash of what is left to read.
pub(crate) fn hash(mut content: impl Read) -> io::Result<(u64, SegmentHash)> {
    let (mut hasher, mut block, mut length) = (blake3::Hasher::new(), vec![0; BLOCK], 0);
    loop {
        let read = content.read(&mut block)?;
        if read == 0 {
            return Ok((length, *hasher.finalize().as_bytes()));
        }
        hasher.update(block.get(..read).unwrap_or_default());
        length += u64::try_from(read).unwrap_or_default();
    }
}

fn failed(tenure: &Tenure, why: &io::Error) -> StoreError {
    StoreError::Failed(format!("material of {} {}: {why}", tenure.recorder, tenure.epoch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use interrex_core::Epoch;

    const TENURE: (&str, u64, &str) = ("rec-1", 3, "srv-3");

    fn tenure() -> Tenure {
        let (recorder, epoch, server) = TENURE;
        Tenure {
            recorder: recorder.parse().unwrap(),
            epoch: Epoch(epoch),
            server: server.parse().unwrap(),
        }
    }

    /// A data folder with some files below `material/rec-1`.
    fn data(files: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let temp = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = temp.path().join("material/rec-1").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = Files::new(temp.path().into());
        (temp, files)
    }

    fn names(listing: Listing) -> Vec<String> {
        let name = |listed: Listed| format!("{}/{}", listed.key.channel, listed.key.name);
        listing.map(|listed| name(listed.unwrap())).collect()
    }

    fn key(text: &str) -> SegmentKey {
        let (channel, name) = text.split_once('/').unwrap();
        let (channel, name) = (channel.parse().unwrap(), name.parse().unwrap());
        SegmentKey { channel, name, kind: MaterialKind::Video }
    }

    #[test]
    fn a_tenure_is_listed_in_order_and_nothing_else() {
        let ours = [
            ("ch-1/20-30-3-srv-3.seg", "bb"),
            ("ch-1/9-20-3-srv-3.seg", "a"),
            ("ch-2/9-20-3-srv-3.seg", "ccc"),
        ];
        let others = [
            ("ch-1/30-40-2-srv-3.seg", "older"),
            ("ch-1/30-40-3-srv-1.seg", "another's"),
            ("ch-1/40--4-srv-3.part", "the next tenure"),
            ("ch-1/notes.txt", ""),
            ("stray", ""),
        ];
        let (temp, store) = data(&[&ours[..], &others].concat());
        let hash = blake3::hash(b"a").to_hex();
        let line = format!(
            concat!(
                r#"{{"event":"segment","epoch":3,"file":"material/rec-1/ch-1/9-20-3-srv-3.seg","#,
                r#""blake3":"{}","recorder":"rec-1"}}"#,
            ),
            hash
        );
        let journal = format!("{{\"event\":\"start\"}}\n{line}\n{}\n", "x".repeat(100_000));
        fs::write(temp.path().join("journal.jsonl"), journal).unwrap();
        let all = ["ch-1/9-20-3-srv-3.seg", "ch-1/20-30-3-srv-3.seg", "ch-2/9-20-3-srv-3.seg"];
        assert_eq!(names(store.list(&tenure(), None).unwrap()), all);
        assert_eq!(names(store.list(&tenure(), Some(&key(all[0]))).unwrap()), all[1..]);
        assert_eq!(names(store.list(&tenure(), Some(&key(all[1]))).unwrap()), all[2..]);
        assert_eq!(store.totals(&tenure()), Ok(Totals { segments: 3, bytes: 6 }));
        let hashes: Vec<_> =
            store.list(&tenure(), None).unwrap().map(|one| one.unwrap().blake3).collect();
        assert_eq!(hashes, [Some(*blake3::hash(b"a").as_bytes()), None, None]);
        let nobody = Tenure { epoch: Epoch(9), ..tenure() };
        assert_eq!(names(store.list(&nobody, None).unwrap()), [""; 0]);
    }

    #[test]
    fn a_tenure_that_grows_is_not_listed() {
        let (_temp, store) = data(&[("ch-1/9-20-3-srv-3.seg", ""), ("ch-2/20--3-srv-3.part", "")]);
        let busy = StoreError::Busy("rec-1/ch-2/20--3-srv-3.part".into());
        assert_eq!(store.list(&tenure(), None).err(), Some(busy.clone()));
        assert_eq!(store.totals(&tenure()), Err(busy));
    }

    #[test]
    fn what_is_taken_in_is_held_and_a_second_time_changes_nothing() {
        let (temp, store) = data(&[]);
        let recorder = tenure().recorder;
        let key = key("ch-7/9-20-3-srv-3.seg");
        assert_eq!(store.held(recorder, &key), Ok(None));
        let path = temp.path().join("fetched");
        fs::write(&path, "content").unwrap();
        let blake3 = *blake3::hash(b"content").as_bytes();
        let fetched = Fetched { key, path: path.clone(), length: 7, blake3 };
        for _ in 0..2 {
            store.take_in(recorder, std::slice::from_ref(&fetched)).unwrap();
            assert_eq!(store.held(recorder, &key), Ok(Some(Held { length: 7, blake3 })));
            assert!(!path.exists());
        }
        let mut text = String::new();
        store.read(recorder, &key, 3).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "tent");
        let gone = SegmentKey { channel: "ch-8".parse().unwrap(), ..key };
        assert!(matches!(store.read(recorder, &gone, 0), Err(StoreError::Missing(_))));
    }

    #[test]
    fn a_tenure_is_erased_and_nothing_else() {
        let others = [("ch-1/20-30-2-srv-3.seg", "other"), ("ch-1/9-20-3-srv-1.seg", "another's")];
        let ours = [("ch-1/9-20-3-srv-3.seg", "a"), ("ch-2/9-20-3-srv-3.seg", "b")];
        let (temp, store) = data(&[&ours[..], &others].concat());
        assert_eq!(store.erase(&tenure()), Ok(2));
        assert_eq!(store.erase(&tenure()), Ok(0));
        let left = material::list(&temp.path().join("material/rec-1/ch-1")).unwrap();
        assert_eq!(left.len(), 2);
    }
}
