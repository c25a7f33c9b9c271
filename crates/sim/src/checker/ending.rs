//! Order returns: faults are over for two minutes, so whoever can be served is served.
use interrex_core::fleet::{Failback, Mode, Role};
use interrex_core::views::{FailoverEntry, Tenure};
use interrex_core::{Cause, State};

use crate::setup::{self, HOMES, SERVERS};
use crate::world::World;

impl World {
    /// The run is over.
    pub(crate) fn judge_the_end(&mut self) {
        self.checker.tick(self.now);
        if !self.checker.violations.is_empty() {
            return;
        }
        self.check_replay();
        self.judge_coordinators();
        for home in 0..HOMES {
            self.judge_recorder(home);
        }
        self.judge_copies();
        let state = &self.checker.oracle.state;
        let open: Vec<_> = state.handovers.iter().filter(|step| step.is_before_move()).collect();
        let open: Vec<_> = open.into_iter().map(|step| format!("{step:?}")).collect();
        for step in open {
            self.checker.blame("no step is open for ever", step);
        }
    }

    fn judge_coordinators(&mut self) {
        let committed = self.checker.committed().0;
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let ready = node.core.as_ref().is_some_and(|core| core.ready());
            if !ready || node.applied + 2 < committed {
                let what =
                    format!("c{}: ready {ready}, applied {} of {committed}", at + 1, node.applied);
                self.checker.blame("a mended coordinator takes part", what);
            }
        }
        if self.leader().is_none() {
            self.checker.blame("a mended cluster has a leader", String::new());
        }
    }

    fn judge_recorder(&mut self, home: usize) {
        let recorder = setup::recorder(home);
        let state = &self.checker.oracle.state;
        let Some(tenure) = state.roles.tenure(recorder) else {
            return self.checker.blame("the fleet is there", format!("{recorder} is not"));
        };
        let holder = setup::place(tenure.holder);
        let what = if self.lives(holder) {
            let host = &self.hosts[holder];
            let local = host.clock.agent_moment(self.now).boot;
            let acts = host
                .agent
                .as_ref()
                .is_some_and(|agent| agent.acting(local).contains(&(recorder, tenure.epoch)));
            let records = host.driver.records(recorder, self.now);
            if !acts || !records {
                Some(format!("acts {acts}, records {records}"))
            } else {
                self.misses_home(state, &tenure)
            }
        } else {
            self.misses_a_move(state, &tenure)
        };
        if let Some(what) = what {
            let what = format!("{recorder} {} at {}: {what}", tenure.epoch, tenure.holder);
            self.checker.blame("whoever can be served is served", what);
        }
    }

    pub(crate) fn lives(&self, at: usize) -> bool {
        self.hosts[at].agent.is_some() && self.hosts[at].backlog.is_none()
    }

    /// An automatic failback that did not come.
    fn misses_home(&self, state: &State, tenure: &Tenure) -> Option<String> {
        let policy = state.fleet.document().policy(tenure.recorder);
        // D11a: what an operator moved, an operator brings home.
        let manual = |entry: &FailoverEntry| entry.cause == Cause::Manual;
        let by_hand = state.failovers.open_of(tenure.recorder).any(manual);
        let automatic = policy.failback == Failback::Auto && policy.mode == Mode::Auto && !by_hand;
        let home = setup::place(tenure.home);
        (!tenure.is_home() && automatic && self.lives(home))
            .then(|| "its home lives, and did not get it back".into())
    }

    /// A dead holder, though a server lives that could take it.
    fn misses_a_move(&self, state: &State, tenure: &Tenure) -> Option<String> {
        if !state.health.is_expired(tenure.holder) {
            return Some("its holder is dead, and not expired".into());
        }
        let fleet = state.fleet.document();
        if fleet.policy(tenure.recorder).mode != Mode::Auto {
            return None;
        }
        let group = fleet.servers.get(&tenure.home)?.group;
        let free = (0..SERVERS).find(|&at| {
            let server = setup::server(at);
            let known = fleet.servers.get(&server);
            let standby = known.is_some_and(|s| s.role == Role::Standby && s.group == group);
            let fits = standby && state.roles.is_idle(server) || server == tenure.home;
            let spare = state.copies.from(server).all(|task| !task.is_running());
            fits && spare && self.lives(at) && state.handovers.towards(server).is_none()
        });
        match free {
            Some(at) => Some(format!("its holder is dead, and {} is free", setup::server(at))),
            None if !state.queue.contains(tenure.recorder) => Some("it is not in the queue".into()),
            None => None,
        }
    }
}
