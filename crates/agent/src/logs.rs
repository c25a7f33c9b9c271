//! Log lines go to standard error, for people or as JSON. `INTERREX_LOG` chooses how much.
use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

const FILTER: &str = "info";

/// Begins to log, unless the process already does.
pub(crate) fn start(format: LogFormat) {
    let filter = std::env::var("INTERREX_LOG").unwrap_or_else(|_| FILTER.to_owned());
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(FILTER));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
