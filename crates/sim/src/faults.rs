//! What goes wrong by the clock: kinds of faults, and how each begins. How it ends is in `mending`;
//! what goes wrong in answer to what happens, in `reactions`.
use std::time::Duration;

use interrex_core::agent::Connection;

use crate::network::Place;
use crate::reach::Situation;
use crate::rng::Rng;
use crate::setup::{self, HOMES, SERVERS};
use crate::world::{Happening, World};

pub(crate) use crate::reactions::{Move, Reaction, reactions};

/// A kind of fault; whom it meets, and for how long, is drawn when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    CrashCoordinator,
    CrashLeader,
    CrashAllCoordinators,
    PauseCoordinator,
    PauseLeader,
    CutPeers,
    IsolateLeader,
    IsolateCoordinator,
    DisturbElection,
    LagApply,
    RefuseProposals,
    CutAgent,
    PartitionAgent,
    FlapAgent,
    DeafenAgent,
    CrashAgent,
    CrashSubstitute,
    CrashStandby,
    CrashHomeAndStandby,
    CrashGroup,
    LoseDisk,
    PauseAgent,
    BreakDriver,
    SlowDriver,
    Loss,
    Slow,
    Double,
    JumpWall,
}

const ALL: &[Kind] = &[
    Kind::CrashCoordinator,
    Kind::CrashLeader,
    Kind::CrashAllCoordinators,
    Kind::PauseCoordinator,
    Kind::PauseLeader,
    Kind::CutPeers,
    Kind::IsolateLeader,
    Kind::IsolateCoordinator,
    Kind::DisturbElection,
    Kind::LagApply,
    Kind::RefuseProposals,
    Kind::CutAgent,
    Kind::PartitionAgent,
    Kind::FlapAgent,
    Kind::DeafenAgent,
    Kind::CrashAgent,
    Kind::CrashSubstitute,
    Kind::CrashStandby,
    Kind::CrashHomeAndStandby,
    Kind::CrashGroup,
    Kind::LoseDisk,
    Kind::PauseAgent,
    Kind::BreakDriver,
    Kind::SlowDriver,
    Kind::Loss,
    Kind::Slow,
    Kind::Double,
    Kind::JumpWall,
];

/// Which kinds a seed has, each as often as it is to come.
pub(crate) fn mix(rng: &mut Rng) -> Vec<Kind> {
    let mut mix = vec![Kind::CrashAgent, Kind::CrashAgent, Kind::PartitionAgent, Kind::CutAgent];
    for &kind in ALL {
        if rng.chance(450) {
            (0..1 + rng.below(3)).for_each(|_| mix.push(kind));
        }
    }
    mix
}

/// Something that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// By the clock.
    Planned(Kind),
    /// In answer to something, and against somebody.
    Reaction(Move),
}

/// How a fault ends.
#[derive(Clone, Debug)]
pub(crate) enum Undo {
    StartCoordinator(usize),
    WakeCoordinator(usize, u64),
    StartAgent(usize),
    WakeAgent(usize, u64),
    Mend(Vec<(Place, Place)>),
    /// Cuts or mends one direction at random, and again after a while.
    Flap {
        host: usize,
        left: u32,
        cut: Vec<(Place, Place)>,
    },
    SwiftApply(usize),
    TakeProposals(usize),
    MendDriver(usize),
    FairWeather,
}

impl World {
    /// A fault begins, unless all has been mended.
    pub(crate) fn begin(&mut self, fault: Fault) {
        if self.healed {
            return;
        }
        self.faults += 1;
        match fault {
            Fault::Planned(kind) => {
                self.say(&format!("fault: {kind:?}"));
                self.begin_kind(kind);
            }
            Fault::Reaction(reaction) => {
                self.say(&format!("fault: {reaction:?}"));
                self.begin_move(reaction);
            }
        }
    }

    fn begin_kind(&mut self, kind: Kind) {
        let node = self.dice.faults.index(self.nodes.len());
        let leader = self.leader().unwrap_or(node);
        let host = self.dice.faults.index(SERVERS);
        let standby = HOMES + self.dice.faults.index(SERVERS - HOMES);
        let (short, long) = (self.about(host), self.long());
        match kind {
            Kind::CrashCoordinator => self.crash_node(node, long),
            Kind::CrashLeader => self.crash_node(leader, long),
            Kind::CrashAllCoordinators => self.crash_all(short * 2),
            Kind::PauseCoordinator => self.pause_node(node, long),
            Kind::PauseLeader => self.pause_node(leader, short),
            Kind::CutPeers => {
                let other = self.dice.faults.index(self.nodes.len());
                self.cut_for(vec![(Place::Coordinator(node), Place::Coordinator(other))], long);
            }
            Kind::IsolateLeader => self.isolate(leader, false, long),
            Kind::IsolateCoordinator => self.isolate(node, true, long),
            Kind::DisturbElection => {
                self.elect(node, true);
            }
            Kind::LagApply => self.lag(node, long),
            Kind::RefuseProposals => {
                self.nodes[leader].refuses = 400;
                self.later(long, Happening::End(Undo::TakeProposals(leader)));
            }
            Kind::CutAgent => {
                let (here, there) = (Place::Agent(host), Place::Coordinator(node));
                let pair = if self.dice.faults.chance(500) { (here, there) } else { (there, here) };
                self.cut_for(vec![pair], short);
            }
            Kind::PartitionAgent => self.partition_agent(host, short),
            Kind::FlapAgent => self.flap_agent(host),
            Kind::DeafenAgent => self.deafen(host),
            Kind::CrashAgent => self.crash_host(host, short, false),
            Kind::CrashSubstitute => {
                let away =
                    self.checker.oracle.state.roles.away().map(|tenure| tenure.holder).next();
                self.crash_host(away.map_or(standby, setup::place), long, false);
            }
            Kind::CrashStandby => self.crash_host(standby, long, false),
            Kind::CrashHomeAndStandby => {
                let (home, standby) = self.dice.faults.pick(&[(0, 5), (1, 6), (2, 7), (3, 7)]);
                self.crash_host(home, long, false);
                self.crash_host(standby, long, false);
            }
            Kind::CrashGroup => [2, 3, 7].iter().for_each(|at| {
                let long = self.long();
                self.crash_host(*at, long, false);
            }),
            Kind::LoseDisk => self.crash_host(host, short, true),
            Kind::PauseAgent => self.pause_host(host, short),
            Kind::BreakDriver => self.break_driver(host, Duration::ZERO, long * 2),
            Kind::SlowDriver => self.break_driver(standby, Duration::from_secs(40), long * 2),
            Kind::Loss | Kind::Slow | Kind::Double => self.bad_weather(kind, long),
            Kind::JumpWall => {
                // At most one coordinator is wrong at a time, so that the median stays right.
                let off = i64::try_from(self.dice.faults.below(7_200_000)).unwrap_or_default()
                    - 3_600_000;
                self.nodes.iter_mut().for_each(|node| node.clock.wall_off_ms = 0);
                self.nodes[node].clock.wall_off_ms = off;
                self.hosts[host].clock.wall_off_ms = off / 2;
            }
        }
    }

    /// Around the timeout of a server: just too short, just long enough, or longer.
    pub(crate) fn about(&mut self, host: usize) -> Duration {
        let timeout = self.checker.oracle.state.fleet.document().timeout(setup::server(host));
        let per_mille =
            self.dice.faults.pick(&[600, 900, 1_000, 1_050, 1_200, 1_500, 2_500, 5_000]);
        timeout.silence() * (per_mille + u32::try_from(self.dice.faults.below(80)).unwrap_or(0))
            / 1_000
    }

    /// A while, from half a second on.
    pub(crate) fn long(&mut self) -> Duration {
        let most = self.dice.faults.pick(&[2_000, 8_000, 30_000]);
        Duration::from_millis(self.dice.faults.within(500..most))
    }

    /// A coordinator dies, and comes back after a while.
    pub(crate) fn crash_node(&mut self, node: usize, down: Duration) {
        if self.nodes[node].core.is_some() {
            self.kill_node(node);
            self.later(down, Happening::End(Undo::StartCoordinator(node)));
        }
    }

    fn crash_all(&mut self, down: Duration) {
        for host in 0..SERVERS {
            let host = &self.hosts[host];
            if host.agent.is_some() && !host.driver.is_idle() {
                self.reach.count(Situation::RecordedWithoutCoordinators);
            }
        }
        (0..self.nodes.len()).for_each(|node| self.crash_node(node, down));
    }

    /// A coordinator is stopped, and goes on after a while.
    pub(crate) fn pause_node(&mut self, node: usize, long: Duration) {
        if self.nodes[node].runs() {
            self.nodes[node].backlog = Some(Vec::new());
            let life = self.nodes[node].life;
            self.later(long, Happening::End(Undo::WakeCoordinator(node, life)));
        }
    }

    /// An agent's process dies with its recorders, and comes back after a while.
    pub(crate) fn crash_host(&mut self, host: usize, down: Duration, disk_too: bool) {
        if self.hosts[host].agent.is_some() {
            self.kill_host(host, disk_too);
            self.later(down, Happening::End(Undo::StartAgent(host)));
        }
    }

    /// An agent is stopped, and goes on after a while. Its recorders and its guard are not.
    pub(crate) fn pause_host(&mut self, host: usize, long: Duration) {
        if self.hosts[host].agent.is_some() && self.hosts[host].backlog.is_none() {
            self.hosts[host].backlog = Some(Vec::new());
            let life = self.hosts[host].life;
            self.later(long, Happening::End(Undo::WakeAgent(host, life)));
        }
    }

    /// Nothing passes there for a while.
    pub(crate) fn cut_for(&mut self, pairs: Vec<(Place, Place)>, long: Duration) {
        pairs.iter().for_each(|(from, to)| self.net.cut(*from, *to));
        self.later(long, Happening::End(Undo::Mend(pairs)));
    }

    /// A coordinator loses its peers, and perhaps its agents.
    pub(crate) fn isolate(&mut self, node: usize, from_agents: bool, long: Duration) {
        let peers = (0..self.nodes.len()).filter(|peer| *peer != node).map(Place::Coordinator);
        let agents = (0..SERVERS).filter(|_| from_agents).map(Place::Agent);
        let here = Place::Coordinator(node);
        let pairs = peers.chain(agents).flat_map(|there| [(here, there), (there, here)]).collect();
        self.cut_for(pairs, long);
    }

    /// An agent loses a majority of the coordinators, or all, one way or both.
    pub(crate) fn partition_agent(&mut self, host: usize, long: Duration) {
        let count = self.nodes.len();
        let first = self.dice.faults.index(count);
        let lost = if self.dice.faults.chance(400) { count } else { count / 2 + 1 };
        let ways = self.dice.faults.below(4);
        let here = Place::Agent(host);
        let pairs = (0..lost).flat_map(|next| {
            let there = Place::Coordinator((first + next) % count);
            let out = (ways != 1).then_some((here, there));
            out.into_iter().chain((ways != 2).then_some((there, here)))
        });
        self.cut_for(pairs.collect(), long);
    }

    fn flap_agent(&mut self, host: usize) {
        self.later(Duration::ZERO, Happening::End(Undo::Flap { host, left: 60, cut: Vec::new() }));
    }

    fn deafen(&mut self, host: usize) {
        let connections: Vec<Connection> = self.hosts[host].connections.keys().copied().collect();
        self.hosts[host].deaf.extend(connections);
    }

    /// A coordinator applies late.
    pub(crate) fn lag(&mut self, node: usize, long: Duration) {
        self.nodes[node].lag_us = self.dice.faults.pick(&[100_000, 500_000, 3_000_000]);
        self.later(long, Happening::End(Undo::SwiftApply(node)));
    }

    /// New recorders of a server do not start, or late.
    pub(crate) fn break_driver(&mut self, host: usize, slow: Duration, long: Duration) {
        let driver = &mut self.hosts[host].driver;
        (driver.broken, driver.slow) = (slow.is_zero(), slow);
        self.later(long, Happening::End(Undo::MendDriver(host)));
    }

    fn bad_weather(&mut self, kind: Kind, long: Duration) {
        match kind {
            Kind::Loss => self.net.loss = self.dice.faults.within(20..300),
            Kind::Slow => self.net.slowest_us = self.dice.faults.within(5_000..150_000),
            _ => self.net.doubled = 200,
        }
        self.later(long, Happening::End(Undo::FairWeather));
    }
}
