//! The fleet of the small world, what operators ask of it, and what a test looks at.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::coordinator::Coordinator;
use interrex_core::coordinator::io::{Input, Output, Reply, Ticket};
use interrex_core::fleet::{
    Failback, Fleet, Group, Limits, Mode, Overrides, Recorder, Role, Server,
};
use interrex_core::numbers::Timeout;
use interrex_core::*;

use super::world::*;

/// Two recorder hosts, one standby, failback by hand.
pub(crate) fn fleet() -> Fleet {
    let group: GroupId = "g".parse().unwrap();
    let timeout = Timeout::new(Duration::from_millis(F)).unwrap();
    let policy = Group { mode: Mode::Auto, timeout, ..Group::default() };
    let host = Server { group, role: Role::RecorderHost, timeout: None };
    let standby = Server { role: Role::Standby, ..host };
    let at = |home| Recorder {
        home: server(home),
        priority: 0,
        channels: 2,
        config: ConfigHash([7; 32]),
        own: Overrides::default(),
        addresses: Arc::default(),
    };
    Fleet {
        limits: Limits { commands_per_second: 0 },
        groups: [(group, Group { failback: Failback::Manual, ..policy })].into(),
        servers: [("s1", host), ("s2", host), ("s9", standby)]
            .into_iter()
            .map(|(name, what)| (server(name), what))
            .collect(),
        recorders: [(recorder("r1"), at("s1")), (recorder("r2"), at("s2"))].into(),
    }
}

impl World {
    /// Asks the leader, or whoever is named.
    pub(crate) fn ask(&mut self, of: u64, id: u128, command: Command) {
        let operations = self.coordinators[&of].state().operations.applied();
        self.ask_as(of, id, 1, Some(operations), false, command);
    }

    pub(crate) fn ask_as(
        &mut self,
        of: u64,
        id: u128,
        person: u64,
        seen: Option<u64>,
        dry_run: bool,
        command: Command,
    ) {
        let key = OperationKey { id: OperationId(id), command: 1 };
        let request = Request {
            actor: Actor::Person(PersonId(person)),
            operation: Operation { key, seen },
            reason: String::new(),
            ticket: String::new(),
            command,
        };
        self.give(of, Input::Request { ticket: Ticket(id as u64), request, dry_run });
    }

    pub(crate) fn apply_fleet(&mut self, fleet: Fleet) {
        let leader = self.leader.unwrap();
        let id = 900_000 + self.now as u128;
        self.ask(leader, id, Command::ApplyFleet { fleet: Arc::new(fleet), expect: None });
        self.run(100);
        let reply = self.reply(id as u64);
        assert!(
            matches!(reply, Some(Reply::Judged(ref judged)) if judged.outcome.is_ok()),
            "{reply:?}"
        );
    }

    /// The newest reply to that ticket.
    pub(crate) fn reply(&self, ticket: u64) -> Option<Reply> {
        let mut replies = self.replies.iter().rev();
        replies.find(|(of, _)| *of == Ticket(ticket)).map(|(_, reply)| reply.clone())
    }

    /// The state of whoever is furthest.
    pub(crate) fn state(&self) -> &State {
        self.coordinators.values().map(Coordinator::state).max_by_key(|s| s.applied).unwrap()
    }

    pub(crate) fn holder(&self, name: &str) -> ServerId {
        self.state().roles.tenure(recorder(name)).unwrap().holder
    }

    pub(crate) fn is_expired(&self, name: &str) -> bool {
        self.state().health.is_expired(server(name))
    }

    /// Whether that server acts for that recorder now.
    pub(crate) fn acts(&self, on: &str, of: &str) -> bool {
        let Some(agent) = self.agents.get(&server(on)) else { return false };
        let now = self.agent_moment().boot;
        agent.acting(now).iter().any(|(r, _)| *r == recorder(of))
    }

    /// The newest grants that coordinator gave to that server.
    pub(crate) fn granted(&self, by: u64, to: &str) -> Vec<Grant> {
        let acks = self.outputs.iter().rev().filter(|(from, _)| *from == by);
        let mut grants = acks.filter_map(|(_, output)| match output {
            Output::Ack { to: of, ack } if *of == server(to) => Some(ack.grants.clone()),
            _ => None,
        });
        grants.next().unwrap_or_default()
    }

    /// The decisions that stand, and their events.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        let standing = self.log.iter().zip(1..).filter_map(|(entry, n)| match entry {
            Entry::Decision(decision) if decision.stands(LogIndex(n)) => Some(decision),
            _ => None,
        });
        standing.flat_map(Decision::events)
    }

    /// The duties of the newest assignment that reached that server.
    pub(crate) fn told(&self, name: &str) -> Vec<Duty> {
        self.assigned.get(&server(name)).map(|held| held.duties.clone()).unwrap_or_default()
    }
}
