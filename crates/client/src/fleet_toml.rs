//! The fleet document as people write it: TOML to [`Fleet`] and back. What is wrong is named with
//! line, column and key, before anything is sent.
//!
//! Deliberately absent: what the document means (core) and files (cli).
use std::collections::BTreeMap;

use interrex_core::fleet::{Fleet, Unsound};
use interrex_core::{RecorderId, ServerId};

mod export;
mod material;
mod raw;
mod read;

pub use export::{Change, diff, export};

/// Longest document, in bytes.
pub const TEXT_MAX: usize = 4 << 20;

/// A sound document, and what its author may not have meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Its references are sound.
    pub fleet: Fleet,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// The document is wrong. Nothing was sent; correct it at the place named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {key}{colon}{problem}", colon = if key.is_empty() { "" } else { ": " })]
pub struct BadFleet {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// As in `server.srv-1.timeout`; empty if the text is no TOML at all.
    pub key: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Reads a document.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn parse(text: &str) -> Result<Parsed, BadFleet> {
    if text.len() > TEXT_MAX {
        let problem = format!(
            "the document has {} bytes, at most {TEXT_MAX} are allowed; split the fleet",
            text.len()
        );
        return Err(BadFleet { line: 1, column: 1, key: String::new(), problem });
    }
    let raw: raw::Document = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(text, at, &key_at(text, at), error.message().replace('\n', ", "))
    })?;
    let mut places = Places::default();
    let parsed = read::document(&raw, &mut places)
        .map_err(|read::Wrong { at, key, problem }| wrong(text, at, &key, problem))?;
    parsed.fleet.check().map_err(|unsound| {
        let (at, key) = places.of(&unsound);
        wrong(text, at, &key, unsound.to_string())
    })?;
    Ok(parsed)
}

/// Where the values stand that other places refer to: byte offsets.
#[derive(Default)]
struct Places {
    groups: BTreeMap<ServerId, usize>,
    homes: BTreeMap<RecorderId, usize>,
    channels: BTreeMap<RecorderId, usize>,
    addresses: BTreeMap<RecorderId, usize>,
}

impl Places {
    fn of(&self, unsound: &Unsound) -> (usize, String) {
        let home = |recorder: &RecorderId| {
            (self.homes.get(recorder).copied().unwrap_or(0), format!("recorder.{recorder}.home"))
        };
        match unsound {
            Unsound::NoGroup { server, .. } => {
                (self.groups.get(server).copied().unwrap_or(0), format!("server.{server}.group"))
            }
            Unsound::NoHome { recorder, .. } | Unsound::HomeIsStandby { recorder, .. } => {
                home(recorder)
            }
            Unsound::SharedHome { second, .. } => home(second),
            Unsound::Channels { recorder, .. } => (
                self.channels.get(recorder).copied().unwrap_or(0),
                format!("recorder.{recorder}.channels"),
            ),
            Unsound::Addresses { recorder } | Unsound::SharedAddress { second: recorder, .. } => (
                self.addresses.get(recorder).copied().unwrap_or(0),
                format!("recorder.{recorder}.addresses"),
            ),
            Unsound::TooManyServers(_) => (0, "server".to_owned()),
        }
    }
}

fn wrong(text: &str, at: usize, key: &str, problem: String) -> BadFleet {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    BadFleet { line, column, key: key.to_owned(), problem }
}

/// The key at a place, as far as the lines around it show it: the last table header above, and
/// what stands before `=` in the line itself.
fn key_at(text: &str, at: usize) -> String {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
    let header = |line: &str| {
        let inner = line.trim().strip_prefix('[')?.split(']').next()?;
        Some(inner.trim().to_owned())
    };
    if let Some(table) = header(line) {
        return table;
    }
    let table = text.get(..start).and_then(|above| above.lines().rev().find_map(header));
    let key = line.split('=').next().map(str::trim).unwrap_or_default();
    match table {
        Some(table) => format!("{table}.{key}"),
        None => key.to_owned(),
    }
}
