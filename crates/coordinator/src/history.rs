//! The history: every committed entry, in segments that are never changed again. Written behind
//! the state machine that openraft drives, read by the history API. Their bytes are `wire`'s.
//!
//! Deliberately absent: views. A node starts by folding all of it.
mod bound;
mod frame;
mod keeper;
mod machine;
pub(crate) mod people;
mod read;
mod segments;
mod shared;
mod snapshot;

use std::path::Path;
use std::sync::{Arc, Mutex};

use interrex_core::{Entry, Generation, LogIndex, Members};

pub use self::frame::{Body, Frame, Head};
use self::keeper::Keeper;
pub use self::machine::{Builder, Machine, SnapshotHandle};
use self::people::People;
pub use self::read::{Cursor, History};
use self::shared::Shared;
use crate::folder::{FolderError, sealed};
use crate::log::feed::Feed;
use crate::log::records::{LogIdRecord, MembershipRecord, NodeRecord};
use crate::log::types::{ClusterId, StoredMembership};

/// The history of a data folder, read whole and ready to go on.
pub(crate) struct Replayed {
    pub(crate) history: History,
    pub(crate) head: Head,
    /// Index and term of each entry that began a term.
    pub(crate) terms: Vec<(u64, u64)>,
    /// The newest members, and the term of their entry.
    members: Option<(u64, Members)>,
}

/// Reads and verifies the history in `root`; every entry goes through `fold`, in order.
pub(crate) fn open(
    root: &Path,
    (cluster, generation): (ClusterId, Generation),
    fold: &mut dyn FnMut(LogIndex, Entry),
) -> Result<Replayed, FolderError> {
    let folder = root.join("history");
    sealed::create_dir(&folder)?;
    let people = People::open(&folder.join("people.jsonl"))?;
    let noted = root.join("history.bound");
    let bound = bound::Bound::read(&noted)?;
    let (mut terms, mut members) = (Vec::new(), None);
    let found = segments::open(&folder, (cluster, generation), bound, &mut |frame| {
        let entry = frame.entry().map_err(|error| frame::unreadable(frame.index, &error))?;
        if terms.last().is_none_or(|(_, term)| *term != frame.term) {
            terms.push((frame.index.0, frame.term));
        }
        if let Entry::Members(new) = &entry {
            members = Some((frame.term, new.clone()));
        }
        fold(frame.index, entry);
        Ok(())
    })?;
    let head = found.head;
    let length = found.open.as_ref().map_or(u64::MAX, |(_, length)| *length);
    let (header, writer) = (found.header, found.writer);
    let shared = Shared::new(folder, head, people, (found.places, length), (header, writer));
    let shared = Arc::new(shared);
    let thread = Keeper::start(shared.clone(), &noted, found.open)?;
    let history = History { shared, thread: Arc::new(Mutex::new(Some(thread))) };
    Ok(Replayed { history, head, terms, members })
}

impl Replayed {
    /// The state machine that goes on from here.
    pub(crate) fn machine(&self, cluster: ClusterId, feed: Feed) -> Result<Machine, FolderError> {
        let membership = match &self.members {
            None => StoredMembership::default(),
            Some((term, members)) => {
                let id = LogIdRecord { term: *term, index: members.set.0 };
                let members = record_of(members, cluster).membership();
                let damaged = |error| FolderError::corrupt("the members in the history", error);
                StoredMembership::new(Some(id.into()), members.map_err(damaged)?)
            }
        };
        Machine::new(self.history.shared.clone(), feed, self.head, membership)
    }
}

/// The members as Raft's records have them.
pub(crate) fn record_of(members: &Members, cluster: ClusterId) -> MembershipRecord {
    let voters = members.voters.0.iter().map(|half| half.iter().map(|id| id.0).collect());
    let node = |(id, member): (&interrex_core::CoordinatorId, &interrex_core::Member)| {
        let (name, addr) = (member.name.to_string(), member.peer_address.clone());
        (id.0, NodeRecord { name, addr, cluster })
    };
    MembershipRecord { voters: voters.collect(), nodes: members.nodes.iter().map(node).collect() }
}
