//! After a crash: segments that were still growing are closed at their last whole line, and told of
//! in the journal. Nothing whole is ever dropped.
use std::fs::{self, File};
use std::io;
use std::path::Path;

use interrex_core::ServerId;

use super::{channel_dir, list, name::SegmentName};
use crate::clock::Stamp;
use crate::driver::TICK_MS;
use crate::failure::Failure;
use crate::folder::hex;
use crate::journal::{Entry, Event, Journal};

/// Closes what `server` left open below `root`. How many were closed.
pub(crate) fn recover(
    root: &Path,
    server: ServerId,
    journal: &Journal,
    now: Stamp,
) -> Result<usize, Failure> {
    let mut closed = 0;
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |why| Failure::disk(&path, &why)
    };
    let material = root.join("material");
    for recorder in list(&material).map_err(fail(&material))? {
        for channel in list(&recorder).map_err(fail(&recorder))? {
            for part in list(&channel).map_err(fail(&channel))? {
                if let Some(entry) = close(&part, server, now).map_err(fail(&part))? {
                    journal.write(&entry);
                    closed += 1;
                }
            }
        }
    }
    Ok(closed)
}

/// Closes one file, if it is a growing segment of ours.
fn close(part: &Path, server: ServerId, now: Stamp) -> io::Result<Option<Entry>> {
    let names = || {
        let name: SegmentName = part.file_name()?.to_str()?.parse().ok()?;
        let channel = part.parent()?;
        let recorder = channel.parent()?.file_name()?.to_str()?.parse().ok()?;
        Some((name, channel, recorder))
    };
    let Some((name, dir, recorder)) = names() else { return Ok(None) };
    if name.end_ms.is_some() || name.server != server {
        return Ok(None);
    }
    let content = fs::read(part)?;
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let content = content.get(..whole).unwrap_or_default();
    if content.is_empty() {
        fs::remove_file(part)?; // no tick of it ever was whole
        return Ok(None);
    }
    let Some(last_ms) = last_tick(content) else {
        let aside = part.with_extension("corrupt");
        tracing::error!(path = %aside.display(), "a segment holds something else; set aside");
        fs::rename(part, aside)?;
        return Ok(None);
    };
    let file = File::options().write(true).open(part)?;
    file.set_len(u64::try_from(whole).unwrap_or_default())?;
    file.sync_all()?;
    let end_ms = Some(last_ms + TICK_MS);
    let closed = SegmentName { end_ms, ..name }.to_string();
    fs::rename(part, dir.join(&closed))?;
    File::open(dir)?.sync_all()?;
    let channel = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    tracing::info!(%recorder, %channel, file = %closed, "closed a segment that a crash left open");
    Ok(Some(Entry {
        at: now,
        recorder,
        epoch: name.epoch,
        event: Event::Segment,
        file: Some(channel_dir(recorder, &channel).join(closed).to_string_lossy().into_owned()),
        channel: Some(channel),
        blake3: Some(hex(blake3::hash(content).as_bytes())),
        lease_end: None,
        unfenced: Some(true), // which lease ran at its last byte died with the process
    }))
}

/// The time of the last line, if that line is a tick.
fn last_tick(content: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(content).ok()?;
    let (ms, seq) = text.lines().next_back()?.split_once(' ')?;
    let (ms, seq): (u64, u64) = (ms.parse().ok()?, seq.parse().ok()?);
    (ms / TICK_MS == seq).then_some(ms / TICK_MS * TICK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const AT: Stamp = Stamp { boot: interrex_core::BootTime(Duration::ZERO), wall: Duration::ZERO };

    #[test]
    fn what_was_growing_is_closed_at_its_last_whole_line() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("material/rec-1/ch-1");
        fs::create_dir_all(&dir).unwrap();
        let server = "srv-1".parse().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
        write("1000--3-srv-1.part", "1000 50\n1020 51\n1040 5");
        write("2000--3-srv-1.part", "2000 1");
        write("3000--3-srv-1.part", "three\n");
        write("4000--3-srv-2.part", "4000 200\n");
        write("5000-5020-3-srv-1.seg", "5000 250\n");
        let journal = Journal::open(temp.path(), server).unwrap();
        assert_eq!(recover(temp.path(), server, &journal, AT).unwrap(), 1);
        let names: Vec<String> = list(&dir)
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let expect = [
            "1000-1040-3-srv-1.seg",
            "3000--3-srv-1.corrupt",
            "4000--3-srv-2.part",
            "5000-5020-3-srv-1.seg",
        ];
        assert_eq!(names, expect);
        let kept = fs::read_to_string(dir.join("1000-1040-3-srv-1.seg")).unwrap();
        assert_eq!(kept, "1000 50\n1020 51\n");
        let line = fs::read_to_string(temp.path().join("journal.jsonl")).unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["file"], "material/rec-1/ch-1/1000-1040-3-srv-1.seg");
        assert_eq!(line["blake3"], blake3::hash(kept.as_bytes()).to_hex().as_str());
        assert_eq!((&line["event"], &line["unfenced"]), (&"segment".into(), &true.into()));
        assert_eq!(recover(temp.path(), server, &journal, AT).unwrap(), 0, "once");
    }
}
