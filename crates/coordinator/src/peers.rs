//! Coordinator to coordinator: Raft's calls, ticks, reports and answers, each with its sender,
//! target, cluster id and generation, of which a mismatch is refused. Deliberately absent: what the
//! messages mean (core, openraft), and who may become a member (`founding`).
mod ask;
mod bodies;
mod deliver;
mod dial;
mod line;
mod network;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, RwLock};

use interrex_client::identity::{Peer, Role};
use interrex_core::{Boot, CoordinatorId, Generation};
use interrex_wire::pb;
use tonic::Status;

pub(crate) use ask::Asker;
pub(crate) use deliver::Deliveries;
pub(crate) use dial::Dialer;
pub(crate) use line::ask_founder;
pub(crate) use network::Network;
pub(crate) use server::{Desk, Seat, serve};

use crate::log::types::{ClusterId, MemberNode};

/// Who this coordinator is among the members, and who they are.
#[derive(Debug)]
pub(crate) struct Circle {
    pub(crate) cluster: ClusterId,
    pub(crate) generation: Generation,
    pub(crate) id: CoordinatorId,
    pub(crate) boot: Boot,
    /// As the newest membership entry of our log has them; empty until there is one.
    members: RwLock<BTreeMap<u64, MemberNode>>,
    /// Refusals that the log of this process has already: a stranger calls many times a second.
    told: Mutex<BTreeSet<String>>,
}

/// So many different refusals are told; after that strangers are only refused.
const TOLD_MAX: usize = 64;

impl Circle {
    pub(crate) fn new(
        cluster: ClusterId,
        generation: Generation,
        id: CoordinatorId,
        boot: Boot,
    ) -> Self {
        Self { cluster, generation, id, boot, members: RwLock::default(), told: Mutex::default() }
    }

    /// The members from now on.
    pub(crate) fn learn(&self, members: BTreeMap<u64, MemberNode>) {
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
    }

    /// The members, by id.
    pub(crate) fn members(&self) -> BTreeMap<u64, MemberNode> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What stands on each message to `target`.
    fn envelope(&self, target: u64) -> pb::Envelope {
        pb::Envelope {
            cluster: self.cluster.to_vec(),
            generation: self.generation.0,
            sender: self.id.0,
            target,
            sender_boot: self.boot.0,
        }
    }

    /// The sender of a message, if it is for us, of this cluster, and from a member that its
    /// certificate names.
    fn sender(
        &self,
        envelope: Option<&pb::Envelope>,
        caller: &Peer,
    ) -> Result<CoordinatorId, Box<Status>> {
        let refuse = |why: String| {
            self.tell(envelope, caller, &why);
            Err(Box::new(Status::failed_precondition(why)))
        };
        let Some(envelope) = envelope else {
            return refuse("no envelope".into());
        };
        if envelope.cluster != self.cluster {
            return refuse("wrong_cluster: this member belongs to another cluster".into());
        }
        // A lower generation is a cluster that was given up (M7).
        if envelope.generation != self.generation.0 {
            let (theirs, ours) = (envelope.generation, self.generation.0);
            return refuse(format!("generation {theirs}; this member is in generation {ours}"));
        }
        if envelope.target != self.id.0 || envelope.sender == self.id.0 {
            return refuse(format!("for member {}; this is {}", envelope.target, self.id.0));
        }
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let sender = members.get(&envelope.sender);
        if sender.is_none() && !members.is_empty() {
            return refuse(format!("{} is not a member", envelope.sender));
        }
        if let (Some(identity), Some(sender)) = (caller.identity, sender)
            && identity.name.as_str() != sender.name
        {
            return refuse(format!("{} speaks for {}", identity.name, sender.name));
        }
        Ok(CoordinatorId(envelope.sender))
    }

    /// Each refusal once: who is kept out, and why.
    fn tell(&self, envelope: Option<&pb::Envelope>, caller: &Peer, why: &str) {
        let caller = caller.identity.map(|identity| identity.to_string()).unwrap_or_default();
        let sender = envelope.map(|envelope| envelope.sender);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX && told.insert(format!("{caller} {sender:?} {why}")) {
            tracing::warn!(
                caller,
                sender,
                why,
                "refused a member's call; check its --data and --initial, and ours"
            );
        }
    }
}

/// Only coordinators speak here.
fn coordinator(caller: Option<&Peer>) -> Result<Peer, Box<Status>> {
    let caller = caller.ok_or_else(|| Box::new(Status::unauthenticated("no identity")))?;
    match caller.identity {
        Some(identity) if identity.role != Role::Coordinator => Err(Box::new(
            Status::permission_denied(format!("{} is not a coordinator", identity.name)),
        )),
        Some(_) | None => Ok(*caller),
    }
}
