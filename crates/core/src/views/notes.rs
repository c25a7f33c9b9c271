//! Operators' notes: one of each key, the newest.
use std::collections::BTreeMap;

use super::Stamp;
use crate::lines::Lines;
use crate::{Actor, Event, LogTime, Revision};

/// An operator's note.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Note {
    pub text: String,
    /// Of the decision that holds it.
    pub revision: Revision,
    pub actor: Actor,
    pub at: LogTime,
}

/// The notes, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(BTreeMap<String, Note>);

impl Notes {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        match event {
            Event::Noted { key, text } => {
                let (text, actor) = (text.clone(), stamp.act.actor);
                let note = Note { text, revision: stamp.revision, actor, at: stamp.at };
                match self.0.get_mut(key) {
                    Some(old) => *old = note,
                    None => {
                        self.0.insert(key.clone(), note);
                    }
                }
            }
            Event::FleetApplied { .. }
            | Event::ServerSeen { .. }
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

    /// The newest note of `key`.
    pub fn get(&self, key: &str) -> Option<&Note> {
        self.0.get(key)
    }

    /// Every note, in order of its key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Note)> {
        self.0.iter().map(|(key, note)| (key.as_str(), note))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for (key, note) in &self.0 {
            lines.line(format_args!("note {key:?} {note:?}"));
        }
    }
}
