//! `interrex driver check` on the drivers that are shipped, and on some of which each breaks one
//! rule.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name).canonicalize().unwrap()
}

/// Exit code and document.
fn check(program: &str, more: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interrex"));
    command.args(["driver", "check", "-o", "json"]).arg(path(program)).args(more);
    let out = command.output().unwrap();
    let document = serde_json::from_slice(&out.stdout);
    (out.status.code().unwrap(), document.unwrap_or_else(|_| panic!("{program}: {out:?}")))
}

fn with_outcome(document: &Value, outcome: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = document["checks"].as_array().unwrap().iter();
    let found = checks.filter(|check| check["outcome"] == outcome);
    found.map(|check| (text(&check["check"]), text(&check["detail"]))).collect()
}

#[test]
fn a_driver_that_keeps_to_the_protocol_passes() {
    let (exit, document) = check("tests/drivers/good", &[]);
    assert_eq!(with_outcome(&document, "failed"), []);
    assert_eq!((exit, &document["ok"]), (0, &Value::Bool(true)));
    assert!(with_outcome(&document, "passed").len() > 15);
}

#[test]
fn each_bad_driver_is_caught_by_the_rule_that_it_breaks() {
    let table = [
        ("bad-chatty", "describe twice", "without one JSON object"),
        ("bad-forgetful", "an epoch that is over", "epoch 6 was done after one of epoch 7"),
        ("bad-open", "ids that lead elsewhere, read", "exit 0"),
        ("bad-open", "ids that lead elsewhere, delete", "deleted a file that is no segment"),
        ("bad-slow", "health twice", "not within a second"),
        ("bad-torn", "killed in the middle", "after "),
        ("bad-strict", "stop twice", "not running"),
        ("bad-oversized", "list-material twice", "more than 16777216 bytes"),
    ];
    let programs: std::collections::BTreeSet<_> =
        table.iter().map(|(program, ..)| *program).collect();
    for program in programs {
        let (exit, document) = check(&format!("tests/drivers/{program}"), &[]);
        let failed = with_outcome(&document, "failed");
        assert_eq!((exit, &document["ok"]), (3, &Value::Bool(false)), "{program}");
        for (_, rule, said) in table.iter().filter(|(of, ..)| *of == program) {
            let found = failed.iter().any(|(check, detail)| check == rule && detail.contains(said));
            assert!(found, "{program}: {rule} is not among {failed:#?}");
        }
    }
}

#[test]
fn the_driver_for_ffmpeg_passes() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        println!("not run: ffmpeg is not installed");
        return;
    }
    let (exit, document) = check("deploy/drivers/ffmpeg", &[]);
    assert_eq!(with_outcome(&document, "failed"), []);
    assert_eq!(exit, 0);
    let not: Vec<_> = with_outcome(&document, "not_offered").into_iter().map(|(c, _)| c).collect();
    assert_eq!(not, ["read-config twice"]);
}

#[test]
fn the_driver_for_ffmpeg_passes_while_it_records() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        println!("not run: ffmpeg is not installed");
        return;
    }
    let settings = r#"{"input": ["-f", "lavfi"], "seconds": 1, "output": ["-c:v", "libx264",
        "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10"]}"#;
    let source = "testsrc=size=128x72:rate=20,realtime";
    let (exit, document) =
        check("deploy/drivers/ffmpeg", &["--source", source, "--settings", settings]);
    assert_eq!(with_outcome(&document, "failed"), []);
    assert_eq!(exit, 0);
}

#[test]
fn the_driver_for_a_folder_passes_and_starts_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let channel = temp.path().join("entrance");
    std::fs::create_dir(&channel).unwrap();
    std::fs::write(channel.join("1700000000000-1700000004000.mkv"), "recorded long ago").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_interrex"));
    command.args(["driver", "check", "-o", "json"]).arg(path("deploy/drivers/folder"));
    let out = command.env("INTERREX_FOLDER", temp.path()).output().unwrap();
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(with_outcome(&document, "failed"), []);
    assert_eq!(out.status.code(), Some(0));
    let passed: Vec<_> = with_outcome(&document, "passed").into_iter().map(|(c, _)| c).collect();
    assert!(passed.contains(&"read-material twice".to_owned()), "{passed:?}");
    assert!(!passed.contains(&"start twice".to_owned()), "{passed:?}");
}

#[test]
fn what_is_no_program_is_told() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interrex"));
    let out = command.args(["driver", "check", "/no/such/driver"]).output().unwrap();
    assert_eq!(out.status.code(), Some(78));
    assert!(String::from_utf8(out.stderr).unwrap().contains("/no/such/driver"));
}
