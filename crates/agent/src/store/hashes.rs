//! The hashes that were written down when segments were closed: in the journal, a line each.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use interrex_core::name::Name;
use interrex_wire::material::{SegmentHash, SegmentName};
use serde::Deserialize;

use super::Tenure;
use crate::folder::unhex;
use crate::material;

/// Longer is no line of ours.
const LINE_MAX: usize = 64 << 10;

#[derive(Deserialize)]
struct Line<'a> {
    event: &'a str,
    epoch: u64,
    #[serde(borrow)]
    file: Option<std::borrow::Cow<'a, str>>,
    blake3: Option<&'a str>,
}

/// The recorded hashes of one channel of `tenure` among `wanted`, which are in order: start and end
/// of each. What was recorded last counts.
pub(super) fn recorded(
    root: &Path,
    tenure: &Tenure,
    channel: Name,
    wanted: &[(u64, u64)],
) -> io::Result<BTreeMap<(u64, u64), SegmentHash>> {
    let mut found = BTreeMap::new();
    let file = match File::open(root.join("journal.jsonl")) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(why) => return Err(why),
    };
    let dir = material::channel_dir(tenure.recorder, channel.as_str());
    let prefix = format!("{}/", dir.to_string_lossy());
    let (mut lines, mut line) = (BufReader::with_capacity(256 << 10, file), Vec::new());
    while next_line(&mut lines, &mut line)? {
        let text = std::str::from_utf8(&line).unwrap_or_default();
        // Most lines are of others; to parse each would take longer than to copy the material.
        if !text.contains(&prefix) {
            continue;
        }
        if let Some((times, hash)) = segment(text, &prefix, tenure)
            && wanted.binary_search(&times).is_ok()
        {
            found.insert(times, hash);
        }
    }
    Ok(found)
}

fn segment(line: &str, prefix: &str, tenure: &Tenure) -> Option<((u64, u64), SegmentHash)> {
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    let name: SegmentName = line.file.as_deref()?.strip_prefix(prefix)?.parse().ok()?;
    let ours = line.event == "segment"
        && line.epoch == tenure.epoch.0
        && (name.epoch, name.server) == (tenure.epoch, tenure.server);
    let hash = line.blake3.and_then(unhex)?;
    ours.then_some(((name.start_ms, name.end_ms?), hash))
}

/// Reads one line; what is longer than [`LINE_MAX`] is left out. False at the end.
fn next_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = lines.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        if line.len() + taken.len() <= LINE_MAX {
            line.extend_from_slice(taken);
        }
        let used = end.map_or(buffer.len(), |end| end + 1);
        lines.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}
