//! What no program can refuse at its start: two agents with one name, and a wall clock that jumps.
//! Both are told in `status`, by name and with a remedy.
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use interrex_tests::bad::assert_nobody_panicked;
use interrex_tests::{World, fleet};
use serde_json::Value;

/// Where Debian has it; `./test` installs it.
const FAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// The problem `code` in `status`, as soon as it is told.
fn problem(world: &World, code: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(30);
    let mut status = Value::Null;
    while Instant::now() < end {
        let (exit, told, _) = world.run(&["status"]);
        let problems = told["problems"].as_array().cloned().unwrap_or_default();
        if let Some(found) = problems.into_iter().find(|problem| problem["code"] == code) {
            assert_eq!(exit, Some(3), "{told}");
            return found;
        }
        status = told;
    }
    panic!("no {code} in {status}");
}

fn words<'a>(problem: &'a Value, key: &str) -> &'a str {
    problem[key].as_str().unwrap_or_default()
}

#[test]
fn two_agents_of_one_name_are_told() {
    let mut world = World::on_loopback("duplicate");
    world.place.start_coordinators().unwrap();
    world.apply(&fleet("2s", "auto"));
    world.place.start("srv-1").unwrap();
    world.wait("server/srv-1", "health=ok", 30);
    // The same identity once more, in a folder of its own: a cloned machine.
    let mut twin = world.place.command("srv-1").unwrap();
    twin.arg("--listen").arg("127.0.0.1:0").arg("--data").arg(world.place.dir().join("data/twin"));
    let args: Vec<_> = twin.get_args().map(ToOwned::to_owned).collect();
    let mut twin = std::process::Command::new(world.place.program());
    twin.args(last_wins(&args));
    world.place.launch_as("twin", twin).unwrap();
    let found = problem(&world, "duplicate_identity");
    assert_eq!(found["subject"], "server/srv-1");
    assert!(words(&found, "message").contains("two agents speak for srv-1"), "{found}");
    assert!(words(&found, "remedy").contains("stop one of them"), "{found}");
    world.place.kill("twin").unwrap();
    world.assert_verified();
    assert_nobody_panicked(&world);
}

/// A flag that stands twice: the last one counts (the program itself refuses two).
fn last_wins(args: &[std::ffi::OsString]) -> Vec<std::ffi::OsString> {
    let (verb, flags) = args.split_first().unwrap();
    let mut kept: Vec<(&std::ffi::OsString, &std::ffi::OsString)> = Vec::new();
    for pair in flags.chunks_exact(2) {
        kept.retain(|(flag, _)| *flag != &pair[0]);
        kept.push((&pair[0], &pair[1]));
    }
    let mut all = vec![verb.clone()];
    all.extend(kept.into_iter().flat_map(|(flag, value)| [flag.clone(), value.clone()]));
    all
}

// FEATURE: WT-15
#[test]
fn a_wall_clock_that_jumps_is_told_and_moves_nothing() {
    let Some(library) = FAKETIME.into_iter().find(|path| Path::new(path).exists()) else {
        println!("not run: clock jumps need libfaketime (Debian: faketime)");
        return;
    };
    let mut world = World::on_loopback("clock-jump");
    let clock = world.place.dir().join("clock-of-c3");
    fs::write(&clock, "+0\n").unwrap();
    for name in ["c1", "c2", "c3"] {
        let mut command = world.place.command(name).unwrap();
        if name == "c3" {
            command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
            command.env("FAKETIME_NO_CACHE", "1");
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        world.place.launch_as(name, command).unwrap();
    }
    for name in world.place.coordinators() {
        world.place.await_ready(&name).unwrap();
    }
    world.apply(&fleet("2s", "auto"));
    world.place.start_agents().unwrap();
    world.wait("recorder/rec-1", "state=recording", 30);
    let (exit, before, _) = world.run(&["status"]);
    assert_eq!(exit, Some(0), "{before}");
    fs::write(&clock, "+600\n").unwrap();
    let found = problem(&world, "clock_skew");
    assert!(words(&found, "subject").starts_with("coordinator/c"), "{found}");
    assert!(words(&found, "message").contains("wall clock of c"), "{found}");
    assert!(words(&found, "remedy").contains("NTP"), "{found}");
    world.ok(&["note", "after", "the jump"]);
    fs::write(&clock, "-600\n").unwrap();
    problem(&world, "clock_skew");
    world.ok(&["note", "after", "the jump back"]);
    assert_eq!(world.count("heartbeat_expired") + world.count("failed_over"), 0);
    world.assert_verified();
    assert_nobody_panicked(&world);
}
