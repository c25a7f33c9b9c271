//! The first 128 bytes of a segment.
use interrex_core::{Generation, LEVEL, Level, LogIndex, LogTime, Revision};

use super::{Flaw, Head, Place};
use crate::Malformed;

/// The newest format that this code reads, and the only one so far.
pub const FORMAT: u32 = 1;
/// Length of the header.
pub(super) const LENGTH: usize = 128;
const MAGIC: [u8; 8] = *b"IXHIST\r\n";

/// What a segment is of, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Level of the cluster when the file was begun; its decisions name their own.
    pub level: Level,
    /// The cluster's id.
    pub cluster: [u8; 16],
    /// The cluster's generation.
    pub generation: Generation,
    /// Of the first frame.
    pub first: LogIndex,
    /// Of the newest entry before it; 0 at the very beginning.
    pub term: u64,
    /// Where the chain is before it.
    pub before: Place,
}

impl Header {
    /// Of the first segment of a cluster.
    pub fn founding(cluster: [u8; 16], generation: Generation) -> Self {
        let (first, before) = (LogIndex(0), Place::genesis(&cluster));
        Self { level: Level(1), cluster, generation, first, term: 0, before }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.level.0.to_le_bytes());
        bytes.extend(self.cluster);
        for number in
            [self.generation.0, self.first.0, self.term, self.before.revision.0, self.before.at.0]
        {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.before.head.0);
        bytes.resize(LENGTH - 4, 0);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// From the first bytes of a file.
    pub(super) fn decode(file: &[u8]) -> Result<Self, Flaw> {
        let bytes: &[u8; LENGTH] = file.first_chunk().ok_or(Flaw::CutShort)?;
        let Some((content, sum)) = bytes.split_last_chunk() else { return Err(Flaw::Header) };
        let mut rest = content;
        if take(&mut rest)? != MAGIC || crc32fast::hash(content).to_le_bytes() != *sum {
            return Err(Flaw::Header);
        }
        let found = u32::from_le_bytes(take(&mut rest)?);
        if found != FORMAT {
            return Err(Flaw::NewerFormat { reads: FORMAT, found });
        }
        let level = Level(u32::from_le_bytes(take(&mut rest)?));
        if level > LEVEL {
            return Err(Malformed::LevelAbove { reads: LEVEL, found: level }.into());
        }
        let cluster = take(&mut rest)?;
        let mut number = || take(&mut rest).map(u64::from_le_bytes);
        let (generation, first, term) = (Generation(number()?), LogIndex(number()?), number()?);
        let (revision, at) = (Revision(number()?), LogTime(number()?));
        let before = Place { revision, at, head: Head(take(&mut rest)?) };
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Flaw::Header);
        }
        Ok(Self { level, cluster, generation, first, term, before })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Flaw> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(Flaw::Header)?;
    *rest = behind;
    Ok(*bytes)
}
