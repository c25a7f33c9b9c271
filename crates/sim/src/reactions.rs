//! What goes wrong in answer to what happens: the moments between two steps are short, and faults
//! by the clock seldom meet them.
use std::time::Duration;

use interrex_core::{Decision, Event, Report, State};

use crate::faults::{Fault, Undo};
use crate::network::Place;
use crate::reach::Situation;
use crate::rng::Rng;
use crate::setup::{self, SERVERS};
use crate::world::{Happening, World};

/// To what a reaction answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Step 1 of a hand-over was committed.
    Planned,
    /// Step 2.
    Ready,
    /// Step 3.
    Released,
    /// Step 4.
    Moved,
    /// A server expired.
    Expired,
    /// A leader proposed.
    Proposed,
    /// A coordinator reported a server to be silent.
    Suspected,
    /// A leader proposed that a server is expired.
    Accused,
    /// A timeout was lowered.
    Lowered,
}

/// Against whom, as far as the trigger names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    CrashReceiver,
    PauseReceiver,
    BreakReceiver,
    SlowReceiver,
    CrashHolder,
    CutHolder,
    RestartHolder,
    LetHolderBeHeard,
    Revive,
    RestartOthers,
    Overthrow,
    CrashCoordinator,
    PauseCoordinator,
    IsolateCoordinator,
    LagCoordinator,
    LagAll,
    Disturb,
    LoseAndRegain,
    StallAndCrashReceiver,
    CutAcks,
    CutBeats,
}

/// One habit of a seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaction {
    trigger: Trigger,
    per_mille: u64,
    blow: Blow,
}

/// One blow, aimed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    blow: Blow,
    /// The server from which something is taken, or that is in question.
    holder: usize,
    /// The server to which something goes.
    receiver: usize,
    /// The coordinator that did it.
    node: usize,
}

const HABITS: &[(Trigger, Blow, u64)] = &[
    (Trigger::Planned, Blow::CrashReceiver, 350),
    (Trigger::Planned, Blow::SlowReceiver, 350),
    (Trigger::Planned, Blow::BreakReceiver, 350),
    (Trigger::Planned, Blow::CrashHolder, 250),
    (Trigger::Ready, Blow::CrashReceiver, 500),
    (Trigger::Ready, Blow::CrashHolder, 300),
    (Trigger::Ready, Blow::PauseReceiver, 300),
    (Trigger::Ready, Blow::CrashCoordinator, 300),
    (Trigger::Released, Blow::CrashReceiver, 500),
    (Trigger::Released, Blow::CrashHolder, 300),
    (Trigger::Released, Blow::RestartHolder, 400),
    (Trigger::Released, Blow::CutHolder, 400),
    (Trigger::Released, Blow::LagAll, 400),
    (Trigger::Released, Blow::CrashCoordinator, 300),
    (Trigger::Moved, Blow::BreakReceiver, 350),
    (Trigger::Moved, Blow::SlowReceiver, 200),
    (Trigger::Moved, Blow::CrashReceiver, 300),
    (Trigger::Moved, Blow::CutHolder, 300),
    (Trigger::Expired, Blow::LetHolderBeHeard, 500),
    (Trigger::Expired, Blow::LagAll, 300),
    (Trigger::Expired, Blow::CrashCoordinator, 200),
    (Trigger::Proposed, Blow::CrashCoordinator, 30),
    (Trigger::Proposed, Blow::PauseCoordinator, 30),
    (Trigger::Proposed, Blow::IsolateCoordinator, 60),
    (Trigger::Proposed, Blow::Disturb, 60),
    (Trigger::Proposed, Blow::LoseAndRegain, 60),
    (Trigger::Ready, Blow::StallAndCrashReceiver, 500),
    (Trigger::Suspected, Blow::LetHolderBeHeard, 300),
    (Trigger::Suspected, Blow::LagCoordinator, 100),
    (Trigger::Suspected, Blow::CrashCoordinator, 60),
    (Trigger::Suspected, Blow::Disturb, 60),
    (Trigger::Suspected, Blow::IsolateCoordinator, 60),
    (Trigger::Accused, Blow::Revive, 400),
    (Trigger::Accused, Blow::RestartOthers, 400),
    (Trigger::Accused, Blow::Overthrow, 300),
    (Trigger::Lowered, Blow::CutAcks, 600),
];

/// Which habits a seed has.
pub(crate) fn reactions(rng: &mut Rng) -> Vec<Reaction> {
    let mut chosen = Vec::new();
    for &(trigger, blow, per_mille) in HABITS {
        if rng.chance(300) {
            chosen.push(Reaction { trigger, per_mille, blow });
        }
    }
    chosen
}

impl World {
    /// A committed event may provoke something.
    pub(crate) fn react_to_event(&mut self, before: &State, event: &Event) {
        let node = self.leader().unwrap_or_default();
        let open = |recorder| self.checker.oracle.state.handovers.of(recorder).copied();
        let aimed = match *event {
            Event::HandoverPlanned { from, to, .. } => Some((Trigger::Planned, from, to)),
            Event::HandoverReady { recorder, .. } => {
                open(recorder).map(|open| (Trigger::Ready, open.from, open.to))
            }
            Event::ReleaseOrdered { recorder, .. } => {
                open(recorder).map(|open| (Trigger::Released, open.from, open.to))
            }
            Event::Moved { from, to, .. } => Some((Trigger::Moved, from, to)),
            Event::HeartbeatExpired { server, .. } => Some((Trigger::Expired, server, server)),
            _ => None,
        };
        if let Some((trigger, holder, receiver)) = aimed {
            self.react(trigger, setup::place(holder), setup::place(receiver), node);
        }
        if let Event::FleetApplied { fleet } = event {
            let old = before.fleet.document();
            let lowered = |at: &usize| {
                let server = setup::server(*at);
                old.servers.contains_key(&server) && fleet.timeout(server) < old.timeout(server)
            };
            let lowered: Vec<_> = (0..SERVERS).filter(lowered).collect();
            for host in lowered {
                let here = Place::Agent(host);
                if (0..self.nodes.len()).any(|at| !self.net.passes(Place::Coordinator(at), here)) {
                    self.reach.count(Situation::TimeoutLoweredAcksLost);
                }
                self.react(Trigger::Lowered, host, host, node);
            }
        }
    }

    /// A coordinator tells whom it has not heard.
    pub(crate) fn react_to_report(&mut self, node: usize, report: &Report) {
        let hosts: Vec<_> = report.silent.iter().map(|(server, _)| setup::place(*server)).collect();
        for host in hosts {
            if self.nodes[node].suspects.insert(host) {
                self.say(&format!("c{} suspects {}", node + 1, setup::server(host)));
                self.react(Trigger::Suspected, host, host, node);
            }
        }
        let silent = &report.silent;
        self.nodes[node]
            .suspects
            .retain(|host| silent.iter().any(|(s, _)| setup::place(*s) == *host));
    }

    /// A leader proposes. Returns how long its disk takes, if that is a fault.
    pub(crate) fn react_to_proposal(
        &mut self,
        node: usize,
        decision: &Decision,
    ) -> Option<Duration> {
        self.react(Trigger::Proposed, 0, 0, node);
        let expired = decision.events().find_map(|event| match event {
            Event::HeartbeatExpired { server, .. } => Some(setup::place(*server)),
            _ => None,
        })?;
        self.react(Trigger::Accused, expired, expired, node);
        let slow = self.setup.slow_expiries && !self.healed && self.dice.faults.chance(400);
        slow.then(|| {
            // Long enough to be heard and granted meanwhile, or for the leader to give up (L6).
            let most = self.dice.faults.pick(&[800, 1_900, 4_000]);
            let blow = Blow::Revive;
            let aimed = Move { blow, holder: expired, receiver: expired, node };
            self.later(Duration::ZERO, Happening::Begin(Fault::Reaction(aimed)));
            Duration::from_millis(self.dice.faults.within(250..most))
        })
    }

    fn react(&mut self, trigger: Trigger, holder: usize, receiver: usize, node: usize) {
        for habit in self.setup.reactions.clone() {
            if habit.trigger == trigger && self.dice.faults.chance(habit.per_mille) && !self.healed
            {
                let blow = habit.blow;
                let after = Duration::from_micros(self.dice.faults.pick(&[0, 500, 5_000, 60_000]));
                let aimed = Move { blow, holder, receiver, node };
                self.later(after, Happening::Begin(Fault::Reaction(aimed)));
            }
        }
    }

    /// A blow falls.
    pub(crate) fn begin_move(&mut self, aimed: Move) {
        let Move { blow, holder, receiver, node } = aimed;
        let (about, long) = (self.about(holder), self.long());
        match blow {
            Blow::CrashReceiver => self.crash_host(receiver, long * 2, false),
            Blow::PauseReceiver => self.pause_host(receiver, about),
            Blow::BreakReceiver => self.break_driver(receiver, Duration::ZERO, long * 2),
            Blow::SlowReceiver => {
                self.break_driver(receiver, Duration::from_secs(45), Duration::from_secs(60));
            }
            Blow::CrashHolder => self.crash_host(holder, long, false),
            Blow::CutHolder => self.partition_agent(holder, about),
            Blow::RestartHolder => self.crash_host(holder, Duration::from_millis(50), false),
            Blow::LetHolderBeHeard => self.let_be_heard(holder, node),
            Blow::Revive => self.revive(holder),
            Blow::RestartOthers => {
                // What they promised is in nobody's memory but the leader's (P6).
                self.revive(holder);
                let others = (0..self.nodes.len()).filter(|at| *at != node);
                others.for_each(|at| {
                    if self.dice.faults.chance(600) {
                        self.crash_node(at, Duration::from_millis(20));
                    }
                });
            }
            Blow::Overthrow => {
                // The next leader holds the entry, and applies it late (L4).
                self.revive(holder);
                (0..self.nodes.len()).for_each(|at| {
                    self.nodes[at].lag_us = 3_000_000;
                    self.later(Duration::from_secs(4), Happening::End(Undo::SwiftApply(at)));
                });
                self.elect((node + 1) % self.nodes.len(), true);
            }
            Blow::CrashCoordinator => self.crash_node(node, long / 4),
            Blow::PauseCoordinator => self.pause_node(node, long / 2),
            Blow::IsolateCoordinator => self.isolate(node, false, long / 2),
            Blow::LagCoordinator => self.lag(node, long),
            Blow::LagAll => (0..self.nodes.len()).for_each(|node| {
                if self.dice.faults.chance(600) {
                    self.lag(node, long);
                }
            }),
            Blow::Disturb => {
                let other = self.dice.faults.index(self.nodes.len());
                self.elect(other, true);
            }
            Blow::LoseAndRegain => {
                self.elect((node + 1) % self.nodes.len(), true);
                self.elect(node, true);
            }
            Blow::StallAndCrashReceiver => {
                // Nothing can be decided until the receiver is silent for long enough.
                let stall = about * 2 + Duration::from_millis(700);
                self.crash_host(receiver, stall * 2, false);
                for at in 0..self.nodes.len() {
                    self.nodes[at].refuses = 1_000;
                    self.later(stall, Happening::End(Undo::TakeProposals(at)));
                }
            }
            Blow::CutAcks => {
                // Grants under the new timeout are given and lost; a little later the beats are
                // lost, too, and silence under the new timeout is over before the old lease.
                self.reach.count(Situation::TimeoutLoweredAcksLost);
                self.cut_all(holder, false, Duration::from_secs(12));
                let after = Duration::from_millis(self.dice.faults.within(50..1_500));
                let aimed = Move { blow: Blow::CutBeats, ..aimed };
                self.later(after, Happening::Begin(Fault::Reaction(aimed)));
            }
            Blow::CutBeats => self.cut_all(holder, true, Duration::from_secs(11)),
        }
    }

    fn cut_all(&mut self, host: usize, beats: bool, long: Duration) {
        let here = Place::Agent(host);
        let there = (0..self.nodes.len()).map(Place::Coordinator);
        let pairs = there.map(|there| if beats { (here, there) } else { (there, here) });
        self.cut_for(pairs.collect(), long);
    }

    /// A server is up and reachable again, for all.
    fn revive(&mut self, host: usize) {
        for at in 0..self.nodes.len() {
            let (here, there) = (Place::Agent(host), Place::Coordinator(at));
            self.net.make_whole(here, there);
            self.net.make_whole(there, here);
        }
        self.start_host(host);
    }

    /// A server is up and reachable again, for the one that missed it or for all.
    fn let_be_heard(&mut self, host: usize, node: usize) {
        let all = self.dice.faults.chance(400);
        for at in (0..self.nodes.len()).filter(|at| all || *at == node) {
            let (here, there) = (Place::Agent(host), Place::Coordinator(at));
            self.net.make_whole(here, there);
            self.net.make_whole(there, here);
        }
        if all {
            self.start_host(host);
        }
    }
}
