//! Where a driver program is checked: its two folders, and calls as an agent makes them.
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Checked;
use crate::driver::exec::call::{Program, Raw, call};
use crate::driver::exec::protocol::{Envelope, Fault, MINOR, understand};

/// Of every verb but `health`.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// The configuration that most checks apply.
pub(super) const HASH: &str = "c0ffee";

/// The folders, and what is asked with.
pub(super) struct Bench {
    program: PathBuf,
    /// Its working directory.
    pub(super) state: PathBuf,
    /// The data folder.
    pub(super) root: PathBuf,
    source: String,
    settings: Map<String, Value>,
    calls: AtomicU64,
}

/// Which recorder a check uses: its own, so that no epoch of another one is in its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whom(pub(super) &'static str, pub(super) u64);

impl Bench {
    pub(super) fn make(program: PathBuf, folder: &Path, checked: &Checked) -> io::Result<Self> {
        let (state, root) = (folder.join("state"), folder.join("root"));
        std::fs::create_dir_all(&state)?;
        std::fs::create_dir_all(&root)?;
        let (source, settings) = (checked.source.clone(), checked.settings.clone());
        Ok(Self { program, state, root, source, settings, calls: AtomicU64::new(0) })
    }

    /// A request id of one call only.
    pub(super) fn id(&self) -> String {
        format!("check-{}", self.calls.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn request(&self, verb: &str, whom: Whom, id: &str, more: Value) -> Vec<u8> {
        let envelope = Envelope {
            server: "srv-check".to_owned(),
            recorder: whom.0.to_owned(),
            epoch: whom.1,
            root: self.root.to_string_lossy().into_owned(),
            minor: MINOR,
        };
        envelope.request(verb, id, DEADLINE, more)
    }

    /// Calls with these bytes, whatever they are.
    pub(super) async fn raw(
        &self,
        verb: &str,
        stdin: &[u8],
        deadline: Duration,
    ) -> Result<Raw, String> {
        let program = Program { path: &self.program, state: &self.state };
        let called = call(program, verb, stdin, deadline).await;
        called.map_err(|why| format!("{}: {why}", self.program.display()))
    }

    /// Calls as an agent does.
    pub(super) async fn ask(
        &self,
        verb: &str,
        whom: Whom,
        more: Value,
        deadline: Duration,
    ) -> Result<Map<String, Value>, Fault> {
        let id = self.id();
        let raw = self.raw(verb, &self.request(verb, whom, &id, more), deadline).await;
        understand(&raw.map_err(Fault::protocol)?, &id)
    }

    /// The same; an answer that is no is a failed check.
    pub(super) async fn yes(
        &self,
        verb: &str,
        whom: Whom,
        more: Value,
    ) -> Result<Map<String, Value>, String> {
        let answer = self.ask(verb, whom, more, DEADLINE).await;
        answer.map_err(|fault| format!("{verb}: {}", told(&fault)))
    }

    /// The same; it must be refused with one of these exit codes.
    pub(super) async fn no(
        &self,
        verb: &str,
        whom: Whom,
        more: Value,
        exits: &[i32],
    ) -> Result<Fault, String> {
        match self.ask(verb, whom, more.clone(), DEADLINE).await {
            Ok(_) => Err(format!("{verb} with {more} was done")),
            Err(fault) if fault.exit.is_some_and(|exit| exits.contains(&exit)) => Ok(fault),
            Err(fault) => Err(format!("{verb} with {more}: not exit {exits:?}: {}", told(&fault))),
        }
    }

    pub(super) fn configuration(&self, hash: &str) -> Value {
        json!({
            "config_hash": hash,
            "sections": {"settings": {"hash": "0", "value": self.settings}},
            "channels": [{"id": "ch-1", "source": self.source}],
            "names": {},
        })
    }

    pub(super) async fn apply(&self, whom: Whom) -> Result<(), String> {
        self.yes("apply", whom, self.configuration(HASH)).await.map(drop)
    }

    /// Whatever a failed check left running is ended.
    pub(super) async fn clear(&self) {
        for recorder in ["start", "stop", "fence"] {
            let ended = self.ask("fence", Whom(recorder, 99), json!({}), DEADLINE).await;
            tracing::debug!(ended = ended.is_ok(), recorder, "cleared");
        }
    }
}

pub(super) fn told(fault: &Fault) -> String {
    match fault.exit {
        Some(exit) => format!("{fault} (exit {exit})"),
        None => fault.to_string(),
    }
}
