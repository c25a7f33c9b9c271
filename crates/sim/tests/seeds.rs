//! Whole clusters by seed: fixed ones, whose rare situations are counted, and fresh ones.
#![allow(clippy::unwrap_used, reason = "a test")]
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use interrex_sim::{Reach, Verdict, run};

/// Runs the seeds two at a time, and hands on what each came to.
fn run_all(first: u64, count: u64, mut each: impl FnMut(Verdict)) {
    let (next, done) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let verdict = run(seed, false);
                    done.lock().unwrap().push(verdict);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|verdict| verdict.seed);
    done.into_iter().for_each(&mut each);
}

fn complaints(verdict: &Verdict) -> Vec<String> {
    let again = format!("cargo run --release -p interrex-sim -- --seed {} --story", verdict.seed);
    let tell = |v: &interrex_sim::Violation| {
        format!("seed {} at {} ms: {}: {}\n  {again}", verdict.seed, v.at_ms, v.invariant, v.detail)
    };
    verdict.violations.iter().map(tell).collect()
}

// FEATURE: IX-07
#[test]
fn fixed_and_fresh_seeds_hold_and_reach_every_rare_situation() {
    let base = std::env::var("INTERREX_SEED").ok().and_then(|seed| seed.parse().ok());
    let base = base.unwrap_or_else(|| {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        1_000_000 + clock.as_secs() % 1_000_000_000
    });
    println!("fresh seeds: {base} to {}; again with INTERREX_SEED={base}", base + 49);
    let (mut reach, mut complained) = (Reach::default(), Vec::new());
    run_all(1, 200, |verdict| {
        assert!(verdict.faults >= 20 || !verdict.violations.is_empty(), "seed {}", verdict.seed);
        assert!(verdict.virtual_ms >= 600_000 || !verdict.violations.is_empty());
        reach.add(&verdict.reached);
        complained.extend(complaints(&verdict));
    });
    run_all(base, 50, |verdict| complained.extend(complaints(&verdict)));
    assert!(complained.is_empty(), "{}", complained.join("\n"));
    let never: Vec<_> = reach.all().filter(|(_, count)| *count == 0).collect();
    assert!(never.is_empty(), "never reached by the fixed seeds: {never:?}");
}

#[test]
fn a_seed_is_the_same_in_another_process() {
    let program = env!("CARGO_BIN_EXE_interrex-sim");
    for seed in ["3", "7"] {
        let lines = || {
            let output =
                Command::new(program).args(["--seed", seed, "-o", "jsonl"]).output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        let (one, other) = (lines(), lines());
        assert_eq!(one, other);
        assert!(one.contains(&run(seed.parse().unwrap(), false).trace), "and in this one");
        assert!(one.starts_with('{') && one.contains("\"reached\":{"));
    }
}

#[test]
fn seeds_differ() {
    assert_ne!(run(1, false).trace, run(2, false).trace);
}
