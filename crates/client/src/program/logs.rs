//! Log lines go to standard error, for people or as JSON. `INTERREX_LOG` chooses how much.
use std::io;

use tracing_subscriber::EnvFilter;

use super::{Failure, wrong};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    /// Reads the value of `--log-format`.
    ///
    /// # Errors
    ///
    /// Names the key and what may stand there.
    pub fn check(set: Option<&str>) -> Result<Self, Failure> {
        match set.unwrap_or("text") {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(wrong("log-format", format_args!("{other:?}; text or json"))),
        }
    }
}

/// Begins to log, unless the process already does. `filter` says what is told where INTERREX_LOG
/// says nothing that can be understood.
pub fn log_to_stderr(format: LogFormat, filter: &str) {
    let set = std::env::var("INTERREX_LOG").unwrap_or_else(|_| filter.to_owned());
    let filter = EnvFilter::try_new(set).unwrap_or_else(|_| EnvFilter::new(filter));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
