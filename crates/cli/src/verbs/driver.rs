//! `interrex driver check`: does a driver program keep to the protocol?
use std::path::PathBuf;

use clap::{Args, Subcommand};
use interrex_agent::driver_check::{Checked, Finding, Outcome, check};
use serde_json::json;

use crate::args::Global;
use crate::failure::{Failure, NO};
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Driver {
    /// Check a driver program against the protocol; exit 3 if it fails
    Check(Check),
}

#[derive(Args)]
pub(crate) struct Check {
    /// The program
    program: PathBuf,
    /// Source of the channel that it is told to record; nothing need be there
    #[arg(long, value_name = "URL", default_value = "rtsp://127.0.0.1:9/none")]
    source: String,
    /// Settings for it, as a JSON object: [settings] of the agent's driver file
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
}

impl Driver {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let Self::Check(Check { program, source, settings }) = self;
        let settings = serde_json::from_str(&settings).map_err(|why| {
            Failure::usage(
                &format!("--settings: {why}"),
                "give a JSON object, such as '{\"a\": 1}'",
            )
        })?;
        let findings = check(&Checked { program: program.clone(), source, settings }).await?;
        let failed = |finding: &&Finding| matches!(finding.outcome, Outcome::Failed(_));
        let failures = findings.iter().filter(failed).count();
        if global.output.is_json() {
            let checks: Vec<_> = findings.iter().map(document).collect();
            let ok = failures == 0;
            output::document(&json!({"program": program, "ok": ok, "checks": checks}))?;
        } else {
            findings.iter().try_for_each(|finding| output::line(&line(finding)))?;
            output::line(&match failures {
                0 => format!("ok: {} keeps to the protocol", program.display()),
                some => format!("NOT OK: {some} of {} checks failed", findings.len()),
            })?;
        }
        Ok(if failures == 0 { 0 } else { NO })
    }
}

fn words(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Passed => ("passed", String::new()),
        Outcome::NotOffered(verb) => ("not_offered", format!("it has no verb {verb}")),
        Outcome::Failed(why) => ("failed", why.clone()),
    }
}

fn line(finding: &Finding) -> String {
    let (word, detail) = words(&finding.outcome);
    let shown = if word == "failed" { "FAILED" } else { word };
    format!("{shown:<12} {}{}{detail}", finding.check, if detail.is_empty() { "" } else { ": " })
}

fn document(finding: &Finding) -> serde_json::Value {
    let (word, detail) = words(&finding.outcome);
    json!({"check": finding.check, "outcome": word, "detail": detail})
}
