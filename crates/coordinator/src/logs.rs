//! What the log lines of a coordinator look like, and which there are by default.
use interrex_core::Event;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// openraft reports each unreachable peer at ERROR; what matters of it is told by `raft` and
/// `peers` in our words. INTERREX_LOG overrides.
const FILTER: &str = "info,openraft=off";

/// Log lines go to standard error from now on. Where another logger is set (tests), that one stays.
pub(crate) fn start(format: LogFormat) {
    let filter = std::env::var("INTERREX_LOG").unwrap_or_else(|_| FILTER.to_owned());
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(FILTER));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// An event in a word: its kind, and what it is about.
pub(crate) fn told(event: &Event) -> String {
    let kind = event.kind();
    match event {
        Event::ServerSeen { server }
        | Event::HeartbeatExpired { server, .. }
        | Event::HeartbeatRestored { server, .. }
        | Event::LongestTimeoutLowered { server, .. } => format!("{kind}:{server}"),
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
        | Event::TenureEnded { recorder, epoch, server, .. } => {
            format!("{kind}:{recorder}@{server}:{epoch}")
        }
        Event::FleetApplied { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Noted { .. }
        | Event::LevelRaised { .. } => kind.to_owned(),
    }
}
