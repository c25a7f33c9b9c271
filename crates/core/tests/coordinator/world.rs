//! Coordinators, agents, one log and one clock. Messages arrive at once unless a cut forbids it;
//! an entry is committed when it is appended, unless the test holds it back.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use interrex_core::agent::{
    Agent, AgentIdentity, AgentInput, AgentMoment, AgentOutput, Connection, DriverStatus, Wish,
};
use interrex_core::coordinator::Coordinator;
use interrex_core::coordinator::io::{Identity, Input, Output, Reply, Ticket};
use interrex_core::*;

use super::fleet::fleet;

/// F of every server here.
pub(crate) const F: u64 = 1_000;

/// All there is.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) coordinators: BTreeMap<u64, Coordinator>,
    /// Committed; the entry at position 0 has index 1.
    pub(crate) log: Vec<Entry>,
    /// Do not apply what is committed.
    pub(crate) lagging: BTreeSet<u64>,
    pub(crate) term: u64,
    pub(crate) leader: Option<u64>,
    /// Proposals are appended and wait for a quorum.
    pub(crate) hold: bool,
    pub(crate) held: Option<(u64, Decision)>,
    /// Between two coordinators, or a server and a coordinator; this way only.
    pub(crate) cut: BTreeSet<(String, String)>,
    pub(crate) agents: BTreeMap<ServerId, Agent>,
    pub(crate) replies: Vec<(Ticket, Reply)>,
    pub(crate) outputs: Vec<(u64, Output)>,
    /// Wall clocks that are ahead, in ms.
    pub(crate) clocks_off: BTreeMap<u64, u64>,
    /// The newest assignment that reached each server.
    pub(crate) assigned: BTreeMap<ServerId, Assignment>,
    /// Where the coordinator's words reach that server.
    pub(crate) connections: BTreeMap<(ServerId, u64), Connection>,
    pub(crate) boots: u64,
}

pub(crate) fn server(name: &str) -> ServerId {
    name.parse().unwrap()
}

pub(crate) fn recorder(name: &str) -> RecorderId {
    name.parse().unwrap()
}

impl World {
    /// Three coordinators of which the first leads, and the fleet at work.
    pub(crate) fn at_work() -> Self {
        let mut world = Self::founded();
        world.apply_fleet(fleet());
        ["s1", "s2", "s9"].iter().for_each(|name| world.start_agent(name));
        world.run(3_000);
        assert_eq!(world.holder("r1"), server("s1"));
        assert!(world.acts("s1", "r1"), "{:?}", world.outputs.len());
        world
    }

    /// Three coordinators of which the first leads; an empty fleet.
    pub(crate) fn founded() -> Self {
        let ids: BTreeSet<_> = [1, 2, 3].map(CoordinatorId).into();
        let members = Members { set: SetId(1), voters: Voters(vec![ids]), nodes: BTreeMap::new() };
        let mut world = Self {
            now: 0,
            coordinators: BTreeMap::new(),
            log: vec![Entry::Members(members)],
            lagging: BTreeSet::new(),
            term: 0,
            leader: None,
            hold: false,
            held: None,
            cut: BTreeSet::new(),
            agents: BTreeMap::new(),
            replies: Vec::new(),
            outputs: Vec::new(),
            connections: BTreeMap::new(),
            clocks_off: BTreeMap::new(),
            assigned: BTreeMap::new(),
            boots: 0,
        };
        [1, 2, 3].into_iter().for_each(|id| world.start_coordinator(id));
        world.elect(1);
        world.run(200);
        world
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { mono: Mono(Duration::from_millis(self.now)), wall: Wall(1_000_000 + self.now) }
    }

    /// Starts a coordinator, or starts it again, with the log applied.
    pub(crate) fn start_coordinator(&mut self, id: u64) {
        self.start_behind(id, self.log.len());
    }

    /// The same, with only so many entries of the log applied.
    pub(crate) fn start_behind(&mut self, id: u64, entries: usize) {
        self.boots += 1;
        let mut state = State::default();
        for (entry, n) in self.log.iter().zip(1..=entries as u64) {
            state.enter(LogIndex(n), entry);
        }
        let identity = Identity {
            id: CoordinatorId(id),
            boot: Boot(self.boots),
            reads: LEVEL,
            version: "test".into(),
            address: String::new(),
        };
        self.coordinators.insert(id, Coordinator::start(identity, state, self.moment()));
        if let Some(leader) = self.leader.filter(|leader| *leader != id) {
            self.give(id, Input::Follows { term: self.term, leader: Some(CoordinatorId(leader)) });
        }
    }

    /// Raft elects: the new leader's log holds what is committed and what is held, and its blank.
    pub(crate) fn elect(&mut self, id: u64) {
        (self.term, self.leader) = (self.term + 1, Some(id));
        self.log.extend(self.held.take().map(|(_, decision)| Entry::Decision(decision)));
        self.log.push(Entry::Blank);
        let (term, last) = (self.term, LogIndex(self.log.len() as u64));
        let others: Vec<u64> = self.coordinators.keys().copied().collect();
        for other in others.into_iter().filter(|other| *other != id) {
            self.give(other, Input::Follows { term, leader: Some(CoordinatorId(id)) });
        }
        self.give(id, Input::Leads { term, last });
        self.catch_up();
    }

    /// What is held back is committed after all.
    pub(crate) fn release(&mut self) {
        self.hold = false;
        self.commit_held();
    }

    /// The same, but the next proposal waits again.
    pub(crate) fn commit_held(&mut self) {
        self.log.extend(self.held.take().map(|(_, decision)| Entry::Decision(decision)));
        self.catch_up();
    }

    pub(crate) fn start_agent(&mut self, name: &str) {
        self.start_agent_that_follows(name, None);
    }

    pub(crate) fn start_agent_that_follows(&mut self, name: &str, follows: Option<u64>) -> u64 {
        self.boots += 1;
        let identity = AgentIdentity {
            server: server(name),
            boot: AgentBoot(self.boots),
            follows: follows.map(AgentBoot),
            links: 3,
            last_good: vec![],
            connection_timeout: Duration::from_secs(60),
            facts: Facts::default(),
        };
        let agent = Agent::start(identity, self.agent_moment());
        self.assigned.remove(&server(name));
        self.agents.insert(server(name), agent);
        self.boots
    }

    pub(crate) fn agent_moment(&self) -> AgentMoment {
        AgentMoment { boot: BootTime(Duration::from_millis(self.now)), wall: Wall(self.now) }
    }

    pub(crate) fn cut(&mut self, from: &str, to: &str) {
        self.cut.insert((from.into(), to.into()));
    }

    pub(crate) fn cut_both(&mut self, one: &str, other: &str) {
        self.cut(one, other);
        self.cut(other, one);
    }

    fn passes(&self, from: &str, to: &str) -> bool {
        !self.cut.contains(&(from.to_owned(), to.to_owned()))
    }

    /// Lets time pass, in steps of the grid.
    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += 10;
            let servers: Vec<ServerId> = self.agents.keys().copied().collect();
            servers.into_iter().for_each(|of| self.tell_agent(of, AgentInput::Step { dice: 500 }));
            let ids: Vec<u64> = self.coordinators.keys().copied().collect();
            ids.into_iter().for_each(|id| self.give(id, Input::Step));
        }
    }

    /// Runs until something is so; fails after a minute.
    pub(crate) fn run_until(&mut self, what: &str, mut so: impl FnMut(&Self) -> bool) -> u64 {
        let began = self.now;
        while !so(self) {
            self.run(10);
            assert!(self.now < began + 60_000, "never: {what}");
        }
        self.now - began
    }

    pub(crate) fn give(&mut self, to: u64, input: Input) {
        let mut inputs = VecDeque::from([(to, input)]);
        while let Some((id, input)) = inputs.pop_front() {
            let mut now = self.moment();
            now.wall.0 += self.clocks_off.get(&id).copied().unwrap_or_default();
            let Some(coordinator) = self.coordinators.get_mut(&id) else { continue };
            let outputs = coordinator.handle(input, now);
            for output in outputs {
                self.carry(id, output, &mut inputs);
            }
        }
        self.catch_up();
    }

    fn carry(&mut self, from: u64, output: Output, inputs: &mut VecDeque<(u64, Input)>) {
        self.outputs.push((from, output.clone()));
        let name = format!("c{from}");
        match output {
            Output::Ack { to, ack } if self.passes(&name, to.as_str()) => {
                if let Some(new) = &ack.assignment
                    && self.assigned.get(&to).is_none_or(|held| held.id < new.id)
                {
                    self.assigned.insert(to, new.clone());
                }
                if let Some(via) = self.connections.get(&(to, from)).copied() {
                    self.tell_agent(to, AgentInput::Ack { via, ack });
                }
            }
            Output::Tick(tick) => {
                let others = self.coordinators.keys().filter(|id| **id != from);
                let reached = others.filter(|id| self.passes(&name, &format!("c{id}")));
                inputs.extend(reached.map(|id| (*id, Input::Tick(tick))));
            }
            Output::Report { to, report } if self.passes(&name, &format!("c{}", to.0)) => {
                inputs.push_back((to.0, Input::Report(report)));
            }
            Output::Answer { to, answer } if self.passes(&name, &format!("c{}", to.0)) => {
                inputs.push_back((to.0, Input::Answer(answer)));
            }
            Output::Propose { decision, term }
                if term != self.term || self.leader != Some(from) =>
            {
                drop(decision);
                inputs.push_back((from, Input::NotAppended { term }));
            }
            Output::Propose { decision, .. } if self.hold => self.held = Some((from, decision)),
            Output::Propose { decision, .. } => self.log.push(Entry::Decision(decision)),
            Output::Reply { ticket, reply } => self.replies.push((ticket, reply)),
            _ => {}
        }
    }

    /// Everybody who does not lag applies what is committed.
    pub(crate) fn catch_up(&mut self) {
        let ids: Vec<u64> = self.coordinators.keys().copied().collect();
        for id in ids {
            if self.lagging.contains(&id) {
                continue;
            }
            while let Some(applied) = self.coordinators.get(&id).map(|c| c.state().applied)
                && let Some(entry) = self.log.get(applied.0 as usize).cloned()
            {
                self.give(id, Input::Applied { index: LogIndex(applied.0 + 1), entry });
            }
        }
    }

    fn tell_agent(&mut self, to: ServerId, input: AgentInput) {
        let (now, Some(agent)) = (self.agent_moment(), self.agents.get_mut(&to)) else { return };
        for output in agent.handle(input, now) {
            match output {
                AgentOutput::Beat(beat) => {
                    for id in [1, 2, 3] {
                        if self.passes(to.as_str(), &format!("c{id}")) {
                            self.give(id, Input::Heartbeat(beat.clone()));
                        }
                    }
                }
                AgentOutput::Connect(connection) => {
                    self.connections.insert((to, u64::from(connection.link.0) + 1), connection);
                    self.tell_agent(to, AgentInput::Opened(connection));
                }
                AgentOutput::Wishes(wishes) => {
                    let statuses = wishes.iter().map(|wish| self.obey(wish)).collect();
                    self.tell_agent(to, AgentInput::Status(statuses));
                }
                AgentOutput::FindEnds(tenures) => {
                    let last_ms = Some(self.now);
                    let account = Arc::new(Account::default());
                    let end = |(recorder, epoch)| {
                        let account = account.clone();
                        EndedTenure { recorder, epoch, last_ms, account }
                    };
                    self.tell_agent(to, AgentInput::Ended(tenures.into_iter().map(end).collect()));
                }
                _ => {}
            }
        }
    }

    /// A driver that does at once what it is told.
    fn obey(&self, wish: &Wish) -> DriverStatus {
        DriverStatus {
            recorder: wish.recorder,
            epoch: wish.epoch,
            config: wish.config,
            recording: wish.channels,
            channels: wish.channels,
            first_ms: Some(self.now),
            last_ms: Some(self.now),
            tick_ms: 20,
            prepared: true,
            failed: false,
        }
    }
}
