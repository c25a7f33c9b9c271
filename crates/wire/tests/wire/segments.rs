//! Segments: written, torn, damaged, read from the middle.
use interrex_core::{Generation, LogIndex, LogTime, Revision};
use interrex_wire::decision;
use interrex_wire::segment::{
    Body, Damage, End, Flaw, Header, Place, Reader, Tail, Writer, file_name, first_index,
    holds_nothing,
};
use proptest::prelude::*;

use crate::samples::{CLUSTER, note};

fn header() -> Header {
    Header::founding(CLUSTER, Generation(1))
}

/// Entry 0 blank, then notes; what each flush gave.
pub(crate) fn write(writer: &mut Writer, notes: u64, per_block: u64) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    if writer.next() == LogIndex(0) {
        writer.append(LogIndex(0), 0, Body::Blank).unwrap();
    }
    for n in 1..=notes {
        let index = writer.next();
        writer.append(index, 1, Body::Decision(&decision::encode(&note(index.0)))).unwrap();
        if n % per_block == 0 {
            blocks.push(writer.flush().unwrap());
        }
    }
    blocks.push(writer.flush().unwrap());
    blocks
}

fn read(bytes: &[u8], before: Option<&End>, tail: Tail) -> Result<(Vec<LogIndex>, End), Damage> {
    let mut reader = Reader::open("segment", bytes, before, tail)?;
    let mut read = Vec::new();
    while let Some(frame) = reader.next()? {
        frame.entry().unwrap();
        read.push(frame.index);
    }
    Ok((read, reader.end()))
}

fn flaw(bytes: &[u8]) -> Flaw {
    read(bytes, None, Tail::Whole).unwrap_err().flaw
}

#[test]
fn names_sort_as_their_indices() {
    assert_eq!(file_name(LogIndex(7)), "history-00000000000000000007.seg");
    assert_eq!(first_index(&file_name(LogIndex(u64::MAX))), Some(LogIndex(u64::MAX)));
    for other in ["history-7.seg", "history-+0000000000000000007.seg", "people.jsonl"] {
        assert_eq!(first_index(other), None, "{other}");
    }
}

#[test]
fn segments_follow_each_other() {
    let mut writer = Writer::create(header()).unwrap();
    let mut first = write(&mut writer, 50, 7).concat();
    let (seal, next) = writer.seal().unwrap();
    first.extend(seal);
    let mut writer = Writer::create(next).unwrap();
    let second = write(&mut writer, 50, 1).concat();

    let (indices, end) = read(&first, None, Tail::Whole).unwrap();
    assert_eq!(indices, (0..=50).map(LogIndex).collect::<Vec<_>>());
    assert!(end.sealed && !end.torn);
    assert_eq!(end.length, first.len() as u64);
    let (indices, end) = read(&second, Some(&end), Tail::Whole).unwrap();
    assert_eq!(indices, (51..=100).map(LogIndex).collect::<Vec<_>>());
    assert_eq!((end.place, end.place.revision), (writer.place(), Revision(100)));
    // Without the first one, the second is of nothing that is known.
    assert!(matches!(flaw(&second), Flaw::Gap { .. }));
}

#[test]
fn a_segment_of_another_cluster_or_past_does_not_follow() {
    let end_of = |cluster| {
        let mut writer = Writer::create(Header::founding(cluster, Generation(1))).unwrap();
        let mut bytes = write(&mut writer, 3, 1).concat();
        let (seal, next) = writer.seal().unwrap();
        bytes.extend(seal);
        (read(&bytes, None, Tail::Whole).unwrap().1, next)
    };
    let (ours, next) = end_of(CLUSTER);
    let (other, _) = end_of([9; 16]);
    let bytes = Writer::create(next).unwrap().flush().unwrap();
    assert!(read(&bytes, Some(&ours), Tail::Whole).is_ok());
    assert_eq!(read(&bytes, Some(&other), Tail::Whole).unwrap_err().flaw, Flaw::OtherCluster);
    let place = Place { revision: Revision(2), ..ours.place };
    let past = End { place, ..ours };
    let found = read(&bytes, Some(&past), Tail::Whole).unwrap_err().flaw;
    assert!(matches!(found, Flaw::OtherPlace { .. }));
}

#[test]
fn what_does_not_belong_is_not_added() {
    let mut writer = Writer::create(header()).unwrap();
    write(&mut writer, 3, 9);
    let standing = decision::encode(&note(4));
    let elsewhere = decision::encode(&note(9));
    let place = writer.place();
    let gap = Flaw::Gap { expected: LogIndex(4), found: LogIndex(5) };
    assert_eq!(writer.append(LogIndex(5), 1, Body::Blank), Err(gap));
    let fell = Flaw::TermFell { index: LogIndex(4), before: 1, found: 0 };
    assert_eq!(writer.append(LogIndex(4), 0, Body::Blank), Err(fell));
    let index = LogIndex(4);
    let appended = writer.append(index, 1, Body::Decision(&elsewhere));
    assert_eq!(appended, Err(Flaw::NotStanding(index)));
    assert_eq!(writer.append(index, 1, Body::Stale(&standing)), Err(Flaw::NotStale(index)));
    assert_eq!((writer.place(), writer.flush().unwrap().len()), (place, 0));
    // A stale one is kept, and is no record.
    assert_eq!(writer.append(index, 1, Body::Stale(&elsewhere)), Ok(place));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// However much of the newest file is left: whole blocks, and the rest can be appended again.
    #[test]
    fn a_torn_tail_is_cut_at_the_last_whole_block(
        notes in 1..60u64, per_block in 1..9u64, cut: prop::sample::Index, noise: bool,
    ) {
        let mut writer = Writer::create(header()).unwrap();
        let blocks = write(&mut writer, notes, per_block);
        let bytes = blocks.concat();
        let cut = 128 + cut.index(bytes.len() - 127);
        let mut torn = bytes[..cut].to_vec();
        if noise {
            torn.extend([0; 600]);
        }
        let (read_back, end) = read(&torn, None, Tail::Torn { durable: 0 }).unwrap();
        let mut whole = 128;
        for block in &blocks {
            let length = block.len() - if whole == 128 { 128 } else { 0 };
            if whole + length > cut { break; }
            whole += length;
        }
        prop_assert_eq!(end.length, whole as u64);
        prop_assert_eq!(end.torn, torn.len() > whole);
        prop_assert_eq!(end.next.0, read_back.len() as u64);

        torn.truncate(whole);
        let mut reader = Reader::open("torn", &torn, None, Tail::Whole).unwrap();
        while reader.next().unwrap().is_some() {}
        let mut again = Writer::resume(&reader).unwrap();
        if again.next() == LogIndex(0) {
            again.append(LogIndex(0), 0, Body::Blank).unwrap();
        }
        while again.next() < writer.next() {
            let index = again.next();
            again.append(index, 1, Body::Decision(&decision::encode(&note(index.0)))).unwrap();
        }
        torn.extend(again.flush().unwrap());
        prop_assert_eq!(again.place(), writer.place());
        let (_, end) = read(&torn, None, Tail::Whole).unwrap();
        prop_assert_eq!(end.place, writer.place());
    }
}

/// Any byte of a segment, changed: it is found, and named by file and offset. In the newest file
/// the last block may be taken for torn off instead; never one that others follow.
#[test]
fn every_changed_byte_is_found() {
    let mut writer = Writer::create(header()).unwrap();
    let blocks = write(&mut writer, 9, 3);
    let mut bytes = blocks.concat();
    let last = bytes.len() - blocks[2].len();
    let open = bytes.len();
    bytes.extend(writer.seal().unwrap().0);
    let whole = read(&bytes, None, Tail::Whole).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let damage = read(&changed, None, Tail::Whole).unwrap_err();
        assert_eq!(damage.file, "segment");
        assert!(damage.offset <= at as u64, "{damage}");
        if at < open {
            let newest = read(&changed[..open], None, Tail::Torn { durable: 0 });
            match newest {
                Err(_) => assert!(at < last),
                Ok((_, end)) => {
                    assert!(at >= last && end.torn && end.length == last as u64);
                }
            }
        }
    }
    assert!(whole.1.sealed);
}

#[test]
fn what_was_synced_is_never_taken_for_torn_off() {
    let mut writer = Writer::create(header()).unwrap();
    let blocks = write(&mut writer, 9, 3);
    let mut bytes = blocks.concat();
    let (second, third) = (blocks[0].len(), blocks[0].len() + blocks[1].len());
    bytes[second + 30] ^= 1;
    // A whole block follows, so this is damage, unless both are known to be later than the sync.
    assert!(read(&bytes, None, Tail::Torn { durable: 0 }).is_err());
    assert!(read(&bytes, None, Tail::Torn { durable: third as u64 }).is_err());
    let (_, end) = read(&bytes, None, Tail::Torn { durable: second as u64 }).unwrap();
    assert_eq!((end.length, end.torn), (second as u64, true));
}

#[test]
fn a_dropped_and_a_swapped_block_are_found() {
    let mut writer = Writer::create(header()).unwrap();
    let blocks = write(&mut writer, 9, 3);
    let (a, b, c) = (&blocks[0], &blocks[1], &blocks[2]);
    // Blocks go on with the zstd frame of the one before, or the index tells.
    assert!(read(&[&a[..], c].concat(), None, Tail::Whole).is_err());
    assert!(read(&[&a[..], c, b].concat(), None, Tail::Whole).is_err());
    assert!(read(&[&a[..], b, c].concat(), None, Tail::Whole).is_ok());
}

/// The newest file may have been created and nothing else.
#[test]
fn a_file_that_was_only_begun_holds_nothing() {
    let begun = Writer::create(header()).unwrap().flush().unwrap();
    assert_eq!(begun.len(), 128);
    assert!(holds_nothing(&[]) && holds_nothing(&begun[..100]) && holds_nothing(&[0; 4096]));
    assert!(!holds_nothing(&begun));
    let mut writer = Writer::create(header()).unwrap();
    let mut bytes = write(&mut writer, 2, 1).concat();
    bytes[5] ^= 1;
    assert!(!holds_nothing(&bytes));
    assert_eq!(flaw(&bytes), Flaw::Header);
}

#[test]
fn a_newer_format_names_both_numbers() {
    let mut bytes = Writer::create(header()).unwrap().flush().unwrap();
    bytes[8] = 2;
    let sum = crc32fast::hash(&bytes[..124]);
    bytes[124..].copy_from_slice(&sum.to_le_bytes());
    let damage = read(&bytes, None, Tail::Whole).unwrap_err();
    assert_eq!(damage.flaw, Flaw::NewerFormat { reads: 1, found: 2 });
    let words = damage.to_string();
    assert!(words.contains("format 2") && words.contains("up to 1"), "{words}");
}

/// By revision and by time: from the nearest point of the index, with an unbroken chain.
#[test]
fn a_sealed_segment_is_read_from_the_middle() {
    let mut writer = Writer::create(header()).unwrap();
    let mut bytes = write(&mut writer, 30_000, 100).concat();
    bytes.extend(writer.seal().unwrap().0);
    let (_, whole) = read(&bytes, None, Tail::Whole).unwrap();
    let mut starts = Vec::new();
    for revision in [0, 1, 15_000, 29_999, 40_000] {
        let mut by_revision = Reader::open("sealed", &bytes, None, Tail::Whole).unwrap();
        by_revision.seek_revision(Revision(revision));
        let first = by_revision.next().unwrap().unwrap().after.revision;
        assert!(first.0 <= revision.max(1), "{first} starts after {revision}");
        while by_revision.next().unwrap().is_some() {}
        assert_eq!(by_revision.end().place, whole.place);
        starts.push(first);

        let mut by_time = Reader::open("sealed", &bytes, None, Tail::Whole).unwrap();
        by_time.seek_time(LogTime(note(revision + 1).at.0));
        assert!(by_time.next().unwrap().unwrap().after.revision.0 <= revision + 1);
        while by_time.next().unwrap().is_some() {}
        assert_eq!(by_time.end().place, whole.place);
    }
    assert!(starts[2] > Revision(5_000) && starts[3] > starts[2], "{starts:?}");
}
