//! `journal.jsonl`: what this agent did, for people who do not take a coordinator's word
//! (CONTRACT, "Files of an agent"). Only ever appended to.
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use interrex_core::{BootTime, Epoch, RecorderId, ServerId};
use serde::Serialize;

use crate::clock::Stamp;
use crate::failure::Failure;

/// Beyond this a last line is none of ours.
const LINE_MAX: u64 = 64 << 10;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    Act,
    Release,
    Start,
    Stop,
    Segment,
    LeaseEnd,
    DropAddresses,
}

/// One line. What does not apply, or is not known, is null.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Stamp,
    pub(crate) recorder: RecorderId,
    pub(crate) epoch: Epoch,
    pub(crate) event: Event,
    pub(crate) channel: Option<String>,
    /// From the data folder on.
    pub(crate) file: Option<String>,
    pub(crate) blake3: Option<String>,
    pub(crate) lease_end: Option<BootTime>,
    pub(crate) unfenced: Option<bool>,
}

#[derive(Serialize)]
struct Line<'a> {
    time_ns: u64,
    boot_ns: u64,
    server: &'a str,
    recorder: &'a str,
    epoch: u64,
    event: Event,
    channel: Option<&'a str>,
    file: Option<&'a str>,
    blake3: Option<&'a str>,
    lease_end_ns: Option<u64>,
    unfenced: Option<bool>,
}

/// The open journal of one server.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    server: ServerId,
    file: Mutex<File>,
}

impl Journal {
    /// Opens the journal in `root`. A last line that a crash cut short is cut off.
    pub(crate) fn open(root: &Path, server: ServerId) -> Result<Self, Failure> {
        let path = root.join("journal.jsonl");
        let file = open(&path).map_err(|why| Failure::disk(&path, &why))?;
        Ok(Self { path, server, file: Mutex::new(file) })
    }

    /// Appends one line, whole or not at all. That it could not is logged: a full disk must not
    /// stop what is recorded elsewhere.
    pub(crate) fn write(&self, entry: &Entry) {
        if let Err(why) = self.append(entry) {
            let (path, event) = (self.path.display(), entry.event);
            tracing::error!(%path, ?event, error = %why, "a line of the journal is lost");
        }
    }

    fn append(&self, entry: &Entry) -> io::Result<()> {
        let line = Line {
            time_ns: nanos(entry.at.wall),
            boot_ns: nanos(entry.at.boot.0),
            server: self.server.as_str(),
            recorder: entry.recorder.as_str(),
            epoch: entry.epoch.0,
            event: entry.event,
            channel: entry.channel.as_deref(),
            file: entry.file.as_deref(),
            blake3: entry.blake3.as_deref(),
            lease_end_ns: entry.lease_end.map(|end| nanos(end.0)),
            unfenced: entry.unfenced,
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let before = file.metadata()?.len();
        file.write_all(&text).inspect_err(|_| {
            let half = file.set_len(before);
            tracing::debug!(?half, "cut off half a line");
        })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = File::options().create(true).read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    let tail = length.min(LINE_MAX);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let half = bytes.len() - whole;
    if half > 0 {
        tracing::warn!(path = %path.display(), bytes = half, "cut off half a line of the journal");
        file.set_len(length - u64::try_from(half).unwrap_or_default())?;
    }
    Ok(file)
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn entry(event: Event) -> Entry {
        Entry {
            at: Stamp { boot: BootTime(Duration::from_nanos(5)), wall: Duration::from_nanos(9) },
            recorder: "rec-1".parse().unwrap(),
            epoch: Epoch(2),
            event,
            channel: None,
            file: None,
            blake3: None,
            lease_end: None,
            unfenced: None,
        }
    }

    #[test]
    fn a_line_has_every_key_in_the_order_of_the_contract() {
        let temp = tempfile::tempdir().unwrap();
        let journal = Journal::open(temp.path(), "srv-1".parse().unwrap()).unwrap();
        journal.write(&entry(Event::DropAddresses));
        journal.write(&Entry {
            channel: Some("ch-1".into()),
            file: Some("material/x".into()),
            blake3: Some("00".into()),
            lease_end: Some(BootTime(Duration::from_nanos(7))),
            unfenced: Some(false),
            ..entry(Event::Segment)
        });
        let text = std::fs::read_to_string(temp.path().join("journal.jsonl")).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"time_ns":9,"boot_ns":5,"server":"srv-1","recorder":"rec-1","epoch":2,"event":"drop_addresses","channel":null,"file":null,"blake3":null,"lease_end_ns":null,"unfenced":null}"#,
                "\n",
                r#"{"time_ns":9,"boot_ns":5,"server":"srv-1","recorder":"rec-1","epoch":2,"event":"segment","channel":"ch-1","file":"material/x","blake3":"00","lease_end_ns":7,"unfenced":false}"#,
                "\n",
            )
        );
    }

    #[test]
    fn half_a_line_is_cut_off_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("journal.jsonl");
        std::fs::write(&path, "{\"whole\":1}\n{\"half\":").unwrap();
        Journal::open(temp.path(), "srv-1".parse().unwrap()).unwrap().write(&entry(Event::Act));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "{\"whole\":1}"));
    }
}
