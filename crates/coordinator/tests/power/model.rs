//! A disk that forgets: files and folders as a running system sees them, and as they are on the
//! disk once the power has failed. Only what was synced is sure; of the rest a random part is
//! there, by sectors of 512 bytes (RAFT.md section 1, rule 5).
//!
//! The worst that POSIX allows: a name is durable only by a sync of its folder, a size only by a
//! sync of its file. Bytes in, bytes out; the kernel's side is in `mount`.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub(crate) const SECTOR: u64 = 512;
pub(crate) const ROOT: u64 = 1;

type Sector = Box<[u8; SECTOR as usize]>;

/// Bytes, sparse.
#[derive(Clone, Default)]
pub(crate) struct Content {
    sectors: BTreeMap<u64, Sector>,
    pub(crate) length: u64,
}

pub(crate) enum Inode {
    File { live: Content, durable: Content, dirty: BTreeSet<u64> },
    Folder { live: BTreeMap<String, u64>, durable: BTreeMap<String, u64> },
}

/// A change of names that no sync of its folder has covered yet.
struct Renaming {
    folder: u64,
    /// What the names then stand for.
    names: Vec<(String, Option<u64>)>,
}

/// How a disk that has power fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Writes and syncs: EIO.
    Broken,
    /// Writes: ENOSPC.
    Full,
}

pub(crate) struct Disk {
    inodes: BTreeMap<u64, Inode>,
    pending: Vec<Renaming>,
    next: u64,
    /// Operations until the power fails; none: it does not.
    pub(crate) fuse: Option<u64>,
    /// Syncs of files are answered, and not done: what the harness must notice.
    pub(crate) deaf: bool,
    pub(crate) dead: bool,
    pub(crate) fault: Option<Fault>,
}

impl Content {
    pub(crate) fn read(&self, offset: u64, size: u64) -> Vec<u8> {
        let end = self.length.min(offset.saturating_add(size));
        let mut bytes = Vec::new();
        let mut at = offset;
        while at < end {
            let (sector, skip) = (at / SECTOR, (at % SECTOR) as usize);
            let take = ((SECTOR as usize) - skip).min((end - at) as usize);
            match self.sectors.get(&sector) {
                Some(found) => bytes.extend_from_slice(&found[skip..skip + take]),
                None => bytes.resize(bytes.len() + take, 0),
            }
            at += take as u64;
        }
        bytes
    }

    fn write(&mut self, offset: u64, mut data: &[u8], dirty: &mut BTreeSet<u64>) {
        self.length = self.length.max(offset + data.len() as u64);
        let mut at = offset;
        while !data.is_empty() {
            let (sector, skip) = (at / SECTOR, (at % SECTOR) as usize);
            let take = ((SECTOR as usize) - skip).min(data.len());
            let found =
                self.sectors.entry(sector).or_insert_with(|| Box::new([0; SECTOR as usize]));
            found[skip..skip + take].copy_from_slice(&data[..take]);
            dirty.insert(sector);
            (at, data) = (at + take as u64, &data[take..]);
        }
    }

    fn resize(&mut self, length: u64, dirty: &mut BTreeSet<u64>) {
        let keep = length.div_ceil(SECTOR);
        dirty.extend(self.sectors.split_off(&keep).into_keys());
        if !length.is_multiple_of(SECTOR)
            && let Some(last) = self.sectors.get_mut(&(length / SECTOR))
        {
            last[(length % SECTOR) as usize..].fill(0);
            dirty.insert(length / SECTOR);
        }
        self.length = length;
    }
}

impl Disk {
    pub(crate) fn new() -> Self {
        let root = Inode::Folder { live: BTreeMap::new(), durable: BTreeMap::new() };
        let inodes = BTreeMap::from([(ROOT, root)]);
        let (pending, next) = (Vec::new(), ROOT + 1);
        Self { inodes, pending, next, fuse: None, deaf: false, dead: false, fault: None }
    }

    /// Counts an operation. False once the power has failed.
    pub(crate) fn powered(&mut self) -> bool {
        if let Some(left) = &mut self.fuse {
            *left = left.saturating_sub(1);
            self.dead |= *left == 0;
        }
        !self.dead
    }

    pub(crate) fn get(&self, inode: u64) -> Option<&Inode> {
        self.inodes.get(&inode)
    }

    pub(crate) fn find(&self, folder: u64, name: &str) -> Option<u64> {
        self.names(folder).and_then(|names| names.get(name)).copied()
    }

    pub(crate) fn names(&self, folder: u64) -> Option<&BTreeMap<String, u64>> {
        match self.inodes.get(&folder) {
            Some(Inode::Folder { live, .. }) => Some(live),
            Some(Inode::File { .. }) | None => None,
        }
    }

    pub(crate) fn create(&mut self, folder: u64, name: &str, is_folder: bool) -> u64 {
        let inode = self.next;
        self.next += 1;
        let made = if is_folder {
            Inode::Folder { live: BTreeMap::new(), durable: BTreeMap::new() }
        } else {
            let (live, durable) = (Content::default(), Content::default());
            Inode::File { live, durable, dirty: BTreeSet::new() }
        };
        self.inodes.insert(inode, made);
        self.rename(folder, vec![(name.to_string(), Some(inode))]);
        inode
    }

    /// Changes names in one folder, all of them or none.
    pub(crate) fn rename(&mut self, folder: u64, names: Vec<(String, Option<u64>)>) {
        if let Some(Inode::Folder { live, .. }) = self.inodes.get_mut(&folder) {
            assign(live, &names);
        }
        self.pending.push(Renaming { folder, names });
    }

    pub(crate) fn write(&mut self, inode: u64, offset: u64, data: &[u8]) {
        if let Some(Inode::File { live, dirty, .. }) = self.inodes.get_mut(&inode) {
            live.write(offset, data, dirty);
        }
    }

    pub(crate) fn resize(&mut self, inode: u64, length: u64) {
        if let Some(Inode::File { live, dirty, .. }) = self.inodes.get_mut(&inode) {
            live.resize(length, dirty);
        }
    }

    /// A file's bytes and size, or a folder's names, become durable.
    pub(crate) fn sync(&mut self, inode: u64) {
        match self.inodes.get_mut(&inode) {
            Some(Inode::File { .. }) if self.deaf => {}
            Some(Inode::File { live, durable, dirty }) => {
                for sector in std::mem::take(dirty) {
                    copy(live, durable, sector);
                }
                durable.length = live.length;
            }
            Some(Inode::Folder { live, durable }) => {
                durable.clone_from(live);
                self.pending.retain(|change| change.folder != inode);
            }
            None => {}
        }
    }

    /// The disk as it is found after the power has failed.
    pub(crate) fn cut(mut self, seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let in_order = rng.random_bool(0.5);
        let keep = rng.random_range(0..=self.pending.len());
        for (place, change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let survives = if in_order { place < keep } else { rng.random_bool(0.5) };
            if let (true, Some(Inode::Folder { durable, .. })) =
                (survives, self.inodes.get_mut(&change.folder))
            {
                assign(durable, &change.names);
            }
        }
        for inode in self.inodes.values_mut() {
            match inode {
                Inode::File { live, durable, dirty } => survive(live, durable, dirty, &mut rng),
                Inode::Folder { live, durable } => live.clone_from(durable),
            }
        }
        Self { fuse: None, dead: false, ..self }
    }

    /// Writes it into a real folder, where it can be looked at without a mount.
    pub(crate) fn copy_to(&self, folder: u64, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for (name, inode) in self.names(folder).unwrap() {
            match self.get(*inode).unwrap() {
                Inode::Folder { .. } => self.copy_to(*inode, &to.join(name)),
                Inode::File { live, .. } => {
                    use std::os::unix::fs::FileExt;
                    let file = std::fs::File::create(to.join(name)).unwrap();
                    file.set_len(live.length).unwrap();
                    for (sector, bytes) in &live.sectors {
                        let (at, end) = (sector * SECTOR, live.length.min((sector + 1) * SECTOR));
                        file.write_all_at(&bytes[..(end.saturating_sub(at)) as usize], at).unwrap();
                    }
                }
            }
        }
    }
}

fn assign(names: &mut BTreeMap<String, u64>, changes: &[(String, Option<u64>)]) {
    for (name, inode) in changes {
        match inode {
            Some(inode) => names.insert(name.clone(), *inode),
            None => names.remove(name),
        };
    }
}

fn copy(from: &Content, to: &mut Content, sector: u64) {
    match from.sectors.get(&sector) {
        Some(bytes) => to.sectors.insert(sector, bytes.clone()),
        None => to.sectors.remove(&sector),
    };
}

/// Each unsynced sector is there or not; the size is the old one, the new one, or between.
fn survive(
    live: &mut Content,
    durable: &mut Content,
    dirty: &mut BTreeSet<u64>,
    rng: &mut SmallRng,
) {
    let chance = [0.0, 0.1, 0.5, 0.9, 1.0][rng.random_range(0..5)];
    for sector in std::mem::take(dirty) {
        if rng.random_bool(chance) {
            copy(live, durable, sector);
        }
    }
    let (low, high) = (live.length.min(durable.length), live.length.max(durable.length));
    let length = match rng.random_range(0..3) {
        0 => low,
        1 => high,
        _ => rng.random_range(low..=high),
    };
    durable.resize(length, &mut BTreeSet::new());
    live.clone_from(durable);
}
