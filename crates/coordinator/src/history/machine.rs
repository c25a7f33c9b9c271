//! The state machine that openraft drives: each committed entry becomes a frame of the history and
//! a notice to the node task. It decides whether a decision stands (L2), and nothing else: the
//! views are the node task's.
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt};
use interrex_core::{Entry, LogIndex, Members, Outcome, Revision};
use interrex_wire::segment::Body as Written;
use interrex_wire::{decision, members};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};

use super::frame::{Body, Frame, Head, unreadable};
use super::shared::Shared;
use super::snapshot;
use crate::folder::FolderError;
use crate::log::feed::Feed;
use crate::log::records::MembershipRecord;
use crate::log::types::{Applied, Cfg, LogId, RaftEntry, SnapshotMeta, StoredMembership};

type Snapshot = openraft::alias::SnapshotOf<Cfg, SnapshotHandle>;

/// What a snapshot is beside its meta data: where the chain stands. The segments are sent apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHandle {
    /// Of the last decision in it.
    pub revision: Revision,
    /// The chain's head after it.
    pub chain: [u8; 32],
}

/// Applies committed entries.
#[derive(Debug)]
pub struct Machine {
    shared: Arc<Shared>,
    feed: Feed,
    head: Head,
    membership: StoredMembership,
    snapshot: Arc<Mutex<Option<Snapshot>>>,
}

/// A panic here must not leave a node that looks well and applies nothing: the process ends.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl Machine {
    pub(super) fn new(
        shared: Arc<Shared>,
        feed: Feed,
        head: Head,
        membership: StoredMembership,
    ) -> Result<Self, FolderError> {
        let snapshot = snapshot::read(&shared.folder)?;
        let snapshot = Arc::new(Mutex::new(snapshot));
        Ok(Self { shared, feed, head, membership, snapshot })
    }

    /// One entry: into the history, and decoded for the node task.
    fn take(&mut self, entry: RaftEntry) -> Result<(Entry, Applied), FolderError> {
        let id = entry.log_id;
        let (index, term) = (LogIndex(id.index), id.leader_id.term);
        let push = |written: Written<'_>, body: Body| {
            self.shared.push((index, term), written, |place| match body {
                Body::Decision { bytes, .. } => {
                    let (revision, hash) = (place.revision, place.head.0);
                    Body::Decision { revision, bytes, hash }
                }
                Body::Stale(_) | Body::Blank | Body::Members(_) => body,
            })
        };
        let (entry, frame) = match entry.payload {
            EntryPayload::Blank => (Entry::Blank, push(Written::Blank, Body::Blank)?),
            EntryPayload::Membership(raft) => {
                let members = members_of(index, &MembershipRecord::from(&raft))?;
                let bytes = members::entry_bytes(&members);
                self.membership = StoredMembership::new(Some(id), raft);
                let frame = push(Written::Members(&bytes), Body::Members(members.clone()))?;
                (Entry::Members(members), frame)
            }
            EntryPayload::Normal(proposal) => {
                let bytes = proposal.bytes;
                let decided = decision::decode(&bytes).map_err(|e| unreadable(index, &e))?;
                self.shared.people().add(&proposal.people)?;
                let frame = if decided.stands(index) {
                    let (revision, hash) = (Revision(0), [0; 32]);
                    let body = Body::Decision { revision, bytes: bytes.clone(), hash };
                    push(Written::Decision(&bytes), body)?
                } else {
                    push(Written::Stale(&bytes), Body::Stale(bytes.clone()))?
                };
                (Entry::Decision(decided), frame)
            }
        };
        let applied = Applied { index, outcome: outcome(&frame) };
        self.head = head_after(&self.head, &frame);
        Ok((entry, applied))
    }
}

/// What the proposer is told.
fn outcome(frame: &Frame) -> Option<Outcome> {
    match frame.body {
        Body::Decision { revision, .. } => Some(Outcome::Applied(revision)),
        Body::Stale(_) => Some(Outcome::Stale),
        Body::Blank | Body::Members(_) => None,
    }
}

fn head_after(head: &Head, frame: &Frame) -> Head {
    let (revision, chain) = match frame.body {
        Body::Decision { revision, hash, .. } => (revision, hash),
        Body::Stale(_) | Body::Blank | Body::Members(_) => (head.revision, head.chain),
    };
    Head { index: Some(frame.index), term: frame.term, revision, chain }
}

/// The members as the core knows them.
fn members_of(index: LogIndex, record: &MembershipRecord) -> Result<Members, FolderError> {
    let damaged = |detail: String| FolderError::corrupt(format!("the members at {index}"), detail);
    members_from(index, record).map_err(damaged)
}

pub(super) fn members_from(index: LogIndex, record: &MembershipRecord) -> Result<Members, String> {
    use interrex_core::{CoordinatorId, Member, SetId, Voters};
    let half =
        |half: &std::collections::BTreeSet<u64>| half.iter().copied().map(CoordinatorId).collect();
    let mut nodes = std::collections::BTreeMap::new();
    for (id, node) in &record.nodes {
        let name =
            node.name.parse().map_err(|error: interrex_core::name::BadName| error.to_string())?;
        nodes.insert(CoordinatorId(*id), Member { name, peer_address: node.addr.clone() });
    }
    let voters = Voters(record.voters.iter().map(half).collect());
    Ok(Members { set: SetId(index.0), voters, nodes })
}

impl RaftStateMachine<Cfg> for Machine {
    type SnapshotData = SnapshotHandle;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((log_id(&self.head), self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Cfg>>> + Unpin + OptionalSend,
    {
        let _guard = Guard;
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let term = entry.log_id.leader_id.term;
            let (entry, applied) = self.take(entry)?;
            self.feed.committed(applied.index, term, entry).await;
            if let Some(responder) = responder {
                responder.send(applied);
            }
        }
        self.shared.head.send_replace(self.head);
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<Builder> {
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let snapshot = self.snapshot.clone();
        let (shared, head) = (self.shared.clone(), self.head);
        Builder { shared, head, membership: self.membership.clone(), snapshot }
    }

    /// The segments are in the folder before this is called (RAFT.md section 2): it only compares.
    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        handle: SnapshotHandle,
    ) -> io::Result<()> {
        let ours = (log_id(&self.head), self.head.chain, &self.membership);
        if ours != (meta.last_log_id, handle.chain, &meta.last_membership) {
            let what = format!("the history in {}", self.shared.folder.display());
            let detail = "it does not reach to the snapshot, or tells of other members; a member \
                          that is so far behind cannot be brought up yet";
            return Err(FolderError::corrupt(what, detail).into());
        }
        let current = Snapshot { meta: meta.clone(), snapshot: handle };
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        Ok(self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn log_id(head: &Head) -> Option<LogId> {
    let index = head.index?;
    Some(crate::log::records::LogIdRecord { term: head.term, index: index.0 }.into())
}

/// Builds a snapshot: the history up to here, durable, and one small file that says so.
#[derive(Debug)]
pub struct Builder {
    shared: Arc<Shared>,
    head: Head,
    membership: StoredMembership,
    snapshot: Arc<Mutex<Option<Snapshot>>>,
}

impl RaftSnapshotBuilder<Cfg> for Builder {
    type SnapshotData = SnapshotHandle;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let shared = self.shared.clone();
        let flushed = tokio::task::spawn_blocking(move || shared.flush()).await;
        flushed.map_err(io::Error::other)??;
        let meta = SnapshotMeta {
            last_log_id: log_id(&self.head),
            last_membership: self.membership.clone(),
        };
        let handle = SnapshotHandle { revision: self.head.revision, chain: self.head.chain };
        let built = Snapshot { meta, snapshot: handle };
        snapshot::write(&self.shared.folder, &built)?;
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(built.clone());
        Ok(built)
    }
}
