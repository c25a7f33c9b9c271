//! A member's storage without its shell: driven through openraft's traits, as its core would.
#![allow(dead_code, reason = "each test file uses a part of it")]
use std::path::Path;
use std::sync::Arc;

use futures::stream;
use interrex_coordinator::folder::{Folder, FolderError, Founder, NodeIdentity};
use interrex_coordinator::history::{History, Machine};
use interrex_coordinator::log::types::{
    Cfg, EntryTerm, LogId, MemberNode, Membership, Person, Proposal, RaftEntry,
};
use interrex_coordinator::log::{self, LogStore};
use interrex_core::{
    Act, Actor, CoordinatorId, Decision, Entry, Event, Generation, LEVEL, LogIndex, LogTime,
    Verdict,
};
use openraft::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogStorage, RaftStateMachine};

pub(crate) const CLUSTER: [u8; 16] = [7; 16];

/// Storage that is open.
pub(crate) struct Node {
    pub(crate) log: LogStore,
    pub(crate) machine: Option<Machine>,
    pub(crate) history: History,
    /// What the fold got at the start.
    pub(crate) replayed: Vec<(LogIndex, Entry)>,
    drain: std::thread::JoinHandle<()>,
    pub(crate) folder: Folder,
}

/// Opens `root` as the member c1 of a cluster of three.
pub(crate) fn open(root: &Path) -> Result<Node, FolderError> {
    let name = "c1".parse().unwrap();
    let mut folder = Folder::open(root, name)?;
    if folder.identity().is_none() {
        let founder = |name: &str| Founder {
            name: name.parse().unwrap(),
            address: format!("{name}:1"),
            confirmed: false,
        };
        folder.settle(NodeIdentity {
            name,
            id: CoordinatorId(1),
            cluster: CLUSTER,
            generation: Generation(1),
            founders: ["c1", "c2", "c3"].map(founder).into(),
        })?;
    }
    let mut replayed = Vec::new();
    let opened = log::open(&folder, &mut |index, entry| replayed.push((index, entry)))?;
    let mut notices = opened.notices;
    let drain = std::thread::spawn(move || while notices.blocking_recv().is_some() {});
    let (log, machine, history) = (opened.log, Some(opened.machine), opened.history);
    Ok(Node { log, machine, history, replayed, drain, folder })
}

impl Node {
    /// As at the end of a process that ends well, or of one whose disk failed.
    pub(crate) fn close(self) {
        self.log.close();
        self.history.close();
        drop((self.log, self.machine, self.history));
        self.drain.join().unwrap();
    }

    pub(crate) fn take_machine(&mut self) -> Machine {
        self.machine.take().unwrap()
    }

    /// Applies entries, as openraft does with committed ones.
    pub(crate) async fn apply(&mut self, entries: Vec<RaftEntry>) -> std::io::Result<()> {
        let machine = self.machine.as_mut().unwrap();
        machine.apply(stream::iter(entries.into_iter().map(|entry| Ok((entry, None))))).await
    }

    /// Appends; the receiver hears when it is durable.
    pub(crate) async fn append(
        &mut self,
        entries: Vec<RaftEntry>,
    ) -> std::io::Result<tokio::sync::oneshot::Receiver<Result<(), std::io::Error>>> {
        let (done, durable) = <Cfg as openraft::type_config::TypeConfigExt>::oneshot();
        self.log.append(entries, IOFlushed::signal(done)).await?;
        Ok(durable)
    }
}

pub(crate) fn id(term: u64, index: u64) -> LogId {
    LogId::new(EntryTerm::new(term), index)
}

pub(crate) fn blank(term: u64, index: u64) -> RaftEntry {
    RaftEntry { log_id: id(term, index), payload: EntryPayload::Blank }
}

pub(crate) fn members(term: u64, index: u64) -> RaftEntry {
    let node = |n: u64| {
        let (name, addr) = (format!("c{n}"), format!("c{n}:1"));
        (n, MemberNode { name, addr, cluster: CLUSTER })
    };
    let voters = vec![[1, 2, 3].into_iter().collect()];
    let nodes: std::collections::BTreeMap<_, _> = [1, 2, 3].map(node).into();
    let members = Membership::new(voters, nodes).unwrap();
    RaftEntry { log_id: id(term, index), payload: EntryPayload::Membership(members) }
}

/// A decision about so many servers; `salt` makes it differ from others. Stands if `basis` fits.
pub(crate) fn decision(basis: u64, servers: usize, salt: u64) -> Vec<u8> {
    let seen = |n| Event::ServerSeen { server: format!("server-{n:04}-{salt}").parse().unwrap() };
    let act = Act {
        actor: Actor::Person(Person::new("operator", "anna").id),
        operation: None,
        reason: format!("for test {salt}, with some words that take space"),
        ticket: String::new(),
        outcome: Verdict::Done((0..servers).map(seen).collect()),
    };
    let at = LogTime(1_800_000_000_000 + basis);
    interrex_wire::decision::encode(&Decision {
        basis: LogIndex(basis),
        at,
        level: LEVEL,
        acts: vec![act],
    })
}

pub(crate) fn decided(term: u64, index: u64, servers: usize, salt: u64) -> RaftEntry {
    let basis = if salt % 7 == 3 { index.saturating_sub(2) } else { index.saturating_sub(1) };
    let bytes: Arc<[u8]> = decision(basis, servers, salt).into();
    let people = vec![Person::new("operator", "anna")];
    let payload = EntryPayload::Normal(Proposal { bytes, people });
    RaftEntry { log_id: id(term, index), payload }
}
