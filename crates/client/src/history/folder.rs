//! A stopped coordinator's folder: `history/history-*.seg` and `history/people.jsonl`. Nothing is
//! written.
use std::fs;
use std::path::{Path, PathBuf};

use interrex_core::LogIndex;
use interrex_wire::members::person;
use interrex_wire::segment::{self, End, Frame, Reader, Tail};
use serde::Deserialize;

use super::{BadHistory, People};

#[derive(Deserialize)]
struct Line {
    role: String,
    name: String,
}

/// Hands every frame of the folder, in order, to `each`; returns where the chain ends.
///
/// # Errors
///
/// The folder is no coordinator's, a segment is damaged, or what `each` found.
pub fn read_folder(
    data: &Path,
    mut each: impl FnMut(&Frame<'_>) -> Result<(), BadHistory>,
) -> Result<Option<End>, BadHistory> {
    let segments = segments(data)?;
    let mut end: Option<End> = None;
    for (position, (_, path)) in segments.iter().enumerate() {
        let bytes = fs::read(path).map_err(|why| unreadable(path, &why))?;
        let is_newest = position + 1 == segments.len();
        if is_newest && position > 0 && segment::holds_nothing(&bytes) {
            break;
        }
        let tail = if is_newest { Tail::Torn { durable: 0 } } else { Tail::Whole };
        let name = path.display().to_string();
        let damaged = |damage| BadHistory::Damaged(Box::new(damage));
        let mut reader = Reader::open(&name, &bytes, end.as_ref(), tail).map_err(damaged)?;
        while let Some(frame) = reader.next().map_err(damaged)? {
            each(&frame)?;
        }
        end = Some(reader.end());
    }
    Ok(end)
}

/// The names beside the history; damaged lines are left out.
pub fn read_people(data: &Path) -> People {
    let text = fs::read_to_string(data.join("history/people.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines
        .map(|line| (person(&line.role, &line.name), format!("{}/{}", line.role, line.name)))
        .collect()
}

fn unreadable(path: &Path, why: &std::io::Error) -> BadHistory {
    BadHistory::Unreadable(format!("{}: cannot be read: {why}", path.display()))
}

/// In the order of the log.
fn segments(data: &Path) -> Result<Vec<(LogIndex, PathBuf)>, BadHistory> {
    let folder = data.join("history");
    let entries = fs::read_dir(&folder).map_err(|why| unreadable(&folder, &why))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|why| unreadable(&folder, &why))?;
        let index = entry.file_name().to_str().and_then(segment::first_index);
        found.extend(index.map(|index| (index, entry.path())));
    }
    found.sort();
    if found.is_empty() {
        return Err(BadHistory::Unreadable(format!(
            "{}: holds no segment of a history; give a coordinator's data folder",
            folder.display()
        )));
    }
    Ok(found)
}
