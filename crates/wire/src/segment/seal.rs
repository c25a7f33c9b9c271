//! The seal: the last block of a full segment, with a sparse index, and the trailer by which it is
//! found without reading the file.
use interrex_core::{LogIndex, LogTime, Revision};
use prost::Message;

use super::block::{Block, Kind};
use super::{Head, Place};
use crate::pb;

/// Length of the trailer: the seal's offset, and the magic.
pub(super) const TRAILER: usize = 16;
const MAGIC: [u8; 8] = *b"IXSEALED";

/// A block that needs no other one: where reading may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) offset: u64,
    /// Of its first frame.
    pub(super) index: LogIndex,
    /// Before its first frame.
    pub(super) before: Place,
}

/// Where a segment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) last: LogIndex,
    pub(super) end: Place,
    pub(super) points: Vec<Point>,
}

impl Seal {
    /// Appends the block and the trailer; `offset` is where the block begins.
    pub(super) fn write(&self, offset: u64, to: &mut Vec<u8>) {
        let points = self.points.iter().map(|point| pb::Point {
            offset: point.offset,
            index: point.index.0,
            before: Some(write_place(&point.before)),
        });
        let content = pb::Seal {
            last_index: self.last.0,
            end: Some(write_place(&self.end)),
            points: points.collect(),
        }
        .encode_to_vec();
        let head = self.end.head.short();
        Block { kind: Kind::Seal, raw: content.len(), head, content: &content }.write(to);
        to.extend(offset.to_le_bytes());
        to.extend(MAGIC);
    }

    /// The seal in a block's content; none if it is none.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let seal = pb::Seal::decode(content).ok()?;
        let point = |point: pb::Point| {
            let before = read_place(point.before)?;
            Some(Point { offset: point.offset, index: LogIndex(point.index), before })
        };
        let points = seal.points.into_iter().map(point).collect::<Option<_>>()?;
        Some(Self { last: LogIndex(seal.last_index), end: read_place(seal.end)?, points })
    }

    /// By the trailer of a whole file; none if it is not sealed. What it says is checked by who
    /// reads on from one of its points.
    pub(super) fn find(file: &[u8]) -> Option<Self> {
        let (rest, magic) = file.split_last_chunk::<8>()?;
        let (_, offset) = rest.split_last_chunk::<8>()?;
        let offset = usize::try_from(u64::from_le_bytes(*offset)).ok()?;
        let block = Block::read(file.get(offset..)?).ok()?;
        (*magic == MAGIC && block.kind == Kind::Seal).then(|| Self::read(block.content)).flatten()
    }
}

/// Whether `bytes` are the trailer of a seal at `offset`, and nothing else.
pub(super) fn is_trailer(bytes: &[u8], offset: u64) -> bool {
    bytes.len() == TRAILER && *bytes == [offset.to_le_bytes(), MAGIC].concat()
}

fn write_place(place: &Place) -> pb::Place {
    let Place { revision, at, head } = place;
    pb::Place { revision: revision.0, at_ms: at.0, head: head.0.to_vec() }
}

fn read_place(place: Option<pb::Place>) -> Option<Place> {
    let pb::Place { revision, at_ms, head } = place?;
    let (revision, at) = (Revision(revision), LogTime(at_ms));
    Some(Place { revision, at, head: Head(head.try_into().ok()?) })
}
