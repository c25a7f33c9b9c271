//! Raft's own records as bytes, on disk and between members: our structs, frozen, because
//! openraft's serde forms are declared unstable. One encoding; golden bytes in the tests below.
//! Deliberately absent: decisions (protobuf, in `wire`), of which a record holds only the bytes.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bincode::{Decode, Encode};
use interrex_core::PersonId;
use openraft::EntryPayload;

use super::types::{
    ClusterId, EntryTerm, LogId, MemberNode, Membership, Person, Proposal, RaftEntry, Vote,
};

/// Longest record that is read or written, in bytes: a fleet document of 4 MiB and its envelope.
pub const RECORD_MAX: usize = 8 << 20;

/// The one configuration: little end first, variable-length integers, at most [`RECORD_MAX`].
fn form() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<RECORD_MAX>()
}

/// These bytes are no record of this kind. What they came from is damaged, or speaks another
/// version: refuse it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BadRecord {
    #[error("a record does not decode: {0}")]
    Undecodable(String),
    #[error("a record is followed by {0} bytes that do not belong to it")]
    Trailing(usize),
    #[error("a record is larger than {RECORD_MAX} bytes, or cannot be encoded: {0}")]
    Unencodable(String),
    #[error("a membership record is not sound: {0}")]
    Membership(String),
}

/// The bytes of a record.
pub fn encode(record: &impl Encode) -> Result<Vec<u8>, BadRecord> {
    let bytes = bincode::encode_to_vec(record, form());
    match bytes {
        Ok(bytes) if bytes.len() <= RECORD_MAX => Ok(bytes),
        Ok(bytes) => Err(BadRecord::Unencodable(format!("{} bytes", bytes.len()))),
        Err(error) => Err(BadRecord::Unencodable(error.to_string())),
    }
}

/// The record in these bytes, which must hold nothing else.
pub fn decode<R: Decode<()>>(bytes: &[u8]) -> Result<R, BadRecord> {
    let (record, length) = bincode::decode_from_slice(bytes, form())
        .map_err(|error| BadRecord::Undecodable(error.to_string()))?;
    match bytes.len() - length {
        0 => Ok(record),
        more => Err(BadRecord::Trailing(more)),
    }
}

/// Term and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LogIdRecord {
    pub term: u64,
    pub index: u64,
}

/// For whom, in which term, and whether a majority agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the names say it")]
pub struct VoteRecord {
    pub term: u64,
    pub node: u64,
    pub committed: bool,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EntryRecord {
    pub id: LogIdRecord,
    pub body: BodyRecord,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BodyRecord {
    /// A leader's first.
    Blank,
    /// As proposed.
    Decision {
        /// Protobuf.
        bytes: Arc<[u8]>,
        /// Who acts in it.
        people: Vec<PersonRecord>,
    },
    /// The members from here on.
    Members(MembershipRecord),
}

/// A person's number, role and name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PersonRecord {
    pub id: u64,
    pub role: String,
    pub name: String,
}

/// Voters (two sets while joint), and every member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MembershipRecord {
    pub voters: Vec<BTreeSet<u64>>,
    pub nodes: BTreeMap<u64, NodeRecord>,
}

/// One member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NodeRecord {
    pub name: String,
    pub addr: String,
    pub cluster: ClusterId,
}

impl From<LogId> for LogIdRecord {
    fn from(id: LogId) -> Self {
        Self { term: id.leader_id.term, index: id.index }
    }
}

impl From<LogIdRecord> for LogId {
    fn from(id: LogIdRecord) -> Self {
        LogId::new(EntryTerm::new(id.term), id.index)
    }
}

impl From<Vote> for VoteRecord {
    fn from(vote: Vote) -> Self {
        let leader = vote.leader_id;
        Self { term: leader.term, node: leader.voted_for, committed: vote.committed }
    }
}

impl From<VoteRecord> for Vote {
    fn from(vote: VoteRecord) -> Self {
        match vote.committed {
            true => Vote::new_committed(vote.term, vote.node),
            false => Vote::new(vote.term, vote.node),
        }
    }
}

impl From<&Person> for PersonRecord {
    fn from(person: &Person) -> Self {
        Self { id: person.id.0, role: person.role.clone(), name: person.name.clone() }
    }
}

impl From<PersonRecord> for Person {
    fn from(person: PersonRecord) -> Self {
        Self { id: PersonId(person.id), role: person.role, name: person.name }
    }
}

impl From<&Membership> for MembershipRecord {
    fn from(members: &Membership) -> Self {
        let node = |(id, node): (&u64, &MemberNode)| {
            let MemberNode { name, addr, cluster } = node.clone();
            (*id, NodeRecord { name, addr, cluster })
        };
        Self {
            voters: members.get_joint_config().clone(),
            nodes: members.nodes().map(node).collect(),
        }
    }
}

impl MembershipRecord {
    /// For openraft, which refuses a membership with an empty set of voters.
    pub fn membership(self) -> Result<Membership, BadRecord> {
        if self.voters.is_empty() {
            return Ok(Membership::default());
        }
        let node =
            |(id, NodeRecord { name, addr, cluster })| (id, MemberNode { name, addr, cluster });
        let nodes: BTreeMap<u64, MemberNode> = self.nodes.into_iter().map(node).collect();
        Membership::new(self.voters, nodes).map_err(|e| BadRecord::Membership(e.to_string()))
    }
}

impl From<&RaftEntry> for EntryRecord {
    fn from(entry: &RaftEntry) -> Self {
        let body = match &entry.payload {
            EntryPayload::Blank => BodyRecord::Blank,
            EntryPayload::Normal(proposal) => BodyRecord::Decision {
                bytes: proposal.bytes.clone(),
                people: proposal.people.iter().map(PersonRecord::from).collect(),
            },
            EntryPayload::Membership(members) => BodyRecord::Members(members.into()),
        };
        Self { id: entry.log_id.into(), body }
    }
}

impl EntryRecord {
    /// For openraft.
    pub fn entry(self) -> Result<RaftEntry, BadRecord> {
        let payload = match self.body {
            BodyRecord::Blank => EntryPayload::Blank,
            BodyRecord::Decision { bytes, people } => {
                let people = people.into_iter().map(Person::from).collect();
                EntryPayload::Normal(Proposal { bytes, people })
            }
            BodyRecord::Members(members) => EntryPayload::Membership(members.membership()?),
        };
        Ok(RaftEntry { log_id: self.id.into(), payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn members() -> MembershipRecord {
        let node = NodeRecord { name: "c1".into(), addr: "h:1".into(), cluster: [7; 16] };
        let voters = vec![BTreeSet::from([1, 300]), BTreeSet::from([1])];
        MembershipRecord { voters, nodes: BTreeMap::from([(1, node)]) }
    }

    fn entry(body: BodyRecord) -> EntryRecord {
        EntryRecord { id: LogIdRecord { term: 3, index: 70_000 }, body }
    }

    fn decision() -> BodyRecord {
        let person = PersonRecord { id: 9, role: "operator".into(), name: "anna".into() };
        BodyRecord::Decision { bytes: vec![1, 2, 3].into(), people: vec![person] }
    }

    /// These bytes are in every folder there is. If this fails, the change is wrong, not the test.
    #[test]
    fn records_have_their_golden_bytes() {
        let vote = VoteRecord { term: 300, node: 2, committed: true };
        let id = LogIdRecord { term: 3, index: 70_000 };
        let golden = [
            (encode(&vote), "fb2c010201"),
            (encode(&id), "03fc70110100"),
            (encode(&entry(BodyRecord::Blank)), "03fc7011010000"),
            (
                encode(&entry(decision())),
                "03fc701101000103010203010908\
                 6f70657261746f7204616e6e61",
            ),
            (
                encode(&entry(BodyRecord::Members(members()))),
                "03fc7011010002020201fb2c01010101010263310368\
                 3a3107070707070707070707070707070707",
            ),
        ];
        for (bytes, wanted) in golden {
            assert_eq!(hex(&bytes.expect("small records encode")), wanted);
        }
    }

    #[test]
    fn a_record_reads_back_and_nothing_may_follow_it() {
        for body in [BodyRecord::Blank, decision(), BodyRecord::Members(members())] {
            let record = entry(body);
            let mut bytes = encode(&record).expect("small records encode");
            assert_eq!(decode(&bytes), Ok(record));
            bytes.push(0);
            assert_eq!(decode::<EntryRecord>(&bytes), Err(BadRecord::Trailing(1)));
            bytes.truncate(bytes.len() - 2);
            let short = decode::<EntryRecord>(&bytes);
            assert!(matches!(short, Err(BadRecord::Undecodable(_))), "{short:?}");
        }
    }

    /// A length that lies must not make us reserve what it says.
    #[test]
    fn a_record_that_claims_to_be_huge_is_refused() {
        let mut bytes = encode(&entry(BodyRecord::Blank)).expect("small records encode");
        bytes.truncate(bytes.len() - 1);
        bytes.push(1);
        bytes.extend([0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
        let huge = decode::<EntryRecord>(&bytes);
        assert!(matches!(huge, Err(BadRecord::Undecodable(_))), "{huge:?}");
    }
}
