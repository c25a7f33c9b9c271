//! Who is part of the cluster, and who the persons of the history are. Twin of
//! `interrex_core::{Members, Voters}` and of `MembersEntry`, `VoterSet` and `Person`.
use std::collections::{BTreeMap, BTreeSet};

use interrex_core::{CoordinatorId, Member, Members, PersonId, SetId, Voters};

use prost::Message;

use crate::limits::{ADDRESS_MAX, HALVES_MAX, MEMBERS_MAX};
use crate::{Malformed, fields, pb};

/// The id of a person: the first eight bytes, least significant first, of BLAKE3 over `role/name`.
pub fn person(role: &str, name: &str) -> PersonId {
    PersonId(first_eight(&blake3::hash(format!("{role}/{name}").as_bytes())))
}

/// A membership entry as the history's files hold it.
pub fn encode(entry: &pb::MembersEntry) -> Vec<u8> {
    entry.encode_to_vec()
}

/// The first 64 bits of a hash, least significant byte first.
pub(crate) fn first_eight(hash: &blake3::Hash) -> u64 {
    hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes)
}

/// One set of ids for each half.
pub fn write_voters(voters: &Voters) -> Vec<pb::VoterSet> {
    let half =
        |half: &BTreeSet<CoordinatorId>| pb::VoterSet { ids: half.iter().map(|id| id.0).collect() };
    voters.0.iter().map(half).collect()
}

/// The voters that `sets` name.
///
/// # Errors
///
/// Too many, or out of order.
pub fn read_voters(field: &'static str, sets: Vec<pb::VoterSet>) -> Result<Voters, Malformed> {
    let half = |half: pb::VoterSet| {
        if half.ids.len() > MEMBERS_MAX {
            return Err(Malformed::TooMany { field, count: half.ids.len(), max: MEMBERS_MAX });
        }
        if !half.ids.is_sorted_by(|a, b| a < b) {
            return Err(Malformed::NotAscending(field));
        }
        Ok(half.ids.into_iter().map(CoordinatorId).collect())
    };
    fields::list(field, sets, HALVES_MAX, half).map(Voters)
}

impl From<&Members> for pb::MembersEntry {
    fn from(members: &Members) -> Self {
        let node = |(id, member): (&CoordinatorId, &Member)| pb::MemberNode {
            id: id.0,
            name: member.name.to_string(),
            address: member.peer_address.clone(),
        };
        Self {
            voters: write_voters(&members.voters),
            nodes: members.nodes.iter().map(node).collect(),
        }
    }
}

/// What a history segment holds of a membership entry.
pub fn entry_bytes(members: &Members) -> Vec<u8> {
    prost::Message::encode_to_vec(&pb::MembersEntry::from(members))
}

/// The members, from the entry at `set` on.
///
/// # Errors
///
/// Too many, out of order, or not names.
pub fn read(set: SetId, entry: pb::MembersEntry) -> Result<Members, Malformed> {
    let field = "MembersEntry.nodes";
    let voters = read_voters("MembersEntry.voters", entry.voters)?;
    if !entry.nodes.is_sorted_by(|a, b| a.id < b.id) {
        return Err(Malformed::NotAscending(field));
    }
    let nodes = fields::list(field, entry.nodes, MEMBERS_MAX, |node| {
        let name = fields::name("MemberNode.name", &node.name)?;
        let peer_address = fields::text("MemberNode.address", node.address, ADDRESS_MAX)?;
        Ok((CoordinatorId(node.id), Member { name, peer_address }))
    })?;
    Ok(Members { set, voters, nodes: BTreeMap::from_iter(nodes) })
}
