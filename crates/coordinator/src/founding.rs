//! How a member gets its place in a cluster (RAFT.md section 3): an empty one asks all others of
//! its `--initial`; only when every one answers *empty, same list* does the first by name draw the
//! cluster id and hand it over. A wiped disk neither founds nor rejoins. The first entry of the log
//! is written elsewhere (`raft`).
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interrex_core::name::Name;
use interrex_core::{CoordinatorId, Generation, LEVEL};
use interrex_wire::pb::{FoundReply, FoundRequest};
use tokio::sync::watch;
use tonic::Status;

use crate::config::Founders;
use crate::failure::Failure;
use crate::folder::{Folder, Founder, NodeIdentity};
use crate::log::types::{ClusterId, MemberNode};
use crate::peers::{Desk, Dialer, ask_founder};

/// Between two rounds of questions.
const AGAIN: Duration = Duration::from_millis(100);

/// This member's side of the founding: answers others, and seeks its own place.
pub(crate) struct Founding {
    name: Name,
    initial: Founders,
    folder: Mutex<Folder>,
    /// True once this member has a place.
    placed: watch::Sender<bool>,
    /// The cluster's level, as far as this member has applied it.
    level: watch::Receiver<u32>,
}

/// What one round of questions came to.
enum Round {
    /// All are empty and of one mind, and we are the first by name.
    Found,
    /// Somebody belongs to a cluster: the first by name decides about us.
    Claim,
    /// Not everybody answers, or the first by name has not begun.
    Again,
}

impl Founding {
    pub(crate) fn new(
        name: Name,
        initial: Founders,
        folder: Folder,
        level: watch::Receiver<u32>,
    ) -> Arc<Self> {
        let placed = watch::Sender::new(folder.identity().is_some());
        Arc::new(Self { name, initial, folder: Mutex::new(folder), placed, level })
    }

    /// Who this member is, once it has a place.
    pub(crate) fn identity(&self) -> Option<NodeIdentity> {
        self.with(|folder| folder.identity().cloned())
    }

    /// Looks at the folder, or writes to it.
    pub(crate) fn with<R>(&self, use_folder: impl FnOnce(&mut Folder) -> R) -> R {
        use_folder(&mut self.folder.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seeks a place until there is one.
    ///
    /// # Errors
    ///
    /// There is none for this member (exit 1), or the configuration cannot be right (exit 78).
    pub(crate) async fn seek(&self, dialer: &Dialer) -> Result<NodeIdentity, Failure> {
        let mut placed = self.placed.subscribe();
        loop {
            if let Some(identity) = self.identity() {
                return Ok(identity);
            }
            if self.initial.0.is_empty() {
                return Err(Failure::config(
                    "initial is not set, and the data folder is empty",
                    "set --initial to the founders of the cluster, the same on all of them",
                ));
            }
            match self.round(dialer).await? {
                Round::Found => self.found()?,
                Round::Claim => self.claim(dialer).await?,
                Round::Again => {
                    let _ = tokio::time::timeout(AGAIN, placed.wait_for(|placed| *placed)).await;
                }
            }
        }
    }

    async fn round(&self, dialer: &Dialer) -> Result<Round, Failure> {
        let mut round = if self.first() == Some(self.name) { Round::Found } else { Round::Again };
        for (other, address) in self.others() {
            let Ok(reply) = ask_founder(dialer, other.as_str(), address, self.question()).await
            else {
                round = if matches!(round, Round::Claim) { Round::Claim } else { Round::Again };
                continue;
            };
            readable(&reply, &other)?;
            if !reply.empty {
                round = Round::Claim;
            } else if reply.founders != self.initial.to_string() {
                return Err(Failure::config(
                    format!(
                        "initial: {other} has {}, this member has {}",
                        reply.founders, self.initial
                    ),
                    "give every founder the same --initial",
                ));
            }
        }
        Ok(round)
    }

    /// Draws the cluster id and keeps it, durably, before anybody hears of it.
    fn found(&self) -> Result<(), Failure> {
        self.settle(uuid::Uuid::now_v7().into_bytes())
    }

    /// The first by name decides: it takes us in if it has not yet noted that we have the id.
    async fn claim(&self, dialer: &Dialer) -> Result<(), Failure> {
        let first = self.first().filter(|first| *first != self.name);
        let Some((first, address)) =
            first.and_then(|first| Some((first, self.initial.0.get(&first)?)))
        else {
            return Err(wiped("this member would found the cluster, and the others belong to one"));
        };
        let question = FoundRequest { claim: true, ..self.question() };
        let Ok(reply) = ask_founder(dialer, first.as_str(), address, question).await else {
            tracing::info!(%first, "waits for the first founder");
            tokio::time::sleep(AGAIN).await;
            return Ok(());
        };
        readable(&reply, &first)?;
        // The id was handed over to us while we asked; that is why our claim came too late.
        if self.identity().is_some() {
            return Ok(());
        }
        match ClusterId::try_from(reply.cluster.as_slice()) {
            Ok(cluster) if reply.granted => self.settle(cluster),
            Ok(_) | Err(_) if reply.empty => {
                Err(wiped("the first founder is empty, and others belong to a cluster"))
            }
            Ok(_) | Err(_) => Err(wiped(&reply.why)),
        }
    }

    fn settle(&self, cluster: ClusterId) -> Result<(), Failure> {
        let place = self.initial.0.keys().position(|name| *name == self.name).unwrap_or_default();
        let founder = |(name, address): (&Name, &String)| Founder {
            name: *name,
            address: address.clone(),
            confirmed: *name == self.name,
        };
        let identity = NodeIdentity {
            name: self.name,
            id: CoordinatorId(place as u64 + 1),
            cluster,
            generation: Generation(1),
            founders: self.initial.0.iter().map(founder).collect(),
        };
        self.with(|folder| folder.settle(identity))?;
        tracing::info!(cluster = %uuid::Uuid::from_bytes(cluster), "has its place in the cluster");
        self.placed.send_replace(true);
        Ok(())
    }

    /// The founder's duty: hands the id over until everyone has confirmed it. Durable each time.
    pub(crate) async fn hand_over(&self, dialer: &Dialer) -> Result<(), Failure> {
        loop {
            let Some(identity) = self.identity() else { return Ok(()) };
            let leads = identity.founders.first().map(|first| first.name) == Some(self.name);
            let open = identity.founders.iter().filter(|founder| !founder.confirmed);
            let open: Vec<Founder> = open.cloned().collect();
            if !leads || open.is_empty() {
                return Ok(());
            }
            for founder in open {
                let request = FoundRequest {
                    name: self.name.to_string(),
                    founders: listed(&identity.founders),
                    cluster: identity.cluster.to_vec(),
                    claim: false,
                };
                match ask_founder(dialer, founder.name.as_str(), &founder.address, request).await {
                    Ok(reply) if reply.granted => {
                        self.with(|folder| folder.confirm(founder.name))?;
                        tracing::info!(member = %founder.name, "has the cluster id");
                    }
                    Ok(reply) => {
                        tracing::warn!(member = %founder.name, why = reply.why, "founding")
                    }
                    Err(_) => {}
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The founders of a new cluster, as its first entry names them.
    pub(crate) fn members(identity: &NodeIdentity) -> BTreeMap<u64, MemberNode> {
        let member = |(place, founder): (usize, &Founder)| {
            let node = MemberNode {
                name: founder.name.to_string(),
                addr: founder.address.clone(),
                cluster: identity.cluster,
            };
            (place as u64 + 1, node)
        };
        identity.founders.iter().enumerate().map(member).collect()
    }

    fn question(&self) -> FoundRequest {
        FoundRequest {
            name: self.name.to_string(),
            founders: self.initial.to_string(),
            cluster: Vec::new(),
            claim: false,
        }
    }

    fn first(&self) -> Option<Name> {
        self.initial.0.keys().next().copied()
    }

    fn others(&self) -> impl Iterator<Item = (Name, &String)> {
        let others = self.initial.0.iter().filter(|(name, _)| **name != self.name);
        others.map(|(name, address)| (*name, address))
    }

    /// We are empty, and somebody hands an id over.
    fn take(&self, request: &FoundRequest) -> Result<FoundReply, Box<Status>> {
        let from_first = self.first().is_some_and(|first| first.as_str() == request.name);
        let same = request.founders == self.initial.to_string();
        let cluster = ClusterId::try_from(request.cluster.as_slice());
        match cluster {
            Ok(cluster) if from_first && same => {
                self.settle(cluster).map_err(|e| Box::new(Status::internal(e.to_string())))?;
                Ok(FoundReply { granted: true, cluster: cluster.to_vec(), ..self.reply(None) })
            }
            Ok(_) => {
                let why =
                    format!("this member waits for {}, with another founder or list", self.initial);
                Ok(FoundReply { why, ..self.reply(None) })
            }
            Err(_) => Ok(self.reply(None)),
        }
    }

    /// We belong to a cluster, and an empty member claims a place.
    fn admit(&self, identity: &NodeIdentity, name: &str) -> (bool, String) {
        let leads = identity.founders.first().map(|first| first.name) == Some(self.name);
        let founder = identity.founders.iter().find(|founder| founder.name.as_str() == name);
        match founder {
            _ if !leads => (false, format!("{} is not the first founder", self.name)),
            None => (false, format!("{name} is not one of the founders")),
            Some(founder) if founder.confirmed => {
                (false, format!("{name} had its place before, and comes with an empty disk"))
            }
            Some(_) => (true, String::new()),
        }
    }

    fn reply(&self, identity: Option<&NodeIdentity>) -> FoundReply {
        FoundReply {
            empty: identity.is_none(),
            founders: match identity {
                Some(identity) => listed(&identity.founders),
                None => self.initial.to_string(),
            },
            cluster: Vec::new(),
            granted: false,
            why: String::new(),
            reads: LEVEL.0,
            level: if identity.is_some() { (*self.level.borrow()).max(1) } else { 0 },
        }
    }
}

impl Desk for Founding {
    fn answer(&self, request: FoundRequest) -> Result<FoundReply, Box<Status>> {
        let Some(identity) = self.identity() else {
            return self.take(&request);
        };
        let reply = self.reply(Some(&identity));
        if request.claim {
            let (granted, why) = self.admit(&identity, &request.name);
            let cluster = if granted { identity.cluster.to_vec() } else { Vec::new() };
            return Ok(FoundReply { granted, why, cluster, ..reply });
        }
        // Handed over once more: the first confirmation was lost.
        let granted = request.cluster == identity.cluster;
        Ok(FoundReply { granted, ..reply })
    }
}

/// U3: what a member cannot read it must not join.
fn readable(reply: &FoundReply, other: &Name) -> Result<(), Failure> {
    if reply.level <= LEVEL.0 {
        return Ok(());
    }
    Err(Failure::refused(
        "newer_level",
        format!("the cluster of {other} is at level {}, this program reads {LEVEL}", reply.level),
        "start a program that reads that level",
    ))
}

fn wiped(why: &str) -> Failure {
    Failure::refused(
        "wrong_cluster",
        format!("the data folder is empty, and this member has no place to take: {why}"),
        "if its disk was lost: remove the old member, then `interrex member add NAME=H:P` from a member that serves",
    )
}

fn listed(founders: &[Founder]) -> String {
    let all = founders.iter().map(|founder| (founder.name, founder.address.clone()));
    Founders(all.collect()).to_string()
}
