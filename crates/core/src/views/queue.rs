//! Recorders that wait for a standby: by priority, then by log order of queueing, then by id. Whom
//! a brake holds back does not begin to wait here.
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Stamp;
use crate::fleet::Fleet;
use crate::lines::Lines;
use crate::{Cause, Event, FailoverId, LogTime, RecorderId, Revision, ServerId};

/// One recorder in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Waiting {
    pub recorder: RecorderId,
    pub holder: ServerId,
    pub failover: FailoverId,
    pub cause: Cause,
    pub since: LogTime,
    /// Of the decision that queued it.
    pub queued: Revision,
}

/// Where one stands: the order of the queue.
type Place = (Reverse<i32>, Revision, RecorderId);

/// The failover queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailoverQueue {
    line: BTreeMap<Place, Waiting>,
    places: BTreeMap<RecorderId, Place>,
    holders: BTreeMap<ServerId, RecorderId>,
    /// For the priorities.
    fleet: Arc<Fleet>,
}

impl FailoverQueue {
    /// Folds one event in. D4: a holder that returns keeps its recorder.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        match *event {
            Event::FailoverQueued { recorder, holder, failover, cause } => {
                let (since, queued) = (stamp.at, stamp.revision);
                self.put(Waiting { recorder, holder, failover, cause, since, queued });
            }
            Event::Moved { recorder, .. } => self.drop(recorder),
            Event::HeartbeatRestored { server, .. } => {
                if let Some(recorder) = self.holders.get(&server) {
                    self.drop(*recorder);
                }
            }
            Event::FleetApplied { ref fleet } => {
                self.fleet = fleet.clone();
                let known = |waiting: &Waiting| fleet.recorders.contains_key(&waiting.recorder);
                let waiting: Vec<_> = self.iter().copied().filter(known).collect();
                (self.line, self.places, self.holders) = Default::default();
                waiting.into_iter().for_each(|waiting| self.put(waiting));
            }
            Event::ServerSeen { .. }
            | Event::HeartbeatExpired { .. }
            | Event::MoveWithheld { .. }
            | Event::HandoverPlanned { .. }
            | Event::HandoverReady { .. }
            | Event::HandoverAbandoned { .. }
            | Event::ReleaseOrdered { .. }
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

    /// All that wait, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.line.values()
    }

    /// How `recorder` waits, if it does.
    pub fn of(&self, recorder: RecorderId) -> Option<&Waiting> {
        self.line.get(self.places.get(&recorder)?)
    }

    /// True while `recorder` waits.
    pub fn contains(&self, recorder: RecorderId) -> bool {
        self.places.contains_key(&recorder)
    }

    fn put(&mut self, waiting: Waiting) {
        self.drop(waiting.recorder);
        let priority = self.fleet.recorders.get(&waiting.recorder).map_or(0, |r| r.priority);
        let place = (Reverse(priority), waiting.queued, waiting.recorder);
        self.places.insert(waiting.recorder, place);
        self.holders.insert(waiting.holder, waiting.recorder);
        self.line.insert(place, waiting);
    }

    fn drop(&mut self, recorder: RecorderId) {
        let place = self.places.remove(&recorder);
        if let Some(waiting) = place.and_then(|place| self.line.remove(&place)) {
            self.holders.remove(&waiting.holder);
        }
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for waiting in self.line.values() {
            lines.line(format_args!("queued {waiting:?}"));
        }
    }
}
