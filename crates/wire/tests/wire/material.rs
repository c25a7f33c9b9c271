//! Frames between agents: as recorded, as written, and as nobody of ours would write them.
use bytes::Bytes;
use interrex_core::CopyId;
use interrex_core::fleet::MaterialKind;
use interrex_wire::limits::{CHUNK_MAX, PAGE_MAX, WORDS_MAX};
use interrex_wire::material::{FaultCode, Frame, Listed, Page, SegmentKey, SegmentName, Totals};
use interrex_wire::{Malformed, pb};
use proptest::prelude::*;
use prost::Message;

use crate::golden::recorded;
use crate::samples;

fn key(start_ms: u64) -> SegmentKey {
    SegmentKey {
        channel: "ch-1".parse().unwrap(),
        name: format!("{start_ms}-{}-7-srv-1-b.seg", start_ms + 10_000).parse().unwrap(),
        kind: MaterialKind::Video,
    }
}

/// One of every kind, in every shape.
fn frames() -> Vec<(&'static str, Frame)> {
    let bytes = Bytes::from_static(b"content");
    let listed = |start_ms, blake3| Listed { key: key(start_ms), length: 300, blake3 };
    let segments = vec![listed(1_000, Some([7; 32])), listed(11_000, None)];
    let totals = Totals { segments: 9, bytes: 2_700 };
    let text = "it still grows".to_owned();
    vec![
        (
            "hello",
            Frame::Hello {
                cluster: samples::CLUSTER,
                server: samples::server("srv-1"),
                copy: CopyId(300),
            },
        ),
        ("list", Frame::List { after: None }),
        ("list-after", Frame::List { after: Some(key(1_000)) }),
        ("page", Frame::Page(Page { segments, complete: true, totals })),
        ("read", Frame::Read { key: key(1_000), offset: 262_144, hash: true }),
        ("data", Frame::Data { bytes: bytes.clone(), last: false, blake3: None }),
        ("data-last", Frame::Data { bytes, last: true, blake3: Some([9; 32]) }),
        ("fault", Frame::Fault { code: FaultCode::Busy, text }),
    ]
}

fn read(bytes: &[u8]) -> Result<Frame, Malformed> {
    Frame::try_from(pb::MaterialFrame::decode(bytes).unwrap())
}

#[test]
fn frames_are_read_and_written_as_recorded() {
    for (name, sample) in frames() {
        let ours = pb::MaterialFrame::from(&sample).encode_to_vec();
        let bytes = recorded(&format!("material-{name}"), &ours);
        assert_eq!(read(&bytes).as_ref(), Ok(&sample), "{name}");
        assert_eq!(ours, bytes, "{name}");
    }
}

#[test]
fn frames_cut_short_and_with_one_byte_changed() {
    let as_frame = |bytes: &[u8]| pb::MaterialFrame::decode(bytes).map(Frame::try_from);
    for (_, sample) in frames() {
        let bytes = pb::MaterialFrame::from(&sample).encode_to_vec();
        for at in 0..bytes.len() {
            let _ = as_frame(&bytes[..at]);
            for byte in [0, 0x7f, 0x80, 0xff, bytes[at] ^ 1] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                let _ = as_frame(&changed);
            }
        }
    }
}

fn named(channel: &str, name: &str, kind: &str) -> Result<Frame, Malformed> {
    let (channel, name, kind) = (channel.into(), name.into(), kind.into());
    let key = Some(pb::SegmentKey { channel, kind, name });
    let body = pb::material_frame::Body::Read(pb::ReadSegment { key, offset: 0, hash: false });
    Frame::try_from(pb::MaterialFrame { body: Some(body) })
}

#[test]
fn no_name_leads_out_of_its_folder() {
    const GOOD: &str = "1000-2000-7-srv-1.seg";
    assert!(named("ch-1", GOOD, "video").is_ok());
    let channels = ["", ".", "..", "../ch-1", "ch-1/..", "/etc", "CH", "c\0h", &"c".repeat(64)];
    for channel in channels {
        assert!(named(channel, GOOD, "video").is_err(), "{channel:?}");
    }
    let names = [
        "",
        "..",
        "../1000-2000-7-srv-1.seg",
        "1000-2000-7-../srv-1.seg",
        "1000-2000-7-srv-1.seg/..",
        "/1000-2000-7-srv-1.seg",
        "1000--7-srv-1.part",
        "2000-1000-7-srv-1.seg",
        "+1000-2000-7-srv-1.seg",
        "99999999999999999999-99999999999999999999-7-srv-1.seg",
        "1000-2000-7-srv-1.seg\0",
    ];
    for name in names {
        assert_eq!(named("ch-1", name, "video"), bad("SegmentKey.name"), "{name:?}");
    }
    for kind in ["", "Video", "smell", "../video"] {
        assert_eq!(named("ch-1", GOOD, kind), bad("SegmentKey.kind"), "{kind:?}");
    }
}

fn bad(field: &'static str) -> Result<Frame, Malformed> {
    Err(Malformed::BadSegment(field))
}

#[test]
fn each_length_is_bounded() {
    use pb::material_frame::Body;
    let frame = |body| Frame::try_from(pb::MaterialFrame { body: Some(body) });
    let hash = |length: usize| {
        let data = pb::SegmentData { blake3: vec![0; length].into(), ..Default::default() };
        frame(Body::Data(data))
    };
    assert!(hash(0).is_ok() && hash(32).is_ok());
    let (field, expected) = ("SegmentData.blake3", 32);
    assert_eq!(hash(31), Err(Malformed::WrongLength { field, length: 31, expected }));
    let chunk = |length: usize| {
        let data = pb::SegmentData { bytes: vec![0; length].into(), ..Default::default() };
        frame(Body::Data(data))
    };
    assert!(chunk(CHUNK_MAX).is_ok());
    let (field, length, max) = ("SegmentData.bytes", CHUNK_MAX + 1, CHUNK_MAX);
    assert_eq!(chunk(length), Err(Malformed::TooLong { field, length, max }));
    let fault = pb::MaterialFault { code: 1, text: "x".repeat(WORDS_MAX + 1) };
    assert!(matches!(frame(Body::Fault(fault)), Err(Malformed::TooLong { .. })));
    let fault = pb::MaterialFault { code: 0, text: String::new() };
    assert!(matches!(frame(Body::Fault(fault)), Err(Malformed::BadValue { .. })));
    let page = |starts: &[u64]| {
        let listed = |start: &u64| Listed { key: key(*start), length: 1, blake3: None };
        let segments = starts.iter().map(|start| pb::ListedSegment::from(&listed(start)));
        frame(Body::Page(pb::SegmentPage { segments: segments.collect(), ..Default::default() }))
    };
    let many: Vec<u64> = (0..=u64::try_from(PAGE_MAX).unwrap()).collect();
    assert!(page(&many[1..]).is_ok());
    assert!(matches!(page(&many), Err(Malformed::TooMany { .. })));
    let in_circles = Err(Malformed::NotAscending("SegmentPage.segments"));
    assert_eq!(page(&[2, 1]), in_circles);
    assert_eq!(page(&[1, 1]), in_circles);
    assert!(Frame::try_from(pb::MaterialFrame { body: None }).is_err());
}

proptest! {
    #[test]
    fn names_of_segments(text in "[0-9]{1,4}-[0-9]{0,4}-[0-9]{1,3}-[a-z0-9-]{1,8}\\.(seg|part)") {
        if let Ok(name) = text.parse::<SegmentName>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn random_bytes_as_frames(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = pb::MaterialFrame::decode(&*bytes).map(Frame::try_from);
    }
}
