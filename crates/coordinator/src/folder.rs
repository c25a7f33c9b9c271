//! The data folder of a coordinator: lock, format, identity, boot counter, reserve of space. The
//! log (`log`) and the history (`history`) in it have modules of their own; the certificates are
//! elsewhere.
//!
//! ```text
//! lock            held while a process uses the folder
//! format          version of everything here
//! identity        name, id, cluster; none until the founding
//! boot            counts the starts
//! peers           what is known of the other members' disks (M6)
//! reserve         64 MiB, for when the disk is full
//! log/            sled: Raft's log, vote, committed
//! log.bound       what the log has at least (never synced)
//! history/        segments, people.jsonl, bound, snapshot
//! ```
mod error;
mod identity;
pub(crate) mod sealed;
mod space;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use interrex_core::Boot;
use interrex_core::name::Name;

pub use self::error::FolderError;
pub use self::identity::{Founder, NodeIdentity};
pub use self::space::{RESERVE, Room};

/// Version of the folder's format that this program writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

/// A data folder that this process has locked.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    identity: Option<NodeIdentity>,
    boot: Boot,
    /// Held until the process ends or this is dropped.
    _lock: File,
}

impl Folder {
    /// Locks the folder, creating it if needed, checks its format and whose it is, and counts this
    /// start, durably.
    pub fn open(root: &Path, name: Name) -> Result<Self, FolderError> {
        sealed::create_dir(root)?;
        let lock = lock(root)?;
        check_format(root)?;
        space::take(root, &root.join("reserve"))?;
        let identity = read_identity(root)?;
        if let Some(known) = identity.as_ref().filter(|known| known.name != name) {
            return Err(FolderError::WrongCluster(format!(
                "data folder {} belongs to member {}, not to {name}",
                root.display(),
                known.name
            )));
        }
        if identity.is_none() && (root.join("log").exists() || root.join("history").exists()) {
            let detail = "it is missing, though the folder holds a log or a history";
            return Err(FolderError::corrupt(root.join("identity").display(), detail));
        }
        let boot = count_boot(root, identity.is_some())?;
        sealed::sync_dir(root)?;
        Ok(Self { root: root.to_path_buf(), identity, boot, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Who this member is; none until it has a place in a cluster.
    pub fn identity(&self) -> Option<&NodeIdentity> {
        self.identity.as_ref()
    }

    /// The number of this start. Durable before [`Self::open`] returned.
    pub fn boot(&self) -> Boot {
        self.boot
    }

    /// Notes, durably, which place in which cluster is this member's. Once, before the log is
    /// opened; what is noted is never changed for another cluster, name or id.
    pub fn settle(&mut self, identity: NodeIdentity) -> Result<(), FolderError> {
        let same = |known: &NodeIdentity| {
            (known.cluster, known.name, known.id) == (identity.cluster, identity.name, identity.id)
        };
        if self.identity.as_ref().is_some_and(|known| !same(known)) {
            return Err(FolderError::WrongCluster(format!(
                "data folder {} already has a place in another cluster",
                self.root.display()
            )));
        }
        sealed::write(&self.root.join("identity"), &identity.to_json())?;
        self.identity = Some(identity);
        Ok(())
    }

    /// Notes, durably, that a founder has confirmed the cluster id. Unknown names change nothing.
    pub fn confirm(&mut self, founder: Name) -> Result<(), FolderError> {
        let Some(mut identity) = self.identity.clone() else { return Ok(()) };
        let waiting = |f: &&mut Founder| f.name == founder && !f.confirmed;
        let Some(found) = identity.founders.iter_mut().find(waiting) else { return Ok(()) };
        found.confirmed = true;
        self.settle(identity)
    }

    /// How the space stands; asked before a new command is taken. One system call.
    pub fn room(&self) -> Result<Room, FolderError> {
        space::look(&self.root, &self.root.join("reserve"))
    }
}

/// One process a folder. The lock ends with the process, however it ends.
fn lock(root: &Path) -> Result<File, FolderError> {
    let path = root.join("lock");
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(FolderError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(FolderError::Locked { path: root.display().to_string() })
        }
        Err(TryLockError::Error(error)) => Err(FolderError::io("lock", &path)(error)),
    }
}

/// Writes the format into a new folder; refuses a newer one.
fn check_format(root: &Path) -> Result<(), FolderError> {
    let path = root.join("format");
    let Some(text) = sealed::read(&path)? else {
        if ["identity", "boot", "log", "history"].iter().any(|name| root.join(name).exists()) {
            return Err(FolderError::corrupt(path.display(), "it is missing"));
        }
        return sealed::write(&path, &format!("interrex {FORMAT}"));
    };
    let found = text.strip_prefix("interrex ").and_then(|rest| rest.trim().parse::<u64>().ok());
    match found {
        Some(found) if found > FORMAT => Err(FolderError::Newer {
            what: path.display().to_string(),
            kind: "format",
            found,
            known: FORMAT,
        }),
        Some(1..) => Ok(()),
        Some(0) | None => Err(FolderError::corrupt(path.display(), "it names no format")),
    }
}

fn read_identity(root: &Path) -> Result<Option<NodeIdentity>, FolderError> {
    let path = root.join("identity");
    let text = sealed::read(&path)?;
    text.map(|text| NodeIdentity::from_json(&path.display().to_string(), &text)).transpose()
}

/// The next number, noted before it is used: peers tell a restored disk by a lower one (M6).
fn count_boot(root: &Path, settled: bool) -> Result<Boot, FolderError> {
    let path = root.join("boot");
    let damaged = |detail: &str| FolderError::corrupt(path.display(), detail);
    let last = match sealed::read(&path)? {
        None if settled => return Err(damaged("it is missing")),
        None => 0,
        Some(text) => text.trim().parse::<u64>().map_err(|_| damaged("it is not a number"))?,
    };
    let boot = last.checked_add(1).ok_or_else(|| damaged("it has reached its end"))?;
    sealed::write(&path, &boot.to_string())?;
    Ok(Boot(boot))
}
