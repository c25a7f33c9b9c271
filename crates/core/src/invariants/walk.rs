//! The state between two events of one decision, as far as the properties need it. Deliberately not
//! the folds: they are what is being checked.
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scene;
use crate::fleet::Fleet;
use crate::views::{HandoverStep, Tenure};
use crate::{Act, Event, RecorderId, ServerId, State};

/// Where a decision has come to, event by event.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    before: &'a State,
    fleet: Option<&'a Arc<Fleet>>,
    expired: BTreeMap<ServerId, bool>,
    seen: BTreeMap<ServerId, bool>,
    tenures: BTreeMap<RecorderId, Tenure>,
    steps: BTreeMap<RecorderId, Option<HandoverStep>>,
}

impl<'a> Scene<'a> {
    /// True if `holds` of each event, in order, given all before it.
    pub(super) fn each(
        &self,
        mut holds: impl FnMut(&Walk<'a>, &'a Act, &'a Event) -> bool,
    ) -> bool {
        let mut walk = Walk {
            before: self.before,
            fleet: None,
            expired: BTreeMap::new(),
            seen: BTreeMap::new(),
            tenures: BTreeMap::new(),
            steps: BTreeMap::new(),
        };
        self.decision.acts.iter().all(|act| {
            act.events().iter().all(|event| {
                let held = holds(&walk, act, event);
                walk.go(event);
                held
            })
        })
    }
}

impl<'a> Walk<'a> {
    pub(super) fn fleet(&self) -> &Fleet {
        self.fleet.unwrap_or_else(|| self.before.fleet.document())
    }

    pub(super) fn is_expired(&self, server: ServerId) -> bool {
        let before = || self.before.health.is_expired(server);
        self.expired.get(&server).copied().unwrap_or_else(before)
    }

    pub(super) fn is_seen(&self, server: ServerId) -> bool {
        let before = || self.before.health.seen(server);
        self.seen.get(&server).copied().unwrap_or_else(before)
    }

    pub(super) fn tenure(&self, recorder: RecorderId) -> Option<Tenure> {
        self.tenures.get(&recorder).copied().or_else(|| self.before.roles.tenure(recorder))
    }

    pub(super) fn step(&self, recorder: RecorderId) -> Option<HandoverStep> {
        let before = || self.before.handovers.of(recorder).map(|open| open.step);
        self.steps.get(&recorder).copied().unwrap_or_else(before)
    }

    fn go(&mut self, event: &'a Event) {
        match *event {
            Event::FleetApplied { ref fleet } => self.fleet = Some(fleet),
            Event::ServerSeen { server } => {
                self.seen.insert(server, true);
            }
            Event::HeartbeatExpired { server, .. } => {
                self.expired.insert(server, true);
            }
            Event::HeartbeatRestored { server, .. } => {
                self.expired.insert(server, false);
            }
            Event::HandoverPlanned { recorder, .. } => {
                self.steps.insert(recorder, Some(HandoverStep::Planned));
            }
            Event::HandoverReady { recorder, .. } => {
                self.steps.insert(recorder, Some(HandoverStep::Ready));
            }
            Event::HandoverAbandoned { recorder, .. } | Event::TookOver { recorder, .. } => {
                self.steps.insert(recorder, None);
            }
            Event::TakeoverFailed { recorder, .. } => {
                self.steps.insert(recorder, Some(HandoverStep::Trying));
            }
            Event::ReleaseOrdered { recorder, .. } => {
                self.steps.insert(recorder, Some(HandoverStep::Released));
                self.change(recorder, |tenure| tenure.release_ordered = true);
            }
            Event::Moved { recorder, to, epoch, .. } => {
                self.steps.insert(recorder, Some(HandoverStep::TakingOver));
                self.change(recorder, |tenure| {
                    (tenure.holder, tenure.epoch) = (to, epoch);
                    (tenure.release_ordered, tenure.taken_over) = (false, false);
                });
            }
            Event::MoveWithheld { .. }
            | Event::FailoverQueued { .. }
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

    fn change(&mut self, recorder: RecorderId, change: impl FnOnce(&mut Tenure)) {
        if let Some(mut tenure) = self.tenure(recorder) {
            change(&mut tenure);
            self.tenures.insert(recorder, tenure);
        }
    }
}
