//! Entries as the history has them.
use std::sync::Arc;

use interrex_core::{Entry, LogIndex, Members, Revision};
use interrex_wire::{Malformed, decision, segment};

use crate::folder::FolderError;

/// How far the history reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Head {
    /// Of the last entry; none while there is none.
    pub index: Option<LogIndex>,
    pub term: u64,
    pub revision: Revision,
    /// The hash chain over all records so far.
    pub chain: [u8; 32],
}

/// One entry of the log, as the history has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Frame {
    pub index: LogIndex,
    pub term: u64,
    pub body: Body,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A decision that stood: a record of the chain.
    Decision {
        /// Which it made.
        revision: Revision,
        /// As proposed.
        bytes: Arc<[u8]>,
        /// The chain's head after it.
        hash: [u8; 32],
    },
    /// A decision that did not stand (L2), as proposed: no record.
    Stale(Arc<[u8]>),
    /// A leader's first entry.
    Blank,
    /// The members from here on.
    Members(Members),
}

impl Frame {
    /// As a segment gave it.
    pub(super) fn read(frame: &segment::Frame<'_>) -> Result<Self, FolderError> {
        let body = match frame.body {
            segment::Body::Decision(bytes) => Body::Decision {
                revision: frame.after.revision,
                bytes: bytes.into(),
                hash: frame.after.head.0,
            },
            segment::Body::Stale(bytes) => Body::Stale(bytes.into()),
            segment::Body::Blank => Body::Blank,
            segment::Body::Members(_) => {
                match frame.entry().map_err(|e| unreadable(frame.index, &e))? {
                    Entry::Members(members) => Body::Members(members),
                    Entry::Blank | Entry::Decision(_) => Body::Blank,
                }
            }
        };
        Ok(Self { index: frame.index, term: frame.term, body })
    }

    /// What the fold takes.
    pub fn entry(&self) -> Result<Entry, FolderError> {
        match &self.body {
            Body::Decision { bytes, .. } | Body::Stale(bytes) => {
                let decoded = decision::decode(bytes).map(Entry::Decision);
                decoded.map_err(|error| unreadable(self.index, &error))
            }
            Body::Blank => Ok(Entry::Blank),
            Body::Members(members) => Ok(Entry::Members(members.clone())),
        }
    }

    /// Bytes that it holds, about.
    pub(super) fn size(&self) -> usize {
        match &self.body {
            Body::Decision { bytes, .. } | Body::Stale(bytes) => bytes.len() + 64,
            Body::Blank => 64,
            Body::Members(members) => 128 * (1 + members.nodes.len()),
        }
    }
}

impl Head {
    /// Index of the next entry.
    pub fn next(&self) -> LogIndex {
        LogIndex(self.index.map_or(0, |index| index.0 + 1))
    }

    /// Where a segment ends.
    pub(super) fn of(end: &segment::End) -> Self {
        Self {
            index: end.next.0.checked_sub(1).map(LogIndex),
            term: end.term,
            revision: end.place.revision,
            chain: end.place.head.0,
        }
    }
}

/// A decision that this program cannot read: too new, or damaged.
pub(crate) fn unreadable(index: LogIndex, error: &Malformed) -> FolderError {
    let what = format!("the decision at {index}");
    match error {
        Malformed::LevelAbove { reads, found } | Malformed::UnknownEvent { reads, found, .. } => {
            let (found, known) = (u64::from(found.0), u64::from(reads.0));
            FolderError::Newer { what, kind: "level", found, known }
        }
        Malformed::Truncated(_)
        | Malformed::NotCanonical(_)
        | Malformed::NotProtobuf { .. }
        | Malformed::UnknownField { .. }
        | Malformed::Missing(_)
        | Malformed::BadSegment(_)
        | Malformed::BadName { .. }
        | Malformed::BadAddress { .. }
        | Malformed::NotText(_)
        | Malformed::TooLong { .. }
        | Malformed::TooMany { .. }
        | Malformed::WrongLength { .. }
        | Malformed::BadValue { .. }
        | Malformed::NotAscending(_)
        | Malformed::WrongHash(_) => FolderError::corrupt(what, error),
    }
}
