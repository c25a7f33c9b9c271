//! Space: a file kept back for bad times, and when to take no new commands.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::FolderError;

/// Size of the file `reserve`, in bytes. Less than this free in the file system: no new commands
/// (`disk_full`), while the log of others is still kept.
pub const RESERVE: u64 = 64 << 20;
/// Less than this free: the reserve is given up, so that the node can go on keeping the log, in
/// bytes. Later starts are refused until there is space for it again.
const CRITICAL: u64 = RESERVE / 4;

/// How the space stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Enough.
    Enough,
    /// Refuse new commands: `disk_full`.
    Low {
        /// Free in the file system, in bytes.
        free: u64,
    },
}

/// Makes sure that the reserve is there, whole. Without space for it the start is refused.
pub(super) fn take(folder: &Path, path: &Path) -> Result<(), FolderError> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() == RESERVE) {
        return Ok(());
    }
    let allocate = || -> io::Result<()> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        fill(&file)?;
        file.sync_all()
    };
    let Err(error) = allocate() else { return Ok(()) };
    if error.kind() != io::ErrorKind::StorageFull {
        return Err(FolderError::io("allocate", path)(error));
    }
    let _ = File::create(path);
    let free_mib = free(folder).unwrap_or_default() >> 20;
    Err(FolderError::Full {
        path: folder.display().to_string(),
        free_mib,
        needed_mib: RESERVE >> 20,
    })
}

/// Looks, and gives the reserve up where that is all that helps. Costs one system call.
pub(super) fn look(folder: &Path, path: &Path) -> Result<Room, FolderError> {
    let free = free(folder).map_err(FolderError::io("look at the space of", folder))?;
    if free >= RESERVE {
        return Ok(Room::Enough);
    }
    if free < CRITICAL && fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        let give = || OpenOptions::new().write(true).open(path)?.set_len(0);
        give().map_err(FolderError::io("give up", path))?;
    }
    Ok(Room::Low { free })
}

fn free(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Real blocks: where the file system cannot promise them, zeros are written.
fn fill(mut file: &File) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, RESERVE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let zeros = vec![0; 1 << 20];
            (0..RESERVE >> 20).try_for_each(|_| file.write_all(&zeros))
        }
        Err(error) => Err(error.into()),
    }
}
