//! M6: a member whose disk was replaced by an older copy of itself. It is refused before anything
//! of it reaches Raft, ends by itself, and the others tell of it and go on.
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use interrex_tests::World;
use interrex_tests::bad::{Said, assert_nobody_panicked, run};
use rustix::process::Signal;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(15);

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn write_notes(world: &World, prefix: &str) {
    for n in 0..5 {
        world.ok(&["note", &format!("{prefix}-{n}"), "acknowledged"]);
    }
}

/// Copies the folder of a member that runs: as a snapshot of its disk would.
fn copy_running(world: &mut World, name: &str, to: &Path) {
    world.place.child(name).unwrap().signal(Signal::STOP).unwrap();
    copy(&world.place.data(name), to);
    world.place.child(name).unwrap().signal(Signal::CONT).unwrap();
}

/// What the cluster says of `subject`, as soon as it says `code`, or does not any longer.
fn problem(world: &World, subject: &str, code: &str, told: bool) -> Value {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, status, _) = world.run(&["status"]);
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        let found = problems.iter().find(|p| p["code"] == code && p["subject"] == subject);
        if found.is_some() == told && status["problems"].is_array() {
            return found.cloned().unwrap_or_default();
        }
        assert!(Instant::now() < end, "{code} of {subject} ({told}): {status}");
    }
}

/// Starts c3 on what its folder is now: it must be refused, and told of; then its own folder is
/// put back, and it is taken in again.
fn assert_refused(world: &mut World, what: &str, own: &Path, names: &'static [&'static str]) {
    let mut command = world.place.command("c3").unwrap();
    command.args(["-o", "json"]);
    let said = Said { exit: 1, code: "restored_copy", names, remedy: "interrex member add" };
    said.assert(what, &run(command));
    let found = problem(world, "coordinator/c3", "restored_copy", true);
    let words = found["message"].as_str().unwrap_or_default();
    assert!(names.iter().all(|name| words.contains(name)), "{what}: {found}");
    assert!(found["remedy"].as_str().unwrap_or_default().contains("wipe"), "{what}: {found}");
    write_notes(world, &format!("beside-{}", what.replace(' ', "-")));
    copy(own, &world.place.data("c3"));
    world.place.start("c3").unwrap();
    problem(world, "coordinator/c3", "restored_copy", false);
    problem(world, "coordinator/c3", "coordinator_unreachable", false);
}

#[test]
fn an_older_copy_of_a_member_is_refused_and_nothing_is_lost() {
    let mut world = World::on_loopback("restored-copy");
    world.place.start_coordinators().unwrap();
    let folder = |name: &str| world.place.dir().join(name);
    let (own, first, live, late) = (folder("own"), folder("first"), folder("live"), folder("late"));
    let data = world.place.data("c3");
    write_notes(&world, "first");

    // A copy of an earlier start: its counter tells.
    world.place.terminate("c3", PATIENCE).unwrap();
    copy(&data, &first);
    world.place.start("c3").unwrap();
    write_notes(&world, "second");
    world.place.terminate("c3", PATIENCE).unwrap();
    copy(&data, &own);
    copy(&first, &data);
    assert_refused(&mut world, "an earlier start", &own, &["c3", "boot 2"]);

    // A snapshot of the same start, shorter than what it acknowledged afterwards: its counter is
    // higher than any that was seen, and its log tells.
    copy_running(&mut world, "c3", &live);
    write_notes(&world, "third");
    world.place.kill("c3").unwrap();
    copy(&data, &own);
    copy(&live, &data);
    assert_refused(&mut world, "the same start", &own, &["c3", "boot 3", "boot 4", "entries"]);

    // The same, and the leader of those days has forgotten: what it knew is on its disk.
    copy_running(&mut world, "c3", &late);
    write_notes(&world, "fourth");
    for name in ["c3", "c1", "c2"] {
        world.place.terminate(name, PATIENCE).unwrap();
    }
    copy(&data, &own);
    copy(&late, &data);
    for name in ["c1", "c2"] {
        world.place.launch(name).unwrap();
    }
    for name in ["c1", "c2"] {
        world.place.await_ready(name).unwrap();
    }
    assert_refused(&mut world, "after all restarted", &own, &["c3", "boot 4", "boot 5", "entries"]);

    let notes = world.items(&["get", "notes"]);
    assert_eq!(notes.iter().filter(|note| note["text"] == "acknowledged").count(), 35, "{notes:?}");
    world.assert_verified();
    assert_nobody_panicked(&world);
}
