//! Power cuts. The real log and history on a file system that loses what was not synced (RAFT.md
//! section 1, rule 5), at random moments, while leaders change so that tails conflict. Everything
//! that was acknowledged is there afterwards, and the member starts.
//!
//! `INTERREX_CUTS` = number of cuts (40); `INTERREX_SEED` = the first seed (drawn, and printed).
//! Needs root and /dev/fuse; says `not run: no FUSE` otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod load;
mod model;
mod mount;
mod network;
mod process;

use load::{Expected, Outcome};
use model::Disk;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

fn cuts() -> u64 {
    std::env::var("INTERREX_CUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn first_seed() -> u64 {
    let given = std::env::var("INTERREX_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(rand::random::<u32>()))
}

/// What came of a chain of cuts of one disk.
enum Chain {
    Sound,
    NoFuse,
    Lost(String),
}

/// Cuts the power of one disk again and again; it goes on from what was left each time.
fn chain(seed: u64, cuts: u64, deaf: bool) -> Chain {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut disk, mut expected) = (Disk::new(), Expected::default());
    for cut in 0..cuts {
        let at = tempfile::tempdir().unwrap();
        let budget = match rng.random_range(0..4) {
            0 => rng.random_range(1..60),
            1 => rng.random_range(30..200),
            _ => rng.random_range(100..900),
        };
        disk.fuse = (!deaf).then_some(budget);
        let Some(mounted) = mount::Mounted::mount(disk, at.path()) else { return Chain::NoFuse };
        let outcome =
            load::run(&mounted, at.path(), &mut expected, rng.random(), deaf.then_some(budget));
        disk = mounted.take().cut(rng.random());
        if let Outcome::Refused(why) = outcome {
            return Chain::Lost(format!("seed {seed}, before cut {cut}: did not open: {why}"));
        }
        let image = tempfile::tempdir().unwrap();
        disk.copy_to(model::ROOT, image.path());
        if let Err(why) = load::check(image.path(), &mut expected) {
            if std::env::var("INTERREX_KEEP").is_ok() {
                println!("image kept in {}", image.keep().display());
            }
            return Chain::Lost(format!("seed {seed}, cut {cut}: {why}"));
        }
    }
    Chain::Sound
}

/// Nothing acknowledged is lost, in chains of ten cuts.
#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let (cuts, first) = (cuts(), first_seed());
    let mut done = 0;
    let started = std::time::Instant::now();
    for seed in first.. {
        if done >= cuts {
            break;
        }
        let now = (cuts - done).min(10);
        println!("seed {seed}: {now} cuts");
        match chain(seed, now, false) {
            Chain::Sound => done += now,
            Chain::NoFuse => return,
            Chain::Lost(why) => panic!("{why}; again with INTERREX_SEED={seed} INTERREX_CUTS=10"),
        }
    }
    println!("{done} cuts in {:.1?}", started.elapsed());
}

/// With the sync switched off the same harness must find loss: otherwise it is blind.
#[test]
fn without_sync_the_harness_finds_loss() {
    let first = first_seed();
    for seed in first..first + 10 {
        match chain(seed, 3, true) {
            Chain::Sound => {}
            Chain::NoFuse => return,
            Chain::Lost(why) => return println!("found, as it must be: {why}"),
        }
    }
    panic!("the sync was switched off, and nothing was lost: the harness is blind");
}
