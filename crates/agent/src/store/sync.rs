//! Making many small files durable: beside each other, so that the disk answers for several at
//! once. One after the other costs a flush of the disk's cache each.
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many are waited for at once.
const BESIDE: usize = 16;

/// Content and length of each.
pub(super) fn files<'a>(paths: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    let paths: Vec<&Path> = paths.collect();
    let next = AtomicUsize::new(0);
    let work = || -> io::Result<()> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            File::open(path)?.sync_all()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others = 1..paths.len().min(BESIDE);
        let others: Vec<_> = others.map(|_| scope.spawn(work)).collect();
        let own = work();
        others.into_iter().fold(own, |done, other| {
            let other = other.join().unwrap_or_else(|_| Err(io::Error::other("a panic")));
            done.and(other)
        })
    })
}

/// What was renamed, made or removed in these folders.
pub(super) fn folders(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
    paths.into_iter().try_for_each(|path| File::open(path)?.sync_all())
}
