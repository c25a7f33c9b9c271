//! `get servers`: what the log says of each, and what each coordinator hears of it.
use std::collections::BTreeMap;
use std::time::Duration;

use interrex_client::views::{Health, Held, Reported, Server};
use interrex_core::{CoordinatorId, Phase, ServerId, is_protected};

use super::Sight;
use crate::api::read::silent_ms;

/// Every coordinator's own observation.
type Seen = BTreeMap<CoordinatorId, Option<BTreeMap<ServerId, Duration>>>;

impl Sight<'_> {
    pub(super) fn servers(&self) -> Vec<Server> {
        let seen = self.seen();
        let fleet = self.state.fleet.document();
        fleet.servers.keys().map(|server| self.server(*server, &seen)).collect()
    }

    /// Null for a member that was not asked, or did not answer.
    fn seen(&self) -> Seen {
        let others = self.context.seers.iter().map(|seer| (seer.id, seer.silent.clone()));
        let mut seen: Seen = self.state.members.nodes.keys().map(|id| (*id, None)).collect();
        seen.extend(others);
        seen.insert(self.context.id, Some(self.own.clone()));
        seen
    }

    fn server(&self, server: ServerId, seen: &Seen) -> Server {
        let fleet = self.state.fleet.document();
        let timeout = fleet.timeout(server);
        let silent = |by: &Option<BTreeMap<ServerId, Duration>>| {
            by.as_ref().and_then(|by| silent_ms(by, server))
        };
        let timeout_ms = u64::try_from(timeout.silence().as_millis()).unwrap_or(u64::MAX);
        let suspects = seen.iter().filter(|(_, by)| silent(by).is_some_and(|ms| ms >= timeout_ms));
        let suspected_by = suspects.map(|(id, _)| self.member(*id)).collect();
        let held = self.state.roles.held_by(server).next();
        let reported = self.inside.told.get(&server).and_then(|duties| {
            let acting = duties.iter().find(|duty| duty.phase == Phase::Acting);
            acting.or_else(|| duties.first())
        });
        let known = fleet.servers.get(&server);
        Server {
            name: server.to_string(),
            role: known.map_or(interrex_core::fleet::Role::Standby, |known| known.role).into(),
            group: known.map(|known| known.group.to_string()).unwrap_or_default(),
            health: self.health(server),
            suspected_by,
            silent_ms: seen.iter().map(|(id, by)| (self.member(*id), silent(by))).collect(),
            holds: held.map(|tenure| Held {
                recorder: tenure.recorder.to_string(),
                epoch: tenure.epoch.0,
            }),
            reported: reported.map(|duty| Reported {
                recorder: duty.recorder.to_string(),
                epoch: duty.epoch.0,
                config: Some(duty.config.to_string()),
            }),
            protected: held.and_then(|tenure| is_protected(self.state, tenure.recorder)),
            timeout_ms,
        }
    }

    /// As the log has it; late is what this member itself has missed for two intervals and more.
    pub(super) fn health(&self, server: ServerId) -> Health {
        let timeout = self.state.fleet.document().timeout(server);
        let patience = timeout.interval() * 2 + Duration::from_millis(100);
        if self.state.health.is_expired(server) {
            Health::Expired
        } else if !self.state.health.seen(server) {
            Health::Unknown
        } else if self.own.get(&server).is_some_and(|silence| *silence > patience) {
            Health::Late
        } else {
            Health::Ok
        }
    }
}
