//! Wrong arguments, files and identities: exit code, error code, and that the message names the
//! thing and the remedy. No cluster runs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the program in `folder`, without this machine's environment.
fn interrex(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interrex"));
    for name in ["INTERREX_ENDPOINTS", "INTERREX_TLS"] {
        command.env_remove(name);
    }
    command.current_dir(folder).args(args).output().unwrap()
}

/// A folder with a CA, the operator anna, the agent srv-1, and fleet documents.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let must = |args: &[&str]| assert!(interrex(folder.path(), args).status.success(), "{args:?}");
    must(&["cert", "ca", "--out", "ca"]);
    for (role, name) in [("operator", "anna"), ("agent", "srv-1")] {
        must(&["cert", "issue", "--ca", "ca", "--role", role, "--name", name, "--out", name]);
    }
    fs::write(folder.path().join("sound.toml"), "api_version = 1\n").unwrap();
    let wrong = "api_version = 1\n[group.a]\ntimeuot = \"2s\"\n";
    fs::write(folder.path().join("wrong.toml"), wrong).unwrap();
    let fenced = "api_version = 1\n[group.a]\nfencing = \"fence-first\"\n";
    fs::write(folder.path().join("fenced.toml"), fenced).unwrap();
    let kept = "api_version = 1\n[group.a]\nkeep = \"30d\"\n";
    fs::write(folder.path().join("kept.toml"), kept).unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    folder
}

#[test]
fn each_mistake_has_its_exit_code_and_its_remedy() {
    let place = place();
    let none = ["--endpoints", "127.0.0.1:1", "--timeout", "300ms"];
    let anna = [&none[..], &["--tls", "anna"]].concat();
    let with = |args: &[&'static str]| [args, &anna[..]].concat();
    // Arguments; exit; kind; code; words of message and remedy.
    type Case<'a> = (Vec<&'a str>, i32, &'a str, &'a str, &'a [&'a str]);
    let cases: Vec<Case<'_>> = vec![
        (vec!["frob"], 2, "usage", "usage", &["frob", "--help"]),
        (vec!["apply"], 2, "usage", "usage", &["required"]),
        (vec!["pause"], 2, "usage", "usage", &["required"]),
        (with(&["pause", "--for", "soon"]), 2, "usage", "usage", &["soon"]),
        (with(&["failover", "Rec_1"]), 2, "usage", "usage", &["Rec_1", "is not a name"]),
        (with(&["wait", "rec-1", "--for", "a=b"]), 2, "usage", "usage", &["rec-1", "server/srv-1"]),
        (with(&["wait", "server/s", "--for", "a"]), 2, "usage", "usage", &["FIELD=VALUE"]),
        (vec!["status"], 78, "config", "config", &["neither --tls", "cert issue"]),
        (vec!["status", "--tls", "anna"], 78, "config", "config", &["no endpoints", "--endpoints"]),
        (
            vec!["status", "--tls", "none"],
            78,
            "config",
            "config",
            &["none/ca.pem", "cannot be read"],
        ),
        (
            vec!["status", "--tls", "anna", "--endpoints", "c1"],
            78,
            "config",
            "config",
            &["c1", "host:port"],
        ),
        (
            vec!["status", "--insecure", "--endpoints", "192.0.2.1:7401"],
            78,
            "config",
            "config",
            &["192.0.2.1:7401", "use --tls DIR"],
        ),
        (with(&["apply", "-f", "none.toml"]), 78, "config", "config", &["none.toml", "-f"]),
        (
            with(&["apply", "-f", "wrong.toml"]),
            78,
            "config",
            "config",
            &["wrong.toml", "line 3, column 1", "group.a.timeuot", "correct the document"],
        ),
        (
            with(&["apply", "-f", "fenced.toml"]),
            78,
            "config",
            "config",
            &["fenced.toml", "fence-first", "not carry it out yet", "leave the key out"],
        ),
        (
            with(&["apply", "-f", "kept.toml"]),
            78,
            "config",
            "config",
            &["kept.toml", "keep", "leave the key out"],
        ),
        (with(&["status"]), 4, "unavailable", "unavailable", &["127.0.0.1:1", "--stale"]),
        (with(&["apply", "-f", "sound.toml"]), 4, "unavailable", "unavailable", &["127.0.0.1:1"]),
        (with(&["note", "k", "t"]), 4, "unavailable", "unavailable", &["127.0.0.1:1"]),
        (
            vec!["cert", "ca", "--out", "ca"],
            1,
            "refused",
            "exists",
            &["ca/ca.pem", "choose another"],
        ),
        (
            vec!["cert", "issue", "--ca", "empty", "--role", "agent", "--name", "s", "--out", "s"],
            1,
            "refused",
            "unreadable",
            &["empty/ca.pem"],
        ),
        (
            vec!["cert", "issue", "--ca", "ca", "--role", "king", "--name", "s", "--out", "s"],
            2,
            "usage",
            "usage",
            &["king"],
        ),
        (vec!["verify", "--data", "empty"], 78, "config", "config", &["empty/history", "--data"]),
        (vec!["history", "--data", "empty"], 78, "config", "config", &["empty/history", "--data"]),
    ];
    for (args, exit, kind, code, words) in cases {
        let output = interrex(place.path(), &[&args[..], &["-o", "json"]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}: stdout is for data");
        assert_eq!(text.lines().count(), 1, "{args:?}: {text}");
        let error = &serde_json::from_str::<Value>(&text).unwrap()["error"];
        assert_eq!((&error["kind"], &error["code"]), (&kind.into(), &code.into()), "{args:?}");
        for field in ["message", "remedy", "operation"] {
            assert!(error.get(field).is_some(), "{args:?}: no {field}");
        }
        for word in words {
            assert!(text.contains(word), "{args:?}: no {word:?} in {text}");
        }
    }
}

#[test]
fn without_json_an_error_is_told_in_words() {
    let place = place();
    let output = interrex(place.path(), &["status"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: no identity") && text.contains("  remedy: "), "{text}");
}

#[test]
fn help_and_version_are_data() {
    let place = place();
    for args in [&["--help"][..], &["--version"], &["apply", "--help"], &["coordinator", "--help"]]
    {
        let output = interrex(place.path(), args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn completions_and_manual_pages_name_the_verbs() {
    let place = place();
    for shell in ["bash", "zsh", "fish"] {
        let output = interrex(place.path(), &["completions", shell]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("step-down"), "{shell}");
    }
    assert!(interrex(place.path(), &["man", "--out", "man"]).status.success());
    let page = fs::read_to_string(place.path().join("man/interrex-failover.1")).unwrap();
    assert!(page.contains("expect\\-epoch"), "{page}");
    fs::write(place.path().join("file"), "").unwrap();
    let output = interrex(place.path(), &["man", "--out", "file/man", "-o", "json"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("file/man") && text.contains("give --out"), "{text}");
}
