//! `interrex apply`, `export`, `diff`: the fleet document.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use interrex_client::fleet_toml::{self, Parsed};
use interrex_client::views::FleetDocument;
use interrex_core::fleet::{Fencing, Fleet};
use interrex_core::{Command, Revision};
use interrex_wire::pb::View;
use serde_json::json;

use super::change;
use crate::args::{Global, Mutating, Output};
use crate::failure::{Failure, NO};
use crate::output;

#[derive(Args)]
pub(crate) struct Apply {
    /// The document
    #[arg(short, long, value_name = "fleet.toml")]
    file: PathBuf,
    /// Only if the document has this revision
    #[arg(long, value_name = "N")]
    expect_revision: Option<u64>,
    #[command(flatten)]
    mutating: Mutating,
}

#[derive(Args)]
pub(crate) struct Diff {
    /// The document
    #[arg(short, long, value_name = "fleet.toml")]
    file: PathBuf,
}

impl Apply {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let Parsed { fleet, warnings } = read(&self.file)?;
        for warning in warnings {
            output::aside(&format!("warning: {warning}"));
        }
        carried_out(&fleet, &self.file)?;
        let expect = self.expect_revision.map(Revision);
        let command = Command::ApplyFleet { fleet: Arc::new(fleet), expect };
        change::run(global, &self.mutating.wish(command), &[]).await
    }
}

impl Diff {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let wanted = read(&self.file)?.fleet;
        let (_, present) = present(global).await?;
        let changes = fleet_toml::diff(&present, &wanted);
        match global.output {
            Output::Json => output::document(&json!({ "api": 1, "changes": changes }))?,
            Output::Jsonl => changes.iter().try_for_each(output::document)?,
            Output::Table | Output::Wide => {
                for change in &changes {
                    if let Some(from) = &change.from {
                        output::line(&format!("- {} = {from}", change.key))?;
                    }
                    if let Some(to) = &change.to {
                        output::line(&format!("+ {} = {to}", change.key))?;
                    }
                }
            }
        }
        Ok(if changes.is_empty() { 0 } else { NO })
    }
}

/// What may be written down but is not carried out by this version yet is refused: nobody shall
/// rely on it.
fn carried_out(fleet: &Fleet, file: &Path) -> Result<(), Failure> {
    let fenced = |fencing| fencing == Fencing::FenceFirst;
    let groups = || fleet.groups.values();
    let recorders = || fleet.recorders.values();
    let own = || recorders().map(|recorder| &recorder.own);
    let key = if groups().any(|group| fenced(group.fencing))
        || own().any(|own| own.fencing.is_some_and(fenced))
    {
        "fencing = \"fence-first\""
    } else if recorders().any(|recorder| !recorder.addresses.is_empty()) {
        "addresses"
    } else if groups().any(|group| !group.keep.is_zero())
        || own().any(|own| own.keep.is_some_and(|keep| !keep.is_zero()))
    {
        "keep"
    } else {
        return Ok(());
    };
    let message = format!("{}: {key}: this version does not carry it out yet", file.display());
    Err(Failure::config(message, "leave the key out"))
}

/// Prints TOML, whatever form was asked for; with `-o json` the document that holds it.
pub(crate) async fn export(global: &Global) -> Result<u8, Failure> {
    let (document, _) = present(global).await?;
    match global.output {
        Output::Json | Output::Jsonl => output::document(&document)?,
        Output::Table | Output::Wide => output::line(document.toml.trim_end())?,
    }
    Ok(0)
}

async fn present(global: &Global) -> Result<(FleetDocument, Fleet), Failure> {
    let client = global.client()?;
    let document: FleetDocument = client.read(&global.read(View::Fleet, "")).await?;
    let parsed = fleet_toml::parse(&document.toml).map_err(|bad| {
        Failure::refused("unreadable_answer", bad.to_string(), "use programs of one release")
    })?;
    Ok((document, parsed.fleet))
}

fn read(file: &Path) -> Result<Parsed, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|why| {
        Failure::config(format!("{shown}: cannot be read: {why}"), "correct the path given to -f")
    })?;
    fleet_toml::parse(&text).map_err(|bad| {
        Failure::config(format!("{shown}: {bad}"), "correct the document at that place")
    })
}
