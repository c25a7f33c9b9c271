//! What openraft is told about us: its type configuration, and the names that the rest of the
//! coordinator uses for its types. No behaviour; what is stored is in `records`.
use std::fmt;
use std::sync::Arc;

use interrex_core::{LogIndex, Outcome, PersonId};
use openraft::alias::{
    CommittedLeaderIdOf, EntryOf, LogIdOf, SnapshotMetaOf, StoredMembershipOf, VoteOf,
};

openraft::declare_raft_types!(
    /// Raft as this cluster runs it: one leader a term (the standard leader id).
    pub Cfg:
        D = Proposal,
        R = Applied,
        NodeId = u64,
        Node = MemberNode,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
        AsyncRuntime = openraft_rt_tokio::TokioRuntime,
);

/// Term and index of an entry.
pub type LogId = LogIdOf<Cfg>;
/// A vote, cast or committed.
pub type Vote = VoteOf<Cfg>;
/// An entry of the log, as openraft handles it.
pub type RaftEntry = EntryOf<Cfg>;
/// The term of an entry.
pub type EntryTerm = CommittedLeaderIdOf<Cfg>;
/// Voters and learners.
pub type Membership = openraft::Membership<u64, MemberNode>;
/// Voters and learners, and the entry that made them so.
pub type StoredMembership = StoredMembershipOf<Cfg>;
/// Where a snapshot ends.
pub type SnapshotMeta = SnapshotMetaOf<Cfg>;
/// The Raft node that the shell holds.
pub type Raft = openraft::Raft<Cfg, crate::history::Machine>;

/// A cluster, drawn at its founding.
pub type ClusterId = [u8; 16];

/// A coordinator, as membership entries carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberNode {
    /// As in `--name`.
    pub name: String,
    /// Where other members reach it, `host:port`.
    pub addr: String,
    /// Which cluster it is a member of: so the entry at index 0 carries the cluster id.
    pub cluster: ClusterId,
}

impl Default for MemberNode {
    /// For openraft's own test suite, which makes members up.
    fn default() -> Self {
        Self { name: "nobody".into(), addr: String::new(), cluster: ClusterId::default() }
    }
}

impl fmt::Display for MemberNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.addr)
    }
}

/// What a leader asks Raft to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The decision's bytes. Never encoded again: they are what the history chains (H3).
    pub bytes: Arc<[u8]>,
    /// Those who act in it, by name: kept beside the history, outside of its chain.
    pub people: Vec<Person>,
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "decision of {} bytes", self.bytes.len())
    }
}

/// Who a number in the history is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The first 8 bytes, little end first, of BLAKE3 over `role/name`.
    #[serde(with = "hex_id")]
    pub id: PersonId,
    /// As in the certificate, e.g. `operator`.
    pub role: String,
    /// As in the certificate.
    pub name: String,
}

impl Person {
    /// The person behind a certificate.
    pub fn new(role: &str, name: &str) -> Self {
        let hash = blake3::hash(format!("{role}/{name}").as_bytes());
        let bytes = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        let id = PersonId(u64::from_le_bytes(bytes));
        Self { id, role: role.into(), name: name.into() }
    }
}

/// What became of a proposal, once committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Where it stands.
    pub index: LogIndex,
    /// Applied or stale; none for entries that are no decisions.
    pub outcome: Option<Outcome>,
}

/// Ids as 16 hex digits: JSON readers round integers of 64 bits.
mod hex_id {
    use interrex_core::PersonId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(id: &PersonId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:016x}", id.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PersonId, D::Error> {
        let text = String::deserialize(from)?;
        u64::from_str_radix(&text, 16).map(PersonId).map_err(D::Error::custom)
    }
}
