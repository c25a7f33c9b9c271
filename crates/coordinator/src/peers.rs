//! Coordinator to coordinator: Raft's calls, ticks, reports and answers, each with its sender,
//! target, cluster id and generation, of which a mismatch is refused. Deliberately absent: what the
//! messages mean (core, openraft), and who may become a member (`founding`).
mod answers;
mod ask;
mod bodies;
mod deliver;
mod dial;
mod door;
mod greet;
mod known;
mod line;
mod network;
mod refused;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, RwLock};

use interrex_client::identity::{Peer, Role};
use interrex_core::name::Name;
use interrex_core::{Boot, CoordinatorId, Generation};
use interrex_wire::pb;
use tokio::sync::Notify;
use tonic::Status;

pub(crate) use ask::Asker;
pub(crate) use deliver::Deliveries;
pub(crate) use dial::Dialer;
pub(crate) use door::Door;
pub(crate) use greet::Greeter;
pub(crate) use known::{Held, Introduction, Start};
pub(crate) use line::ask_founder;
pub(crate) use network::Network;
pub(crate) use refused::Refused;
pub(crate) use server::{Desk, Seat, serve};

use crate::folder::NodeIdentity;
use crate::log::types::{ClusterId, MemberNode};

/// Who this coordinator is among the members, who they are, and whom of them it talks to.
#[derive(Debug)]
pub(crate) struct Circle {
    pub(crate) cluster: ClusterId,
    pub(crate) generation: Generation,
    pub(crate) id: CoordinatorId,
    name: Name,
    pub(crate) start: Start,
    /// What its log held when this start opened it.
    opened: Held,
    pub(crate) door: Door,
    /// As the newest membership entry of our log has them; empty until there is one.
    members: RwLock<BTreeMap<u64, MemberNode>>,
    /// Refusals that the log of this process has already: a stranger calls many times a second.
    told: Mutex<BTreeSet<String>>,
    /// Somebody spoke who was not greeted: greet.
    unmet: Notify,
}

/// So many different refusals are told; after that strangers are only refused.
const TOLD_MAX: usize = 64;

impl Circle {
    /// Of a process that begins now, as `boot` of that identity, on a log that holds `opened`.
    pub(crate) fn new(
        identity: &NodeIdentity,
        generation: Generation,
        boot: Boot,
        opened: Held,
        door: Door,
    ) -> Self {
        Self {
            cluster: identity.cluster,
            generation,
            id: identity.id,
            name: identity.name,
            start: Start { boot, token: rand::random() },
            opened,
            door,
            members: RwLock::default(),
            told: Mutex::default(),
            unmet: Notify::new(),
        }
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
            sender_boot: self.start.boot.0,
            sender_token: self.start.token,
        }
    }

    /// The sender of a message, if it is a member and its present start was greeted (M6).
    fn sender(
        &self,
        envelope: Option<&pb::Envelope>,
        caller: &Peer,
    ) -> Result<CoordinatorId, Box<Status>> {
        let (sender, start) = self.member(envelope, caller)?;
        if self.door.is_admitted(sender.0, start) {
            return Ok(sender);
        }
        self.unmet.notify_one();
        Err(Box::new(Status::unavailable("this start of the caller was not greeted yet")))
    }

    /// True if the start of `target` that answers was greeted; otherwise its answer counts for
    /// nothing (M6).
    fn knows(&self, target: u64, start: Start) -> bool {
        let known = self.door.is_admitted(target, start);
        if !known {
            self.unmet.notify_one();
        }
        known
    }

    /// The sender of a message, if it is for us, of this cluster, and from a member that its
    /// certificate names.
    fn member(
        &self,
        envelope: Option<&pb::Envelope>,
        caller: &Peer,
    ) -> Result<(CoordinatorId, Start), Box<Status>> {
        let Some(envelope) = envelope else {
            return Err(Box::new(Status::invalid_argument("no envelope")));
        };
        self.may_speak(envelope, caller).map_err(|refused| {
            self.tell(envelope, caller, &refused);
            Box::new(refused.status())
        })?;
        let start = Start { boot: Boot(envelope.sender_boot), token: envelope.sender_token };
        Ok((CoordinatorId(envelope.sender), start))
    }

    fn may_speak(&self, envelope: &pb::Envelope, caller: &Peer) -> Result<(), Refused> {
        if envelope.cluster != self.cluster {
            return Err(Refused::wrong_cluster(&self.cluster, &envelope.cluster));
        }
        // A lower generation is a cluster that was given up (M7).
        if envelope.generation != self.generation.0 {
            return Err(Refused::wrong_generation(self.generation.0, envelope.generation));
        }
        let (sender, target) = (envelope.sender, envelope.target);
        if target != self.id.0 {
            return Err(Refused::wrong_member(self.id.0, target));
        }
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let member = members.get(&sender).filter(|_| sender != self.id.0);
        if member.is_none() && (!members.is_empty() || sender == self.id.0) {
            let who = caller.identity.map_or_else(String::new, |who| format!("{}, ", who.name));
            let words = format!("the caller ({who}member {sender}) is not a member");
            return Err(Refused::unknown_member(words));
        }
        if let (Some(identity), Some(member)) = (caller.identity, member)
            && identity.name.as_str() != member.name
        {
            let words = format!(
                "the caller is {} by its certificate, and says that it is member {sender}, which                  is {}",
                identity.name, member.name
            );
            return Err(Refused::unknown_member(words));
        }
        Ok(())
    }

    /// Who says something of itself, if that is true as far as is known here (M6).
    fn introduced(
        &self,
        hello: pb::Hello,
        caller: &Peer,
    ) -> Result<(CoordinatorId, Name, Introduction), Box<Status>> {
        let (sender, start) = self.member(hello.envelope.as_ref(), caller)?;
        let unsound = |what: &str| Box::new(Status::invalid_argument(format!("Hello.{what}")));
        let name: Name = hello.name.parse().map_err(|_| unsound("name is not a name"))?;
        let known = self.members().get(&sender.0).map(|member| member.name.clone());
        if known.as_ref().is_some_and(|known| known != name.as_str()) {
            let known = known.unwrap_or_default();
            let words = format!("the caller is {name}, and member {} is {known}", sender.0);
            let refused = Refused::unknown_member(words);
            self.tell(&hello.envelope.unwrap_or_default(), caller, &refused);
            return Err(Box::new(refused.status()));
        }
        let opened = hello.opened.ok_or_else(|| unsound("opened is missing"))?.into();
        let holds = hello.holds.ok_or_else(|| unsound("holds is missing"))?.into();
        Ok((sender, name, Introduction { start, opened, holds }))
    }

    /// What this member says of itself.
    fn hello(&self, target: u64, holds: Held) -> pb::Hello {
        pb::Hello {
            envelope: Some(self.envelope(target)),
            name: self.name.to_string(),
            opened: Some(self.opened.into()),
            holds: Some(holds.into()),
        }
    }

    /// Each refusal once in the log, and in `status` where it is about a member: who is kept out,
    /// and why.
    fn tell(&self, envelope: &pb::Envelope, caller: &Peer, refused: &Refused) {
        let named = caller.identity.map(|identity| identity.name);
        let members = self.members();
        let id = match named {
            Some(name) => members.iter().find(|(_, member)| member.name == name.as_str()),
            None => members.get_key_value(&envelope.sender),
        };
        if let Some((id, _)) = id.filter(|(id, _)| **id != self.id.0) {
            self.door.turn_away(*id, refused.clone());
        }
        let caller = caller.identity.map(|identity| identity.to_string()).unwrap_or_default();
        let (sender, code, why) = (envelope.sender, refused.code, refused.words.as_str());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX && told.insert(format!("{caller} {sender} {code}")) {
            let remedy = refused.remedy();
            tracing::warn!(caller, sender, code, why, remedy, "refused a member's call");
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
