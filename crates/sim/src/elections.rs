//! Elections of the model log. A candidate that reaches a majority, none of which has a leader and
//! none of which has a newer log, leads; all in one instant.
use std::time::Duration;

use crate::clock::At;
use crate::network::Place;
use crate::world::{Happening, World};

/// A member without a leader for less than this votes for nobody.
const PATIENCE_MS: (u64, u64) = (150, 300);

impl World {
    /// The member will look whether it has a leader.
    pub(crate) fn await_election(&mut self, at: usize) {
        let patience = Duration::from_millis(self.dice.raft.within(PATIENCE_MS.0..PATIENCE_MS.1));
        let life = self.nodes[at].life;
        let due = self.heard_leader(at).max(self.now) + patience;
        self.at(due, Happening::ElectionDue { node: at, life });
    }

    /// The member looks whether it has a leader, and otherwise tries to be it.
    pub(crate) fn election_due(&mut self, at: usize, life: u64) {
        let node = &self.nodes[at];
        if node.life != life || node.core.is_none() {
            return;
        }
        let patience = Duration::from_millis(PATIENCE_MS.0);
        if !node.raft.leads() && self.now.since(node.raft.heard) >= patience {
            self.elect(at, false);
        }
        self.await_election(at);
    }

    /// The leader hands its office to a member that has all that it has.
    pub(crate) fn step_aside(&mut self, at: usize) {
        let newness = self.nodes[at].raft.newness();
        let heir = (0..self.nodes.len()).find(|&to| {
            to != at && self.nodes[to].runs() && self.nodes[to].raft.newness() >= newness
        });
        if let Some(heir) = heir {
            self.elect(heir, true);
        }
    }

    /// Elects `candidate` if a majority grants it. With `force`, also those vote that have a
    /// leader, and that leader may not hear of it.
    pub(crate) fn elect(&mut self, candidate: usize, force: bool) -> bool {
        if !self.nodes[candidate].runs() {
            return false;
        }
        let newness = self.nodes[candidate].raft.newness();
        let mut voters = vec![candidate];
        for at in (0..self.nodes.len()).filter(|at| *at != candidate) {
            let (there, here) = (Place::Coordinator(at), Place::Coordinator(candidate));
            let node = &self.nodes[at];
            let quiet = self.now.since(node.raft.heard) >= Duration::from_millis(PATIENCE_MS.0);
            let free = force || quiet && !node.raft.leads();
            let grants = node.runs() && free && node.raft.newness() <= newness;
            if grants && self.net.passes(here, there) && self.net.passes(there, here) {
                voters.push(at);
            }
        }
        if 2 * voters.len() <= self.nodes.len() {
            return false;
        }
        let term = voters.iter().map(|at| self.nodes[*at].raft.term).max().unwrap_or_default() + 1;
        let now = self.now;
        let heard = voters.iter().map(|at| self.nodes[*at].raft.heard).max().unwrap_or(now);
        self.checker.leaderless = (heard, At(u64::MAX));
        voters.iter().for_each(|at| self.nodes[*at].raft.vote(term, now));
        self.take_lead(candidate);
        voters.into_iter().filter(|at| *at != candidate).for_each(|at| self.told(at));
        true
    }
}
