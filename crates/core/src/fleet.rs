//! The fleet document: what all coordinators must share, and what every decision looks at.
mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::numbers::Timeout;
use crate::{ConfigHash, GroupId, LogicalAddress, RecorderId, ServerId};

pub use policy::*;

/// Largest number of servers in one document.
pub const SERVERS_MAX: usize = 20_000;
/// Largest number of channels of one recorder.
pub const CHANNELS_MAX: u32 = 4_096;
/// Logical addresses of one recorder.
pub const ADDRESSES_MAX: usize = 16;
/// Judged commands per identity and second where the document says nothing (O4).
pub const COMMANDS_PER_SECOND: u32 = 50;

/// Groups, servers, recorders and limits. References are sound: see [`Fleet::check`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each type says what it holds")]
pub struct Fleet {
    pub limits: Limits,
    pub groups: BTreeMap<GroupId, Group>,
    pub servers: BTreeMap<ServerId, Server>,
    pub recorders: BTreeMap<RecorderId, Recorder>,
}

/// Limits that every coordinator keeps alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Judged commands per identity and second; 0 = no limit (O4).
    pub commands_per_second: u32,
}

/// A failover group and its policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Whether the automaton moves anything.
    pub mode: Mode,
    /// F of its servers, where they set none of their own.
    pub timeout: Timeout,
    /// Who begins a failback.
    pub failback: Failback,
    /// How long a returned home must be heard before an automatic failback; 0 = at once (WS-15).
    pub recovery: Duration,
    /// What ends with a lease.
    pub fencing: Fencing,
    /// What becomes of material recorded away from home.
    pub copy: CopyPolicy,
    /// Of each copy, in bytes a second; 0 = no limit.
    pub copy_rate: u64,
    /// Which material is copied.
    pub copy_kinds: Kinds,
    /// How long material is kept; 0 = for ever (WS-16).
    pub keep: Duration,
}

/// What the automaton may do in a group (PS-14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Decides, records what it would do, moves nothing.
    #[default]
    Observe,
    /// Moves recorders by itself.
    Auto,
}

/// Who begins a failback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failback {
    /// An operator (WS-14).
    #[default]
    Manual,
    /// The automaton, once the home is well for the recovery time (MB-03).
    Auto,
}

/// A machine with an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its failover group.
    pub group: GroupId,
    /// What it is for.
    pub role: Role,
    /// Its own F, if it differs from its group's.
    pub timeout: Option<Timeout>,
}

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Home of at most one recorder.
    RecorderHost,
    /// Waits to substitute a recorder of its group.
    Standby,
}

/// A logical recording server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorder {
    /// Where it belongs.
    pub home: ServerId,
    /// Higher goes first.
    pub priority: i32,
    /// Synthetic channels `ch-1` to `ch-N`.
    pub channels: u32,
    /// Over all that its holder must apply.
    pub config: ConfigHash,
    /// What it has otherwise than its group.
    pub own: Overrides,
    /// Under which clients know it, ascending; at most [`ADDRESSES_MAX`].
    pub addresses: Arc<[LogicalAddress]>,
}

/// What does not fit together in a fleet document. Nothing was changed; mend the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum Unsound {
    /// Add the group, or correct the name.
    #[error("server.{server}: group \"{group}\" is not in the document")]
    NoGroup { server: ServerId, group: GroupId },
    /// Add the server, or correct the name.
    #[error("recorder.{recorder}: home \"{home}\" is not in the document")]
    NoHome { recorder: RecorderId, home: ServerId },
    /// A standby holds nothing of its own (WS-08): make it a recorder-host, or choose another home.
    #[error("recorder.{recorder}: home \"{home}\" is a standby; a home must be a recorder-host")]
    HomeIsStandby { recorder: RecorderId, home: ServerId },
    /// One recorder per recorder host: give one of them another home.
    #[error("recorder.{first} and recorder.{second} have the same home \"{home}\"")]
    SharedHome { first: RecorderId, second: RecorderId, home: ServerId },
    /// Between 1 and [`CHANNELS_MAX`].
    #[error("recorder.{recorder}: {channels} channels; allowed are 1 to {CHANNELS_MAX}")]
    Channels { recorder: RecorderId, channels: u32 },
    /// Out of order, twice, or too many.
    #[error("recorder.{recorder}: addresses must be ascending, each once, at most {ADDRESSES_MAX}")]
    Addresses { recorder: RecorderId },
    /// Two recorders cannot be reached under one address: give one of them another.
    #[error("recorder.{first} and recorder.{second} have the same address {address}")]
    SharedAddress { first: RecorderId, second: RecorderId, address: std::net::IpAddr },
    /// Split the fleet into several clusters.
    #[error("{0} servers; at most {SERVERS_MAX} fit in one cluster")]
    TooManyServers(usize),
}

impl Default for Limits {
    fn default() -> Self {
        Self { commands_per_second: COMMANDS_PER_SECOND }
    }
}

impl Fleet {
    /// Looks whether every name in it means something.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit, in document order by name.
    pub fn check(&self) -> Result<(), Unsound> {
        if self.servers.len() > SERVERS_MAX {
            return Err(Unsound::TooManyServers(self.servers.len()));
        }
        for (&server, &Server { group, .. }) in &self.servers {
            if !self.groups.contains_key(&group) {
                return Err(Unsound::NoGroup { server, group });
            }
        }
        self.check_addresses()?;
        let mut homes = BTreeMap::new();
        for (&recorder, &Recorder { home, channels, .. }) in &self.recorders {
            match self.servers.get(&home).map(|server| server.role) {
                None => return Err(Unsound::NoHome { recorder, home }),
                Some(Role::Standby) => return Err(Unsound::HomeIsStandby { recorder, home }),
                Some(Role::RecorderHost) => {}
            }
            if let Some(first) = homes.insert(home, recorder) {
                return Err(Unsound::SharedHome { first, second: recorder, home });
            }
            if !(1..=CHANNELS_MAX).contains(&channels) {
                return Err(Unsound::Channels { recorder, channels });
            }
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), Unsound> {
        let mut known = BTreeMap::new();
        for (&recorder, Recorder { addresses, .. }) in &self.recorders {
            let ips: BTreeSet<_> = addresses.iter().map(LogicalAddress::ip).collect();
            let sound = addresses.is_sorted() && ips.len() == addresses.len();
            if !sound || addresses.len() > ADDRESSES_MAX {
                return Err(Unsound::Addresses { recorder });
            }
            for address in ips {
                if let Some(first) = known.insert(address, recorder) {
                    return Err(Unsound::SharedAddress { first, second: recorder, address });
                }
            }
        }
        Ok(())
    }

    /// F of `server`; the default for one that is not in the document.
    pub fn timeout(&self, server: ServerId) -> Timeout {
        let known = self.servers.get(&server);
        let own = known.and_then(|server| server.timeout);
        own.or_else(|| known.and_then(|server| self.groups.get(&server.group)).map(|g| g.timeout))
            .unwrap_or_default()
    }

    /// The group of `server`, if both are in the document.
    pub fn group_of(&self, server: ServerId) -> Option<&Group> {
        self.servers.get(&server).and_then(|server| self.groups.get(&server.group))
    }

    /// The policy of `recorder`: that of its home's group, with what it has otherwise.
    pub fn policy(&self, recorder: RecorderId) -> Group {
        let Some(recorder) = self.recorders.get(&recorder) else { return Group::default() };
        self.group_of(recorder.home).copied().unwrap_or_default().with(&recorder.own)
    }
}
