//! What came home, judged by the files: every segment of the failover period, equal hashes, none
//! twice, the standby emptied.
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::local::material::Ticks;

/// Segments of one tenure as its server's journal names them: file, from the data folder on, and
/// BLAKE3.
pub(super) fn journalled(
    data: &Path,
    recorder: &str,
    epoch: u64,
) -> Result<BTreeMap<String, String>> {
    let path = data.join("journal.jsonl");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        let is_of = text("event") == Some("segment")
            && text("recorder") == Some(recorder)
            && line.get("epoch").and_then(Value::as_u64) == Some(epoch);
        if let (true, Some(file), Some(hash)) = (is_of, text("file"), text("blake3")) {
            found.insert(file.to_owned(), hash.to_owned());
        }
    }
    Ok(found)
}

/// How many of `segments` lie under `data` with that very hash.
pub(super) fn equal(data: &Path, segments: &BTreeMap<String, String>) -> usize {
    let is_equal = |file: &str, hash: &str| {
        let content = std::fs::read(data.join(file));
        content.is_ok_and(|content| blake3::hash(&content).to_hex().as_str() == hash)
    };
    segments.iter().filter(|(file, hash)| is_equal(file, hash)).count()
}

/// How many of `segments` lie under `data`, whatever is in them.
pub(super) fn present(data: &Path, segments: &BTreeMap<String, String>) -> usize {
    segments.keys().filter(|file| data.join(file).exists()).count()
}

/// Moments that stand twice in the material of one tenure.
pub(super) fn doubled(channels: &BTreeMap<String, Ticks>, epoch: u64) -> usize {
    let times = |by: &Vec<(String, u64)>| by.iter().filter(|(_, of)| *of == epoch).count();
    channels.values().flat_map(BTreeMap::values).filter(|by| times(by) > 1).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_stands_twice_is_found() {
        let twice = vec![("srv-3".to_owned(), 2), ("srv-3".to_owned(), 2)];
        let ticks: Ticks = BTreeMap::from([(7, twice), (8, vec![("srv-3".to_owned(), 2)])]);
        let channels = BTreeMap::from([("ch-1".to_owned(), ticks)]);
        assert_eq!((doubled(&channels, 2), doubled(&channels, 1)), (1, 0));
    }
}
