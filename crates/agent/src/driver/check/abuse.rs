//! What a driver must withstand: epochs that are over, requests that are none, ids that lead
//! elsewhere, and its own death at any moment.
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::bench::{Bench, DEADLINE, HASH, Whom};
use super::verbs::{health_of, with};
use crate::driver::exec::call::{End, Raw};

const STALE: &[i32] = &[4];

pub(super) async fn stale_epoch(bench: &Bench) -> Result<(), String> {
    let (now, old) = (Whom("stale", 7), Whom("stale", 6));
    bench.apply(now).await?;
    let offered = |exit: Option<i32>| exit != Some(3);
    let changes = [
        ("apply", bench.configuration(HASH)),
        ("start", json!({"config_hash": HASH})),
        ("stop", json!({"grace_ms": 100})),
        ("delete-material", json!({"ids": []})),
    ];
    for (verb, more) in changes {
        match bench.ask(verb, old, more, DEADLINE).await {
            Ok(_) => return Err(format!("{verb} of epoch 6 was done after one of epoch 7")),
            Err(fault) if !offered(fault.exit) => {}
            Err(fault) if fault.exit == Some(4) && fault.newest_epoch == Some(7) => {}
            Err(fault) => {
                return Err(format!("{verb}: not exit {STALE:?} with detail.epoch 7: {fault}"));
            }
        }
    }
    bench.apply(now).await
}

pub(super) async fn old_fence(bench: &Bench) -> Result<(), String> {
    bench.apply(Whom("old-fence", 7)).await?;
    bench.yes("fence", Whom("old-fence", 1), json!({})).await.map(drop)
}

pub(super) async fn unknown_verb(bench: &Bench) -> Result<(), String> {
    bench.no("no-such-verb", Whom("verbs", 1), json!({}), &[3]).await.map(drop)
}

pub(super) async fn bad_requests(bench: &Bench) -> Result<(), String> {
    let id = bench.id();
    let sound = bench.request("health", Whom("bad", 1), &id, json!({}));
    let half = sound.get(..sound.len() / 2).unwrap_or_default().to_vec();
    let mut long = sound.clone();
    long.resize(17 << 20, b' ');
    let wrong = |key: &str, value: Value| {
        let request = serde_json::from_slice(&sound).unwrap_or_default();
        with(request, key, value).to_string().into_bytes()
    };
    let table = [
        ("nothing", Vec::new()),
        ("half an object", half),
        ("a list", b"[]".to_vec()),
        ("no UTF-8", b"{\"verb\":\"\xff\"}".to_vec()),
        ("17 MiB", long),
        ("a recorder ../x", wrong("recorder", json!("../x"))),
        ("an epoch that is a word", wrong("epoch", json!("seven"))),
        ("an epoch below zero", wrong("epoch", json!(-1))),
    ];
    for (name, request) in table {
        let raw = bench.raw("health", &request, DEADLINE).await?;
        refused(&raw, &[2]).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

pub(super) async fn other_protocol(bench: &Bench) -> Result<(), String> {
    let with = |protocol: Value| {
        bench.request("health", Whom("protocol", 1), "check", json!({"protocol": protocol}))
    };
    let other = bench.raw("health", &with(json!({"major": 2, "minor": 0})), DEADLINE).await?;
    refused(&other, &[2, 6]).map_err(|why| format!("major 2: {why}"))?;
    let newer = bench.raw("health", &with(json!({"major": 1, "minor": 99})), DEADLINE).await?;
    match newer.end {
        End::Code(0) => Ok(()),
        end @ (End::Code(_) | End::Signal(_) | End::Timeout | End::TooLong) => {
            Err(format!("minor 99 only adds, but: {end:?}"))
        }
    }
}

pub(super) async fn long_request(bench: &Bench) -> Result<(), String> {
    let more = json!({"stall_ms": 3_000, "of_a_later_minor": "x".repeat(1 << 20)});
    bench.yes("health", Whom("long", 1), more).await.map(drop)
}

/// Ids of files that are none of its segments: a guess at how deep it puts them, and ours.
fn elsewhere(bench: &Bench) -> Vec<String> {
    let canary = bench.root.join("../canary");
    let mut ids = vec![canary.to_string_lossy().into_owned(), "/etc/passwd".to_owned()];
    ids.extend((1..6).map(|depth| format!("{}canary", "../".repeat(depth))));
    ids.extend((1..6).map(|depth| format!("a/{}canary", "../".repeat(depth))));
    ids.extend(["", ".", "..", "a/..", "a//b", "a\nb", "link"].map(str::to_owned));
    ids
}

fn canary(bench: &Bench) -> Result<std::path::PathBuf, String> {
    let canary = bench.root.join("../canary");
    fs::write(&canary, "canary").map_err(|why| why.to_string())?;
    Ok(canary)
}

pub(super) async fn escape_read(bench: &Bench) -> Result<(), String> {
    canary(bench)?;
    for id in elsewhere(bench) {
        let more = json!({"id": id, "offset": 0, "length": 64});
        let request = bench.request("read-material", Whom("start", 1), &bench.id(), more);
        let raw = bench.raw("read-material", &request, DEADLINE).await?;
        refused(&raw, &[2, 5]).map_err(|why| format!("id {id:?}: {why}"))?;
    }
    Ok(())
}

pub(super) async fn escape_delete(bench: &Bench) -> Result<(), String> {
    let canary = canary(bench)?;
    for id in elsewhere(bench).into_iter().filter(|id| id != "/etc/passwd") {
        let request =
            bench.request("delete-material", Whom("start", 1), &bench.id(), json!({"ids": [id]}));
        bench.raw("delete-material", &request, DEADLINE).await?;
        if !canary.exists() || !bench.root.exists() {
            return Err(format!("id {id:?} deleted a file that is no segment"));
        }
    }
    Ok(())
}

/// Whatever moment it dies at, its next call finds the old configuration or the new one.
pub(super) async fn killed(bench: &Bench) -> Result<(), String> {
    let whom = Whom("killed", 1);
    bench.apply(whom).await?;
    for delay in [5, 15, 30, 45, 60, 80, 100, 130, 160, 200, 250, 300, 400, 600, 900] {
        let request = bench.request("apply", whom, &bench.id(), bench.configuration("decade"));
        let work = bench.raw("apply", &request, DEADLINE);
        // Dropping the call kills the whole group.
        let done = tokio::time::timeout(Duration::from_millis(delay), work).await.is_ok();
        let health =
            health_of(bench, whom).await.map_err(|why| format!("after {delay} ms: {why}"))?;
        let hash = health.config_hash.as_deref().unwrap_or("none");
        if ![HASH, "decade"].contains(&hash) || (done && hash != "decade") {
            return Err(format!("killed after {delay} ms, its configuration is {hash}"));
        }
        bench.apply(whom).await.map_err(|why| format!("killed after {delay} ms, then {why}"))?;
    }
    Ok(())
}

/// An exit code of these, and an object that says so.
fn refused(raw: &Raw, exits: &[i32]) -> Result<(), String> {
    let End::Code(code) = raw.end else { return Err(format!("{:?}", raw.end)) };
    if !exits.contains(&code) {
        let said: String = String::from_utf8_lossy(&raw.stdout).chars().take(80).collect();
        return Err(format!("exit {code}, not {exits:?}; it said {said:?}"));
    }
    let answer: Result<Value, _> = serde_json::from_slice(&raw.stdout);
    let is_no = answer.is_ok_and(|answer| {
        let text = |key: &str| answer.pointer(key).is_some_and(Value::is_string);
        answer.get("ok") == Some(&Value::Bool(false))
            && text("/error/kind")
            && text("/error/message")
    });
    if is_no { Ok(()) } else { Err(format!("exit {code} without an error object on stdout")) }
}
