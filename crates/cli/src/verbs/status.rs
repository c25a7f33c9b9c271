//! `interrex status`: one screen; for each problem the next command to type.
use interrex_client::views::{Status, word};
use interrex_wire::pb::View;
use serde_json::Value;

use crate::args::{Global, Output};
use crate::failure::{Failure, NO};
use crate::output;

pub(crate) async fn run(global: &Global) -> Result<u8, Failure> {
    let client = global.client()?;
    let (_, json) = client.read_json(&global.read(View::Status, "")).await?;
    let unreadable = |error: serde_json::Error| {
        Failure::refused("unreadable_answer", error.to_string(), "use programs of one release")
    };
    let status: Status = serde_json::from_slice(&json).map_err(unreadable)?;
    match global.output {
        Output::Json | Output::Jsonl => {
            output::document(&serde_json::from_slice::<Value>(&json).map_err(unreadable)?)?;
        }
        Output::Table | Output::Wide => screen(global, &status)?,
    }
    Ok(if status.problems.is_empty() { 0 } else { NO })
}

fn screen(global: &Global, status: &Status) -> Result<(), Failure> {
    let leader = status.leader.as_deref().unwrap_or("nobody");
    let quorum = if status.quorum { "quorum" } else { "NO QUORUM" };
    let stale = match (status.stale, status.age_ms) {
        (true, Some(age)) => format!(", stale: {age} ms old"),
        (true, None) => ", stale".to_owned(),
        (false, _) => String::new(),
    };
    let chain: String = status.chain.chars().take(12).collect();
    output::line(&format!("cluster     {}  level {}", status.cluster, status.level))?;
    output::line(&format!("leader      {leader}  term {}, {quorum}{stale}", status.term))?;
    output::line(&format!("history     revision {}  chain {chain}..", status.revision))?;
    output::line(&format!("automation  {}", word(&status.automation)))?;
    for (name, counts) in
        [("recorders ", &status.counts.recorders), ("servers   ", &status.counts.servers)]
    {
        let some = counts.iter().filter(|(_, count)| **count > 0);
        let some: Vec<_> = some.map(|(state, count)| format!("{count} {state}")).collect();
        let text = if some.is_empty() { "none".to_owned() } else { some.join(", ") };
        output::line(&format!("{name}  {text}"))?;
    }
    output::line("")?;
    let shown = |known: Option<String>| known.unwrap_or_else(|| "-".to_owned());
    let rows = status.coordinators.iter().map(|c| {
        vec![
            c.name.clone(),
            if c.voter { "voter" } else { "learner" }.to_owned(),
            shown(c.reachable.map(|yes| if yes { "yes" } else { "NO" }.to_owned())),
            shown(c.applied_revision.map(|revision| revision.to_string())),
            shown(c.version.clone()),
        ]
    });
    output::table(global, &["coordinator", "votes", "reachable", "applied", "version"], rows)?;
    output::line("")?;
    if status.problems.is_empty() {
        return output::line("no problems");
    }
    for problem in &status.problems {
        output::line(&format!("{}: {} [{}]", problem.subject, problem.message, problem.code))?;
        if !problem.remedy.is_empty() {
            output::line(&format!("  next: {}", problem.remedy))?;
        }
    }
    Ok(())
}
