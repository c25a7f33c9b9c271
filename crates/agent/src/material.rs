//! `material/RECORDER/CHANNEL/`: how segments are named, where they lie, and what is made of those
//! that a crash left open. Who writes them is in `driver`.
pub(crate) mod name;
pub(crate) mod recover;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interrex_core::{EndedTenure, Epoch, RecorderId, ServerId};

use self::name::SegmentName;

/// The folder of one channel, from the data folder on.
pub(crate) fn channel_dir(recorder: RecorderId, channel: &str) -> PathBuf {
    PathBuf::from("material").join(recorder.as_str()).join(channel)
}

/// `ch-1` and so on, as the synthetic recorder names its channels.
pub(crate) fn channel_name(number: u32) -> String {
    format!("ch-{number}")
}

/// The number in such a name.
pub(crate) fn channel_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix("ch-")?.parse().ok()?;
    (channel_name(number) == name).then_some(number)
}

/// Where the first whole segment of a tenure begins on this server, in one channel.
pub(crate) fn first_ms(dir: &Path, epoch: Epoch, server: ServerId) -> Option<u64> {
    let of = |name: &SegmentName| name.epoch == epoch && name.server == server;
    segments(dir).ok()?.filter(of).map(|name| name.start_ms).min()
}

/// Where a tenure ends on this server: the earliest of its channels' last ticks. Only whole
/// segments are looked at, so what still grows must be closed first.
pub(crate) fn ended(
    root: &Path,
    server: ServerId,
    (recorder, epoch): (RecorderId, Epoch),
    tick_ms: u64,
) -> io::Result<EndedTenure> {
    let mut last_ms = None;
    let of = |name: &SegmentName| name.epoch == epoch && name.server == server;
    for channel in list(&root.join("material").join(recorder.as_str()))? {
        let ends = segments(&channel)?.filter(of).filter_map(|name| name.end_ms);
        let Some(end) = ends.max() else { continue };
        let last = end.saturating_sub(tick_ms);
        last_ms = Some(last_ms.map_or(last, |known: u64| known.min(last)));
    }
    Ok(EndedTenure { recorder, epoch, last_ms, account: Arc::default() })
}

/// The whole segments of one channel.
fn segments(dir: &Path) -> io::Result<impl Iterator<Item = SegmentName>> {
    let names = list(dir)?.into_iter().filter_map(|path| {
        let name: SegmentName = path.file_name()?.to_str()?.parse().ok()?;
        name.end_ms.is_some().then_some(name)
    });
    Ok(names)
}

/// The segments of one channel that grow, or that a crash left open, and where they lie.
pub(crate) fn growing(dir: &Path) -> io::Result<Vec<(SegmentName, PathBuf)>> {
    let named = list(dir)?.into_iter().filter_map(|path| {
        let name: SegmentName = path.file_name()?.to_str()?.parse().ok()?;
        name.end_ms.is_none().then_some((name, path))
    });
    Ok(named.collect())
}

/// What lies in a folder, in the order of names; nothing if there is no such folder.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}
