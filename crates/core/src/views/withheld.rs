//! What the automaton did not do, because something held it back: once per expiry and brake (D5).
//! Whether a brake holds now is not kept here; it is asked of the fleet and the pauses.
use std::collections::{BTreeMap, BTreeSet};

use crate::lines::Lines;
use crate::{Brake, Event, RecorderId, ServerId};

/// What was withheld since the holder expired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The brakes that were recorded.
    pub by: BTreeSet<Brake>,
    /// Where the newest would have moved it.
    pub to: Option<ServerId>,
}

/// The moves that were withheld, by recorder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    marks: BTreeMap<RecorderId, Mark>,
    holders: BTreeMap<ServerId, BTreeSet<RecorderId>>,
}

impl Withheld {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        match *event {
            Event::MoveWithheld { recorder, holder, by, to } => {
                let mark = self.marks.entry(recorder).or_default();
                mark.by.insert(by);
                mark.to = to;
                self.holders.entry(holder).or_default().insert(recorder);
            }
            Event::Moved { recorder, from, .. } => {
                self.marks.remove(&recorder);
                self.holders.remove(&from);
            }
            Event::HeartbeatRestored { server, .. } => {
                for recorder in self.holders.remove(&server).into_iter().flatten() {
                    self.marks.remove(&recorder);
                }
            }
            Event::FleetApplied { ref fleet } => {
                self.marks.retain(|recorder, _| fleet.recorders.contains_key(recorder));
                self.holders.retain(|server, _| fleet.servers.contains_key(server));
            }
            Event::ServerSeen { .. }
            | Event::HeartbeatExpired { .. }
            | Event::FailoverQueued { .. }
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

    /// What was withheld of `recorder` since its holder expired.
    pub fn of(&self, recorder: RecorderId) -> Option<&Mark> {
        self.marks.get(&recorder)
    }

    /// Every mark, in id order.
    pub fn iter(&self) -> impl Iterator<Item = (RecorderId, &Mark)> {
        self.marks.iter().map(|(recorder, mark)| (*recorder, mark))
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for (recorder, mark) in &self.marks {
            lines.line(format_args!("withheld {recorder} {mark:?}"));
        }
    }
}
