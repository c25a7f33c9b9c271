//! What is wrong with a segment. Every one of these means: this file is not what was written.
use interrex_core::LogIndex;

use super::Place;
use crate::Malformed;

/// Where it was found. Nothing was changed: keep the folder, and rebuild this coordinator from the
/// others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, offset {offset}: {flaw}")]
pub struct Damage {
    /// As it was given to the reader.
    pub file: String,
    /// Of the block, in bytes from the beginning of the file.
    pub offset: u64,
    /// What it is.
    pub flaw: Flaw,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum Flaw {
    /// Another kind of file, or a damaged header.
    #[error("this is no history segment, or its header is damaged")]
    Header,
    /// Start the program that wrote it, or a newer one.
    #[error("the segment has format {found}, this program reads up to {reads}")]
    NewerFormat { reads: u32, found: u32 },
    /// The file belongs to another cluster, or to another life of this one.
    #[error("the segment is of another cluster or generation than the one before it")]
    OtherCluster,
    /// A file is missing, or two do not belong together.
    #[error("the chain stands at {found:?} here, but at {expected:?} where the file before ends")]
    OtherPlace { expected: Box<Place>, found: Box<Place> },
    /// A bit has changed, or bytes are missing.
    #[error("the block is damaged (its checksum does not match)")]
    Checksum,
    /// The bytes end within a block.
    #[error("the file ends within a block")]
    CutShort,
    /// The checksum is right and the content is not: it was not us who wrote it.
    #[error("the block cannot be decompressed to the length that it names")]
    Compression,
    /// As above.
    #[error("the block is of unknown kind {0:#04x}")]
    BlockKind(u8),
    /// An entry is missing, doubled or swapped.
    #[error("entry {found} stands where entry {expected} belongs")]
    Gap { expected: LogIndex, found: LogIndex },
    /// Terms never fall along the log.
    #[error("entry {index} is of term {found}, after one of term {before}")]
    TermFell { index: LogIndex, before: u64, found: u64 },
    /// Its basis says otherwise (L2).
    #[error("the decision at {0} is kept as standing, and its basis is not the entry before it")]
    NotStanding(LogIndex),
    /// Its basis says otherwise (L2).
    #[error("the decision at {0} is kept as stale, and its basis is the entry before it")]
    NotStale(LogIndex),
    /// A record was changed, dropped, added or swapped.
    #[error("the hash chain is broken: it does not lead to the head that stands here")]
    Chain,
    /// The seal says something else than what stands before it, or something stands behind it.
    #[error("the seal at the end does not fit what it seals")]
    Seal,
    /// Readable, and not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}
