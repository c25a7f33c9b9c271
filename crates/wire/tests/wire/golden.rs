//! The past is frozen, by bytes. `BLESS=1` writes the files that are missing, and no other.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs};

use interrex_core::{Entry, LogIndex, SetId, Verdict};
use interrex_wire::segment::{Body, Header, Reader, Tail, Writer};
use interrex_wire::{Malformed, command, decision, fleet, members, pb};
use prost::Message;

use crate::samples;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

/// The recorded bytes; with `BLESS=1`, `ours` where there are none yet.
pub(crate) fn recorded(name: &str, ours: &[u8]) -> Vec<u8> {
    let path = folder().join(format!("{name}.bin"));
    if env::var_os("BLESS").is_some() && !path.exists() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, ours).unwrap();
    }
    fs::read(&path).unwrap_or_else(|_| {
        panic!("{} is missing: a new kind needs golden bytes; BLESS=1 writes them", path.display())
    })
}

/// The field of `Event` in a decision of one act with one event.
fn kind(bytes: &[u8]) -> u32 {
    let decision = pb::Decision::decode(bytes).unwrap();
    let event = decision.acts[0].events[0].encode_to_vec();
    let mut rest = event.as_slice();
    u32::try_from(prost::encoding::decode_varint(&mut rest).unwrap() >> 3).unwrap()
}

#[test]
fn every_kind_of_event_is_read_and_written_as_recorded() {
    let mut seen = BTreeMap::new();
    for event in samples::events() {
        let sample = samples::decision(1, vec![samples::automatic(vec![event.clone()])]);
        let ours = decision::encode(&sample);
        let name = format!("event-{:02}-{}", kind(&ours), event.kind());
        let bytes = recorded(&name, &ours);
        let read = decision::decode(&bytes).unwrap();
        assert_eq!(read, sample, "{name}");
        assert_eq!(decision::encode(&read), bytes, "{name}");
        // What prost generates from the proto files says the same.
        assert_eq!(pb::Decision::decode(&*bytes).unwrap().encode_to_vec(), bytes, "{name}");
        seen.insert(kind(&ours), name);
    }
    for number in 1..2_000 {
        let known = !is_unknown_kind(number);
        assert_eq!(known, seen.contains_key(&number), "kind {number} has no golden bytes");
    }
}

fn is_unknown_kind(number: u32) -> bool {
    let mut event = Vec::new();
    prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut event);
    event.push(0);
    let act = [&[0x2a, u8::try_from(event.len()).unwrap()], &*event].concat();
    let bytes = [&[0x18, 1, 0x22, u8::try_from(act.len()).unwrap()], &*act].concat();
    matches!(decision::decode(&bytes), Err(Malformed::UnknownEvent { message: "Event", .. }))
}

#[test]
fn every_shape_of_a_decision_is_read_and_written_as_recorded() {
    let mut events = samples::events();
    events.truncate(samples::EVENTS_BEFORE_COPIES);
    let several = Verdict::Done(events);
    let acts = vec![samples::by_person(several), samples::by_person(samples::refused())];
    for (name, sample) in [
        ("decision-empty", samples::decision(1, Vec::new())),
        ("decision-refused", samples::decision(2, vec![samples::by_person(samples::refused())])),
        ("decision-several", samples::decision(3, acts)),
    ] {
        let bytes = recorded(name, &decision::encode(&sample));
        assert_eq!(decision::decode(&bytes).as_ref(), Ok(&sample), "{name}");
        assert_eq!(decision::encode(&sample), bytes, "{name}");
        assert_eq!(pb::Decision::decode(&*bytes).unwrap().encode_to_vec(), bytes, "{name}");
    }
}

#[test]
fn fleet_and_members_are_read_and_written_as_recorded() {
    for (name, sample) in
        [("fleet", samples::fleet()), ("fleet-copies", samples::fleet_with_copies())]
    {
        let bytes = recorded(name, &fleet::encode(&sample));
        assert_eq!(fleet::decode(&bytes).as_ref(), Ok(&sample), "{name}");
        assert_eq!(fleet::encode(&sample), bytes, "{name}");
        assert_eq!(pb::Fleet::from(&sample).encode_to_vec(), bytes, "{name}");
    }

    let sample = samples::members();
    let bytes = recorded("members", &pb::MembersEntry::from(&sample).encode_to_vec());
    let read = pb::MembersEntry::decode(&*bytes).unwrap();
    assert_eq!(read.encode_to_vec(), bytes);
    assert_eq!(members::read(SetId(9), read), Ok(sample));
}

/// The hash of a command is kept with its operation, so its bytes last, too.
#[test]
fn commands_are_hashed_as_recorded() {
    for (name, sample) in samples::commands() {
        let ours = pb::CommandRequest { command: Some((&sample).into()), ..Default::default() };
        let bytes = recorded(&format!("command-{name}"), &ours.encode_to_vec());
        assert_eq!(ours.encode_to_vec(), bytes, "{name}");
        let first = blake3::hash(&bytes).as_bytes()[..8].try_into().unwrap();
        assert_eq!(command::hash(&sample), u64::from_le_bytes(first), "{name}");
    }
}

/// Read only: another release of zstd may compress the same content to other bytes.
#[test]
fn a_recorded_segment_is_read() {
    let mut writer =
        Writer::create(Header::founding(samples::CLUSTER, interrex_core::Generation(1)));
    let writer = writer.as_mut().unwrap();
    let entry = pb::MembersEntry::from(&samples::members()).encode_to_vec();
    let (stands, stale) = (samples::note(2), samples::note(99));
    let (stands, stale) = (decision::encode(&stands), decision::encode(&stale));
    writer.append(LogIndex(0), 0, Body::Members(&entry)).unwrap();
    writer.append(LogIndex(1), 1, Body::Blank).unwrap();
    writer.append(LogIndex(2), 1, Body::Decision(&stands)).unwrap();
    let mut ours = writer.flush().unwrap();
    let head = writer.append(LogIndex(3), 1, Body::Stale(&stale)).unwrap().head;
    ours.extend(writer.flush().unwrap());

    let bytes = recorded("segment", &ours);
    let mut reader = Reader::open("segment.bin", &bytes, None, Tail::Whole).unwrap();
    let mut read = Vec::new();
    while let Some(frame) = reader.next().unwrap() {
        read.push(frame.entry().unwrap());
    }
    let mut members = samples::members();
    members.set = SetId(0);
    let (note, late) = (samples::note(2), samples::note(99));
    let expected =
        [Entry::Members(members), Entry::Blank, Entry::Decision(note), Entry::Decision(late)];
    assert_eq!(read, expected);
    assert_eq!(reader.end().place.head, head);
    let recorded_head = recorded("segment-head", &head.0);
    assert_eq!(head.0.as_slice(), recorded_head);
}
