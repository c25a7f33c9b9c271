//! Documents out of the state: one function a view. Runs on the node's thread, so it only picks
//! and names; nothing is decided, and nothing is waited for.
mod copies;
mod fleet;
mod problems;
mod servers;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use interrex_client::views;
use interrex_client::views::{API, FleetDocument, List, Status as StatusDocument};
use interrex_core::{Actor, CoordinatorId, Mono, ServerId, State};
use interrex_wire::pb::View;
use serde::Serialize;
use tonic::{Code, Status};

use crate::history::{Head, History};
use crate::log::types::ClusterId;
use crate::node::View as Inside;
use crate::peers::Refused;
use crate::raft::Standing;

/// What a document needs beside the core.
pub(super) struct Context {
    pub(super) id: CoordinatorId,
    pub(super) cluster: ClusterId,
    pub(super) standing: Standing,
    pub(super) stale: bool,
    /// Of this member, for clients.
    pub(super) address: String,
    pub(super) head: Head,
    pub(super) people: History,
    pub(super) now: Mono,
    /// How long this member's certificate is still good.
    pub(super) certificate: Option<Duration>,
    /// The other members that were asked.
    pub(super) seers: Vec<Seer>,
    /// With which of them this member does not talk, and why.
    pub(super) refused: BTreeMap<u64, Refused>,
}

/// Another member, and for how long it has not heard whom; none where it did not answer.
pub(super) struct Seer {
    pub(super) id: CoordinatorId,
    pub(super) silent: Option<BTreeMap<ServerId, Duration>>,
}

/// A document, and what stands beside it in the answer.
pub(super) struct Document {
    pub(super) body: Body,
    pub(super) revision: u64,
    pub(super) age_ms: u64,
}

/// One of CONTRACT's documents.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Body {
    Status(Box<StatusDocument>),
    Servers(List<views::Server>),
    Recorders(List<views::Recorder>),
    Failovers(List<views::Failover>),
    Queue(List<views::Waiting>),
    Copies(List<views::Copy>),
    Notes(List<views::Note>),
    Members(List<views::Coordinator>),
    Fleet(FleetDocument),
}

/// The document, of one item where `name` names one.
pub(super) fn document(
    view: View,
    name: &str,
    context: &Context,
    inside: &Inside<'_>,
) -> Result<Document, Status> {
    let own = inside.core.silence().collect();
    let sight = Sight { context, inside, state: inside.core.state(), own };
    let body = match view {
        View::Status => Body::Status(Box::new(sight.status())),
        View::Servers => Body::Servers(sight.list(named(sight.servers(), name, |s| &s.name)?)),
        View::Recorders => {
            Body::Recorders(sight.list(named(sight.recorders(), name, |r| &r.name)?))
        }
        View::Failovers => Body::Failovers(sight.list(sight.failovers(name)?)),
        View::Queue => Body::Queue(sight.list(sight.queue())),
        View::Copies => Body::Copies(sight.list(sight.copies(name)?)),
        View::Notes => Body::Notes(sight.list(sight.notes(name))),
        View::Members => Body::Members(sight.list(sight.coordinators())),
        View::Fleet => Body::Fleet(sight.fleet()),
        View::Unspecified => return Err(Status::invalid_argument("which view?")),
    };
    let age_ms = sight.age_ms().unwrap_or(0);
    Ok(Document { body, revision: sight.state.revision.0, age_ms })
}

/// All items, or the one of that name.
fn named<T>(items: Vec<T>, name: &str, of: impl Fn(&T) -> &str) -> Result<Vec<T>, Status> {
    if name.is_empty() {
        return Ok(items);
    }
    let found: Vec<T> = items.into_iter().filter(|item| of(item) == name).collect();
    if found.is_empty() {
        return Err(unknown(name));
    }
    Ok(found)
}

fn unknown(name: &str) -> Status {
    let remedy = "see which there are: the same command without a name";
    super::refused(Code::NotFound, "unknown_name", &format!("there is no {name:?}"), remedy)
}

/// What all views look at.
struct Sight<'a> {
    context: &'a Context,
    inside: &'a Inside<'a>,
    state: &'a State,
    /// What this member itself has heard.
    own: BTreeMap<ServerId, Duration>,
}

impl Sight<'_> {
    fn list<T>(&self, items: Vec<T>) -> List<T> {
        List {
            api: API,
            revision: self.state.revision.0,
            leader: self.leader(),
            stale: self.context.stale,
            age_ms: self.age_ms(),
            items,
        }
    }

    fn leader(&self) -> Option<String> {
        self.context.standing.leader.map(|leader| self.member(leader))
    }

    /// Since this member last heard of a leader; null unless the read is stale.
    fn age_ms(&self) -> Option<u64> {
        if !self.context.stale {
            return None;
        }
        let age = match self.context.standing.quorum_age {
            Some(age) => age,
            None => self.context.now.0.saturating_sub(self.inside.ticked.0),
        };
        Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }

    /// A member's name; its number where the log does not know it yet.
    fn member(&self, id: CoordinatorId) -> String {
        let known = self.state.members.nodes.get(&id);
        known.map_or_else(|| id.0.to_string(), |member| member.name.to_string())
    }

    /// Who did it, by name; a forgotten person by number.
    fn actor(&self, actor: Actor) -> String {
        match actor {
            Actor::Automaton => "automaton".to_owned(),
            Actor::Person(id) => match self.context.people.person(id) {
                Some(person) => format!("{}/{}", person.role, person.name),
                None => format!("person/{:016x}", id.0),
            },
        }
    }
}
