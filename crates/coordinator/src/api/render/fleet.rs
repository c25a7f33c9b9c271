//! `get recorders`, `failovers`, `queue`, `notes` and the fleet document: all of it from the log.
use interrex_client::fleet_toml;
use interrex_client::views::{
    API, Brake, Failover, FailoverState, FleetDocument, Note, Recorder, RecorderState, Silence,
    Time, Waiting, WaitsFor,
};
use interrex_core::views::FailoverEntry;
use interrex_core::{FailoverId, LogTime, RecorderId, recorder_state, waits_for_copies};
use tonic::Status;

use super::{Sight, unknown};

/// Notes that one document holds at most; who needs more asks for them by key, or reads the history.
const NOTES_SHOWN: usize = 10_000;

impl Sight<'_> {
    pub(super) fn recorders(&self) -> Vec<Recorder> {
        let known = self.state.fleet.document().recorders.keys();
        known.map(|recorder| self.recorder(*recorder)).collect()
    }

    fn recorder(&self, recorder: RecorderId) -> Recorder {
        let fleet = self.state.fleet.document();
        let document = fleet.recorders.get(&recorder);
        let tenure = self.state.roles.tenure(recorder);
        let (state, brake) = match recorder_state(self.state, recorder) {
            Some((state, brake)) => (shown(state), brake.map(Brake::from)),
            None => (RecorderState::Down, None),
        };
        let home = document.map(|document| document.home);
        let group = home.and_then(|home| fleet.servers.get(&home)).map(|home| home.group);
        let waiting = self.state.queue.of(recorder).map(|waiting| waiting.since);
        let newest = self.state.failovers.newest_open(recorder);
        Recorder {
            name: recorder.to_string(),
            group: group.map(|group| group.to_string()).unwrap_or_default(),
            home: home.map(|home| home.to_string()).unwrap_or_default(),
            holder: tenure.map(|tenure| tenure.holder.to_string()),
            epoch: tenure.map_or(0, |tenure| tenure.epoch.0),
            state,
            held_by: brake,
            since: waiting.or(tenure.map(|tenure| tenure.since)).map(time),
            failover: newest.map(|failover| failover.id.0),
            priority: document.map_or(0, |document| document.priority),
            channels: document.map_or(0, |document| document.channels),
            config: document.map(|document| document.config.to_string()).unwrap_or_default(),
        }
    }

    /// The one of that number, or all.
    pub(super) fn failovers(&self, id: &str) -> Result<Vec<Failover>, Status> {
        if id.is_empty() {
            return Ok(self.state.failovers.iter().map(|entry| self.failover(entry)).collect());
        }
        let number = id.parse().map(FailoverId).map_err(|_| unknown(id))?;
        let entry = self.state.failovers.get(number).ok_or_else(|| unknown(id))?;
        Ok(vec![self.failover(entry)])
    }

    fn failover(&self, entry: &FailoverEntry) -> Failover {
        let testimony = entry.evidence.iter().flat_map(|testimony| &testimony.by);
        let evidence = testimony.map(|(id, silent)| Silence {
            coordinator: self.member(*id),
            silent_ms: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
        });
        Failover {
            id: entry.id.0,
            recorder: entry.recorder.to_string(),
            from: entry.from.to_string(),
            to: entry.to.map(|to| to.to_string()),
            cause: entry.cause.into(),
            evidence: evidence.collect(),
            state: if entry.is_open() { FailoverState::Open } else { FailoverState::Finalized },
            expired: entry.expired.map(time),
            failed_over: entry.failed_over.map(time),
            took_over: entry.took_over.map(time),
            failback_started: entry.failback_started.map(time),
            failed_back: entry.failed_back.map(time),
            copied: entry.copied.map(time),
            gap_ms: entry.gap_ms,
            epoch: entry.epoch.map(|epoch| epoch.0),
            actor: self.actor(entry.actor),
            reason: entry.reason.clone(),
            ticket: entry.ticket.clone(),
            operation: entry.operation.map(|id| uuid::Uuid::from_u128(id.0).to_string()),
        }
    }

    pub(super) fn queue(&self) -> Vec<Waiting> {
        let fleet = self.state.fleet.document();
        let waiting = self.state.queue.iter().zip(1..).map(|(waiting, position)| Waiting {
            position,
            recorder: waiting.recorder.to_string(),
            priority: fleet.recorders.get(&waiting.recorder).map_or(0, |known| known.priority),
            since: time(waiting.since),
            waits_for: if waits_for_copies(self.state, waiting.recorder) {
                WaitsFor::StandbyCopying
            } else {
                WaitsFor::NoFreeStandby
            },
        });
        waiting.collect()
    }

    /// The one of that key, if it was written, or all.
    pub(super) fn notes(&self, key: &str) -> Vec<Note> {
        let note = |(key, note): (&str, &interrex_core::views::Note)| Note {
            key: key.to_owned(),
            text: note.text.clone(),
            revision: note.revision.0,
            actor: self.actor(note.actor),
            at: time(note.at),
        };
        if key.is_empty() {
            return self.state.notes.iter().take(NOTES_SHOWN).map(note).collect();
        }
        self.state.notes.get(key).map(|found| note((key, found))).into_iter().collect()
    }

    pub(super) fn fleet(&self) -> FleetDocument {
        FleetDocument {
            api: API,
            revision: self.state.revision.0,
            leader: self.leader(),
            stale: self.context.stale,
            age_ms: self.age_ms(),
            fleet_revision: self.state.fleet.revision().0,
            toml: fleet_toml::export(self.state.fleet.document()),
        }
    }
}

fn time(at: LogTime) -> Time {
    Time(at.0)
}

fn shown(state: interrex_core::RecorderState) -> RecorderState {
    use interrex_core::RecorderState as Core;
    match state {
        Core::Recording => RecorderState::Recording,
        Core::TakingOver => RecorderState::TakingOver,
        Core::Substituted => RecorderState::Substituted,
        Core::Queued => RecorderState::Queued,
        Core::Held => RecorderState::Held,
        Core::HandingOver => RecorderState::HandingOver,
        Core::FailingBack => RecorderState::FailingBack,
        Core::Down => RecorderState::Down,
    }
}
