//! A folder of ours, before a verifier that shares no line with us (`tests/verify_history.py`).
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, str};

use interrex_core::{Generation, LogIndex};
use interrex_wire::segment::{Body, Header, Writer, file_name};
use interrex_wire::{decision, pb};
use prost::Message;

use crate::{samples, segments};

/// Python with both modules, if this machine has it.
fn python() -> Option<&'static str> {
    let probe = Command::new("python3").args(["-c", "import zstandard, blake3"]).output();
    let found = probe.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("not run: python3 with the modules of tests/requirements.txt is not here");
    }
    found.then_some("python3")
}

fn verify(python: &str, folder: &Path, more: &[&str]) -> Output {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/verify_history.py");
    Command::new(python).arg(script).arg(folder).args(more).output().unwrap()
}

/// Two sealed segments and an open one, with every kind of entry; the head at the end.
fn write(folder: &Path) -> String {
    let mut writer = Writer::create(Header::founding(samples::CLUSTER, Generation(1))).unwrap();
    let entry = pb::MembersEntry::from(&samples::members()).encode_to_vec();
    writer.append(LogIndex(0), 0, Body::Members(&entry)).unwrap();
    let stale = decision::encode(&samples::note(9_999));
    for sealed in 0..3 {
        let first = if sealed == 0 { LogIndex(0) } else { writer.next() };
        let mut bytes = segments::write(&mut writer, 40, 3).concat();
        writer.append(writer.next(), 1, Body::Blank).unwrap();
        writer.append(writer.next(), 1, Body::Stale(&stale)).unwrap();
        let several = samples::automatic(samples::events());
        let several = decision::encode(&samples::decision(writer.next().0, vec![several]));
        writer.append(writer.next(), 1, Body::Decision(&several)).unwrap();
        bytes.extend(writer.flush().unwrap());
        if sealed < 2 {
            let (seal, next) = writer.seal().unwrap();
            bytes.extend(seal);
            writer = Writer::create(next).unwrap();
        }
        fs::write(folder.join(file_name(first)), bytes).unwrap();
    }
    writer.place().head.to_string()
}

/// The file in the middle.
fn middle(folder: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.swap_remove(1)
}

/// Where each block of a segment begins, and where its last one ends.
fn blocks(bytes: &[u8]) -> Vec<usize> {
    let mut at = vec![128];
    while let Some(stored) = bytes.get(at[at.len() - 1] + 4..).and_then(|b| b.first_chunk::<4>()) {
        at.push(at[at.len() - 1] + 24 + u32::from_le_bytes(*stored) as usize);
        if bytes.len() - at[at.len() - 1] <= 16 {
            break;
        }
    }
    at
}

#[test]
fn a_foreign_verifier_agrees_and_finds_damage() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let head = write(folder.path());
    let good = verify(python, folder.path(), &["--expect-head", &head]);
    let said = str::from_utf8(&good.stdout).unwrap();
    // 40 notes and 26 events in each of three segments.
    assert_eq!(said, format!("events 198 revision 123 head {head}\n"), "{good:?}");
    assert!(good.status.success());

    let other = "00".repeat(32);
    let unexpected = verify(python, folder.path(), &["--expect-head", &other]);
    assert_eq!(unexpected.status.code(), Some(3));

    let path = middle(folder.path());
    let whole = fs::read(&path).unwrap();
    let at = blocks(&whole);
    let block = |n: usize| &whole[at[n]..at[n + 1]];
    let step = (whole.len() / 40).max(1);
    let mut damaged: Vec<_> = (0..whole.len())
        .step_by(step)
        .map(|byte| {
            let mut changed = whole.clone();
            changed[byte] ^= 1;
            (format!("byte {byte} changed"), changed)
        })
        .collect();
    let dropped = [&whole[..at[2]], &whole[at[3]..]].concat();
    damaged.push(("a block dropped".into(), dropped));
    let swapped = [&whole[..at[2]], block(3), block(2), &whole[at[4]..]].concat();
    damaged.push(("two blocks swapped".into(), swapped));
    for (what, bytes) in damaged {
        fs::write(&path, bytes).unwrap();
        let found = verify(python, folder.path(), &[]);
        assert_eq!(found.status.code(), Some(3), "{what}: {found:?}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(str::from_utf8(&found.stdout).unwrap().contains(name), "{what}: {found:?}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(verify(python, folder.path(), &[]).status.code(), Some(3), "a file dropped");
}

/// What a forger would do who knows the format: other records, everything else made to fit, only
/// the segments that follow are as they were.
#[test]
fn a_foreign_verifier_finds_forged_records() {
    let Some(python) = python() else { return };
    let forge = |records: &[u64]| {
        let folder = tempfile::tempdir().unwrap();
        let header = Header::founding(samples::CLUSTER, Generation(1));
        let (mut ours, mut forged) =
            (Writer::create(header).unwrap(), Writer::create(header).unwrap());
        for (writer, texts) in [(&mut ours, &[1, 2, 3][..]), (&mut forged, records)] {
            writer.append(LogIndex(0), 0, Body::Blank).unwrap();
            for &text in texts {
                let index = writer.next();
                let mut note = samples::note(text);
                note.basis = LogIndex(index.0 - 1);
                writer.append(index, 1, Body::Decision(&decision::encode(&note))).unwrap();
            }
        }
        let (_, next) = ours.seal().unwrap();
        let mut bytes = forged.flush().unwrap();
        bytes.extend(forged.seal().unwrap().0);
        fs::write(folder.path().join(file_name(LogIndex(0))), bytes).unwrap();
        let behind = Writer::create(next).unwrap().flush().unwrap();
        fs::write(folder.path().join(file_name(next.first)), behind).unwrap();
        verify(python, folder.path(), &[]).status.code()
    };
    assert_eq!(forge(&[1, 2, 3]), Some(0));
    for (what, records) in
        [("changed", &[1, 7, 3][..]), ("dropped", &[1, 3]), ("swapped", &[2, 1, 3])]
    {
        assert_eq!(forge(records), Some(3), "a record {what}");
    }
}
