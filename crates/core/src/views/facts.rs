//! What servers say of themselves, as the log has it.
use std::collections::BTreeMap;

use crate::lines::Lines;
use crate::{Event, Facts, ServerId};

/// The newest facts of each server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactsView(BTreeMap<ServerId, Facts>);

impl FactsView {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::FactsReported { server, facts } => {
                self.0.insert(*server, facts.clone());
            }
            Event::FleetApplied { fleet } => {
                self.0.retain(|server, _| fleet.servers.contains_key(server));
            }
            Event::ServerSeen { .. }
            | Event::HeartbeatExpired { .. }
            | Event::HeartbeatRestored { .. }
            | Event::MoveWithheld { .. }
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
            | Event::CopyOpened { .. }
            | Event::CopyProgressed { .. }
            | Event::CopySteered { .. }
            | Event::CopyClosed { .. }
            | Event::MaterialErased { .. }
            | Event::TenureAccounted { .. } => {}
        }
    }

    /// What is known of `server`; empty facts until it said any.
    pub fn of(&self, server: ServerId) -> Facts {
        self.0.get(&server).cloned().unwrap_or_default()
    }

    /// True if the log has it exactly so.
    pub fn agrees(&self, server: ServerId, facts: &Facts) -> bool {
        self.0.get(&server).map_or(*facts == Facts::default(), |known| known == facts)
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for (server, facts) in &self.0 {
            lines.line(format_args!("facts {server} {facts:?}"));
        }
    }
}
