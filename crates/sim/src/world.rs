//! The world: one queue of things to come, in true time, and everything they happen to.
//! What happens to whom is in `nodes` (coordinators), `hosts` (agents), `operators` and `faults`.
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use interrex_core::agent::Connection;
use interrex_core::coordinator::io::Reply;
use interrex_core::{Ack, Answer, CopyId, Decision, Heartbeat, Report, Request, Tick};

use crate::checker::Checker;
use crate::clock::{At, Clock, RATE_PPM_MAX};
use crate::faults::{Fault, Undo};
use crate::hosts::Host;
use crate::network::{Network, Place};
use crate::nodes::Node;
use crate::operators::Client;
use crate::raft::{Append, Appended};
use crate::reach::{Reach, Situation};
use crate::rng::Rng;
use crate::setup::{CLIENTS, HEALED, RUN, SERVERS, Setup};
use crate::trace::Trace;

/// What the network carries.
#[derive(Clone, Debug)]
pub(crate) enum Letter {
    Beat { via: Connection, life: u64, beat: Heartbeat },
    Ack { via: Connection, ack: Ack },
    Tick(Tick),
    Report(Report),
    Answer(Answer),
    Append(Append),
    Appended(Appended),
    Request { attempt: u64, request: Request, dry_run: bool },
    Reply { attempt: u64, reply: Reply },
}

/// Something to come. `life` is of the process it is for: another life does not hear of it.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    CoordinatorStep { node: usize, life: u64 },
    RaftBeat { node: usize, life: u64, term: u64 },
    ElectionDue { node: usize, life: u64 },
    Apply { node: usize, life: u64, upto: u64 },
    Offer { node: usize, life: u64, term: u64, decision: Option<Decision> },
    AgentStep { host: usize, life: u64 },
    Connected { host: usize, life: u64, connection: Connection, stands: bool },
    Deliver { from: Place, to: Place, letter: Letter },
    ClientTurn { client: usize, turn: u64 },
    Begin(Fault),
    End(Undo),
    Heal,
}

struct Queued {
    at: At,
    order: u64,
    /// Apart, so that sorting moves little.
    what: Box<Happening>,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Dice for what is no fault: one stream each, so that a fault more changes no jitter.
pub(crate) struct Dice {
    /// Elections, disks, lag.
    pub(crate) raft: Rng,
    /// Jitter, drivers.
    pub(crate) agents: Rng,
    /// What operators want.
    pub(crate) people: Rng,
    /// What goes wrong, and how.
    pub(crate) faults: Rng,
}

/// One run.
pub(crate) struct World {
    /// True time.
    pub(crate) now: At,
    /// What the seed stands for.
    pub(crate) setup: Setup,
    queue: BinaryHeap<Reverse<Queued>>,
    order: u64,
    /// Happenings so far.
    pub(crate) steps: u64,
    /// Faults begun so far, planned or in reaction.
    pub(crate) faults: u64,
    /// Everything has been mended.
    pub(crate) healed: bool,
    /// Servers that stay dead after that.
    pub(crate) left_dead: Vec<usize>,
    /// Chance.
    pub(crate) dice: Dice,
    /// Links.
    pub(crate) net: Network,
    /// Coordinators.
    pub(crate) nodes: Vec<Node>,
    /// Servers.
    pub(crate) hosts: Vec<Host>,
    /// Operators.
    pub(crate) clients: Vec<Client>,
    /// Judges all of it, all along.
    pub(crate) checker: Checker,
    /// Copies of which every segment was durable at home once.
    pub(crate) brought_home: BTreeSet<CopyId>,
    /// What was reached.
    pub(crate) reach: Reach,
    /// What happened.
    pub(crate) trace: Trace,
}

impl World {
    /// Everything in place, nothing begun.
    pub(crate) fn new(seed: u64, story: bool) -> Self {
        let setup = Setup::new(seed);
        let mut rng = Rng::new(seed ^ 0xA5A5_5A5A_1234_4321);
        let net = Network::new(rng.fork(), setup.coordinators);
        let dice =
            Dice { raft: rng.fork(), agents: rng.fork(), people: rng.fork(), faults: rng.fork() };
        let mut clock = || Clock {
            rate_ppm: i64::try_from(rng.below(2 * RATE_PPM_MAX as u64 + 1)).unwrap_or_default()
                - RATE_PPM_MAX,
            start_us: 1_000_000_000 + rng.below(1_000_000_000_000),
            wall_off_ms: i64::try_from(rng.below(100)).unwrap_or_default() - 50,
        };
        let count = setup.coordinators;
        let nodes = (0..count).map(|node| Node::new(node, count, clock())).collect();
        let hosts = (0..SERVERS).map(|_| Host::new(clock())).collect();
        let clients = (0..CLIENTS).map(|_| Client::default()).collect();
        let mut world = Self {
            now: At(0),
            queue: BinaryHeap::new(),
            order: 0,
            steps: 0,
            faults: 0,
            healed: false,
            left_dead: Vec::new(),
            dice,
            net,
            nodes,
            hosts,
            clients,
            checker: Checker::new(count),
            brought_home: BTreeSet::new(),
            reach: Reach::default(),
            trace: Trace::new(story),
            setup,
        };
        world.prepare();
        world
    }

    fn prepare(&mut self) {
        for node in 0..self.nodes.len() {
            self.start_node(node);
        }
        for host in 0..self.hosts.len() {
            let late = Duration::from_micros(self.dice.agents.below(500_000));
            self.later(late, Happening::End(Undo::StartAgent(host)));
        }
        for client in 0..CLIENTS {
            let late = Duration::from_millis(600 + 400 * client as u64);
            self.later(late, Happening::ClientTurn { client, turn: 0 });
        }
        for (at, kind) in self.setup.faults.clone() {
            self.at(at, Happening::Begin(Fault::Planned(kind)));
        }
        self.at(At(0) + HEALED, Happening::Heal);
    }

    /// Adds something to come.
    pub(crate) fn at(&mut self, at: At, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Queued {
            at: at.max(self.now),
            order: self.order,
            what: Box::new(what),
        }));
    }

    /// Adds something to come after a while of true time.
    pub(crate) fn later(&mut self, after: Duration, what: Happening) {
        self.at(self.now + after, what);
    }

    /// Runs to the end, and looks at what is left.
    pub(crate) fn run(&mut self) {
        let end = At(0) + RUN;
        while let Some(Reverse(next)) = self.queue.pop() {
            if next.at > end || !self.checker.violations.is_empty() {
                break;
            }
            if next.at.0 / 1_000_000 > self.now.0 / 1_000_000 {
                // Each second all that chance has done so far goes into the hash.
                self.trace.mix(self.steps);
                self.trace.mix(self.dice.raft.clone().draw() ^ self.dice.agents.clone().draw());
            }
            self.now = next.at;
            self.steps += 1;
            self.happen(*next.what);
        }
        self.now = self.now.max(end);
        self.judge_the_end();
    }

    fn happen(&mut self, what: Happening) {
        let Some(what) = self.hold_if_paused(what) else { return };
        match what {
            Happening::CoordinatorStep { node, life } => self.coordinator_step(node, life),
            Happening::RaftBeat { node, life, term } => self.raft_beat(node, life, term),
            Happening::ElectionDue { node, life } => self.election_due(node, life),
            Happening::Apply { node, life, upto } => self.apply(node, life, upto),
            Happening::Offer { node, life, term, decision } => {
                self.offer(node, life, term, decision);
            }
            Happening::AgentStep { host, life } => self.agent_step(host, life),
            Happening::Connected { host, life, connection, stands } => {
                self.connected(host, life, connection, stands);
            }
            Happening::Deliver { from, to, letter } => self.deliver(from, to, letter),
            Happening::ClientTurn { client, turn } => self.client_turn(client, turn),
            Happening::Begin(fault) => self.begin(fault),
            Happening::End(undo) => self.undo(undo),
            Happening::Heal => self.heal(),
        }
    }

    /// A stopped process does nothing; what comes meanwhile waits in its sockets.
    fn hold_if_paused(&mut self, what: Happening) -> Option<Happening> {
        let backlog = match &what {
            Happening::CoordinatorStep { node, .. }
            | Happening::RaftBeat { node, .. }
            | Happening::ElectionDue { node, .. }
            | Happening::Apply { node, .. }
            | Happening::Offer { node, .. }
            | Happening::Deliver { to: Place::Coordinator(node), .. } => {
                self.nodes[*node].backlog.as_mut()
            }
            Happening::AgentStep { host, .. }
            | Happening::Connected { host, .. }
            | Happening::Deliver { to: Place::Agent(host), .. } => {
                self.hosts[*host].backlog.as_mut()
            }
            Happening::Deliver { to: Place::Client(_), .. }
            | Happening::ClientTurn { .. }
            | Happening::Begin(_)
            | Happening::End(_)
            | Happening::Heal => None,
        };
        let Some(backlog) = backlog else { return Some(what) };
        if let Happening::Deliver {
            from: Place::Agent(host),
            to: Place::Coordinator(node),
            letter: Letter::Beat { beat, .. },
        } = &what
        {
            // In truth it came now: who is stopped proves nothing by not having read it (P1).
            self.checker.heard(*node, *host, beat, self.now);
        }
        backlog.push(what);
        None
    }

    /// A process goes on: its late step comes before what waits in its sockets, or after it.
    pub(crate) fn wake(&mut self, mut backlog: Vec<Happening>) {
        if self.dice.faults.chance(500) {
            let is_step = |what: &Happening| {
                matches!(what, Happening::CoordinatorStep { .. } | Happening::AgentStep { .. })
            };
            backlog.sort_by_key(|what| !is_step(what));
        }
        backlog.into_iter().for_each(|what| self.happen(what));
    }

    /// Gives a letter to the network.
    pub(crate) fn send(&mut self, from: Place, to: Place, letter: Letter) {
        let [first, again] = self.net.carry(from, to);
        if let Some(after) = again {
            self.reach.count(Situation::LetterDoubled);
            self.later(after, Happening::Deliver { from, to, letter: letter.clone() });
        }
        if let Some(after) = first {
            self.later(after, Happening::Deliver { from, to, letter });
        }
    }

    fn deliver(&mut self, from: Place, to: Place, letter: Letter) {
        match to {
            Place::Coordinator(node) => self.deliver_to_node(node, from, letter),
            Place::Agent(host) => self.deliver_to_host(host, letter),
            Place::Client(client) => self.deliver_to_client(client, from, letter),
        }
    }

    /// One line of the trace.
    pub(crate) fn say(&mut self, text: &str) {
        self.trace.line(self.now, text);
    }
}
