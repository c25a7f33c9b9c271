//! A decision while it is formed: what fits into it, and what the state is with it (L3).
use std::collections::BTreeSet;

use crate::{Act, Command, Decision, EVENTS_MAX, Event, Level, LogIndex, LogTime, State, Verdict};

/// A decision's size in the log, roughly, in bytes (L3). What is larger alone goes alone.
const BYTES_MAX: usize = 1 << 20;
/// What an act takes beside its words.
const ACT: usize = 64;
/// What an event takes with its names, which are mostly short.
const EVENT: usize = 160;
/// What a note takes beside its words.
const NOTE: usize = 16;
/// What a group, server or recorder of a fleet document takes at most.
const FLEET_ITEM: usize = 192;
/// What one coordinator's word in a testimony takes.
const WORD: usize = 24;
/// What a channel of an account takes.
const CHANNEL: usize = 72;
/// What a span of an account takes.
const SPAN: usize = 16;

/// Grows on the state that is ahead.
pub(super) struct Draft<'a> {
    ahead: &'a mut State,
    basis: LogIndex,
    level: Level,
    at: LogTime,
    acts: Vec<Act>,
    events: usize,
    bytes: usize,
    keys: BTreeSet<String>,
}

impl<'a> Draft<'a> {
    /// Empty, at log time `at`.
    pub(super) fn on(ahead: &'a mut State, at: LogTime) -> Self {
        let (basis, level, at) = (ahead.applied, ahead.level, at.not_before(ahead.now));
        let (acts, keys) = (Vec::new(), BTreeSet::new());
        Self { ahead, basis, level, at, acts, events: 0, bytes: 0, keys }
    }

    /// The state with all that is in the draft.
    pub(super) fn state(&self) -> &State {
        self.ahead
    }

    /// Log time of the decision.
    pub(super) fn at(&self) -> LogTime {
        self.at
    }

    /// L3: an act is in as a whole or not at all, and one that is too large for any goes alone.
    pub(super) fn fits(&self, act: &Act) -> bool {
        self.acts.is_empty()
            || self.acts.len() < EVENTS_MAX
                && self.events + act.events().len() <= EVENTS_MAX
                && self.bytes + weight(act) <= BYTES_MAX
    }

    /// Adds an act, and applies it to the state that is ahead.
    pub(super) fn add(&mut self, act: Act) {
        if self.acts.is_empty() {
            self.ahead.open(self.at);
        }
        self.ahead.apply(&act);
        self.events += act.events().len();
        self.bytes += weight(&act);
        self.acts.push(act);
    }

    /// Adds as many as fit; false if some are left for the next decision.
    pub(super) fn add_all(&mut self, acts: Vec<Act>) -> bool {
        for act in acts {
            if !self.fits(&act) {
                return false;
            }
            self.add(act);
        }
        true
    }

    /// L3: at most one note of a key, for its revision is the decision's.
    pub(super) fn has_note(&self, command: &Command) -> bool {
        matches!(command, Command::Note { key, .. } if self.keys.contains(key))
    }

    /// Remembers the key of a note.
    pub(super) fn note(&mut self, command: &Command) {
        if let Command::Note { key, .. } = command {
            self.keys.insert(key.clone());
        }
    }

    /// The decision, if there is anything in it. The state ahead then stands at its index.
    pub(super) fn finish(self) -> Option<Decision> {
        let Self { ahead, basis, level, at, acts, .. } = self;
        if acts.is_empty() {
            return None;
        }
        ahead.applied = LogIndex(basis.0 + 1);
        Some(Decision { basis, at, level, acts })
    }
}

fn weight(act: &Act) -> usize {
    let told = match &act.outcome {
        Verdict::Done(events) => events.iter().map(event_weight).sum(),
        Verdict::Refused(refused) => refused.message.len() + refused.remedy.len(),
    };
    ACT + act.reason.len() + act.ticket.len() + told
}

fn event_weight(event: &Event) -> usize {
    if let Event::FleetApplied { fleet } = event {
        FLEET_ITEM * (fleet.groups.len() + fleet.servers.len() + fleet.recorders.len())
    } else if let Event::Noted { key, text } = event {
        NOTE + key.len() + text.len()
    } else if let Event::HeartbeatExpired { testimony, .. }
    | Event::HeartbeatRestored { testimony, .. } = event
    {
        EVENT + WORD * testimony.by.len()
    } else if let Event::TenureAccounted { account, .. } = event {
        let channels = account.channels.iter();
        EVENT + channels.map(|channel| CHANNEL + SPAN * channel.spans.len()).sum::<usize>()
    } else {
        EVENT
    }
}
