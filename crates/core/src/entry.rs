//! What Raft's log holds at an index, as far as the core cares.
use std::collections::BTreeMap;

use crate::name::Name;
use crate::{CoordinatorId, Decision, SetId, Voters};

/// One committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A leader's first entry.
    Blank,
    /// A decision, standing or stale.
    Decision(Decision),
    /// The members, from this entry on.
    Members(Members),
}

/// The coordinators, as a membership entry has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// The index of that entry.
    pub set: SetId,
    /// Whose word counts.
    pub voters: Voters,
    /// Every member, learners included.
    pub nodes: BTreeMap<CoordinatorId, Member>,
}

/// A coordinator as part of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As in `--name`.
    pub name: Name,
    /// Where other members reach it, `host:port`.
    pub peer_address: String,
}
