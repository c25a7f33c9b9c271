//! Three coordinators on loopback, with their own defaults, measured by `interrex bench`.
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use interrex_cli::local::{Child, Host, Place};
use serde_json::Value;

use crate::Args;
use crate::etcd::SIZE;
use crate::figure::{Book, OURS};

/// No limit on commands; a server so that the document is not empty.
const FLEET: &str = "api_version = 1\n[limits]\ncommands_per_second = 0\n";

/// A cluster of three in a new folder, without agents.
pub(crate) fn start(dir: &Path, program: &Path, insecure: bool) -> Result<Place> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    let names = ["c1", "c2", "c3"].map(|name| (name.to_owned(), Host::default()));
    let mut place = Place::lay(dir, program, &names, &[])?;
    place.insecure = insecure;
    place.start_coordinators()?;
    let fleet = dir.join("fleet.toml");
    std::fs::write(&fleet, FLEET)?;
    ask(&place, &["apply", "-f", &fleet.to_string_lossy(), "-o", "json"])?;
    Ok(place)
}

/// Runs a verb and reads its JSON.
pub(crate) fn ask(place: &Place, args: &[&str]) -> Result<Value> {
    let output = place.interrex(args)?;
    // `status` says 3 while there is any problem; its document is whole all the same.
    if output.stdout.is_empty() {
        bail!("interrex {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("interrex {args:?}"))
}

/// The same windows as for the peer: plain against plain, and one row with TLS.
pub(crate) fn writes(args: &Args, book: &mut Book) -> Result<()> {
    for insecure in [true, false] {
        let place = start(&args.dir.join("interrex"), &args.interrex, insecure)?;
        let security = if insecure { "" } else { ".tls" };
        for clients in [1, 256] {
            bench(&place, args, clients, &[], &format!("write{security}.c{clients}"), book)?;
        }
        bench(&place, args, 256, &["--stream"], &format!("write{security}.c256.stream"), book)?;
    }
    Ok(())
}

fn bench(
    place: &Place,
    args: &Args,
    clients: u32,
    more: &[&str],
    figure: &str,
    book: &mut Book,
) -> Result<()> {
    let (clients, seconds, size) =
        (clients.to_string(), args.seconds.to_string(), SIZE.to_string());
    let fixed = ["bench", "--clients", &clients, "--seconds", &seconds, "--size", &size];
    let found = ask(place, &[&fixed[..], more, &["-o", "json"]].concat())?;
    let number = |key: &str| {
        found.get(key).and_then(Value::as_f64).with_context(|| format!("bench: no {key}: {found}"))
    };
    if number("errors")? > 0.0 {
        bail!("bench: errors: {found}");
    }
    book.enter(OURS, &format!("{figure}.p50_ms"), number("p50_us")? / 1e3);
    book.enter(OURS, &format!("{figure}.p99_ms"), number("p99_us")? / 1e3);
    book.enter(OURS, &format!("{figure}.per_s"), number("per_s")?);
    Ok(())
}

/// Elections while every processor is busy: the growth of the term.
pub(crate) fn elections(args: &Args, book: &mut Book) -> Result<()> {
    let dir = args.dir.join("interrex");
    let place = start(&dir, &args.interrex, false)?;
    let term = || {
        let status = ask(&place, &["status", "-o", "json"])?;
        status.get("term").and_then(Value::as_f64).context("status: no term")
    };
    let (before, end) = (term()?, Instant::now() + Duration::from_secs(60 * args.minutes));
    let mut stress = Command::new("stress-ng");
    let seconds = (60 * args.minutes).to_string();
    stress.args(["--cpu", "2", "--timeout", &seconds]);
    let mut stress = Child::start("stress-ng", stress, &dir.join("stress.log"))?;
    while Instant::now() < end {
        ask(&place, &["note", "under-load", "still here", "-o", "json"])?;
        // The load is what is measured, not this.
        std::thread::sleep(Duration::from_secs(1));
    }
    stress.wait(Duration::from_secs(30))?;
    book.enter(OURS, &format!("elections.{}min", args.minutes), term()? - before);
    Ok(())
}
