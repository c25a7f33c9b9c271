//! `interrex member list` and `step-down`.
use clap::Subcommand;
use interrex_wire::pb::View;
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Member {
    /// The coordinators
    List,
    /// Hand leadership to another voter
    StepDown {
        /// Ask nothing (for scripts; nothing asks yet)
        #[arg(long)]
        yes: bool,
    },
}

impl Member {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let client = global.client()?;
        match self {
            Member::List => {
                let document: Value = client.read(&global.read(View::Members, "")).await?;
                let columns =
                    ["name", "voter", "reachable", "applied_revision", "version", "address"];
                let row = |item: &Value| {
                    let field =
                        |name: &&str| output::shown(item.get(*name).unwrap_or(&Value::Null));
                    columns.iter().map(field).collect()
                };
                output::list(global, &document, &columns, row)?;
            }
            Member::StepDown { .. } => {
                let leader = client.step_down().await?;
                if global.output.is_json() {
                    output::document(&json!({ "api": 1, "leader": leader }))?;
                } else {
                    let leader = leader.as_deref().unwrap_or("not known yet");
                    output::line(&format!("leadership handed over; leader: {leader}"))?;
                }
            }
        }
        Ok(0)
    }
}
