//! Who is spared the automaton, and until when. A pause ends by itself: nobody need write that it
//! ended.
use std::collections::BTreeMap;

use crate::lines::Lines;
use crate::{Event, LogTime, Scope, Subject};

/// What is held back, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Pause {
    pub scope: Scope,
    pub until: LogTime,
}

/// The newest pause of each subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses(BTreeMap<Subject, Pause>);

impl Pauses {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        match *event {
            Event::Paused { subject, scope, until } => {
                self.0.insert(subject, Pause { scope, until });
            }
            Event::Resumed { subject } => {
                self.0.remove(&subject);
            }
            Event::FleetApplied { ref fleet } => self.0.retain(|subject, _| match subject {
                Subject::Everything => true,
                Subject::Group(group) => fleet.groups.contains_key(group),
                Subject::Server(server) => fleet.servers.contains_key(server),
            }),
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

    /// True if there was never a pause that was not resumed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pause of exactly this subject that holds at `now`.
    pub fn of(&self, subject: Subject, now: LogTime) -> Option<Pause> {
        self.0.get(&subject).copied().filter(|pause| now < pause.until)
    }

    /// Every pause that holds at `now`, in order of its subject.
    pub fn holding(&self, now: LogTime) -> impl Iterator<Item = (Subject, Pause)> {
        let holds = move |(_, pause): &(Subject, Pause)| now < pause.until;
        self.0.iter().map(|(subject, pause)| (*subject, *pause)).filter(holds)
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for (subject, pause) in &self.0 {
            lines.line(format_args!("pause {subject:?} {pause:?}"));
        }
    }
}
