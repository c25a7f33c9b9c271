//! Coordinators: the shell around their core, on the model log.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use interrex_core::agent::Connection;
use interrex_core::coordinator::Coordinator;
use interrex_core::coordinator::io::{Identity, Input, Output, Ticket};
use interrex_core::{Boot, CoordinatorId, Decision, Entry, LEVEL, LogIndex, State};

use crate::checker;
use crate::clock::{At, Clock};
use crate::network::Place;
use crate::raft::{BEAT, Cut, Raft};
use crate::reach::Situation;
use crate::setup::{self, SERVERS};
use crate::world::{Happening, Letter, World};

/// A coordinator's machine.
pub(crate) struct Node {
    /// Its clocks.
    pub(crate) clock: Clock,
    /// The present process; nothing while it is down.
    pub(crate) core: Option<Coordinator>,
    /// Counts the processes, as the boot counter on its disk does.
    pub(crate) life: u64,
    /// What waits in the sockets of a stopped process.
    pub(crate) backlog: Option<Vec<Happening>>,
    /// Its part of the log.
    pub(crate) raft: Raft,
    /// What its core was told of the log.
    told: (u64, Option<usize>),
    /// Applied by the core.
    pub(crate) applied: u64,
    /// Up to here, exclusive, its committed log was compared with everybody's.
    pub(crate) checked: usize,
    /// Applying an entry takes at most so long, in microseconds.
    pub(crate) lag_us: u64,
    /// Proposals refused before they are appended, of a thousand.
    pub(crate) refuses: u64,
    /// The newest connection of each server that spoke.
    connections: BTreeMap<usize, Connection>,
    /// Who waits behind a ticket.
    tickets: BTreeMap<u64, (usize, u64)>,
    ticket: u64,
    /// Whom its last report called silent.
    pub(crate) suspects: BTreeSet<usize>,
}

impl Node {
    /// A founded member, switched off.
    pub(crate) fn new(me: usize, members: usize, clock: Clock) -> Self {
        Self {
            clock,
            core: None,
            life: 0,
            backlog: None,
            raft: Raft::new(me, members, Arc::new(checker::founding(members))),
            told: (0, None),
            applied: 0,
            checked: 0,
            lag_us: 2_000,
            refuses: 0,
            connections: BTreeMap::new(),
            tickets: BTreeMap::new(),
            ticket: 0,
            suspects: BTreeSet::new(),
        }
    }

    /// Up, and not stopped.
    pub(crate) fn runs(&self) -> bool {
        self.core.is_some() && self.backlog.is_none()
    }
}

/// Coordinators count from one, as in c1.
pub(crate) fn id(node: usize) -> CoordinatorId {
    CoordinatorId(node as u64 + 1)
}

/// The place of a coordinator.
pub(crate) fn place(id: CoordinatorId) -> usize {
    usize::try_from(id.0).unwrap_or_default().saturating_sub(1)
}

impl World {
    /// Starts a coordinator's process, unless it runs. Its state is a replay of the log, perhaps
    /// not of all that it had applied.
    pub(crate) fn start_node(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.core.is_some() {
            return;
        }
        node.life += 1;
        let behind = if self.dice.faults.chance(500) { self.dice.faults.below(4) } else { 0 };
        let known = node.applied.saturating_sub(behind);
        let mut state = State::default();
        for (index, entry) in (0..=known).zip(&node.raft.log) {
            state.enter(LogIndex(index), &entry.entry);
        }
        let identity = Identity {
            id: id(at),
            boot: Boot(node.life),
            reads: LEVEL,
            version: "simulated".into(),
            address: format!("c{}", at + 1),
        };
        if known < node.applied {
            self.reach.count(Situation::ReplayedBehind);
        }
        node.applied = known;
        node.told = (node.raft.term, None);
        node.raft.restart(known, self.now);
        node.core = Some(Coordinator::start(identity, state, node.clock.moment(self.now)));
        let life = node.life;
        self.checker.listener_started(at, self.now);
        self.say(&format!("c{} starts, has applied {known}", at + 1));
        self.at(self.now, Happening::CoordinatorStep { node: at, life });
        self.await_election(at);
    }

    /// Kills a coordinator's process.
    pub(crate) fn kill_node(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        (node.core, node.backlog) = (None, None);
        node.connections.clear();
        node.tickets.clear();
        node.raft.leader = None;
        self.say(&format!("c{} dies", at + 1));
        for host in 0..SERVERS {
            let life = self.hosts[host].life;
            let lost = self.hosts[host].connections.keys().copied();
            let lost: Vec<_> = lost.filter(|via| via.link.0 as usize == at).collect();
            for connection in lost {
                let after = Duration::from_millis(self.dice.agents.within(1..10));
                let stands = false;
                self.later(after, Happening::Connected { host, life, connection, stands });
            }
        }
    }

    /// One step of the grid.
    pub(crate) fn coordinator_step(&mut self, at: usize, life: u64) {
        if self.nodes[at].life == life && self.nodes[at].core.is_some() {
            let after = Duration::from_micros(self.setup.grid_us);
            self.later(after, Happening::CoordinatorStep { node: at, life });
            self.input(at, Input::Step);
        }
    }

    /// Gives the core something, and does what it says.
    pub(crate) fn input(&mut self, at: usize, input: Input) {
        let node = &mut self.nodes[at];
        let Some(core) = &mut node.core else { return };
        let outputs = core.handle(input, node.clock.moment(self.now));
        for output in outputs {
            self.output(at, output);
        }
    }

    fn output(&mut self, at: usize, output: Output) {
        let here = Place::Coordinator(at);
        match output {
            Output::Ack { to, ack } => {
                let host = setup::place(to);
                let Some(&via) = self.nodes[at].connections.get(&host) else { return };
                self.check_ack(at, host, &ack);
                self.send(here, Place::Agent(host), Letter::Ack { via, ack });
            }
            Output::Tick(tick) => {
                for to in (0..self.nodes.len()).filter(|to| *to != at) {
                    self.send(here, Place::Coordinator(to), Letter::Tick(tick));
                }
            }
            Output::Report { to, report } => {
                self.react_to_report(at, &report);
                self.send(here, Place::Coordinator(place(to)), Letter::Report(report));
            }
            Output::Answer { to, answer } => {
                self.send(here, Place::Coordinator(place(to)), Letter::Answer(answer));
            }
            Output::Propose { decision, term } => {
                self.propose(at, term, decision);
            }
            Output::Reply { ticket, reply } => {
                let Some((client, attempt)) = self.nodes[at].tickets.remove(&ticket.0) else {
                    return self.checker.blame("replies", format!("c{} answers twice", at + 1));
                };
                self.send(here, Place::Client(client), Letter::Reply { attempt, reply });
            }
            Output::StepAside => {
                self.reach.count(Situation::SteppedAside);
                self.step_aside(at);
            }
        }
    }

    /// Something comes for a coordinator.
    pub(crate) fn deliver_to_node(&mut self, at: usize, from: Place, letter: Letter) {
        if self.nodes[at].core.is_none() {
            return;
        }
        match letter {
            Letter::Beat { via, life, beat } => {
                // A connection does not outlive the process that accepted it.
                let (node, Place::Agent(host)) = (&mut self.nodes[at], from) else { return };
                if node.life != life {
                    return;
                }
                let newest = node.connections.entry(host).or_insert(via);
                *newest = if self.hosts[host].connections.contains_key(newest) {
                    via.max(*newest)
                } else {
                    via
                };
                // An earlier process, heard late, is ignored (A8).
                if self.hosts[host].boot == Some(beat.boot) {
                    self.checker.heard(at, host, &beat, self.now);
                }
                self.input(at, Input::Heartbeat(beat));
            }
            Letter::Tick(tick) => self.input(at, Input::Tick(tick)),
            Letter::Report(report) => self.input(at, Input::Report(report)),
            Letter::Answer(answer) => self.input(at, Input::Answer(answer)),
            Letter::Append(append) => {
                let leader = append.leader;
                let (answer, cut) = self.nodes[at].raft.on_append(&append, self.now);
                self.after_raft(at, cut);
                let letter = Letter::Appended(answer);
                self.send(Place::Coordinator(at), Place::Coordinator(leader), letter);
            }
            Letter::Appended(answer) => {
                let more = self.nodes[at].raft.on_appended(answer);
                self.after_raft(at, None);
                let behind = !self.nodes[at].raft.is_level(answer.member);
                if self.nodes[at].raft.leads() && behind && answer.matches.is_err() {
                    self.raft_speak(at, answer.member);
                }
                if more && self.dice.raft.chance(700) {
                    self.raft_speak_to_all(at);
                }
            }
            Letter::Request { attempt, request, dry_run } => {
                let (node, Place::Client(client)) = (&mut self.nodes[at], from) else { return };
                node.ticket += 1;
                node.tickets.insert(node.ticket, (client, attempt));
                let ticket = Ticket(node.ticket);
                self.input(at, Input::Request { ticket, request, dry_run });
            }
            Letter::Ack { .. } | Letter::Reply { .. } => {}
        }
    }

    /// What changed in this member's part of the log is told to its core.
    fn after_raft(&mut self, at: usize, cut: Option<Cut>) {
        if let Some(Cut { last_kept, decision }) = cut {
            self.reach.count(Situation::TailTruncated);
            if decision {
                self.reach.count(Situation::LeaderLost);
            }
            self.input(at, Input::Truncated { last_kept: Some(LogIndex(last_kept)) });
        }
        let raft = &self.nodes[at].raft;
        let (term, leader, commit) = (raft.term, raft.leader, raft.commit);
        if self.nodes[at].told != (term, leader) {
            self.nodes[at].told = (term, leader);
            self.input(at, Input::Follows { term, leader: leader.map(id) });
        }
        self.check_commit(at);
        if commit > self.nodes[at].applied {
            let (life, lag_us) = (self.nodes[at].life, self.nodes[at].lag_us);
            let after = Duration::from_micros(self.dice.raft.below(lag_us));
            self.later(after, Happening::Apply { node: at, life, upto: commit });
        }
    }

    /// What was committed a while ago reaches the state machine.
    pub(crate) fn apply(&mut self, at: usize, life: u64, upto: u64) {
        while self.nodes[at].life == life
            && self.nodes[at].core.is_some()
            && self.nodes[at].applied < upto.min(self.nodes[at].raft.commit)
        {
            self.nodes[at].applied += 1;
            let index = self.nodes[at].applied;
            let held = &self.nodes[at].raft.log[usize::try_from(index).unwrap_or_default()];
            let entry = held.entry.clone();
            self.input(at, Input::Applied { index: LogIndex(index), entry });
            self.check_replica(at, index);
        }
    }

    /// The term is compared where the core hands the proposal over; it is appended a little later,
    /// to whatever log is led then: between the two a term may end, and another begin (L2).
    fn propose(&mut self, at: usize, term: u64, decision: Decision) {
        let node = &self.nodes[at];
        let (life, refuses) = (node.life, node.refuses);
        let ours = node.raft.leads() && node.raft.term == term;
        let taken = ours && !self.dice.raft.chance(refuses);
        self.judge_evidence(&decision);
        let stalls = self.react_to_proposal(at, &decision);
        let decision = taken.then_some(decision);
        let slow = self.dice.raft.chance(100);
        // One that refuses takes its time: nobody would learn more from asking a thousand times.
        let most = if slow || !taken { 30_000 } else { 300 };
        let after = stalls.unwrap_or(Duration::from_micros(self.dice.raft.below(most)));
        self.later(after, Happening::Offer { node: at, life, term, decision });
    }

    /// A proposal reaches the log, or is refused.
    pub(crate) fn offer(&mut self, at: usize, life: u64, term: u64, decision: Option<Decision>) {
        let node = &mut self.nodes[at];
        if node.life != life || node.core.is_none() {
            return;
        }
        match decision.filter(|_| node.raft.leads()) {
            Some(decision) => {
                node.raft.append(Entry::Decision(decision));
                self.raft_speak_to_all(at);
            }
            None => {
                self.reach.count(Situation::NotAppended);
                self.input(at, Input::NotAppended { term });
            }
        }
    }

    /// The leader speaks to all, whether or not there is something new.
    pub(crate) fn raft_beat(&mut self, at: usize, life: u64, term: u64) {
        let node = &self.nodes[at];
        if node.life == life && node.core.is_some() && node.raft.leads() && node.raft.term == term {
            self.raft_speak_to_all(at);
            self.later(BEAT, Happening::RaftBeat { node: at, life, term });
        }
    }

    fn raft_speak_to_all(&mut self, at: usize) {
        (0..self.nodes.len()).filter(|to| *to != at).for_each(|to| self.raft_speak(at, to));
    }

    fn raft_speak(&mut self, at: usize, to: usize) {
        let letter = self.nodes[at].raft.letter(to);
        self.send(Place::Coordinator(at), Place::Coordinator(to), Letter::Append(letter));
    }

    /// The members know each other's leader and term; see [`World::elect`].
    pub(crate) fn told(&mut self, at: usize) {
        self.after_raft(at, None);
    }

    /// Begins to lead.
    pub(crate) fn take_lead(&mut self, at: usize) {
        let last = self.nodes[at].raft.lead();
        let (term, life) = (self.nodes[at].raft.term, self.nodes[at].life);
        self.say(&format!("c{} leads term {term}, blank at {last}", at + 1));
        self.after_raft(at, None);
        self.input(at, Input::Leads { term, last: LogIndex(last) });
        self.at(self.now, Happening::RaftBeat { node: at, life, term });
    }

    /// The leader that is known by most: the one of the highest term.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leading = |at: &usize| self.nodes[*at].core.is_some() && self.nodes[*at].raft.leads();
        (0..self.nodes.len()).filter(leading).max_by_key(|at| self.nodes[*at].raft.term)
    }

    /// When a coordinator heard a leader last, as its clock for elections has it.
    pub(crate) fn heard_leader(&self, at: usize) -> At {
        self.nodes[at].raft.heard
    }
}
