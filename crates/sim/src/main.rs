//! `interrex-sim --seed N | --seeds A..B`: runs seeds, prints a line for each, and ends with 3 if
//! one of them shows something that must not be.
use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Parser, ValueEnum};
use interrex_sim::{Reach, Verdict};
use serde_json::{Map, Value, json};

/// Deterministic simulation of whole clusters, by seed.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// One seed.
    #[arg(long, conflicts_with = "seeds", required_unless_present = "seeds")]
    seed: Option<u64>,
    /// Seeds from A up to B, exclusive.
    #[arg(long, value_parser = range)]
    seeds: Option<Range<u64>>,
    /// For people, or a line of JSON for each seed.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
    /// Prints what happened, line by line, of one seed.
    #[arg(long, conflicts_with = "seeds")]
    story: bool,
    /// How many seeds run at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Jsonl,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("expected A..B")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a number"));
    Ok(number(from)?..number(to)?)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match (arguments.seed, arguments.seeds.clone()) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, seeds) => seeds.unwrap_or_default(),
    };
    let (total, bad) = (Mutex::new(Reach::default()), AtomicU64::new(0));
    let next = AtomicU64::new(seeds.start);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let verdict = interrex_sim::run(seed, arguments.story);
            if !verdict.violations.is_empty() {
                bad.fetch_add(1, Ordering::Relaxed);
            }
            if let Ok(mut total) = total.lock() {
                total.add(&verdict.reached);
                print(&verdict, arguments.output);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let bad = bad.into_inner();
    if let (Format::Text, Ok(total)) = (arguments.output, total.into_inner()) {
        summarize(&total, bad);
    }
    if bad > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

fn print(verdict: &Verdict, format: Format) {
    let mut out = std::io::stdout().lock();
    // A closed pipe ends the run like everything else that nobody reads.
    let _ = verdict.story.iter().try_for_each(|line| out.write_all(line.as_bytes()));
    let _ = match format {
        Format::Jsonl => writeln!(out, "{}", json(verdict)),
        Format::Text => {
            let Verdict { seed, trace, steps, faults, .. } = verdict;
            let short = trace.get(..16).unwrap_or_default();
            writeln!(out, "seed {seed}: {faults} faults, {steps} steps, trace {short}")
        }
    };
    for violation in verdict.violations.iter().filter(|_| matches!(format, Format::Text)) {
        let (what, at_ms) = (&violation.invariant, violation.at_ms);
        let _ = writeln!(out, "  VIOLATION at {at_ms} ms: {what}: {}", violation.detail);
    }
}

fn json(verdict: &Verdict) -> Value {
    let reached: Map<_, _> =
        verdict.reached.all().map(|(name, count)| (name.to_string(), json!(count))).collect();
    let violations: Vec<_> = verdict
        .violations
        .iter()
        .map(|v| json!({"invariant": v.invariant, "at_ms": v.at_ms, "detail": v.detail}))
        .collect();
    json!({
        "seed": verdict.seed,
        "trace": verdict.trace,
        "steps": verdict.steps,
        "virtual_ms": verdict.virtual_ms,
        "faults": verdict.faults,
        "reached": reached,
        "violations": violations,
    })
}

fn summarize(total: &Reach, bad: u64) {
    let mut out = std::io::stdout().lock();
    for (name, count) in total.all() {
        let _ = writeln!(out, "{count:>9}  {name}");
    }
    let _ = writeln!(out, "{bad} seeds with violations");
}
