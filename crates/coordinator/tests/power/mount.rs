//! The forgetting disk as a mounted file system (crate fuser: no libfuse, but root and /dev/fuse).
//! One thread serves it, so the order of operations is the order of the counter.
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};

use super::model::{Disk, Fault, Inode};

/// Nothing is remembered by the kernel.
const TTL: Duration = Duration::ZERO;
/// What `statfs` says is free, in blocks of 4 KiB: 16 GiB.
const FREE: u64 = 4 << 20;

/// A mounted disk; unmounted when dropped.
pub(crate) struct Mounted {
    pub(crate) disk: Arc<Mutex<Disk>>,
    at: PathBuf,
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// None, with the reason told, where this machine cannot mount.
    pub(crate) fn mount(disk: Disk, at: &Path) -> Option<Self> {
        let disk = Arc::new(Mutex::new(disk));
        let mut config = Config::default();
        config.mount_options = vec![fuser::MountOption::FSName("forgetful".into())];
        match fuser::spawn_mount(Forgetful(disk.clone()), at, &config) {
            Ok(session) => Some(Self { disk, at: at.into(), session: Some(session) }),
            Err(error) => {
                println!("\nnot run: no FUSE\n({error})");
                None
            }
        }
    }

    pub(crate) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unmounts and hands the disk back as it is.
    pub(crate) fn take(mut self) -> Disk {
        self.disk().dead = true;
        self.unmount();
        let mut gone = Disk::new();
        gone.dead = true;
        std::mem::replace(&mut self.disk(), gone)
    }

    /// The name goes now; the session stays as long as somebody has a file open, as a log that
    /// failed has until its process ends.
    fn unmount(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = Command::new("umount").arg("-l").arg(&self.at).status();
            drop(session);
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.unmount();
    }
}

struct Forgetful(Arc<Mutex<Disk>>);

impl Forgetful {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk, if the power is on and one more operation is granted.
    fn step(&self) -> Result<MutexGuard<'_, Disk>, Errno> {
        let mut disk = self.disk();
        if disk.powered() { Ok(disk) } else { Err(Errno::EIO) }
    }

    fn attr(disk: &Disk, inode: u64) -> Result<FileAttr, Errno> {
        let (kind, size, perm) = match disk.get(inode).ok_or(Errno::ENOENT)? {
            Inode::File { live, .. } => (FileType::RegularFile, live.length, 0o644),
            Inode::Folder { .. } => (FileType::Directory, 0, 0o755),
        };
        Ok(FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4_096,
        })
    }

    fn make(&self, folder: INodeNo, name: &OsStr, is_folder: bool) -> Result<FileAttr, Errno> {
        let mut disk = self.step()?;
        let name = name.to_str().ok_or(Errno::EINVAL)?;
        if disk.find(folder.0, name).is_some() {
            return Err(Errno::EEXIST);
        }
        let inode = disk.create(folder.0, name, is_folder);
        Self::attr(&disk, inode)
    }

    fn remove(&self, folder: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let mut disk = self.step()?;
        let name = name.to_str().ok_or(Errno::EINVAL)?;
        let inode = disk.find(folder.0, name).ok_or(Errno::ENOENT)?;
        if disk.names(inode).is_some_and(|names| !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        disk.rename(folder.0, vec![(name.to_string(), None)]);
        Ok(())
    }
}

fn empty(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Forgetful {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let disk = self.disk();
        let found = name.to_str().and_then(|name| disk.find(parent.0, name));
        match found.ok_or(Errno::ENOENT).and_then(|inode| Self::attr(&disk, inode)) {
            Ok(attr) => reply.entry(&TTL, &attr, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match Self::attr(&self.disk(), ino.0) {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let attr = self.step().and_then(|mut disk| {
            if let Some(size) = size {
                disk.resize(ino.0, size);
            }
            Self::attr(&disk, ino.0)
        });
        match attr {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        match self.make(parent, name, true) {
            Ok(attr) => reply.entry(&TTL, &attr, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.make(parent, name, false) {
            Ok(attr) => {
                let direct = FopenFlags::FOPEN_DIRECT_IO;
                reply.created(&TTL, &attr, Generation(0), FileHandle(0), direct);
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(parent, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(parent, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = self.step().and_then(|mut disk| {
            let (Some(from), Some(to)) = (name.to_str(), newname.to_str()) else {
                return Err(Errno::EINVAL);
            };
            let inode = disk.find(parent.0, from).ok_or(Errno::ENOENT)?;
            let (gone, there) = ((from.to_string(), None), (to.to_string(), Some(inode)));
            if parent == newparent {
                disk.rename(parent.0, vec![gone, there]);
            } else {
                disk.rename(newparent.0, vec![there]);
                disk.rename(parent.0, vec![gone]);
            }
            Ok(())
        });
        empty(reply, renamed);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let disk = self.disk();
        match disk.get(ino.0) {
            Some(Inode::File { live, .. }) => reply.data(&live.read(offset, u64::from(size))),
            Some(Inode::Folder { .. }) | None => reply.error(Errno::EINVAL),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let fault = self.disk().fault;
        match self.step() {
            Ok(_) if fault == Some(Fault::Broken) => reply.error(Errno::EIO),
            Ok(_) if fault == Some(Fault::Full) => reply.error(Errno::ENOSPC),
            Ok(mut disk) => {
                disk.write(ino.0, offset, data);
                reply.written(data.len() as u32);
            }
            Err(error) => reply.error(error),
        }
    }

    /// Not there, so that the kernel asks once: a process that ends with a file still open would
    /// wait for this very process to answer, and stay for ever.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if self.disk().fault == Some(Fault::Broken) {
            return reply.error(Errno::EIO);
        }
        empty(reply, self.step().map(|mut disk| disk.sync(ino.0)));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.step().map(|mut disk| disk.sync(ino.0)));
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let disk = self.disk();
        let names = disk.names(ino.0).into_iter().flatten();
        for (place, (name, inode)) in (1_u64..).zip(names).skip(offset as usize) {
            let kind = match disk.get(*inode) {
                Some(Inode::Folder { .. }) => FileType::Directory,
                Some(Inode::File { .. }) | None => FileType::RegularFile,
            };
            if reply.add(INodeNo(*inode), place, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(FREE, FREE, FREE, 0, 0, 4_096, 255, 4_096);
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        let done = self.step().map(|mut disk| {
            let size = match disk.get(ino.0) {
                Some(Inode::File { live, .. }) => live.length.max(offset + length),
                Some(Inode::Folder { .. }) | None => 0,
            };
            disk.resize(ino.0, size);
        });
        empty(reply, done);
    }
}
