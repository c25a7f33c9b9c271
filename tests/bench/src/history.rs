//! A history of a million events: what it takes on disk, how fast it is verified and folded, and
//! how long a coordinator takes to start with it.
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::Args;
use crate::figure::{Book, OURS, ms};
use crate::ours;

/// Writes the events as notes of one letter (what is measured is the history, not the text), stops one coordinator, looks at its folder, and starts it again.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
pub(crate) fn measure(args: &Args, book: &mut Book) -> Result<()> {
    let mut place = ours::start(&args.dir.join("interrex"), &args.interrex, true)?;
    let mut written = 0;
    while written < args.events {
        let stream = ["bench", "--clients", "256", "--seconds", "10", "--size", "1", "--stream"];
        let found = ours::ask(&place, &[&stream[..], &["-o", "json"]].concat())?;
        written += found.get("n").and_then(Value::as_u64).context("bench: no n")?.max(1);
    }
    place.terminate("c1", Duration::from_secs(30))?;
    let data = place.data("c1");
    let began = Instant::now();
    let mut verify = Command::new(&args.interrex);
    let output = verify.arg("verify").arg("--data").arg(&data).args(["-o", "json"]).output()?;
    let took = began.elapsed();
    if !output.status.success() {
        bail!("verify: {}", String::from_utf8_lossy(&output.stderr));
    }
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let events = found.get("events").and_then(Value::as_u64).context("verify: no events")? as f64;
    book.enter(OURS, "history.events", events);
    book.enter(OURS, "history.verify_and_fold_per_s", events / took.as_secs_f64());
    let bytes = folder_size(&data.join("history"))? as f64;
    book.enter(OURS, "history.bytes_per_event", bytes / events);
    let began = Instant::now();
    place.start("c1")?;
    book.enter(OURS, "history.start_ms", ms(began.elapsed()));
    Ok(())
}

fn folder_size(dir: &Path) -> Result<u64> {
    let files = std::fs::read_dir(dir).with_context(|| format!("{}", dir.display()))?;
    files.map(|file| Ok(file?.metadata()?.len())).sum()
}
