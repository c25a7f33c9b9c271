//! What each event means for the failover log.
use std::sync::Arc;

use super::{FAILOVERS_KEPT, FailoverEntry, FailoverLog};
use crate::fleet::Fleet;
use crate::views::Stamp;
use crate::{Cause, CopyEnd, CopyId, Epoch, Event, FailoverId, LogTime, RecorderId, ServerId, Why};

pub(super) fn apply(log: &mut FailoverLog, event: &Event, stamp: &Stamp<'_>) {
    let at = stamp.at;
    match *event {
        Event::HeartbeatExpired { server, ref testimony } => {
            log.expiries.insert(server, (at, testimony.clone()));
        }
        Event::HeartbeatRestored { server, .. } => log.returned(server, at),
        Event::FailoverQueued { recorder, holder, failover, cause } => {
            log.open(failover, recorder, holder, cause, stamp);
            log.queued(failover, holder, at);
        }
        Event::HandoverPlanned { recorder, from, to, failover, cause, .. } => {
            log.planned.insert(recorder, failover);
            log.open(failover, recorder, from, cause, stamp);
            log.planned_to(failover, to, at);
        }
        Event::HandoverAbandoned { recorder, .. } => log.abandoned(recorder, at),
        Event::Moved { recorder, from, to, epoch, why, failover, cause } => {
            for id in [log.planned.remove(&recorder), log.waiting.remove(&from)] {
                if let Some(id) = id.filter(|id| *id != failover || why == Why::Return) {
                    log.unmoved(id, at);
                }
            }
            if log.is_home(recorder, to) {
                log.came_home(recorder, at);
            } else if why == Why::Return {
                log.unmoved(failover, at);
            } else {
                log.open(failover, recorder, from, cause, stamp);
                log.moved(failover, (from, to, epoch), at);
            }
        }
        Event::TookOver { recorder, epoch, first_ms, tick_ms, .. } => {
            log.taken_over(recorder, epoch, (first_ms, tick_ms), at);
        }
        Event::TenureEnded { recorder, epoch, last_ms, .. } => {
            log.with_begun(recorder, Epoch(epoch.0 + 1), |entry| entry.last_ms = last_ms);
        }
        Event::FleetApplied { ref fleet } => log.keep_those_of(fleet, at),
        Event::CopyOpened { copy, failover, .. } => {
            log.copies.extend(failover.map(|id| (copy, id)))
        }
        Event::CopyClosed { copy, end, .. } => log.copied(copy, end, at),
        Event::ServerSeen { .. }
        | Event::MoveWithheld { .. }
        | Event::HandoverReady { .. }
        | Event::ReleaseOrdered { .. }
        | Event::TakeoverFailed { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Noted { .. }
        | Event::LevelRaised { .. }
        | Event::LongestTimeoutLowered { .. }
        | Event::FactsReported { .. }
        | Event::CopyProgressed { .. }
        | Event::CopySteered { .. }
        | Event::MaterialErased { .. }
        | Event::TenureAccounted { .. } => {}
    }
}

impl FailoverLog {
    fn taken_over(&mut self, recorder: RecorderId, epoch: Epoch, first: (u64, u32), at: LogTime) {
        self.with_begun(recorder, epoch, |entry| {
            (entry.took_over, entry.first_ms) = (Some(at), Some(first));
        });
    }

    fn copied(&mut self, copy: CopyId, end: CopyEnd, at: LogTime) {
        if let Some(id) = self.copies.remove(&copy)
            && end == CopyEnd::Copied
        {
            self.with(id, |entry| entry.copied = Some(at));
        }
    }

    fn queued(&mut self, failover: FailoverId, holder: ServerId, at: LogTime) {
        self.waiting.insert(holder, failover);
        self.with(failover, |entry| entry.queued = Some(at));
    }

    /// A plan: of a failback, if its tenure away from home has begun.
    fn planned_to(&mut self, failover: FailoverId, to: ServerId, at: LogTime) {
        self.with(failover, |entry| match entry.failed_over {
            Some(_) => entry.failback_started = Some(at),
            None => entry.to = Some(to),
        });
    }

    /// Closes the entries of those whom the document names no more.
    fn keep_those_of(&mut self, fleet: &Arc<Fleet>, at: LogTime) {
        self.fleet = Arc::clone(fleet);
        let known = |recorder: &RecorderId| fleet.recorders.contains_key(recorder);
        let gone: Vec<_> = self.open.keys().copied().filter(|r| !known(r)).collect();
        gone.into_iter().for_each(|recorder| self.close_all(recorder, at));
        self.planned.retain(|recorder, _| known(recorder));
        self.waiting.retain(|server, _| fleet.servers.contains_key(server));
        self.expiries.retain(|server, _| fleet.servers.contains_key(server));
    }

    /// Opens `id`, unless it is known.
    fn open(
        &mut self,
        id: FailoverId,
        recorder: RecorderId,
        from: ServerId,
        cause: Cause,
        stamp: &Stamp<'_>,
    ) {
        if self.entries.contains_key(&id) {
            return;
        }
        let expiry = self.expiries.get(&from);
        let entry = FailoverEntry {
            id,
            recorder,
            from,
            to: None,
            epoch: None,
            cause,
            evidence: expiry.map(|(_, testimony)| testimony.clone()),
            expired: expiry.map(|(since, _)| *since),
            queued: None,
            failed_over: None,
            took_over: None,
            failback_started: None,
            failed_back: None,
            copied: None,
            closed: None,
            gap_ms: None,
            actor: stamp.act.actor,
            reason: stamp.act.reason.clone(),
            ticket: stamp.act.ticket.clone(),
            operation: stamp.act.operation.map(|key| key.id),
            first_ms: None,
            last_ms: None,
        };
        self.entries.insert(id, entry);
        self.open.entry(recorder).or_default().insert(id);
        self.opened = self.opened.max(id.0);
    }

    fn with(&mut self, id: FailoverId, change: impl FnOnce(&mut FailoverEntry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(entry);
        }
    }

    /// Whether open or not: the end of a tenure is often told after the failback.
    fn with_begun(
        &mut self,
        recorder: RecorderId,
        epoch: Epoch,
        change: impl FnOnce(&mut FailoverEntry),
    ) {
        let id = self.begun.get(&(recorder, epoch));
        let Some(entry) = id.and_then(|id| self.entries.get_mut(id)) else { return };
        change(entry);
        if let (Some((first, tick)), Some(last)) = (entry.first_ms, entry.last_ms) {
            entry.gap_ms = Some(first.saturating_sub(last).saturating_sub(u64::from(tick)));
        }
    }

    fn is_home(&self, recorder: RecorderId, server: ServerId) -> bool {
        self.fleet.recorders.get(&recorder).is_some_and(|recorder| recorder.home == server)
    }

    fn moved(
        &mut self,
        id: FailoverId,
        (from, to, epoch): (ServerId, ServerId, Epoch),
        at: LogTime,
    ) {
        let expiry = self.expiries.get(&from).cloned();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        (entry.from, entry.to, entry.epoch) = (from, Some(to), Some(epoch));
        entry.failed_over = Some(at);
        if let (None, Some((since, testimony))) = (entry.expired, expiry) {
            (entry.expired, entry.evidence) = (Some(since), Some(testimony));
        }
        self.begun.insert((entry.recorder, epoch), id);
    }

    /// D4: a holder that returns unreplaced closes what waited for it.
    fn returned(&mut self, server: ServerId, at: LogTime) {
        self.expiries.remove(&server);
        if let Some(id) = self.waiting.remove(&server) {
            self.unmoved(id, at);
        }
    }

    /// The plan came to nothing: closed if it had opened the entry, otherwise as before the plan.
    fn abandoned(&mut self, recorder: RecorderId, at: LogTime) {
        if let Some(id) = self.planned.remove(&recorder) {
            self.unmoved(id, at);
        }
    }

    fn unmoved(&mut self, id: FailoverId, at: LogTime) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.failback_started = None;
        if entry.failed_over.is_none() && entry.is_open() {
            let recorder = entry.recorder;
            self.close(id, at);
            if let Some(open) = self.open.get_mut(&recorder) {
                open.remove(&id);
                if open.is_empty() {
                    self.open.remove(&recorder);
                }
            }
        }
    }

    /// D4: whatever brought it home.
    fn came_home(&mut self, recorder: RecorderId, at: LogTime) {
        for id in self.open.get(&recorder).into_iter().flatten() {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.failed_back = entry.failed_over.map(|_| at);
            }
        }
        self.close_all(recorder, at);
    }

    fn close_all(&mut self, recorder: RecorderId, at: LogTime) {
        for id in self.open.remove(&recorder).into_iter().flatten() {
            self.close(id, at);
        }
    }

    fn close(&mut self, id: FailoverId, at: LogTime) {
        self.with(id, |entry| entry.closed = Some(at));
        self.closed.push_back(id);
        if self.closed.len() > FAILOVERS_KEPT
            && let Some(entry) = self.closed.pop_front().and_then(|id| self.entries.remove(&id))
            && let Some(epoch) = entry.epoch
        {
            self.begun.remove(&(entry.recorder, epoch));
        }
    }
}
