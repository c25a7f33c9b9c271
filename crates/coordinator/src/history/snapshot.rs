//! The snapshot's file: log id, members, revision and chain head. It says up to where the history
//! was durable when it was written; the history itself is in the segments.
use std::path::Path;

use bincode::{Decode, Encode};
use interrex_core::Revision;

use super::machine::SnapshotHandle;
use crate::folder::{FolderError, sealed};
use crate::log::records::{self, BadRecord, LogIdRecord, MembershipRecord};
use crate::log::types::{Cfg, SnapshotMeta, StoredMembership};

type Snapshot = openraft::alias::SnapshotOf<Cfg, SnapshotHandle>;

/// Frozen, like every record.
#[derive(Encode, Decode)]
struct Record {
    last: Option<LogIdRecord>,
    set: Option<LogIdRecord>,
    members: MembershipRecord,
    revision: u64,
    chain: [u8; 32],
}

/// The newest snapshot; none if none was ever made.
pub(super) fn read(folder: &Path) -> Result<Option<Snapshot>, FolderError> {
    let path = folder.join("snapshot");
    let damaged = |error: BadRecord| FolderError::corrupt(path.display(), error);
    let Some(text) = sealed::read(&path)? else { return Ok(None) };
    let digits = text.trim().as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.map(byte).collect();
    let record: Record = records::decode(&bytes.unwrap_or_default()).map_err(damaged)?;
    let members = record.members.membership().map_err(damaged)?;
    let meta = SnapshotMeta {
        last_log_id: record.last.map(Into::into),
        last_membership: StoredMembership::new(record.set.map(Into::into), members),
    };
    let snapshot = SnapshotHandle { revision: Revision(record.revision), chain: record.chain };
    Ok(Some(Snapshot { meta, snapshot }))
}

/// Replaces it, durably. The history must be durable up to there.
pub(super) fn write(folder: &Path, snapshot: &Snapshot) -> Result<(), FolderError> {
    let (meta, handle) = (&snapshot.meta, &snapshot.snapshot);
    let record = Record {
        last: meta.last_log_id.map(Into::into),
        set: meta.last_membership.log_id().map(Into::into),
        members: meta.last_membership.membership().into(),
        revision: handle.revision.0,
        chain: handle.chain,
    };
    let path = folder.join("snapshot");
    let bytes = records::encode(&record).map_err(|e| FolderError::corrupt(path.display(), e))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    sealed::write(&path, &text)
}
