//! Cuts between real hosts: network namespaces, so these need root.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::thread;
use std::time::Duration;

use interrex_tests::{World, is_root, now_ms};

fn can_run() -> bool {
    if !is_root() {
        println!("not run: partitions need root (network namespaces)");
    }
    is_root()
}

// FEATURE: WS-17
#[test]
fn a_follower_that_is_cut_off_changes_nothing_and_catches_up() {
    if !can_run() {
        return;
    }
    let mut world = World::in_namespaces("cut-follower");
    world.start("2s");
    let (began, leader) = (now_ms(), world.leader());
    let follower = world.place.coordinators().into_iter().find(|name| *name != leader).unwrap();
    world.net().isolate(&follower).unwrap();
    thread::sleep(Duration::from_secs(5)); // more than twice the timeout: it hears nobody
    for n in 0..5 {
        world.ok(&["note", &format!("cut-{n}"), "while it is cut off"]);
    }
    assert_eq!(world.leader(), leader, "pre-vote: who is cut off deposes nobody");
    world.net().heal(&follower).unwrap();
    let endpoint = world.place.endpoint(&follower).unwrap();
    let caught_up = || {
        let args = ["get", "notes", "cut-4", "--stale", "-o", "json"];
        let output = world.place.interrex_as("admin", &endpoint, &args).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        found["items"][0]["text"] == "while it is cut off"
    };
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !caught_up() {
        assert!(std::time::Instant::now() < end, "{follower} does not catch up");
    }
    assert_eq!(world.count("heartbeat_expired"), 0, "one who is blind expires nobody");
    for recorder in ["rec-1", "rec-2"] {
        world.assert_recorded(recorder, began, now_ms() - 1_000, 200);
    }
    world.assert_verified();
}

// FEATURE: IX-01
#[test]
fn a_split_view_is_an_alarm_and_no_failover() {
    if !can_run() {
        return;
    }
    let mut world = World::in_namespaces("split-view");
    world.start("2s");
    world.net().deafen("c3", "srv-1").unwrap();
    let end = std::time::Instant::now() + Duration::from_secs(30);
    let alarm = loop {
        let (_, status, _) = world.run(&["status"]);
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        let found = problems.into_iter().find(|problem| problem["code"] == "split_view");
        if let Some(problem) = found {
            break problem;
        }
        assert!(std::time::Instant::now() < end, "no alarm: {status}");
    };
    assert!(alarm["subject"].as_str().unwrap().contains("srv-1"), "{alarm}");
    assert!(alarm["message"].as_str().unwrap().contains("c3"), "it names who sees what: {alarm}");
    let server = world.item(&["get", "servers", "srv-1"]);
    assert_eq!(server["suspected_by"], serde_json::json!(["c3"]), "{server}");
    thread::sleep(Duration::from_secs(5)); // twice the timeout: a failover would come within it
    assert_eq!(world.count("heartbeat_expired") + world.count("failed_over"), 0);
    world.net().heal("c3").unwrap();
    world.assert_verified();
}
