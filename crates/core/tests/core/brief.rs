//! What was decided, and what operators would see, as lines of a story.
use interrex_core::views::{CopyTask, FailoverEntry, Tenure};
use interrex_core::*;

/// One event as a line.
pub(crate) fn brief(event: &Event) -> String {
    let kind = event.kind();
    match event {
        Event::ServerSeen { server } => format!("{kind} {server}"),
        Event::HeartbeatExpired { server, testimony }
        | Event::HeartbeatRestored { server, testimony } => {
            let by: Vec<_> = testimony.by.keys().map(|c| format!("c{}", c.0)).collect();
            format!("{kind} {server} by {}", by.join(","))
        }
        Event::MoveWithheld { recorder, by, to, .. } => {
            let to = to.map_or("nobody".into(), |to| to.to_string());
            format!("{kind} {recorder} by {by:?}, would go to {to}")
        }
        Event::FailoverQueued { recorder, failover, cause, .. } => {
            format!("{kind} {recorder} ({failover}, {cause:?})")
        }
        Event::HandoverPlanned { recorder, from, to, epoch, why, failover, cause } => {
            format!("{kind} {recorder} {epoch} {from} -> {to} ({why:?}, {failover}, {cause:?})")
        }
        Event::HandoverReady { recorder, epoch } | Event::ReleaseOrdered { recorder, epoch } => {
            format!("{kind} {recorder} {epoch}")
        }
        Event::HandoverAbandoned { recorder, epoch, to, .. } => {
            format!("{kind} {recorder} {epoch} -> {to}")
        }
        Event::Moved { recorder, from, to, epoch, why, failover, cause } => {
            format!("{kind} {recorder} {from} -> {to} {epoch} ({why:?}, {failover}, {cause:?})")
        }
        Event::TookOver { recorder, epoch, server, first_ms, .. } => {
            format!("{kind} {recorder} {epoch} {server} from {first_ms}")
        }
        Event::TakeoverFailed { recorder, epoch, server, .. } => {
            format!("{kind} {recorder} {epoch} {server}")
        }
        Event::TenureEnded { recorder, epoch, server, last_ms } => {
            format!("{kind} {recorder} {epoch} {server} at {last_ms:?}")
        }
        Event::Paused { subject, scope, .. } => format!("{kind} {subject:?} {scope:?}"),
        Event::Resumed { subject } => format!("{kind} {subject:?}"),
        Event::Noted { key, text } => format!("{kind} {key} {text}"),
        Event::FactsReported { server, facts } => format!("{kind} {server} {:?}", facts.listen),
        Event::CopyOpened { copy, recorder, epoch, from, failover } => {
            let failover = failover.map_or("no failover".into(), |failover| failover.to_string());
            format!("{kind} {copy}: {recorder} {epoch} from {from} ({failover})")
        }
        Event::CopyProgressed { copy, progress, standing } => {
            let Progress { segments_done, segments_total, .. } = progress;
            format!("{kind} {copy}: {segments_done} of {segments_total}, {}", standing.name())
        }
        Event::CopySteered { copy, steering } => format!("{kind} {copy}: {steering:?}"),
        Event::CopyClosed { copy, end, progress } => {
            let Progress { segments_done, segments_total, .. } = progress;
            format!("{kind} {copy}: {segments_done} of {segments_total}, {}", end.name())
        }
        Event::MaterialErased { copy, server } => format!("{kind} {copy}: {server}"),
        Event::TenureAccounted { recorder, epoch, server, account } => {
            format!("{kind} {recorder} {epoch} {server}: {} channels", account.channels.len())
        }
        Event::FleetApplied { .. }
        | Event::LevelRaised { .. }
        | Event::LongestTimeoutLowered { .. } => kind.into(),
    }
}

/// What operators would see.
pub(crate) fn show(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for tenure in state.roles.tenures() {
        let (shown, brake) = recorder_state(state, tenure.recorder).unwrap();
        let held_by = brake.map_or(String::new(), |brake| format!(" by {brake:?}"));
        let &Tenure { recorder, holder, epoch, .. } = &tenure;
        lines.push(format!("  {recorder} {} {holder} {epoch}{held_by}", shown.name()));
    }
    for waiting in state.queue.iter() {
        lines.push(format!("  queue {} ({})", waiting.recorder, waiting.failover));
    }
    for entry in state.failovers.iter() {
        let &FailoverEntry { id, recorder, from, cause, gap_ms, .. } = entry;
        let to = entry.to.map_or("nobody".into(), |to| to.to_string());
        let state = if entry.is_open() { "open" } else { "finalized" };
        let times = [
            ("expired", entry.expired),
            ("queued", entry.queued),
            ("failed_over", entry.failed_over),
            ("took_over", entry.took_over),
            ("failback_started", entry.failback_started),
            ("failed_back", entry.failed_back),
            ("copied", entry.copied),
        ];
        let times = times.iter().filter(|(_, time)| time.is_some()).map(|(name, _)| *name);
        let times: Vec<_> = times.collect();
        let gap = gap_ms.map_or(String::new(), |gap| format!(" gap {gap} ms"));
        lines.push(format!(
            "  {id} {state} {recorder} {from} -> {to} {cause:?}: {}{gap}",
            times.join(" ")
        ));
    }
    for task in state.copies.iter() {
        let CopyTask { id, recorder, epoch, from, progress, .. } = task;
        let state = match (task.closed, task.steering, task.standing) {
            (Some(closed), _, _) if task.is_to_erase() => {
                format!("{}, to erase", closed.end.name())
            }
            (Some(closed), _, _) => closed.end.name().into(),
            (None, Steering::Paused, _) => "paused".into(),
            (None, _, standing) => standing.map_or("queued", CopyStanding::name).into(),
        };
        let Progress { segments_done, segments_total, .. } = progress;
        lines.push(format!(
            "  {id} {recorder} {epoch} from {from}: {segments_done} of {segments_total}, {state}"
        ));
    }
    for server in state.fleet.document().servers.keys() {
        for duty in assignment(state, *server).copies {
            lines.push(format!("  {server}: {:?} {}", duty.kind, duty.copy));
        }
    }
    for tenure in state.roles.tenures() {
        for duty in assignment(state, tenure.holder).duties {
            let holder = tenure.holder;
            lines.push(format!("  {holder}: {:?} {} {}", duty.kind, duty.recorder, duty.epoch));
        }
    }
    lines
}
