//! The data folder: its lock, whose it is, the boot that was here before, and the last good
//! configuration. Small files, replaced atomically. Material and journal are beside them, not here.
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use interrex_core::{
    AgentBoot, ConfigHash, Duty, DutyKind, Epoch, Generation, LogicalAddress, ServerId,
    fleet::{ADDRESSES_MAX, CHANNELS_MAX, Fencing},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::failure::{Failure, corrupt};

/// Of the small files; a newer one is refused, naming both.
const FORMAT: u32 = 1;
/// Larger is none of our files.
const FILE_MAX: u64 = 1 << 20;
const IDENTITY: &str = "identity.json";
const BOOT: &str = "boot.json";
const LAST_GOOD: &str = "last-good.json";

/// The cluster that this agent belongs to, once a majority of it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cluster {
    pub(crate) id: [u8; 16],
    pub(crate) generation: Generation,
}

/// One agent's folder, held by this process alone.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    server: ServerId,
    pub(crate) cluster: Option<Cluster>,
    /// Drawn for this process; on disk already.
    pub(crate) boot: AgentBoot,
    /// The one before (A8).
    pub(crate) follows: Option<AgentBoot>,
    /// What the process before us last acted for (A9).
    pub(crate) last_good: Vec<Duty>,
    /// Unlocks when it is dropped, however the process ends.
    _lock: File,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    format: u32,
    server: String,
    /// 32 hex digits.
    cluster: Option<String>,
    generation: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastBoot {
    format: u32,
    boot: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastGood {
    format: u32,
    duties: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    recorder: String,
    epoch: u64,
    channels: u32,
    config: String,
    #[serde(default)]
    fence_first: bool,
    #[serde(default)]
    addresses: Vec<String>,
}

impl Folder {
    /// Makes or opens `root` for `server`, and draws this process's boot.
    ///
    /// # Errors
    ///
    /// `data_locked`, `wrong_server`, `corrupt`, `newer_format`, `disk_full`, `disk_failed`.
    pub(crate) fn open(root: &Path, server: ServerId, boot: AgentBoot) -> Result<Self, Failure> {
        let disk = |path: &Path| {
            let path = path.to_owned();
            move |why: io::Error| Failure::disk(&path, &why)
        };
        fs::create_dir_all(root).map_err(disk(root))?;
        let lock = lock(root)?;
        let cluster = identity(root, server)?;
        let follows = read::<LastBoot>(&root.join(BOOT))?.map(|last| AgentBoot(last.boot));
        let last_good = match read::<LastGood>(&root.join(LAST_GOOD))? {
            Some(kept) => duties(&root.join(LAST_GOOD), kept)?,
            None => Vec::new(),
        };
        let folder =
            Self { root: root.to_owned(), server, cluster, boot, follows, last_good, _lock: lock };
        folder.write_identity(cluster).map_err(disk(&root.join(IDENTITY)))?;
        let last = LastBoot { format: FORMAT, boot: boot.0 };
        replace(root, BOOT, &last).map_err(disk(&root.join(BOOT)))?;
        Ok(folder)
    }

    /// What else may be written beside the process's loop.
    pub(crate) fn writer(&self) -> Writer {
        Writer { root: self.root.clone(), server: self.server }
    }

    fn write_identity(&self, cluster: Option<Cluster>) -> io::Result<()> {
        self.writer().belongs_to(cluster)
    }
}

/// Writes the small files durably; may wait for the disk.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    root: PathBuf,
    server: ServerId,
}

impl Writer {
    /// From now on only that cluster is listened to.
    pub(crate) fn belongs_to(&self, cluster: Option<Cluster>) -> io::Result<()> {
        let identity = Identity {
            format: FORMAT,
            server: self.server.to_string(),
            cluster: cluster.map(|cluster| hex(&cluster.id)),
            generation: cluster.map_or(0, |cluster| cluster.generation.0),
        };
        replace(&self.root, IDENTITY, &identity)
    }

    /// Keeps the last good configuration (A9).
    pub(crate) fn remember(&self, duties: &[Duty]) -> io::Result<()> {
        let kept = |duty: &Duty| Kept {
            recorder: duty.recorder.to_string(),
            epoch: duty.epoch.0,
            channels: duty.channels,
            config: duty.config.to_string(),
            fence_first: duty.fencing == Fencing::FenceFirst,
            addresses: duty.addresses.iter().map(LogicalAddress::to_string).collect(),
        };
        let duties = duties.iter().map(kept).collect();
        replace(&self.root, LAST_GOOD, &LastGood { format: FORMAT, duties })
    }
}

fn lock(root: &Path) -> Result<File, Failure> {
    let path = root.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|why| Failure::disk(&path, &why))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::refused(
            "data_locked",
            format!("{} is in use by another process", root.display()),
            "one agent a folder: end the other one, or name another --data",
        )),
        Err(TryLockError::Error(why)) => Err(Failure::disk(&path, &why)),
    }
}

fn identity(root: &Path, server: ServerId) -> Result<Option<Cluster>, Failure> {
    let path = root.join(IDENTITY);
    let Some(identity) = read::<Identity>(&path)? else { return Ok(None) };
    if identity.server != server.as_str() {
        return Err(Failure::refused(
            "wrong_server",
            format!("{} belongs to server {}, not to {server}", root.display(), identity.server),
            format!("start it with --server {}, or name another --data", identity.server),
        ));
    }
    let Some(text) = identity.cluster else { return Ok(None) };
    let id = unhex(&text).ok_or_else(|| corrupt(&path, "cluster is no id"))?;
    Ok(Some(Cluster { id, generation: Generation(identity.generation) }))
}

fn duties(path: &Path, kept: LastGood) -> Result<Vec<Duty>, Failure> {
    let duty = |kept: Kept| {
        let recorder = kept.recorder.parse().ok()?;
        let config = ConfigHash(unhex(&kept.config)?);
        let channels = Some(kept.channels).filter(|channels| *channels <= CHANNELS_MAX)?;
        let fencing = if kept.fence_first { Fencing::FenceFirst } else { Fencing::RecordFirst };
        let addresses = kept.addresses.iter().take(ADDRESSES_MAX);
        let addresses: Result<Vec<LogicalAddress>, _> =
            addresses.map(|text| text.parse()).collect();
        let (epoch, kind, addresses) = (Epoch(kept.epoch), DutyKind::Act, addresses.ok()?.into());
        Some(Duty { recorder, epoch, kind, channels, config, fencing, addresses })
    };
    let duties: Option<Vec<Duty>> = kept.duties.into_iter().map(duty).collect();
    duties.ok_or_else(|| corrupt(path, "a duty with a bad name, hash, channel count or address"))
}

/// The file's content; nothing if there is no file. Complete or refused.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let text = match fs::metadata(path).map(|meta| meta.len()) {
        Ok(0..=FILE_MAX) => fs::read(path).map_err(|why| Failure::disk(path, &why))?,
        Ok(_) => return Err(corrupt(path, "it is larger than 1 MiB")),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(Failure::disk(path, &why)),
    };
    let head: Head = serde_json::from_slice(&text).map_err(|why| corrupt(path, why))?;
    if head.format > FORMAT {
        return Err(Failure::refused(
            "newer_format",
            format!("{} has format {}, this program reads {FORMAT}", path.display(), head.format),
            "start the newer program that wrote it",
        ));
    }
    serde_json::from_slice(&text).map(Some).map_err(|why| corrupt(path, why))
}

/// Old or new, never half: written beside, synced, renamed, and the rename synced.
pub(crate) fn replace(root: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    let beside = root.join(format!("{name}.tmp"));
    let mut text = serde_json::to_vec(content)?;
    text.push(b'\n');
    let mut file = File::create(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&beside, root.join(name))?;
    File::open(root)?.sync_all()
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hex digits say; nothing if they are not N.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(name: &str) -> ServerId {
        name.parse().unwrap()
    }

    fn open(root: &Path) -> Result<Folder, Failure> {
        Folder::open(root, srv("srv-1"), AgentBoot(7))
    }

    #[test]
    fn the_next_process_knows_what_the_last_one_was() {
        let temp = tempfile::tempdir().unwrap();
        let duty = Duty {
            recorder: "rec-1".parse().unwrap(),
            epoch: Epoch(4),
            kind: DutyKind::Act,
            channels: 3,
            config: ConfigHash([9; 32]),
            fencing: Fencing::FenceFirst,
            addresses: vec!["10.0.0.9/24".parse().unwrap()].into(),
        };
        let cluster = Cluster { id: [3; 16], generation: Generation(2) };
        let first = open(temp.path()).unwrap();
        assert_eq!((first.follows, first.cluster), (None, None));
        first.writer().remember(std::slice::from_ref(&duty)).unwrap();
        first.writer().belongs_to(Some(cluster)).unwrap();
        drop(first);
        let next = Folder::open(temp.path(), srv("srv-1"), AgentBoot(8)).unwrap();
        assert_eq!(next.follows, Some(AgentBoot(7)));
        assert_eq!((next.last_good.as_slice(), next.cluster), ([duty].as_slice(), Some(cluster)));
    }

    #[test]
    fn each_wrong_folder_is_refused_with_its_code() {
        let spoil: [(&str, &str, &str); 7] = [
            ("corrupt", IDENTITY, "{\"format\":1,"),
            (
                "corrupt",
                IDENTITY,
                "{\"format\":1,\"server\":\"srv-1\",\"cluster\":\"xy\",\"generation\":1}",
            ),
            (
                "wrong_server",
                IDENTITY,
                "{\"format\":1,\"server\":\"srv-9\",\"cluster\":null,\"generation\":0}",
            ),
            ("newer_format", IDENTITY, "{\"format\":2,\"else\":1}"),
            ("corrupt", BOOT, ""),
            (
                "corrupt",
                LAST_GOOD,
                "{\"format\":1,\"duties\":[{\"recorder\":\"R!\",\"epoch\":1,\"channels\":1,\"config\":\"\"}]}",
            ),
            ("corrupt", LAST_GOOD, "{\"format\":1,\"duties\":[],\"more\":1}"),
        ];
        for (code, name, text) in spoil {
            let temp = tempfile::tempdir().unwrap();
            drop(open(temp.path()).unwrap());
            fs::write(temp.path().join(name), text).unwrap();
            let failure = open(temp.path()).unwrap_err();
            assert_eq!((failure.code, failure.exit), (code, 1), "{name}: {text}");
            assert!(failure.message.contains(temp.path().to_str().unwrap()), "{failure}");
            assert!(!failure.remedy.is_empty());
        }
    }

    #[test]
    fn a_folder_is_for_one_process() {
        let temp = tempfile::tempdir().unwrap();
        let held = open(temp.path()).unwrap();
        assert_eq!(open(temp.path()).unwrap_err().code, "data_locked");
        drop(held);
        open(temp.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("file"), "").unwrap();
        let failure = open(&temp.path().join("file/data")).unwrap_err();
        assert_eq!(failure.code, "disk_failed");
        assert!(failure.message.contains("file/data"), "{failure}");
    }
}
