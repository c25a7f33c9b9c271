//! What each event means for copy tasks.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{COPIES_KEPT, Closed, Copies, CopyTask, Owed};
use crate::fleet::Fleet;
use crate::views::Stamp;
use crate::{
    CopyId, CopyStanding, Epoch, Event, FailoverId, Progress, RecorderId, ServerId, Steering,
};

pub(super) fn apply(copies: &mut Copies, event: &Event, stamp: &Stamp<'_>) {
    match *event {
        Event::FleetApplied { ref fleet } => copies.keep_those_of(fleet),
        Event::Moved { recorder, from, to, epoch, failover, .. } => {
            copies.moved(recorder, (from, to), epoch, failover);
        }
        Event::CopyOpened { copy, recorder, epoch, from, failover } => {
            copies.owed.remove(&(recorder, epoch));
            copies.open_task(CopyTask {
                id: copy,
                recorder,
                epoch,
                from,
                failover,
                opened: stamp.at,
                steering: Steering::Running,
                progress: Progress::default(),
                standing: None,
                retried: false,
                told: stamp.revision,
                closed: None,
                erased: false,
            });
        }
        Event::CopyProgressed { copy, progress, standing } => copies.with(copy, |task| {
            (task.progress, task.standing) = (progress, Some(standing));
            (task.retried, task.told) = (false, stamp.revision);
        }),
        Event::CopySteered { copy, steering } => {
            copies.with(copy, |task| task.steer(steering, stamp));
        }
        Event::CopyClosed { copy, end, progress } => copies.with(copy, |task| {
            let (at, by) = (stamp.at, stamp.act.actor);
            (task.progress, task.closed) = (progress, Some(Closed { end, at, by }));
        }),
        Event::MaterialErased { copy, .. } => copies.with(copy, |task| task.erased = true),
        Event::ServerSeen { .. }
        | Event::HeartbeatExpired { .. }
        | Event::HeartbeatRestored { .. }
        | Event::MoveWithheld { .. }
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
        | Event::TenureAccounted { .. } => {}
    }
}

impl CopyTask {
    /// What failed is tried anew when it is to go on.
    fn steer(&mut self, steering: Steering, stamp: &Stamp<'_>) {
        let failed = self.standing == Some(CopyStanding::Failed);
        if steering == Steering::Running && failed {
            (self.standing, self.retried, self.told) = (None, true, stamp.revision);
        }
        self.steering = steering;
    }
}

impl Copies {
    /// C1: a tenure ended; away from home, it owes its material. Whoever takes it anew ends one, too.
    fn moved(
        &mut self,
        recorder: RecorderId,
        (from, to): (ServerId, ServerId),
        epoch: Epoch,
        failover: FailoverId,
    ) {
        let home = self.fleet.recorders.get(&recorder).map(|recorder| recorder.home);
        let ended = Epoch(epoch.0.saturating_sub(1));
        let begun = self.away.remove(&recorder).filter(|(epoch, _)| *epoch == ended);
        if home != Some(from) {
            let failover = begun.map(|(_, failover)| failover);
            self.owed.insert((recorder, ended), Owed { from, failover });
        }
        if home != Some(to) {
            self.away.insert(recorder, (epoch, failover));
        }
    }

    fn open_task(&mut self, task: CopyTask) {
        self.opened = self.opened.max(task.id.0);
        self.from.entry(task.from).or_default().insert(task.id);
        self.of.entry(task.recorder).or_default().insert(task.id);
        self.tasks.insert(task.id, task);
    }

    fn with(&mut self, copy: CopyId, change: impl FnOnce(&mut CopyTask)) {
        let Some(task) = self.tasks.get_mut(&copy) else { return };
        let was_live = task.is_live();
        change(task);
        if was_live && !task.is_live() {
            let (from, recorder) = (task.from, task.recorder);
            self.settle(copy, from, recorder);
        }
    }

    /// Nothing is left to do for it.
    fn settle(&mut self, copy: CopyId, from: ServerId, recorder: RecorderId) {
        forget(&mut self.from, from, copy);
        forget(&mut self.of, recorder, copy);
        self.over.push_back(copy);
        if self.over.len() > COPIES_KEPT
            && let Some(oldest) = self.over.pop_front()
        {
            self.tasks.remove(&oldest);
        }
    }

    /// A source that is gone for good removes nothing any more. Open copies are not lost this way:
    /// a document that would pull them away is refused.
    fn keep_those_of(&mut self, fleet: &Arc<Fleet>) {
        self.fleet = Arc::clone(fleet);
        let gone: Vec<CopyId> = self
            .from
            .iter()
            .filter(|(server, _)| !fleet.servers.contains_key(server))
            .flat_map(|(_, ids)| ids.iter().copied())
            .collect();
        for copy in gone {
            self.with(copy, |task| task.erased = task.closed.is_some());
        }
        self.away.retain(|recorder, _| fleet.recorders.contains_key(recorder));
        self.owed.retain(|(recorder, _), _| fleet.recorders.contains_key(recorder));
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<CopyId>>, of: K, copy: CopyId) {
    if let Some(ids) = index.get_mut(&of) {
        ids.remove(&copy);
        if ids.is_empty() {
            index.remove(&of);
        }
    }
}
