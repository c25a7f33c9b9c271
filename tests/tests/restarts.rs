//! Coordinators that stop, pause and come back: what was decided stays decided, and time in which
//! nobody listened proves nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use interrex_tests::{World, now_ms};
use rustix::process::Signal;
use serde_json::json;

/// Somebody else's program, written from docs/history-format.md alone, comes to the same head.
fn foreign_verifier(history: &Path, head: &str) {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/verify_history.py");
    let run = |args: &[&str]| Command::new("python3").args(args).output().unwrap();
    if !run(&["-c", "import zstandard, blake3"]).status.success() {
        println!("not run: the foreign verifier needs python3 with zstandard and blake3");
        return;
    }
    let folder = history.to_string_lossy();
    let found = run(&[program, &folder, "--expect-head", head]);
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
    let other = "0".repeat(head.len());
    assert_eq!(run(&[program, &folder, "--expect-head", &other]).status.code(), Some(3));
}

// FEATURE: IX-02, IX-04
#[test]
fn a_restarted_coordinator_has_the_same_history() {
    let mut world = World::on_loopback("restarted");
    world.start("2s");
    world.ok(&["note", "before", "the restart"]);
    let first = world.history().remove(0);
    assert_eq!((&first["revision"], &first["n"]), (&json!(1), &json!(1)));
    assert_ne!(first["prev"], first["hash"], "the chain begins with the cluster, not with itself");
    assert_eq!(world.place.terminate("c2", Duration::from_secs(15)).unwrap(), Some(0));
    let data = world.place.data("c2");
    let offline = world.ok(&["verify", "--data", &data.to_string_lossy()]);
    assert_eq!(offline["ok"], true, "{offline}");
    foreign_verifier(&data.join("history"), offline["chain"].as_str().unwrap());
    world.ok(&["note", "while", "it is away"]);
    world.place.start("c2").unwrap();
    world.assert_verified();
    let endpoint = world.place.endpoint("c2").unwrap();
    let args = ["get", "notes", "while", "--stale", "-o", "json"];
    let output = world.place.interrex_as("admin", &endpoint, &args).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["items"][0]["text"], "it is away", "{found}");
}

// FEATURE: WS-17
#[test]
fn a_server_that_is_dead_stays_expired_when_all_coordinators_restart() {
    let mut world = World::on_loopback("all-restarted");
    world.start("2s");
    world.place.kill("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=substituted", 30);
    for name in world.place.coordinators() {
        world.place.kill(&name).unwrap();
    }
    world.place.start_coordinators().unwrap();
    let server = world.wait("server/srv-1", "health=expired", 30);
    assert_eq!(server["health"], "expired", "{server}");
    let recorder = world.item(&["get", "recorders", "rec-1"]);
    assert_eq!((&recorder["holder"], &recorder["epoch"]), (&json!("srv-3"), &json!(2)));
    assert_eq!(world.count("heartbeat_expired"), 1);
    world.assert_verified();
}

// FEATURE: PS-17
#[test]
fn two_coordinators_paused_for_half_a_minute_expire_nobody() {
    let mut world = World::on_loopback("paused");
    world.start("2s");
    let began = now_ms();
    for name in ["c1", "c2"] {
        world.place.child(name).unwrap().signal(Signal::STOP).unwrap();
    }
    // A real pause: that nothing happens in it, and after it, is what is tested.
    thread::sleep(Duration::from_secs(30));
    for name in ["c1", "c2"] {
        world.place.child(name).unwrap().signal(Signal::CONT).unwrap();
    }
    world.ok(&["note", "after", "the pause", "--timeout", "30s"]);
    thread::sleep(Duration::from_secs(5)); // twice the timeout: an expiry would come within it
    assert_eq!(world.count("heartbeat_expired"), 0);
    for recorder in ["rec-1", "rec-2"] {
        world.assert_recorded(recorder, began, now_ms() - 1_000, 200);
        assert_eq!(world.item(&["get", "recorders", recorder])["epoch"], 1);
    }
}

// FEATURE: PS-16
#[test]
fn without_coordinators_recording_goes_on_and_nothing_moves_afterwards() {
    let mut world = World::on_loopback("all-down");
    world.start("2s");
    let began = now_ms();
    for name in world.place.coordinators() {
        world.place.kill(&name).unwrap();
    }
    thread::sleep(Duration::from_secs(4)); // twice the timeout, as the name says
    world.place.start_coordinators().unwrap();
    world.wait("recorder/rec-1", "state=recording", 60);
    thread::sleep(Duration::from_secs(5)); // twice the timeout: a move would come within it
    for recorder in ["rec-1", "rec-2"] {
        world.assert_recorded(recorder, began, now_ms() - 1_000, 200);
        assert_eq!(world.item(&["get", "recorders", recorder])["epoch"], 1);
    }
    assert_eq!(world.count("heartbeat_expired") + world.count("failed_over"), 0);
    world.assert_verified();
}
