//! Where material lies, as copying sees it: segments of a tenure are listed, read, taken in and
//! removed. One implementation for the drivers that record into files of ours ([`files`]); a driver
//! with a store of its own implements the same by its verbs.
pub(crate) mod elsewhere;
pub(crate) mod files;
mod hashes;
mod sync;

use std::io::{self, Read};
use std::path::PathBuf;

use interrex_core::{Epoch, RecorderId, ServerId};
use interrex_wire::material::{Listed, SegmentHash, SegmentKey, Totals};

/// A tenure that is over, and who recorded in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tenure {
    pub(crate) recorder: RecorderId,
    pub(crate) epoch: Epoch,
    pub(crate) server: ServerId,
}

/// A segment that was fetched, whole and checked, in a file that is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) key: SegmentKey,
    /// On the same file system as the data folder.
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    pub(crate) blake3: SegmentHash,
}

/// A segment that is here already, as it was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) length: u64,
    pub(crate) blake3: SegmentHash,
}

/// Why a store does not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// Something of the tenure still grows; ask again later.
    #[error("{0} still grows")]
    Busy(String),
    /// That segment is not there; the others are not concerned.
    #[error("there is no {0}")]
    Missing(String),
    /// That segment cannot be read, or is not what was recorded; the others are not concerned.
    #[error("{0}")]
    Broken(String),
    /// There is no room. Nothing was taken in; try again when there is.
    #[error("no room: {0}")]
    Full(String),
    /// The disk, or the recording software, does not do it; try again later.
    #[error("{0}")]
    Failed(String),
}

/// The segments of one tenure, in the order of their keys.
pub(crate) type Listing = Box<dyn Iterator<Item = Result<Listed, StoreError>> + Send>;

/// A store. Every method may wait for a disk or a program, so none is called on the agent's loop.
pub(crate) trait Store: Send + Sync {
    /// The whole segments of `tenure` behind `after`, without any that grows.
    fn list(&self, tenure: &Tenure, after: Option<&SegmentKey>) -> Result<Listing, StoreError>;

    /// How much `tenure` holds.
    fn totals(&self, tenure: &Tenure) -> Result<Totals, StoreError> {
        self.list(tenure, None)?.try_fold(Totals::default(), |sum, listed| {
            let Totals { segments, bytes } = sum;
            Ok(Totals { segments: segments + 1, bytes: bytes + listed?.length })
        })
    }

    /// The content of a segment from `offset` on.
    fn read(
        &self,
        recorder: RecorderId,
        key: &SegmentKey,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, StoreError>;

    /// What is here already under that name. A store that finds out by itself, when it takes a
    /// segment in a second time, need not look.
    fn held(&self, recorder: RecorderId, key: &SegmentKey) -> Result<Option<Held>, StoreError> {
        let _ = (recorder, key);
        Ok(None)
    }

    /// Takes these in: all are durable, and named as material of `recorder`, when it returns; and
    /// none is half visible whenever it is cut short. A second time is as good as once. What is
    /// left of the files is nobody's.
    fn take_in(&self, recorder: RecorderId, fetched: &[Fetched]) -> Result<(), StoreError>;

    /// Removes what `tenure` holds, durably. Nothing to remove is as good. How many there were.
    fn erase(&self, tenure: &Tenure) -> Result<u64, StoreError>;
}

impl StoreError {
    /// From the disk, about `what`.
    pub(crate) fn disk(what: impl std::fmt::Display, why: &io::Error) -> Self {
        let is = |kind| why.kind() == kind;
        if is(io::ErrorKind::NotFound) {
            Self::Missing(what.to_string())
        } else if is(io::ErrorKind::StorageFull) || is(io::ErrorKind::QuotaExceeded) {
            Self::Full(format!("{what}: {why}"))
        } else {
            Self::Failed(format!("{what}: {why}"))
        }
    }
}
