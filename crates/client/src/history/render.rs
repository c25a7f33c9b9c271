//! Decisions as lines: one for each event, one for each refusal.
use std::collections::BTreeMap;

use interrex_core::{
    Act, Actor, AgentBoot, Brake, CoordinatorId, Decision, Epoch, Event, PersonId, ServerId,
    Subject, Verdict,
};
use interrex_core::{Scope, Testimony, Why};
use interrex_wire::pb;
use interrex_wire::segment::Head;
use serde_json::{Map, Value, json};

use super::material;

use crate::views::{self, EventLine, Time};

/// Who the numbers in the history are; those not in it are forgotten.
pub type People = BTreeMap<PersonId, String>;

/// Makes lines. Learns names as they come by.
#[derive(Clone, Debug, Default)]
pub struct Renderer {
    people: People,
    members: BTreeMap<CoordinatorId, String>,
}

impl Renderer {
    /// With the names known so far.
    pub fn new(people: People) -> Self {
        Self { people, members: BTreeMap::new() }
    }

    /// Takes in names that came with frames.
    pub fn learn(&mut self, people: &[pb::Person]) {
        for person in people {
            self.people.insert(PersonId(person.id), format!("{}/{}", person.role, person.name));
        }
    }

    /// Takes in the names of coordinators.
    pub fn learn_members(&mut self, members: &interrex_core::Members) {
        let named = members.nodes.iter().map(|(id, node)| (*id, node.name.to_string()));
        self.members.extend(named);
    }

    /// Every act of one record, in order. `prev` and `head` are the chain before and after it.
    pub fn lines(
        &self,
        revision: u64,
        decision: &Decision,
        prev: &Head,
        head: &Head,
    ) -> Vec<EventLine> {
        let mut lines = Vec::new();
        for act in &decision.acts {
            let mut push = |kind: &str, subject: Value, data: Value| {
                lines.push(EventLine {
                    revision,
                    n: lines.len() as u64 + 1,
                    at: Time(decision.at.0),
                    kind: kind.to_owned(),
                    subject: map(subject),
                    actor: self.actor(act),
                    operation: act.operation.map(|key| crate::client::shown(key.id)),
                    reason: act.reason.clone(),
                    data: map(with_ticket(act, data)),
                    prev: prev.to_string(),
                    hash: head.to_string(),
                });
            };
            match &act.outcome {
                Verdict::Done(events) => {
                    for event in events {
                        push(event.kind(), subject(event), self.data(event));
                    }
                }
                Verdict::Refused(refused) => {
                    let (code, message, remedy) =
                        (&refused.code, &refused.message, &refused.remedy);
                    let data = json!({ "code": code, "message": message, "remedy": remedy });
                    push("refused", json!({}), data);
                }
            }
        }
        lines
    }

    fn actor(&self, act: &Act) -> String {
        match act.actor {
            Actor::Automaton => "automaton".to_owned(),
            Actor::Person(id) => {
                self.people.get(&id).cloned().unwrap_or_else(|| format!("person/{:016x}", id.0))
            }
        }
    }

    fn said(&self, what: &str, testimony: &Testimony) -> Value {
        let witness = |(id, long): (&CoordinatorId, &std::time::Duration)| {
            let name = self.members.get(id).cloned().unwrap_or_else(|| id.0.to_string());
            json!({ "coordinator": name, what: millis(*long) })
        };
        testimony.by.iter().map(witness).collect()
    }

    /// All but the subject, by the event's own field names.
    fn data(&self, event: &Event) -> Value {
        match event {
            Event::FleetApplied { fleet } => json!({
                "groups": fleet.groups.len(), "servers": fleet.servers.len(),
                "recorders": fleet.recorders.len(),
            }),
            Event::ServerSeen { .. } | Event::Resumed { .. } => json!({}),
            Event::HeartbeatExpired { testimony, .. } => {
                json!({ "set": testimony.set.0, "evidence": self.said("silent_ms", testimony) })
            }
            Event::HeartbeatRestored { testimony, .. } => {
                json!({ "set": testimony.set.0, "heard": self.said("heard_ms", testimony) })
            }
            Event::MoveWithheld { holder, by, to, .. } => json!({
                "holder": holder.as_str(), "by": brake(*by),
                "to": to.as_ref().map(|server| server.as_str()),
            }),
            Event::FailoverQueued { holder, failover, cause, .. } => json!({
                "holder": holder.as_str(), "failover": failover.0,
                "cause": views::Cause::from(*cause),
            }),
            Event::HandoverPlanned { from, to, epoch, why, failover, cause, .. }
            | Event::Moved { from, to, epoch, why, failover, cause, .. } => json!({
                "from": from.as_str(), "to": to.as_str(), "epoch": epoch.0, "why": word(*why),
                "failover": failover.0, "cause": views::Cause::from(*cause),
            }),
            Event::HandoverReady { epoch, .. } | Event::ReleaseOrdered { epoch, .. } => {
                json!({ "epoch": epoch.0 })
            }
            Event::HandoverAbandoned { epoch, to: server, boot: at, .. } => {
                failed("to", *epoch, *server, *at)
            }
            Event::TookOver { epoch, server, first_ms, tick_ms, recording, channels, .. } => {
                json!({
                    "epoch": epoch.0, "server": server.as_str(), "first_ms": first_ms,
                    "tick_ms": tick_ms, "recording": recording, "channels": channels,
                })
            }
            Event::TakeoverFailed { epoch, server, boot: at, .. } => {
                failed("server", *epoch, *server, *at)
            }
            Event::TenureEnded { epoch, server, last_ms, .. } => {
                json!({ "epoch": epoch.0, "server": server.as_str(), "last_ms": last_ms })
            }
            Event::Paused { scope: held, until, .. } => {
                json!({ "scope": scope(*held), "until": Time(until.0) })
            }
            Event::Noted { text, .. } => json!({ "text": text }),
            Event::LevelRaised { to } => json!({ "to": to.0 }),
            Event::LongestTimeoutLowered { timeout: long, .. } => timeout(*long),
            Event::FactsReported { .. }
            | Event::CopyOpened { .. }
            | Event::CopyProgressed { .. }
            | Event::CopySteered { .. }
            | Event::CopyClosed { .. }
            | Event::MaterialErased { .. }
            | Event::TenureAccounted { .. } => material::data(event),
        }
    }
}

fn subject(event: &Event) -> Value {
    match event {
        Event::FleetApplied { .. } => json!({ "fleet": true }),
        Event::ServerSeen { server }
        | Event::HeartbeatExpired { server, .. }
        | Event::HeartbeatRestored { server, .. }
        | Event::LongestTimeoutLowered { server, .. }
        | Event::FactsReported { server, .. } => json!({ "server": server.as_str() }),
        Event::MoveWithheld { recorder, .. }
        | Event::FailoverQueued { recorder, .. }
        | Event::HandoverPlanned { recorder, .. }
        | Event::HandoverReady { recorder, .. }
        | Event::HandoverAbandoned { recorder, .. }
        | Event::ReleaseOrdered { recorder, .. }
        | Event::Moved { recorder, .. }
        | Event::TookOver { recorder, .. }
        | Event::TakeoverFailed { recorder, .. }
        | Event::TenureEnded { recorder, .. }
        | Event::TenureAccounted { recorder, .. } => json!({ "recorder": recorder.as_str() }),
        Event::Paused { subject, .. } | Event::Resumed { subject } => match subject {
            Subject::Everything => json!({ "everything": true }),
            Subject::Group(group) => json!({ "group": group.as_str() }),
            Subject::Server(server) => json!({ "server": server.as_str() }),
        },
        Event::Noted { key, .. } => json!({ "key": key }),
        Event::LevelRaised { .. } => json!({ "cluster": true }),
        Event::CopyOpened { copy, .. }
        | Event::CopyProgressed { copy, .. }
        | Event::CopySteered { copy, .. }
        | Event::CopyClosed { copy, .. }
        | Event::MaterialErased { copy, .. } => json!({ "copy": copy.0 }),
    }
}

fn failed(key: &str, epoch: Epoch, server: ServerId, boot: Option<AgentBoot>) -> Value {
    let boot = boot.map(|boot| format!("{:016x}", boot.0));
    json!({ "epoch": epoch.0, key: server.as_str(), "boot": boot })
}

fn timeout(long: std::time::Duration) -> Value {
    json!({ "timeout_ms": millis(long) })
}

fn with_ticket(act: &Act, mut data: Value) -> Value {
    if let Some(data) = data.as_object_mut().filter(|_| !act.ticket.is_empty()) {
        data.insert("ticket".to_owned(), act.ticket.clone().into());
    }
    data
}

fn map(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn millis(long: std::time::Duration) -> u64 {
    u64::try_from(long.as_millis()).unwrap_or(u64::MAX)
}

fn brake(by: Brake) -> views::Brake {
    by.into()
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Failback => "failback",
        Scope::All => "all",
    }
}

fn word(why: Why) -> &'static str {
    match why {
        Why::Failover => "failover",
        Why::Failback => "failback",
        Why::Switchover => "switchover",
        Why::Replacement => "replacement",
        Why::Return => "return",
    }
}
