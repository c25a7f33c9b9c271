//! A frame: one entry of the log.
use interrex_core::{Entry, LogIndex, SetId};
use prost::Message;

use super::{Flaw, Place};
use crate::codec::{Reader, Writer};
use crate::limits::DECISION_MAX;
use crate::{Malformed, decision, members, pb};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A decision that stands (L2), as it was proposed: a record of the chain.
    Decision(&'a [u8]),
    /// A decision that does not.
    Stale(&'a [u8]),
    /// A membership entry: a [`pb::MembersEntry`].
    Members(&'a [u8]),
    /// A leader's first entry.
    Blank,
}

/// One entry, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its index in the log.
    pub index: LogIndex,
    /// Its term in the log.
    pub term: u64,
    /// What it is.
    pub body: Body<'a>,
    /// Where the chain is after it.
    pub after: Place,
}

impl Frame<'_> {
    /// The entry, as the core folds it.
    ///
    /// # Errors
    ///
    /// This program is too old for it, or it is none.
    pub fn entry(&self) -> Result<Entry, Malformed> {
        Ok(match self.body {
            Body::Decision(bytes) | Body::Stale(bytes) => Entry::Decision(decision::decode(bytes)?),
            Body::Members(bytes) => Entry::Members(read_members(self.index, bytes)?),
            Body::Blank => Entry::Blank,
        })
    }
}

fn read_members(index: LogIndex, bytes: &[u8]) -> Result<interrex_core::Members, Malformed> {
    let entry = pb::MembersEntry::decode(bytes).map_err(|error| Malformed::NotProtobuf {
        message: "MembersEntry",
        why: error.to_string(),
    })?;
    if entry.encode_to_vec() != bytes {
        return Err(Malformed::NotCanonical("MembersEntry"));
    }
    members::read(SetId(index.0), entry)
}

/// Appends a frame to a block's content.
pub(super) fn write(to: &mut Writer, index: LogIndex, term: u64, body: Body<'_>) {
    to.message(1, |to| {
        to.uint(1, index.0);
        to.uint(2, term);
        match body {
            Body::Decision(bytes) => to.set_bytes(3, bytes),
            Body::Stale(bytes) => to.set_bytes(4, bytes),
            Body::Members(bytes) => to.set_bytes(5, bytes),
            Body::Blank => to.set_uint(6, 1),
        }
    });
}

/// The next frame of a block's content, and how many bytes it takes; none at its end.
pub(super) fn read(content: &[u8]) -> Result<Option<(LogIndex, u64, Body<'_>, usize)>, Malformed> {
    let mut block = Reader::new("Block", content);
    let Some(bytes) = block.optional_bytes(1)? else {
        block.end()?;
        return Ok(None);
    };
    let mut from = Reader::new("Frame", bytes);
    let (index, term) = (LogIndex(from.uint(1)?), from.uint(2)?);
    let body = match from.peek()? {
        Some(3) => Body::Decision(from.optional_bytes(3)?.unwrap_or_default()),
        Some(4) => Body::Stale(from.optional_bytes(4)?.unwrap_or_default()),
        Some(5) => Body::Members(from.optional_bytes(5)?.unwrap_or_default()),
        Some(6) if from.uint(6)? == 1 => Body::Blank,
        Some(field) => return Err(Malformed::UnknownField { message: "Frame", field }),
        None => return Err(Malformed::Missing("body")),
    };
    from.end()?;
    Ok(Some((index, term, body, content.len() - block.len())))
}

/// Whether the entry may stand behind `before`, which is the place of the entry before it; gives
/// the log time of a record.
pub(super) fn check(
    index: LogIndex,
    body: &Body<'_>,
) -> Result<Option<interrex_core::LogTime>, Flaw> {
    let (bytes, kept_as_standing) = match body {
        Body::Decision(bytes) => (bytes, true),
        Body::Stale(bytes) => (bytes, false),
        Body::Members(_) | Body::Blank => return Ok(None),
    };
    if bytes.len() > DECISION_MAX {
        let (field, length) = ("Decision", bytes.len());
        return Err(Malformed::TooLong { field, length, max: DECISION_MAX }.into());
    }
    let (basis, at) = decision::stamp(bytes)?;
    match (index.0.checked_sub(1) == Some(basis.0), kept_as_standing) {
        (true, true) => Ok(Some(at)),
        (false, false) => Ok(None),
        (false, true) => Err(Flaw::NotStanding(index)),
        (true, false) => Err(Flaw::NotStale(index)),
    }
}
