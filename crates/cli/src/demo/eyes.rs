//! How the demo sees: it follows the history as an auditor does, and asks each coordinator what it
//! has not heard itself.
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use interrex_client::identity::{Connector, Role, Security, TlsFolder};
use interrex_client::views::{List, Server};
use interrex_wire::pb;
use interrex_wire::pb::operators_client::OperatorsClient;
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use crate::local::{Child, Place};

/// Between two questions.
const GLANCE: Duration = Duration::from_millis(10);
/// How long a step may take before the demo gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Follows the history and questions coordinators.
#[derive(Debug)]
pub(super) struct Eyes {
    runtime: Runtime,
    channels: BTreeMap<String, Channel>,
    follower: Child,
    seen: Vec<Seen>,
}

/// An event, and when it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) kind: String,
    pub(super) event: Value,
}

impl Eyes {
    /// Opens them on a running cluster.
    pub(super) fn open(place: &Place) -> Result<Self> {
        let runtime = Runtime::new()?;
        let folder = TlsFolder::load(&place.tls("admin"))?;
        let security = Security::Tls(folder.into());
        let mut channels = BTreeMap::new();
        for name in place.coordinators() {
            let connector = Connector::new(&security, Role::Coordinator, Some(&name))?;
            let address = place.endpoint(&name).context("its address")?;
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
            let endpoint = endpoint.connect_timeout(Duration::from_millis(500));
            let _inside = runtime.enter();
            channels.insert(name, endpoint.connect_with_connector_lazy(connector));
        }
        let mut follow = Command::new(place.program());
        follow.args(["history", "-f", "-o", "jsonl", "--endpoints", &place.endpoints(), "--tls"]);
        follow.arg(place.tls("admin"));
        let follower = Child::start("history", follow, &place.dir().join("log/history.log"))?;
        Ok(Self { runtime, channels, follower, seen: Vec::new() })
    }

    /// The first event of `kind` about a recorder, a server or (by its number) a copy since `since`.
    pub(super) fn event(&mut self, kind: &str, about: &str, since: Instant) -> Result<Seen> {
        let end = Instant::now() + PATIENCE;
        loop {
            let wanted = |seen: &&Seen| {
                let subject = seen.event.get("subject").and_then(Value::as_object);
                let is_it = |value: &Value| {
                    value == about
                        || value.as_u64().map(|id| id.to_string()).as_deref() == Some(about)
                };
                let named = subject.is_some_and(|subject| subject.values().any(is_it));
                seen.kind == kind && named && seen.at >= since
            };
            if let Some(seen) = self.seen.iter().find(wanted) {
                return Ok(seen.clone());
            }
            if Instant::now() >= end {
                bail!("no event {kind} of {about} came within {PATIENCE:?}");
            }
            self.look();
        }
    }

    /// Takes in what the history says next, if anything soon.
    fn look(&mut self) {
        if let Some((at, line)) = self.follower.line(Duration::from_millis(100)) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let kind = event.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            self.seen.push(Seen { at, kind, event });
        }
    }

    /// When each coordinator began to suspect `server`, with what it had listened for, until all
    /// do. Silence counts in the coordinator's own listened time, so the moment is computed from it.
    pub(super) fn suspicions(
        &self,
        server: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, (Instant, Duration)>> {
        let end = Instant::now() + PATIENCE;
        let mut found = BTreeMap::new();
        while found.len() < self.channels.len() {
            if Instant::now() >= end {
                bail!(
                    "{} coordinators did not suspect {server}",
                    self.channels.len() - found.len()
                );
            }
            for (name, channel) in &self.channels {
                if found.contains_key(name) {
                    continue;
                }
                if let Some(silent) = self.runtime.block_on(silence(channel, server, name))
                    && let Some(beyond) = silent.checked_sub(timeout)
                {
                    found.insert(name.clone(), (Instant::now() - beyond, silent));
                }
            }
            // A suspicion is not in the log, so nothing tells of it: it is asked for.
            std::thread::sleep(GLANCE);
        }
        Ok(found)
    }

    /// Asks all coordinators but `dead` to judge a note, again and again, until one has.
    pub(super) fn first_decision(&self, dead: &str, key: &str) -> Result<Instant> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            for (_, channel) in self.channels.iter().filter(|(name, _)| *name != dead) {
                if self.runtime.block_on(note(channel, key)) {
                    return Ok(Instant::now());
                }
            }
            // Nobody leads: the election is what is waited for.
            std::thread::sleep(GLANCE);
        }
        bail!("no coordinator decided anything within {PATIENCE:?}")
    }
}

/// For how long the coordinator `name` itself has not heard `server`.
async fn silence(channel: &Channel, server: &str, name: &str) -> Option<Duration> {
    let view = i32::from(pb::View::Servers);
    let request = pb::ReadRequest { view, name: server.to_owned(), stale: true };
    let mut client = OperatorsClient::new(channel.clone());
    let reply = tokio::time::timeout(Duration::from_millis(200), client.read(request));
    let reply = reply.await.ok()?.ok()?;
    let list: List<Server> = serde_json::from_slice(&reply.into_inner().json).ok()?;
    let silent = list.items.first()?.silent_ms.get(name).copied().flatten()?;
    Some(Duration::from_millis(silent))
}

async fn note(channel: &Channel, key: &str) -> bool {
    let note = pb::Note { key: key.to_owned(), text: "a leader decided this".into(), expect: None };
    let request = pb::CommandRequest {
        operation: uuid::Uuid::now_v7().into_bytes().to_vec(),
        seen: Some(0),
        command: Some(pb::command_request::Command::Note(note)),
        ..Default::default()
    };
    let mut client = OperatorsClient::new(channel.clone());
    let reply = tokio::time::timeout(Duration::from_millis(500), client.judge(request));
    matches!(reply.await, Ok(Ok(reply)) if reply.get_ref().recorded && reply.get_ref().refused.is_none())
}

/// Runs a verb as the admin and reads its JSON.
pub(super) fn ask(place: &Place, args: &[&str]) -> Result<Value> {
    let output = place.interrex(&[args, &["-o", "json"]].concat())?;
    if output.stdout.is_empty() && !output.status.success() {
        bail!("interrex {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

/// Runs a verb that must succeed.
pub(super) fn must(place: &Place, args: &[&str]) -> Result<()> {
    let output = place.interrex(args)?;
    if !output.status.success() {
        bail!("interrex {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// `path` as text for an argument.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
