//! How faults end: each by itself, and all of them before the last two minutes of a run.
use crate::faults::Undo;
use crate::network::Place;
use crate::reach::Situation;
use crate::setup::{self, SERVERS};
use crate::world::{Happening, World};

impl World {
    /// A fault ends.
    pub(crate) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::StartCoordinator(node) => self.start_node(node),
            Undo::WakeCoordinator(node, life) => self.wake_node(node, life),
            Undo::StartAgent(host) if self.left_dead.contains(&host) => {}
            Undo::StartAgent(host) => self.start_host(host),
            Undo::WakeAgent(host, life) => self.wake_host(host, life),
            Undo::Mend(pairs) if !self.healed => {
                pairs.into_iter().for_each(|(from, to)| self.net.mend(from, to));
            }
            Undo::Flap { host, left, cut } if !self.healed => self.flap(host, left, cut),
            Undo::Mend(_) | Undo::Flap { .. } => {}
            Undo::SwiftApply(node) => self.nodes[node].lag_us = 2_000,
            Undo::TakeProposals(node) => self.nodes[node].refuses = 0,
            Undo::MendDriver(host) => self.hosts[host].driver.mend(self.now),
            Undo::FairWeather => self.net.clear_up(),
        }
    }

    fn wake_node(&mut self, node: usize, life: u64) {
        if self.nodes[node].life == life
            && let Some(backlog) = self.nodes[node].backlog.take()
        {
            self.say(&format!("c{} goes on", node + 1));
            self.reach.count(Situation::CoordinatorWoke);
            self.wake(backlog);
        }
    }

    fn wake_host(&mut self, host: usize, life: u64) {
        if self.hosts[host].life == life
            && let Some(backlog) = self.hosts[host].backlog.take()
        {
            self.say(&format!("{} goes on", setup::server(host)));
            self.reach.count(Situation::AgentWoke);
            self.wake(backlog);
        }
    }

    /// One direction between an agent and a coordinator is cut or mended, at a pace at which
    /// silences become just long enough, or just not.
    fn flap(&mut self, host: usize, left: u32, mut cut: Vec<(Place, Place)>) {
        if left == 0 {
            cut.into_iter().for_each(|(from, to)| self.net.mend(from, to));
            return;
        }
        let node = self.dice.faults.index(self.nodes.len());
        let (here, there) = (Place::Agent(host), Place::Coordinator(node));
        let pair = if self.dice.faults.chance(700) { (here, there) } else { (there, here) };
        match cut.iter().position(|held| *held == pair) {
            Some(at) => {
                cut.remove(at);
                self.net.mend(pair.0, pair.1);
            }
            None => {
                cut.push(pair);
                self.net.cut(pair.0, pair.1);
            }
        }
        let after = self.about(host) / 4;
        self.later(after, Happening::End(Undo::Flap { host, left: left - 1, cut }));
    }

    /// All faults end. Perhaps one or two servers stay dead.
    pub(crate) fn heal(&mut self) {
        self.say("all is mended");
        self.healed = true;
        self.net.heal();
        if self.dice.faults.chance(300) {
            let dead = self.dice.faults.index(SERVERS);
            if self.hosts[dead].agent.is_some() {
                self.kill_host(dead, false);
            }
            self.left_dead.push(dead);
        }
        for node in 0..self.nodes.len() {
            let life = self.nodes[node].life;
            self.wake_node(node, life);
            (self.nodes[node].lag_us, self.nodes[node].refuses) = (2_000, 0);
            self.nodes[node].clock.wall_off_ms = 0;
            self.start_node(node);
        }
        for host in 0..SERVERS {
            let life = self.hosts[host].life;
            self.wake_host(host, life);
            self.hosts[host].deaf.clear();
            self.hosts[host].driver.mend(self.now);
            self.undo(Undo::StartAgent(host));
        }
    }
}
