//! The chain: the head after a record is a hash over the head before it and the record's bytes.
use std::fmt;

use interrex_core::{LogTime, Revision};

const GENESIS: &str = "interrex 2026-11-21 history genesis v1";
const RECORD: &str = "interrex 2026-11-21 history record v1";

/// What stands for all records up to one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head(pub [u8; 32]);

impl Head {
    /// The head before the first record of a cluster.
    pub fn genesis(cluster: &[u8; 16]) -> Self {
        Self(blake3::derive_key(GENESIS, cluster))
    }

    /// The first eight bytes: what each block carries of it.
    pub(super) fn short(&self) -> u64 {
        self.0.first_chunk().copied().map_or(0, u64::from_le_bytes)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the chain is, between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Records so far.
    pub revision: Revision,
    /// Log time of the newest record, as its leader wrote it; may be behind an older one's.
    pub at: LogTime,
    /// After the newest record.
    pub head: Head,
}

impl Place {
    /// Before the first record of a cluster.
    pub fn genesis(cluster: &[u8; 16]) -> Self {
        Self { revision: Revision(0), at: LogTime(0), head: Head::genesis(cluster) }
    }
}

/// Makes heads. Kept, because its key and its buffer are needed for each record.
pub struct Chain {
    key: [u8; 32],
    input: Vec<u8>,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// With an empty buffer.
    pub fn new() -> Self {
        Self { key: blake3::derive_key(RECORD, &[]), input: Vec::new() }
    }

    /// The head after `record`, where `before` is the one before it.
    pub(super) fn after(&mut self, before: &Head, record: &[u8]) -> Head {
        self.input.clear();
        self.input.extend_from_slice(&before.0);
        self.input.extend_from_slice(record);
        Head(*blake3::keyed_hash(&self.key, &self.input).as_bytes())
    }

    /// Where the chain is after `record`, decided at `at`.
    pub fn advance(&mut self, place: &Place, at: LogTime, record: &[u8]) -> Place {
        let revision = Revision(place.revision.0 + 1);
        Place { revision, at, head: self.after(&place.head, record) }
    }
}
