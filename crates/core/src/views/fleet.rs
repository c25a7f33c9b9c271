//! The fleet document in force, and the longest timeout that each server ever had.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Stamp;
use crate::fleet::{Fleet, Recorder};
use crate::lines::Lines;
use crate::{Event, RecorderId, Revision, ServerId};

/// The document, and what coordinators that restart must assume of older ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetView {
    document: Arc<Fleet>,
    revision: Revision,
    /// Servers that are gone included: one that comes back may still hold an old lease (P3).
    longest: BTreeMap<ServerId, Duration>,
    homed: BTreeMap<ServerId, RecorderId>,
}

impl FleetView {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        match event {
            Event::FleetApplied { fleet } => {
                for &server in fleet.servers.keys() {
                    let timeout = fleet.timeout(server).silence();
                    let longest = self.longest.entry(server).or_default();
                    *longest = timeout.max(*longest);
                }
                let home = |(&recorder, of): (&RecorderId, &Recorder)| (of.home, recorder);
                self.homed = fleet.recorders.iter().map(home).collect();
                (self.document, self.revision) = (fleet.clone(), stamp.revision);
            }
            Event::LongestTimeoutLowered { server, timeout } => {
                self.longest.insert(*server, *timeout);
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
            | Event::FactsReported { .. }
            | Event::CopyOpened { .. }
            | Event::CopyProgressed { .. }
            | Event::CopySteered { .. }
            | Event::CopyClosed { .. }
            | Event::MaterialErased { .. }
            | Event::TenureAccounted { .. } => {}
        }
    }

    /// The document in force; an empty one before the first.
    pub fn document(&self) -> &Arc<Fleet> {
        &self.document
    }

    /// The recorder whose home `server` is.
    pub fn homed_at(&self, server: ServerId) -> Option<RecorderId> {
        self.homed.get(&server).copied()
    }

    /// Of the decision that brought the document; 0 before the first.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// P3: no lease of `server` was ever granted under a longer F than this.
    pub fn longest_timeout(&self, server: ServerId) -> Duration {
        let now = self.document.timeout(server).silence();
        self.longest.get(&server).copied().unwrap_or_default().max(now)
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        let Fleet { limits, groups, servers, recorders } = &*self.document;
        lines.line(format_args!("fleet {} {}", self.revision, limits.commands_per_second));
        for (id, group) in groups {
            lines.line(format_args!("group {id} {group:?}"));
        }
        for (id, server) in servers {
            lines.line(format_args!("server {id} {server:?}"));
        }
        for (id, recorder) in recorders {
            let (home, config) = (recorder.home, recorder.config);
            let (priority, channels) = (recorder.priority, recorder.channels);
            let (own, addresses) = (&recorder.own, &recorder.addresses);
            lines.line(format_args!(
                "recorder {id} {home} {priority} {channels} {config} {own:?} {addresses:?}"
            ));
        }
        for (id, longest) in &self.longest {
            lines.line(format_args!("longest {id} {}", longest.as_millis()));
        }
    }
}
