//! Deaths, one at a time and together, on real processes. Recording is judged from the segment
//! files, not from a coordinator's word.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::time::{Duration, Instant};

use interrex_jepsen::History;
use interrex_tests::{World, now_ms, relaxed};
use serde_json::json;

const TIMEOUT: Duration = Duration::from_secs(2);

/// The events of a kind so far, oldest first.
fn events(world: &World, kind: &str) -> Vec<serde_json::Value> {
    world.history().into_iter().filter(|event| event["kind"] == kind).collect()
}

// FEATURE: WS-01, MI-02, WS-15, MB-03, SY-21
#[test]
fn a_dead_host_is_substituted_and_gets_its_recorder_back() {
    let mut world = World::on_loopback("dead-host");
    world.start("2s");
    let (began, killed) = (now_ms(), Instant::now());
    world.place.kill("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=substituted", 30);
    let bound = relaxed(TIMEOUT + Duration::from_millis(1_300));
    assert!(killed.elapsed() < bound, "substituted after {:?}", killed.elapsed());
    let failover = world.item(&["get", "failovers"]);
    assert_eq!(
        (&failover["recorder"], &failover["from"], &failover["to"], &failover["cause"]),
        (&json!("rec-1"), &json!("srv-1"), &json!("srv-3"), &json!("disconnection"))
    );
    let evidence = failover["evidence"].as_array().unwrap();
    let waited = |e: &&serde_json::Value| e["silent_ms"].as_u64().unwrap() >= 2_000;
    assert!(evidence.iter().filter(waited).count() >= 2, "{failover}");
    world.place.start("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=recording", 60);
    let recorder = world.item(&["get", "recorders", "rec-1"]);
    assert_eq!((&recorder["holder"], &recorder["epoch"]), (&json!("srv-1"), &json!(3)));
    // The gap that the log tells is the gap in the files.
    let failover = world.item(&["get", "failovers", "1"]);
    assert_eq!(failover["state"], "finalized", "{failover}");
    let told = failover["gap_ms"].as_u64().unwrap();
    let channels = world.ticks("rec-1");
    let found = interrex_cli::local::material::worst_gap_ms(&channels, began, now_ms()).unwrap();
    assert!(found.abs_diff(told) <= 40, "told {told} ms, found {found} ms");
    assert!(found <= 5 * 4_000, "{found} ms are missing");
    world.assert_recorded("rec-2", began, now_ms() - 1_000, 200);
    world.assert_verified();
}

// FEATURE: WS-17, IX-10
#[test]
fn a_dead_leader_loses_nothing_and_stops_nobody() {
    let mut world = World::on_loopback("dead-leader");
    world.start("2s");
    let history = History::create(&world.place.dir().join("history.jsonl"), 1).unwrap();
    let mut client = history.client(0);
    let (began, mut acknowledged) = (now_ms(), Vec::new());
    let mut leader = world.leader();
    for n in 0..60 {
        if n % 20 == 10 {
            history.nemesis("kill", &json!([leader])).unwrap();
            world.place.kill(&leader).unwrap();
        }
        let (key, text) = (format!("note-{n}"), format!("text {n}"));
        let open = client.invoke("write", json!([key, text])).unwrap();
        let (code, answer, error) = world.run(&["note", &key, &text, "--timeout", "10s"]);
        match code {
            Some(0) => {
                acknowledged.push((key, text));
                open.ok(&answer["revision"]).unwrap();
            }
            Some(1) => panic!("a first attempt is not refused: {error}"),
            _ => open.info().unwrap(),
        }
        if n % 20 == 15 {
            world.place.start(&leader).unwrap();
            leader = world.leader();
        }
    }
    assert!(acknowledged.len() >= 50, "only {} of 60 were acknowledged", acknowledged.len());
    let notes = world.items(&["get", "notes"]);
    for (key, text) in &acknowledged {
        let kept = notes.iter().filter(|note| note["key"] == **key && note["text"] == **text);
        assert_eq!(kept.count(), 1, "{key} was acknowledged");
    }
    assert_eq!(world.count("noted"), notes.len(), "nothing is applied twice");
    for recorder in ["rec-1", "rec-2"] {
        world.assert_recorded(recorder, began, now_ms() - 1_000, 200);
    }
    assert_eq!(world.count("heartbeat_expired"), 0);
    world.assert_verified();
}

// FEATURE: IX-08
#[test]
fn leader_and_host_die_in_the_same_second() {
    let mut world = World::on_loopback("both");
    world.start("2s");
    let leader = world.leader();
    let killed = Instant::now();
    world.place.kill("srv-2").unwrap();
    world.place.kill(&leader).unwrap();
    world.wait("recorder/rec-2", "state=substituted", 60);
    let bound = TIMEOUT.max(Duration::from_millis(600)) + Duration::from_millis(500 + 1_000);
    assert!(killed.elapsed() < relaxed(bound), "substituted after {:?}", killed.elapsed());
    let expired = events(&world, "heartbeat_expired");
    assert_eq!(expired.len(), 1, "{expired:?}");
    world.place.start(&leader).unwrap();
    world.place.start("srv-2").unwrap();
    world.wait("recorder/rec-2", "state=recording", 60);
    world.assert_verified();
}

// FEATURE: WS-03, MI-11
#[test]
fn a_substitute_that_dies_leaves_its_recorder_in_the_queue() {
    let mut world = World::on_loopback("dead-substitute");
    world.start("2s");
    world.place.kill("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=substituted", 30);
    world.place.kill("srv-3").unwrap();
    world.wait("recorder/rec-1", "state=queued", 30);
    let waiting = world.item(&["get", "queue"]);
    assert_eq!((&waiting["recorder"], &waiting["position"]), (&json!("rec-1"), &json!(1)));
    assert_eq!(waiting["waits_for"], "no_free_standby");
    // The standby comes back with an empty memory and takes it again, in a new epoch.
    world.place.start("srv-3").unwrap();
    world.wait("recorder/rec-1", "state=substituted", 60);
    assert!(world.items(&["get", "queue"]).is_empty());
    world.place.start("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=recording", 60);
    world.assert_verified();
}

// FEATURE: PS-17
#[test]
fn an_agent_that_restarts_within_the_timeout_costs_a_gap_and_no_failover() {
    let mut world = World::on_loopback("quick-agent");
    world.start("10s");
    let began = now_ms();
    world.place.kill("srv-1").unwrap();
    world.place.start("srv-1").unwrap();
    world.wait("recorder/rec-1", "state=recording", 30);
    let end = Instant::now() + Duration::from_secs(30);
    let recorded_since = |at: u64| {
        let channels = world.ticks("rec-1");
        interrex_cli::local::material::newest_ms(&channels).is_some_and(|newest| newest > at)
    };
    let back = now_ms();
    while !recorded_since(back) {
        assert!(Instant::now() < end, "it does not record again");
    }
    let gap = interrex_cli::local::material::worst_gap_ms(&world.ticks("rec-1"), began, now_ms());
    let gap = gap.unwrap();
    assert!((1..10_000).contains(&gap), "a gap of {gap} ms");
    assert_eq!(world.count("heartbeat_expired") + world.count("failed_over"), 0);
    assert_eq!(world.item(&["get", "recorders", "rec-1"])["epoch"], 1);
}
