//! From the core's types to text: one canonical form, and what differs between two.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use interrex_core::fleet::{Failback, Fleet, Mode, Role};
use jiff::fmt::friendly::SpanPrinter;
use serde::Serialize;

use super::material;

/// One key that differs between two documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// As in `server.srv-1.timeout`.
    pub key: String,
    /// As TOML; null if the key is new.
    pub from: Option<String>,
    /// As TOML; null if the key is gone.
    pub to: Option<String>,
}

/// A table and its keys, in the order in which they are written.
struct Table {
    name: String,
    keys: Vec<(&'static str, String)>,
}

/// The document as TOML: every key that means something, tables by name. Reading it again gives
/// the same fleet.
pub fn export(fleet: &Fleet) -> String {
    let mut text = "api_version = 1\n".to_owned();
    for Table { name, keys } in tables(fleet) {
        let _ = write!(text, "\n[{name}]\n");
        for (key, value) in keys {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text
}

/// What `to` has otherwise than `from`, by key.
pub fn diff(from: &Fleet, to: &Fleet) -> Vec<Change> {
    let (from, to) = (flat(from), flat(to));
    let mut keys: Vec<&String> = from.keys().chain(to.keys()).collect();
    keys.sort();
    keys.dedup();
    let change = |key: &String| {
        let (from, to) = (from.get(key).cloned(), to.get(key).cloned());
        (from != to).then(|| Change { key: key.clone(), from, to })
    };
    keys.into_iter().filter_map(change).collect()
}

fn flat(fleet: &Fleet) -> BTreeMap<String, String> {
    let pairs = |table: Table| {
        let named = move |(key, value): (&str, String)| (format!("{}.{key}", table.name), value);
        table.keys.into_iter().map(named).collect::<Vec<_>>()
    };
    tables(fleet).into_iter().flat_map(pairs).collect()
}

fn tables(fleet: &Fleet) -> Vec<Table> {
    let limits = vec![("commands_per_second", fleet.limits.commands_per_second.to_string())];
    let mut tables = vec![Table { name: "limits".to_owned(), keys: limits }];
    for (name, group) in &fleet.groups {
        let mode = match group.mode {
            Mode::Observe => "observe",
            Mode::Auto => "auto",
        };
        let failback = match group.failback {
            Failback::Manual => "manual",
            Failback::Auto => "auto",
        };
        let mut keys = vec![
            ("mode", quoted(mode)),
            ("timeout", length(group.timeout.silence())),
            ("failback", quoted(failback)),
            ("recovery", length(group.recovery)),
        ];
        keys.extend(material::of_group(group));
        tables.push(Table { name: format!("group.{name}"), keys });
    }
    for (name, server) in &fleet.servers {
        let role = match server.role {
            Role::RecorderHost => "recorder-host",
            Role::Standby => "standby",
        };
        let mut keys = vec![("group", quoted(server.group.as_str())), ("role", quoted(role))];
        keys.extend(server.timeout.map(|own| ("timeout", length(own.silence()))));
        tables.push(Table { name: format!("server.{name}"), keys });
    }
    for (name, recorder) in &fleet.recorders {
        let mut keys = vec![
            ("home", quoted(recorder.home.as_str())),
            ("priority", recorder.priority.to_string()),
            ("channels", recorder.channels.to_string()),
        ];
        keys.extend(material::of_addresses(&recorder.addresses));
        keys.extend(material::of_overrides(&recorder.own));
        tables.push(Table { name: format!("recorder.{name}"), keys });
    }
    tables
}

/// Names and words of ours need no escapes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

pub(super) fn length(duration: Duration) -> String {
    quoted(&SpanPrinter::new().unsigned_duration_to_string(&duration))
}
