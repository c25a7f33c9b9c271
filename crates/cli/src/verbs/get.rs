//! `interrex get ..`: one view, as it stands.
use clap::Subcommand;
use interrex_wire::pb::View;
use serde_json::Value;

use crate::args::{Global, Output, bare};
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Get {
    /// Machines with agents
    Servers { name: Option<String> },
    /// Logical recording servers
    Recorders { name: Option<String> },
    /// The failover log
    Failovers { id: Option<String> },
    /// Who waits for a standby, in order
    Queue,
    /// Material on its way home
    Copies { id: Option<String> },
    /// Operators' notes
    Notes { key: Option<String> },
}

/// A column: its title, and the path of its value.
type Column = (&'static str, &'static str);

/// Columns of a table, and those that `-o wide` adds.
type Columns = (&'static [Column], &'static [Column]);

const SERVERS: Columns = (
    &[
        ("name", "/name"),
        ("role", "/role"),
        ("group", "/group"),
        ("health", "/health"),
        ("holds", "/holds/recorder"),
        ("epoch", "/holds/epoch"),
        ("reported", "/reported/recorder"),
        ("protected", "/protected"),
    ],
    &[("suspected by", "/suspected_by"), ("silent ms", "/silent_ms")],
);
const RECORDERS: Columns = (
    &[
        ("name", "/name"),
        ("group", "/group"),
        ("home", "/home"),
        ("holder", "/holder"),
        ("epoch", "/epoch"),
        ("state", "/state"),
        ("held by", "/held_by"),
        ("since", "/since"),
    ],
    &[
        ("failover", "/failover"),
        ("priority", "/priority"),
        ("channels", "/channels"),
        ("config", "/config"),
    ],
);
const FAILOVERS: Columns = (
    &[
        ("id", "/id"),
        ("recorder", "/recorder"),
        ("from", "/from"),
        ("to", "/to"),
        ("cause", "/cause"),
        ("state", "/state"),
        ("failed over", "/failed_over"),
        ("took over", "/took_over"),
        ("failed back", "/failed_back"),
        ("gap ms", "/gap_ms"),
    ],
    &[
        ("expired", "/expired"),
        ("epoch", "/epoch"),
        ("actor", "/actor"),
        ("reason", "/reason"),
        ("ticket", "/ticket"),
        ("evidence", "/evidence"),
    ],
);
const QUEUE: Columns = (
    &[
        ("position", "/position"),
        ("recorder", "/recorder"),
        ("priority", "/priority"),
        ("since", "/since"),
        ("waits for", "/waits_for"),
    ],
    &[],
);
const COPIES: Columns = (
    &[
        ("id", "/id"),
        ("recorder", "/recorder"),
        ("from", "/from"),
        ("to", "/to"),
        ("state", "/state"),
        ("waits for", "/waits_for"),
        ("percent", "/percent"),
        ("segments", "/segments_done"),
        ("of", "/segments_total"),
    ],
    &[
        ("failed", "/segments_failed"),
        ("bytes", "/bytes_done"),
        ("of bytes", "/bytes_total"),
        ("epoch", "/epoch"),
        ("failover", "/failover"),
        ("opened", "/opened"),
        ("closed", "/closed"),
        ("by", "/by"),
        ("erased", "/erased"),
    ],
);
const NOTES: Columns = (
    &[
        ("key", "/key"),
        ("text", "/text"),
        ("revision", "/revision"),
        ("actor", "/actor"),
        ("at", "/at"),
    ],
    &[],
);

impl Get {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let (view, kind, name) = match &self {
            Get::Servers { name } => (View::Servers, "server", name.clone()),
            Get::Recorders { name } => (View::Recorders, "recorder", name.clone()),
            Get::Failovers { id } => (View::Failovers, "failover", id.clone()),
            Get::Queue => (View::Queue, "queue", None),
            Get::Copies { id } => (View::Copies, "copy", id.clone()),
            Get::Notes { key } => (View::Notes, "note", key.clone()),
        };
        let name = name.unwrap_or_default();
        // A note's key may hold anything, a slash too.
        let wanted = if view == View::Notes { name.as_str() } else { bare(kind, &name) };
        let document: Value = global.client()?.read(&global.read(view, wanted)).await?;
        let items = document.get("items").and_then(Value::as_array);
        if !wanted.is_empty() && items.is_none_or(Vec::is_empty) {
            let message = format!("there is no {kind} {wanted:?}");
            let list = format!("see `interrex get {}`", self.plural());
            return Err(Failure::refused("unknown_name", message, &list));
        }
        let columns = self.columns(global.output == Output::Wide);
        let header: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
        let row = |item: &Value| {
            let field = |path: &str| output::shown(item.pointer(path).unwrap_or(&Value::Null));
            columns.iter().map(|(_, path)| field(path)).collect()
        };
        output::list(global, &document, &header, row)?;
        Ok(0)
    }

    fn plural(&self) -> &'static str {
        match self {
            Get::Servers { .. } => "servers",
            Get::Recorders { .. } => "recorders",
            Get::Failovers { .. } => "failovers",
            Get::Queue => "queue",
            Get::Copies { .. } => "copies",
            Get::Notes { .. } => "notes",
        }
    }

    fn columns(&self, wide: bool) -> Vec<Column> {
        let (narrow, more) = match self {
            Get::Servers { .. } => SERVERS,
            Get::Recorders { .. } => RECORDERS,
            Get::Failovers { .. } => FAILOVERS,
            Get::Queue => QUEUE,
            Get::Copies { .. } => COPIES,
            Get::Notes { .. } => NOTES,
        };
        let more = if wide { more } else { &[] };
        narrow.iter().chain(more).copied().collect()
    }
}
