//! Carrying out what the core wants: to agents, to members, to Raft, to callers. Decides nothing.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use interrex_core::coordinator::io::{Input, Output, Reply, Ticket};
use interrex_core::{Ack, Actor, Decision, PersonId, Revision, ServerId};
use interrex_wire::decision;
use tokio::sync::oneshot;

use super::{AgentLine, NodeHandle};
use crate::history::History;
use crate::log::types::{Person, Proposal};
use crate::metrics::Metrics;
use crate::peers::Deliveries;
use crate::raft::Consensus;

/// Events of one decision that its log line names; the rest is counted.
const EVENTS_TOLD: usize = 16;
/// Callers whose names are remembered until the history has them.
const PEOPLE_MAX: usize = 10_000;

/// Whom the core's outputs go to.
pub(super) struct Desk {
    history: History,
    deliveries: Deliveries,
    consensus: Arc<OnceLock<Arc<Consensus>>>,
    node: NodeHandle,
    callers: BTreeMap<Ticket, oneshot::Sender<Reply>>,
    agents: BTreeMap<ServerId, Arc<AgentLine>>,
    people: BTreeMap<PersonId, Person>,
    metrics: Metrics,
}

impl Desk {
    pub(super) fn new(
        history: History,
        deliveries: Deliveries,
        consensus: Arc<OnceLock<Arc<Consensus>>>,
        node: NodeHandle,
        metrics: Metrics,
    ) -> Self {
        Self {
            history,
            deliveries,
            consensus,
            node,
            callers: BTreeMap::new(),
            agents: BTreeMap::new(),
            people: BTreeMap::new(),
            metrics,
        }
    }

    /// `line` is a connection of `server`.
    pub(super) fn attend(&mut self, server: ServerId, line: Arc<AgentLine>) {
        match self.agents.get_mut(&server) {
            Some(old) if line.replaces(old) => *old = line,
            Some(_) => {}
            None => drop(self.agents.insert(server, line)),
        }
    }

    /// Somebody waits for the answer.
    pub(super) fn expect(&mut self, ticket: Ticket, person: Person, reply: oneshot::Sender<Reply>) {
        if self.people.len() >= PEOPLE_MAX {
            self.people.clear();
        }
        self.people.insert(person.id, person);
        self.callers.insert(ticket, reply);
    }

    /// Somebody began to lead.
    pub(super) fn elected(&self) {
        self.metrics.elections.inc();
    }

    /// Commands that wait for their answer.
    pub(super) fn waiting(&self) -> usize {
        self.callers.len()
    }

    /// What is for ourselves comes back.
    pub(super) fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Ack { to, ack } => self.acknowledge(to, ack),
            Output::Tick(tick) => self.deliveries.tick(tick),
            Output::Report { to, report } if to == report.from => {
                return Some(Input::Report(report));
            }
            Output::Report { to, report } => self.deliveries.report(to, report),
            Output::Answer { to, answer } if to == self.deliveries.own() => {
                return Some(Input::Answer(answer));
            }
            Output::Answer { to, answer } => self.deliveries.answer(to, answer),
            Output::Propose { decision, term } => return self.propose(&decision, term),
            Output::Reply { ticket, reply } => {
                if let Some(caller) = self.callers.remove(&ticket) {
                    // Nobody there any more: the caller gave up, and will ask again.
                    let _ = caller.send(reply);
                }
            }
            Output::StepAside => self.step_aside(),
        }
        None
    }

    fn acknowledge(&mut self, to: ServerId, ack: Ack) {
        if self.agents.get(&to).is_some_and(|line| !line.send(ack)) {
            self.agents.remove(&to);
        }
    }

    fn propose(&self, decision: &Decision, term: u64) -> Option<Input> {
        let Some(consensus) = self.consensus.get() else {
            return Some(Input::NotAppended { term });
        };
        let proposal = Proposal {
            bytes: decision::encode(decision).into(),
            people: self.unknown_people(decision),
        };
        consensus.propose(proposal, term, self.node.clone());
        None
    }

    /// Those who act in it and whose names the history has not kept yet.
    fn unknown_people(&self, decision: &Decision) -> Vec<Person> {
        let mut people: Vec<Person> = Vec::new();
        for act in &decision.acts {
            if let Actor::Person(id) = act.actor
                && !people.iter().any(|person| person.id == id)
                && self.history.person(id).is_none()
            {
                people.extend(self.people.get(&id).cloned());
            }
        }
        people
    }

    fn step_aside(&self) {
        if let Some(consensus) = self.consensus.get().cloned() {
            tracing::warn!("steps aside: the disk or the quorum stalls");
            let runtime = consensus.runtime().clone();
            runtime.spawn(async move { consensus.step_down().await });
        }
    }

    /// One line for each decision; `stands` is its revision, none if it was dropped as stale.
    pub(super) fn decided(&self, term: u64, stands: Option<Revision>, decision: &Decision) {
        let Some(Revision(revision)) = stands else {
            self.metrics.stale.inc();
            tracing::debug!(term, basis = decision.basis.0, "stale decision dropped");
            return;
        };
        self.metrics.decided(decision);
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        let (mut events, mut more) = (String::new(), 0_usize);
        for (at, event) in decision.events().enumerate() {
            if at < EVENTS_TOLD {
                let comma = if at == 0 { "" } else { " " };
                let _ = write!(events, "{comma}{}", crate::logs::told(event));
            } else {
                more += 1;
            }
        }
        let operations = decision.acts.iter().filter_map(|act| act.operation);
        let operation = operations.map(|key| uuid::Uuid::from_u128(key.id.0)).next();
        let operation = operation.map(tracing::field::display);
        let refused = decision.acts.iter().filter(|act| act.events().is_empty()).count();
        tracing::info!(term, revision, events, more, refused, operation, "decision");
    }
}
