//! Bytes that nobody of ours wrote: an error, never a panic, never more memory than a limit says.
use std::path::PathBuf;
use std::{env, fs};

use interrex_core::fleet::Fleet;
use interrex_core::{Ack, Actor, Heartbeat, LogIndex, Report, SetId};
use interrex_wire::segment::{Body, Header, Reader, Tail, Writer};
use interrex_wire::{command, decision, fleet, members, pb};
use proptest::prelude::*;
use prost::Message;

use crate::samples;

/// Every way in.
fn read_as_everything(bytes: &[u8]) {
    let _ = decision::decode(bytes);
    let _ = fleet::decode(bytes);
    let _ = pb::Fleet::decode(bytes).map(Fleet::try_from);
    let _ = pb::Heartbeat::decode(bytes).map(Heartbeat::try_from);
    let _ = pb::Ack::decode(bytes).map(Ack::try_from);
    let _ = pb::Report::decode(bytes).map(Report::try_from);
    let _ = pb::MembersEntry::decode(bytes).map(|entry| members::read(SetId(1), entry));
    let _ = pb::CommandRequest::decode(bytes).map(|r| command::read(r, Actor::Automaton));
    for tail in [Tail::Whole, Tail::Torn { durable: 0 }, Tail::Torn { durable: 1 }] {
        let Ok(mut reader) = Reader::open("hostile", bytes, None, tail) else { continue };
        while let Ok(Some(frame)) = reader.next() {
            let _ = frame.entry();
        }
    }
}

fn golden() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1");
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    files.collect()
}

#[test]
fn golden_bytes_cut_short_and_with_one_byte_changed() {
    for bytes in golden() {
        for cut in 0..bytes.len() {
            read_as_everything(&bytes[..cut]);
        }
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            for byte in [0, 0x7f, 0x80, 0xff, bytes[at] ^ 1] {
                changed[at] = byte;
                read_as_everything(&changed);
            }
            changed[at] = bytes[at];
        }
    }
}

proptest! {
    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        read_as_everything(&bytes);
    }
}

/// A block that names four GiB, with a right checksum, is refused before anything is allocated; one
/// that names its limit and holds less is refused as well.
#[test]
fn a_block_that_names_more_than_it_holds() {
    let header = Header::founding(samples::CLUSTER, interrex_core::Generation(1));
    let mut writer = Writer::create(header).unwrap();
    writer.append(LogIndex(0), 0, Body::Blank).unwrap();
    let bytes = writer.flush().unwrap();
    for raw in [u32::MAX, 32 << 20, 0, 1] {
        let mut forged = bytes.clone();
        forged[128 + 8..128 + 12].copy_from_slice(&raw.to_le_bytes());
        let sum = [&forged[128..128 + 20], &forged[128 + 24..]].concat();
        forged[128 + 20..128 + 24].copy_from_slice(&crc32fast::hash(&sum).to_le_bytes());
        let mut reader = Reader::open("forged", &forged, None, Tail::Whole).unwrap();
        assert!(reader.next().is_err(), "{raw}");
    }
}
