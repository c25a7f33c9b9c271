//! One driver program: its verbs as functions. Who calls them, and when, is in `recorder`.
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use interrex_core::{ConfigHash, Epoch, RecorderId, ServerId};
use serde_json::{Map, Value, json};

use super::call::{Program, call};
use super::protocol::{
    Class, Description, Envelope, Fault, Health, MINOR, Page, Segment, fields, understand,
};
use super::settings::Settings;
use crate::folder::hex;
use crate::material;

/// `health` only looks, and must be quick.
const HEALTH_DEADLINE: Duration = Duration::from_secs(1);
/// Pages of one listing: a million segments.
const PAGES_MAX: usize = 1_000;

/// A recorder in an epoch: whom a call is for.
pub(super) type Tenure = (RecorderId, Epoch);

/// A program that speaks protocol 1.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) settings: Settings,
    pub(super) server: ServerId,
    /// The data folder, absolute.
    pub(super) root: PathBuf,
    /// Working directory of each call.
    pub(super) state: PathBuf,
    pub(super) calls: AtomicU64,
    /// Drawn for this process: a request id is of one call only.
    pub(super) boot: u32,
}

impl Driver {
    async fn ask(
        &self,
        verb: &str,
        (recorder, epoch): Tenure,
        deadline: Duration,
        more: Value,
    ) -> Result<Map<String, Value>, Fault> {
        let id = format!("{:08x}-{}", self.boot, self.calls.fetch_add(1, Ordering::Relaxed));
        let envelope = Envelope {
            server: self.server.to_string(),
            recorder: recorder.to_string(),
            epoch: epoch.0,
            root: self.root.to_string_lossy().into_owned(),
            minor: MINOR,
        };
        let request = envelope.request(verb, &id, deadline, more);
        let program = Program { path: &self.settings.program, state: &self.state };
        let raw = call(program, verb, &request, deadline).await.map_err(|why| {
            let message = format!("{}: {why}", self.settings.program.display());
            Fault::new("not-installed", Class::Hard, message)
        })?;
        understand(&raw, &id)
    }

    /// What the program says of itself, if it speaks our protocol.
    pub(super) async fn describe(&self) -> Result<Description, Fault> {
        // It is asked for no recorder; the envelope is complete all the same.
        let nobody = "none".parse().map_err(|_| Fault::protocol("no name"))?;
        let more = json!({});
        let answer = self.ask("describe", (nobody, Epoch(0)), self.settings.deadline, more).await?;
        let description: Description = fields(answer)?;
        if !description.is_compatible() {
            let spoken = &description.protocols;
            let message = format!("it speaks {spoken:?}, we speak 1.{MINOR}");
            return Err(Fault::new("incompatible", Class::Fatal, message));
        }
        let known = |verb: &&&str| description.verbs.iter().any(|known| known == **verb);
        if let Some(verb) = NEEDED.iter().find(|verb| !known(verb)) {
            let message = format!("it does not know the verb {verb}");
            return Err(Fault::new("incompatible", Class::Fatal, message));
        }
        Ok(description)
    }

    /// Hands over the configuration whole.
    pub(super) async fn apply(
        &self,
        tenure: Tenure,
        channels: u32,
        config: ConfigHash,
    ) -> Result<(), Fault> {
        let channel = |number| {
            let name = material::channel_name(number);
            let source = self.settings.sources.of(tenure.0, &name, number);
            json!({"id": name, "source": source})
        };
        let channels: Vec<Value> = (1..=channels).map(channel).collect();
        let hash = hex(&config.0);
        let more = json!({
            "config_hash": hash,
            "sections": {"settings": self.settings.settings},
            "channels": channels,
            "names": {},
        });
        let answer = self.ask("apply", tenure, self.settings.deadline, more).await?;
        match answer.get("applied").and_then(Value::as_str) {
            Some(applied) if applied == hash => Ok(()),
            other => Err(Fault::protocol(format!("applied {other:?}, not {hash}"))),
        }
    }

    /// Starts what does not record.
    pub(super) async fn start(&self, tenure: Tenure, config: ConfigHash) -> Result<(), Fault> {
        let more = json!({"config_hash": hex(&config.0)});
        let answer = self.ask("start", tenure, self.settings.deadline, more).await?;
        if let Some(failed) = answer.get("failed").filter(|failed| !is_empty(failed)) {
            tracing::warn!(recorder = %tenure.0, %failed, "some channels were not started");
        }
        Ok(())
    }

    /// Stops all; nothing writes any more when it has answered.
    pub(super) async fn stop(&self, tenure: Tenure) -> Result<(), Fault> {
        let grace = u64::try_from(self.settings.grace.as_millis()).unwrap_or_default();
        let deadline = self.settings.deadline + self.settings.grace;
        self.ask("stop", tenure, deadline, json!({"grace_ms": grace})).await.map(drop)
    }

    /// Kills all, whatever else is going on.
    pub(super) async fn fence(&self, tenure: Tenure) -> Result<(), Fault> {
        self.ask("fence", tenure, self.settings.deadline, json!({})).await.map(drop)
    }

    pub(super) async fn health(&self, tenure: Tenure) -> Result<Health, Fault> {
        let stall = u64::try_from(self.settings.stall.as_millis()).unwrap_or_default();
        let more = json!({"stall_ms": stall});
        fields(self.ask("health", tenure, HEALTH_DEADLINE, more).await?)
    }

    /// All segments of a tenure, by channel and time.
    pub(super) async fn list(&self, tenure: Tenure) -> Result<Vec<Segment>, Fault> {
        let (mut segments, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let more = json!({
                "from_us": 0, "to_us": (1_u64 << 53) - 1, "cursor": cursor,
                "limit": super::protocol::PAGE_MAX,
            });
            let answer = self.ask("list-material", tenure, self.settings.deadline, more).await?;
            let page = fields::<Page>(answer)?.check()?;
            segments.extend(page.segments.into_iter().filter(|s| s.epoch == tenure.1.0));
            match page.next_cursor {
                Some(next) if Some(&next) == cursor.as_ref() => {
                    return Err(Fault::protocol("the next page begins where this one does"));
                }
                Some(next) => cursor = Some(next),
                None => return Ok(segments),
            }
        }
        Err(Fault::protocol("more than a thousand pages"))
    }
}

/// Verbs without which nothing can be recorded, or shown to be.
const NEEDED: [&str; 6] = ["apply", "start", "stop", "fence", "health", "list-material"];

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
