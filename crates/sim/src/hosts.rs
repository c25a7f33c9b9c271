//! Servers: the shell around an agent's core, with model connections, a model driver and a model
//! disk.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use interrex_core::agent::{Agent, AgentIdentity, AgentInput, AgentOutput, Connection, Deed};
use interrex_core::{AgentBoot, Assignment, Duty, Epoch, Facts, RecorderId};

use crate::clock::{At, Clock};
use crate::copying::Copying;
use crate::driver::Driver;
use crate::network::Place;
use crate::reach::Situation;
use crate::setup;
use crate::world::{Happening, Letter, World};

/// A server.
pub(crate) struct Host {
    /// Its clocks.
    pub(crate) clock: Clock,
    /// The present process; nothing while it is down.
    pub(crate) agent: Option<Agent>,
    /// Counts the processes.
    pub(crate) life: u64,
    /// What waits in the sockets of a stopped process.
    pub(crate) backlog: Option<Vec<Happening>>,
    /// Durable: the boot of the last process.
    pub(crate) boot: Option<AgentBoot>,
    /// Durable: the last good configuration.
    last_good: Vec<Duty>,
    /// Connections that stand, and the coordinator's life that they stand with.
    pub(crate) connections: BTreeMap<Connection, u64>,
    /// Connections over which nothing comes back.
    pub(crate) deaf: BTreeSet<Connection>,
    /// Runs recorders.
    pub(crate) driver: Driver,
    /// The newest assignment that came to this process.
    pub(crate) newest: Option<Assignment>,
    /// Tenures for which it acts, each until that lease end in true time.
    pub(crate) acts: BTreeMap<(RecorderId, Epoch), At>,
    /// It records without having reached a majority.
    pub(crate) alone: bool,
    /// Brings material home.
    pub(crate) copying: Copying,
}

impl Host {
    /// A server with an empty disk, switched off.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            agent: None,
            life: 0,
            backlog: None,
            boot: None,
            last_good: Vec::new(),
            connections: BTreeMap::new(),
            deaf: BTreeSet::new(),
            driver: Driver::default(),
            newest: None,
            acts: BTreeMap::new(),
            alone: false,
            copying: Copying::default(),
        }
    }
}

impl World {
    /// Starts an agent's process, unless it runs.
    pub(crate) fn start_host(&mut self, at: usize) {
        let boot = AgentBoot(self.dice.agents.draw());
        let links = u32::try_from(self.nodes.len()).unwrap_or_default();
        let host = &mut self.hosts[at];
        if host.agent.is_some() {
            return;
        }
        let identity = AgentIdentity {
            server: setup::server(at),
            boot,
            follows: host.boot.replace(boot),
            last_good: host.last_good.clone(),
            links,
            connection_timeout: Duration::from_secs(5),
            facts: Facts::default(),
        };
        host.life += 1;
        (host.newest, host.alone) = (None, false);
        host.agent = Some(Agent::start(identity, host.clock.agent_moment(self.now)));
        let life = host.life;
        self.say(&format!("{} starts", setup::server(at)));
        self.at(self.now, Happening::AgentStep { host: at, life });
    }

    /// Kills an agent's process and its recorders. The guard's deadline stands (A6).
    pub(crate) fn kill_host(&mut self, at: usize, disk_too: bool) {
        let now = self.now;
        let host = &mut self.hosts[at];
        host.agent = None;
        host.backlog = None;
        host.connections.clear();
        host.deaf.clear();
        host.driver.stop_all(now);
        host.copying.die(disk_too);
        if disk_too {
            (host.boot, host.last_good) = (None, Vec::new());
            self.reach.count(Situation::UnknownBootWithheld);
        }
        self.say(&format!("{} dies", setup::server(at)));
    }

    /// One step of an agent.
    pub(crate) fn agent_step(&mut self, at: usize, life: u64) {
        if self.hosts[at].life != life || self.hosts[at].agent.is_none() {
            return;
        }
        let after = Duration::from_micros(self.setup.agent_grid_us);
        self.later(after, Happening::AgentStep { host: at, life });
        let now = self.now;
        if let Some(status) = self.hosts[at].driver.news(now) {
            self.agent_input(at, AgentInput::Status(status));
        }
        self.copy_on(at);
        let dice = u32::try_from(self.dice.agents.below(1 << 32)).unwrap_or_default();
        self.agent_input(at, AgentInput::Step { dice });
    }

    /// A connection stands, or is over.
    pub(crate) fn connected(&mut self, at: usize, life: u64, connection: Connection, stands: bool) {
        let node = connection.link.0 as usize;
        let host = &mut self.hosts[at];
        if host.life != life || host.agent.is_none() {
            return;
        }
        let up = self.nodes[node].core.is_some() && self.nodes[node].backlog.is_none();
        let (there, here) = (Place::Coordinator(node), Place::Agent(at));
        let stands = stands && up && self.net.passes(here, there) && self.net.passes(there, here);
        let host = &mut self.hosts[at];
        if stands {
            host.connections.insert(connection, self.nodes[node].life);
            if host.deaf.iter().any(|deaf| deaf.link == connection.link) {
                self.reach.count(Situation::DeafAgent);
            }
            self.agent_input(at, AgentInput::Opened(connection));
        } else {
            host.connections.remove(&connection);
            host.deaf.remove(&connection);
            self.agent_input(at, AgentInput::Closed(connection));
        }
    }

    /// Something comes for an agent.
    pub(crate) fn deliver_to_host(&mut self, at: usize, letter: Letter) {
        let Letter::Ack { via, ack } = letter else { return };
        let host = &mut self.hosts[at];
        if host.agent.is_none() || !host.connections.contains_key(&via) || host.deaf.contains(&via)
        {
            return;
        }
        if let Some(came) = &ack.assignment
            && ack.agent == host.boot.unwrap_or_default()
            && host.newest.as_ref().is_none_or(|newest| came.id > newest.id)
        {
            host.newest = Some(came.clone());
        }
        self.agent_input(at, AgentInput::Ack { via, ack });
    }

    /// Gives the core something, and does what it says.
    pub(crate) fn agent_input(&mut self, at: usize, input: AgentInput) {
        let host = &mut self.hosts[at];
        let Some(agent) = &mut host.agent else { return };
        let outputs = agent.handle(input, host.clock.agent_moment(self.now));
        for output in outputs {
            self.agent_output(at, output);
        }
    }

    fn agent_output(&mut self, at: usize, output: AgentOutput) {
        let (now, life, here) = (self.now, self.hosts[at].life, Place::Agent(at));
        match output {
            AgentOutput::Beat(beat) => {
                let connections: Vec<_> =
                    self.hosts[at].connections.iter().map(|(via, life)| (*via, *life)).collect();
                for (via, life) in connections {
                    let to = Place::Coordinator(via.link.0 as usize);
                    self.send(here, to, Letter::Beat { via, life, beat: beat.clone() });
                }
            }
            AgentOutput::Connect(connection) => {
                let there = Place::Coordinator(connection.link.0 as usize);
                let passes = self.net.passes(here, there) && self.net.passes(there, here);
                let ms = if passes { 2 } else { 150 };
                let after = Duration::from_millis(self.dice.agents.within(ms / 2..ms + 1));
                let stands = true;
                self.later(after, Happening::Connected { host: at, life, connection, stands });
            }
            AgentOutput::Close(connection) => {
                self.hosts[at].connections.remove(&connection);
                self.hosts[at].deaf.remove(&connection);
            }
            AgentOutput::Wishes(wishes) => {
                let host = &mut self.hosts[at];
                host.acts.retain(|tenure, until| {
                    // What an earlier process held ends by the guard; what this one gives up, at once.
                    wishes.iter().any(|wish| (wish.recorder, wish.epoch) == *tenure && wish.acting)
                        || (*until > now && host.newest.is_none())
                });
                for wish in wishes.iter().filter(|wish| wish.acting) {
                    let until = wish.lease_end.map_or(At(0), |end| host.clock.when(end.0));
                    host.acts.insert((wish.recorder, wish.epoch), until);
                }
                host.driver.run(&wishes, now, &mut self.dice.agents);
                self.check_wishes(at, &wishes);
            }
            AgentOutput::Did { deed, recorder, epoch, lease_end } => {
                self.say(&format!("{} {recorder} {epoch} {deed:?}", setup::server(at)));
                self.check_deed(at, deed, recorder, epoch, lease_end);
                if deed == Deed::LeaseEnds && self.is_cut_off(at) {
                    self.reach.count(Situation::LeaseEndedInPartition);
                }
            }
            AgentOutput::FindEnds(tenures) => {
                let ended = self.hosts[at].driver.ends(&tenures);
                if !ended.is_empty() {
                    self.agent_input(at, AgentInput::Ended(ended));
                }
            }
            AgentOutput::Copies(duties) => self.copies_ordered(at, duties),
            AgentOutput::Remember(duties) => self.hosts[at].last_good = duties,
            AgentOutput::Ready => self.hosts[at].alone = false,
            AgentOutput::Alone => {
                self.hosts[at].alone = true;
                self.reach.count(Situation::RecordedByLastKnown);
            }
        }
    }

    /// Letters of this agent do not reach a majority of the coordinators, or theirs do not reach it.
    fn is_cut_off(&mut self, at: usize) -> bool {
        let (here, count) = (Place::Agent(at), self.nodes.len());
        let bad = |node: &usize| {
            let there = Place::Coordinator(*node);
            !self.net.passes(here, there) || !self.net.passes(there, here)
        };
        2 * (0..count).filter(bad).count() > count
    }
}
