//! What was really recorded, as read from the files on disk. Knows the names and lines of CONTRACT,
//! and nothing else of Interrex: the outside witness of the demo and of the tests.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Milliseconds from one tick of the synthetic recorder to the next.
pub const TICK_MS: u64 = 20;

/// One file of recorded material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Whose.
    pub recorder: String,
    /// Which stream of it.
    pub channel: String,
    /// The tenure in which it was recorded.
    pub epoch: u64,
    /// Who recorded it.
    pub server: String,
    /// True while it grows, or if its recorder died.
    pub part: bool,
    /// Where it is.
    pub path: PathBuf,
}

/// Ticks of one channel: sequence number, and who recorded it in which epoch.
pub type Ticks = BTreeMap<u64, Vec<(String, u64)>>;

/// Every segment under the data folders `agents`, in path order.
///
/// # Errors
///
/// A folder cannot be read, or a file has a name that CONTRACT does not allow.
pub fn segments(agents: &[PathBuf]) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    for agent in agents {
        for recorder in folders(&agent.join("material"))? {
            for channel in folders(&recorder)? {
                for file in entries(&channel)? {
                    found.push(segment(&recorder, &channel, file)?);
                }
            }
        }
    }
    Ok(found)
}

/// The ticks of every channel of `recorder` on all of `agents`' disks. A last line that was cut off
/// by a crash does not count.
///
/// # Errors
///
/// As above; or a line that is not `unix_ms seq`.
pub fn ticks(agents: &[PathBuf], recorder: &str) -> Result<BTreeMap<String, Ticks>> {
    let mut channels: BTreeMap<String, Ticks> = BTreeMap::new();
    for segment in segments(agents)?.into_iter().filter(|segment| segment.recorder == recorder) {
        let Ok(text) = fs::read_to_string(&segment.path) else {
            continue; // renamed at this moment; it is read under its new name the next time
        };
        let ticks = channels.entry(segment.channel).or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            let seq = line.split_once(' ').and_then(|(_, seq)| seq.parse::<u64>().ok());
            let seq = seq.with_context(|| format!("{}: {line:?}", segment.path.display()))?;
            ticks.entry(seq).or_default().push((segment.server.clone(), segment.epoch));
        }
    }
    Ok(channels)
}

/// The largest distance between two neighbouring ticks of any channel within a span of unix
/// milliseconds, less one tick: 0 if nothing is missing. None if no channel has two ticks there.
pub fn worst_gap_ms(channels: &BTreeMap<String, Ticks>, from_ms: u64, to_ms: u64) -> Option<u64> {
    let gaps = channels.values().map(|ticks| {
        let seqs: Vec<u64> =
            ticks.range(from_ms / TICK_MS..=to_ms / TICK_MS).map(|(seq, _)| *seq).collect();
        let steps = seqs.iter().zip(seqs.iter().skip(1)).map(|(a, b)| (b - a - 1) * TICK_MS);
        steps.max()
    });
    gaps.collect::<Option<Vec<_>>>().and_then(|gaps| gaps.into_iter().max())
}

/// The first tick of `server` in `epoch`, in unix milliseconds: of the channel whose first is the
/// latest. None while a channel has none.
pub fn first_ms(channels: &BTreeMap<String, Ticks>, server: &str, epoch: u64) -> Option<u64> {
    let of = |by: &Vec<(String, u64)>| by.iter().any(|(s, e)| s == server && *e == epoch);
    let first = |ticks: &Ticks| ticks.iter().find(|(_, by)| of(by)).map(|(seq, _)| seq * TICK_MS);
    let firsts = channels.values().map(first).collect::<Option<Vec<_>>>();
    firsts.and_then(|firsts| firsts.into_iter().max())
}

/// The newest tick of the channel that is furthest behind, in unix milliseconds.
pub fn newest_ms(channels: &BTreeMap<String, Ticks>) -> Option<u64> {
    let newest = channels.values().map(|ticks| ticks.keys().next_back().map(|seq| seq * TICK_MS));
    newest.collect::<Option<Vec<_>>>().and_then(|newest| newest.into_iter().min())
}

fn segment(recorder: &Path, channel: &Path, path: PathBuf) -> Result<Segment> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, part) = match (name.strip_suffix(".seg"), name.strip_suffix(".part")) {
        (Some(stem), _) => (stem, false),
        (_, Some(stem)) => (stem, true),
        (None, None) => bail!("{}: neither .seg nor .part", path.display()),
    };
    let fields: Vec<&str> = stem.splitn(4, '-').collect();
    let [_start, end, epoch, server] = fields[..] else {
        bail!("{}: not START-END-EPOCH-SERVER", path.display());
    };
    if end.is_empty() != part {
        bail!("{}: only a growing file has no end", path.display());
    }
    let epoch = epoch.parse().with_context(|| format!("{}: epoch", path.display()))?;
    let last = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (recorder, channel, server) = (last(recorder), last(channel), server.to_owned());
    Ok(Segment { recorder, channel, epoch, server, part, path })
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(dir)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let read = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, seqs: impl IntoIterator<Item = u64>) {
        let channel = dir.join("material/rec-1/ch-1");
        fs::create_dir_all(&channel).unwrap();
        let lines = seqs.into_iter().map(|seq| format!("{} {seq}\n", seq * TICK_MS + 1));
        fs::write(channel.join(name), lines.collect::<String>() + "12 cut o").unwrap();
    }

    #[test]
    fn a_gap_between_two_servers_is_found() {
        let dir = std::env::temp_dir().join(format!("interrex-material-{}", std::process::id()));
        write(&dir.join("a"), "2000-2080-1-srv-1.seg", 100..=103);
        write(&dir.join("b"), "2200--2-srv-3.part", 110..=112);
        let agents = [dir.join("a"), dir.join("b")];
        let channels = ticks(&agents, "rec-1").unwrap();
        assert_eq!(worst_gap_ms(&channels, 2_000, 3_000), Some(6 * TICK_MS));
        assert_eq!(worst_gap_ms(&channels, 2_200, 3_000), Some(0));
        assert_eq!(newest_ms(&channels), Some(112 * TICK_MS));
        assert_eq!(first_ms(&channels, "srv-3", 2), Some(110 * TICK_MS));
        assert_eq!(first_ms(&channels, "srv-3", 1), None);
        assert_eq!(channels["ch-1"][&111], [("srv-3".to_owned(), 2)]);
        fs::write(dir.join("a/material/rec-1/ch-1/oops"), "").unwrap();
        assert!(segments(&agents).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
