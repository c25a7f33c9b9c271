//! What the log lines of a coordinator look like, and which there are by default.
use interrex_core::Event;

/// openraft reports each unreachable peer at ERROR; what matters of it is told by `raft` and
/// `peers` in our words. INTERREX_LOG overrides.
pub(crate) const FILTER: &str = "info,openraft=off";

/// An event in a word: its kind, and what it is about.
pub(crate) fn told(event: &Event) -> String {
    let kind = event.kind();
    match event {
        Event::ServerSeen { server }
        | Event::HeartbeatExpired { server, .. }
        | Event::HeartbeatRestored { server, .. }
        | Event::LongestTimeoutLowered { server, .. }
        | Event::FactsReported { server, .. } => format!("{kind}:{server}"),
        Event::MoveWithheld { recorder, holder, .. } => format!("{kind}:{recorder}@{holder}"),
        Event::FailoverQueued { recorder, .. } => format!("{kind}:{recorder}"),
        Event::HandoverPlanned { recorder, from, to, .. } => {
            format!("{kind}:{recorder}:{from}>{to}")
        }
        Event::Moved { recorder, from, to, epoch, .. } => {
            format!("{kind}:{recorder}:{from}>{to}:{epoch}")
        }
        Event::HandoverReady { recorder, epoch }
        | Event::HandoverAbandoned { recorder, epoch, .. }
        | Event::ReleaseOrdered { recorder, epoch } => format!("{kind}:{recorder}:{epoch}"),
        Event::TookOver { recorder, epoch, server, .. }
        | Event::TakeoverFailed { recorder, epoch, server, .. }
        | Event::TenureEnded { recorder, epoch, server, .. }
        | Event::TenureAccounted { recorder, epoch, server, .. } => {
            format!("{kind}:{recorder}@{server}:{epoch}")
        }
        Event::CopyOpened { copy, recorder, epoch, from, .. } => {
            format!("{kind}:{}:{recorder}@{from}:{epoch}", copy.0)
        }
        Event::CopyProgressed { copy, standing, .. } => {
            format!("{kind}:{}:{}", copy.0, standing.name())
        }
        Event::CopyClosed { copy, end, .. } => format!("{kind}:{}:{}", copy.0, end.name()),
        Event::CopySteered { copy, .. } | Event::MaterialErased { copy, .. } => {
            format!("{kind}:{}", copy.0)
        }
        Event::FleetApplied { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Noted { .. }
        | Event::LevelRaised { .. } => kind.to_owned(),
    }
}
