//! What goes to stdout: documents and tables, and nothing else. A closed pipe ends the program
//! quietly.
use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::args::{Global, Output};
use crate::failure::Failure;

/// One line to stdout.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::refused(
            "output_failed",
            format!("stdout cannot be written: {error}"),
            "look at where the output goes",
        )),
    }
}

/// A note for people.
pub(crate) fn aside(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One document.
pub(crate) fn document(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(document).map_err(|error| {
        Failure::refused("output_failed", error.to_string(), "report this as a defect")
    })?;
    line(&text)
}

/// A list in the form that was asked for; `row` makes a table's row, wide or not.
pub(crate) fn list(
    global: &Global,
    document: &Value,
    header: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
) -> Result<(), Failure> {
    let items = document.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match global.output {
        Output::Json => self::document(document),
        Output::Jsonl => items.iter().try_for_each(self::document),
        Output::Table | Output::Wide => {
            table(global, header, items.iter().map(row))?;
            aside(&source(document));
            Ok(())
        }
    }
}

/// `as of revision 4711, leader c2`.
pub(crate) fn source(document: &Value) -> String {
    let text = |key: &str| shown(document.get(key).unwrap_or(&Value::Null));
    let stale = document.get("stale").and_then(Value::as_bool).unwrap_or_default();
    let age = if stale { format!(", stale: {} ms old", text("age_ms")) } else { String::new() };
    format!("as of revision {}, leader {}{age}", text("revision"), text("leader"))
}

/// Columns by width on a terminal; plain and unwrapped in a pipe.
pub(crate) fn table(
    global: &Global,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let arrangement = if std::io::stdout().is_terminal() {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    };
    table.set_content_arrangement(arrangement);
    if !global.no_headers {
        table.set_header(header.iter().map(|name| name.to_uppercase()));
    }
    for row in rows {
        table.add_row(row);
    }
    table.lines().try_for_each(|text| line(text.trim_end()))
}

/// A value of a document, as a table shows it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{name}={}", shown(value));
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        }
    }
}
