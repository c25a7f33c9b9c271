//! Names and counts. No bare integer or string crosses a public signature.
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::name::{BadName, Name};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Name);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident($number:ty), $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}

names! {
    /// A machine with an agent.
    ServerId;
    /// A logical recording server, wherever it is held.
    RecorderId;
    /// A failover group of servers.
    GroupId;
}

counts! {
    /// A coordinator as part of the cluster; what Raft calls a node id. Never reused.
    CoordinatorId(u64), "coordinator ";
    /// Counts the tenures of a recorder; the fencing token. The first tenure has epoch 1.
    Epoch(u64), "e";
    /// One failover episode. From 1, never reused.
    FailoverId(u64), "failover ";
    /// The bringing home of one tenure's material. From 1, never reused.
    CopyId(u64), "copy ";
    /// Chosen by the client (UUID v7, as a number); the same id asks for the same answer.
    OperationId(u128), "operation ";
    /// A person, as the history has it: 64 bits of a hash of role and name. Who it is stands
    /// beside the history, so that a name can be forgotten without breaking the chain.
    PersonId(u64), "person ";
    /// Position in the log; entries of every kind count.
    LogIndex(u64), "index ";
    /// Number of applied decisions.
    Revision(u64), "revision ";
    /// Counts the forced new beginnings of a cluster (M7); 1 from the founding on.
    Generation(u64), "generation ";
    /// One life of a coordinator's process; counted on its disk.
    Boot(u64), "boot ";
    /// One life of an agent's process; drawn at random.
    AgentBoot(u64), "agent boot ";
    /// Counts the heartbeats of one agent boot, from one.
    BeatSeq(u64), "beat ";
    /// Counts the reports of one coordinator boot, from one.
    ReportSeq(u64), "report ";
    /// Counts the ticks of one leader's term, from one.
    TickSeq(u64), "tick ";
    /// What every member can read. Nothing newer is written. Levels begin at 1.
    Level(u32), "level ";
    /// Log index of the membership entry that made a set of voters.
    SetId(u64), "set ";
}

/// The newest level that this code reads, and the only one so far.
pub const LEVEL: Level = Level(1);

/// The term of one leader in one boot of its process: openraft's leader id, and the boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Term {
    pub number: u64,
    pub leader: CoordinatorId,
    pub boot: Boot,
}

/// BLAKE3 over a recorder's configuration, computed where it enters (`wire`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigHash(pub [u8; 32]);

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The coordinators whose word counts: one set, or two while the membership is joint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voters(pub Vec<BTreeSet<CoordinatorId>>);

impl Voters {
    /// P11: more than half of the voters, of both halves while joint. Who is no voter counts for
    /// nothing. Nobody is a majority of no voters.
    pub fn majority(&self, mut agrees: impl FnMut(CoordinatorId) -> bool) -> bool {
        let mut more_than_half = |half: &BTreeSet<CoordinatorId>| {
            2 * half.iter().filter(|voter| agrees(**voter)).count() > half.len()
        };
        !self.0.is_empty() && self.0.iter().all(&mut more_than_half)
    }

    /// True if `coordinator` is in one of the halves.
    pub fn contains(&self, coordinator: CoordinatorId) -> bool {
        self.0.iter().any(|half| half.contains(&coordinator))
    }

    /// Every voter, once, in id order.
    pub fn iter(&self) -> impl Iterator<Item = CoordinatorId> {
        self.0.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter()
    }
}
