//! The documents have CONTRACT.md's field names, and unknown is null.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]
use interrex_client::views::{
    Changed, EventLine, Failover, List, Note, Recorder, Server, Status, Time, Verification, Waiting,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads a document, writes it again, and compares: nothing absent, nothing renamed.
fn survives<T: DeserializeOwned + Serialize>(document: Value) {
    let read: T = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), document);
}

#[test]
fn every_document_is_as_the_contract_spells_it() {
    survives::<List<Server>>(json!({
        "api": 1, "revision": 4, "leader": "c2", "stale": false, "age_ms": null,
        "items": [{"name": "srv-1", "role": "recorder-host", "group": "hall-a", "health": "expired",
            "suspected_by": ["c1"], "silent_ms": {"c1": 2010, "c2": null},
            "holds": {"recorder": "rec-1", "epoch": 3},
            "reported": {"recorder": "rec-1", "epoch": 3, "config": "ab"}, "protected": null,
            "timeout_ms": 2000}]}));
    survives::<Recorder>(json!({
        "name": "rec-1", "group": "hall-a", "home": "srv-1", "holder": null, "epoch": 3,
        "state": "taking_over", "held_by": "observe", "since": "2026-11-21T11:00:00.000Z",
        "failover": null, "priority": 100, "channels": 4, "config": "ab"}));
    survives::<Failover>(json!({
        "id": 1, "recorder": "rec-1", "from": "srv-1", "to": null, "cause": "disconnection",
        "evidence": [{"coordinator": "c1", "silent_ms": 2010}], "state": "open",
        "expired": "2026-11-21T11:00:00.001Z", "failed_over": null, "took_over": null,
        "failback_started": null, "failed_back": null, "copied": null, "gap_ms": null,
        "epoch": null, "actor": "automaton", "reason": "", "ticket": "", "operation": null}));
    survives::<Waiting>(json!({"position": 1, "recorder": "rec-1", "priority": -5,
        "since": "2026-11-21T11:00:00.000Z", "waits_for": "no_free_standby"}));
    survives::<Note>(json!({"key": "k", "text": "t", "revision": 9, "actor": "operator/anna",
        "at": "2026-11-21T11:00:00.000Z"}));
    survives::<Status>(json!({
        "api": 1, "cluster": "c", "revision": 1, "operations": 2, "chain": "ab", "leader": null,
        "term": 3, "quorum": false, "stale": true, "age_ms": 40, "automation": "paused", "level": 1,
        "coordinators": [{"name": "c1", "voter": true, "reachable": null, "applied_revision": null,
            "version": null, "id": 1, "peer_address": null, "address": null}],
        "counts": {"recorders": {"recording": 1}, "servers": {"ok": 2}},
        "problems": [{"code": "no_leader", "subject": "cluster", "message": "m", "remedy": "r"}]}));
    survives::<Changed>(json!({"api": 1, "revision": 1, "operations": 1, "operation": "u",
        "events": ["noted"], "failover": null, "recorded": true}));
    survives::<EventLine>(json!({"revision": 1, "n": 1, "at": "2026-11-21T11:00:00.000Z",
        "kind": "noted", "subject": {"key": "k"}, "actor": "operator/anna", "operation": null,
        "reason": "", "data": {"text": "t"}, "prev": "aa", "hash": "bb"}));
    survives::<Verification>(json!({"ok": false, "events": 1, "revision": 1, "chain": "a",
        "state": "b", "violations": [{"invariant": "i", "revision": 1, "detail": "d"}]}));
}

#[test]
fn a_reader_ignores_what_it_does_not_know_and_times_keep_their_milliseconds() {
    let note = json!({"key": "k", "text": "t", "revision": 9, "actor": "a",
        "at": "2026-11-21T11:00:00.250Z", "later": 1});
    let note: Note = serde_json::from_value(note).unwrap();
    assert_eq!(note.at.to_string(), "2026-11-21T11:00:00.250Z");
    assert_eq!(Time(0).to_string(), "1970-01-01T00:00:00.000Z");
}
