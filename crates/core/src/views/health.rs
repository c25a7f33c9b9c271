//! Which servers were ever heard, and which are expired. Facts; they move no recorder.
use std::collections::{BTreeMap, BTreeSet};

use super::Stamp;
use crate::lines::Lines;
use crate::{Event, LogTime, ServerId, Testimony};

/// That a server is expired: since when, and on whose word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Expiry {
    pub since: LogTime,
    pub testimony: Testimony,
}

/// What the cluster agreed on about each server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    seen: BTreeSet<ServerId>,
    expired: BTreeMap<ServerId, Expiry>,
}

impl Health {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        match event {
            Event::FleetApplied { fleet } => {
                self.seen.retain(|server| fleet.servers.contains_key(server));
                self.expired.retain(|server, _| fleet.servers.contains_key(server));
            }
            Event::ServerSeen { server } => {
                self.seen.insert(*server);
            }
            Event::HeartbeatExpired { server, testimony } => {
                let expiry = Expiry { since: stamp.at, testimony: testimony.clone() };
                self.expired.insert(*server, expiry);
            }
            Event::HeartbeatRestored { server, .. } => {
                self.expired.remove(server);
            }
            Event::MoveWithheld { .. }
            | Event::FailoverQueued { .. }
            | Event::HandoverPlanned { .. }
            | Event::HandoverReady { .. }
            | Event::HandoverAbandoned { .. }
            | Event::ReleaseOrdered { .. }
            | Event::Moved { .. }
            | Event::TookOver { .. }
            | Event::TakeoverFailed { .. }
            | Event::TenureEnded { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Noted { .. }
            | Event::LevelRaised { .. }
            | Event::LongestTimeoutLowered { .. }
            | Event::FactsReported { .. }
            | Event::CopyOpened { .. }
            | Event::CopyProgressed { .. }
            | Event::CopySteered { .. }
            | Event::CopyClosed { .. }
            | Event::MaterialErased { .. }
            | Event::TenureAccounted { .. } => {}
        }
    }

    /// True once a majority has heard `server`: from then on its silence counts (P2).
    pub fn seen(&self, server: ServerId) -> bool {
        self.seen.contains(&server)
    }

    /// Since when `server` is expired, if it is.
    pub fn expired(&self, server: ServerId) -> Option<LogTime> {
        self.expired.get(&server).map(|expiry| expiry.since)
    }

    /// True while `server` is expired.
    pub fn is_expired(&self, server: ServerId) -> bool {
        self.expired.contains_key(&server)
    }

    /// Seen, and not expired.
    pub fn is_up(&self, server: ServerId) -> bool {
        self.seen(server) && !self.is_expired(server)
    }

    /// On whose word `server` is expired, if it is.
    pub fn expiry(&self, server: ServerId) -> Option<&Expiry> {
        self.expired.get(&server)
    }

    /// Every expired server, in id order.
    pub fn all_expired(&self) -> impl Iterator<Item = ServerId> {
        self.expired.keys().copied()
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for server in &self.seen {
            lines.line(format_args!("seen {server}"));
        }
        for (server, Expiry { since, testimony }) in &self.expired {
            lines.line(format_args!("expired {server} {} {testimony:?}", since.0));
        }
    }
}
