//! The style, as far as a program can check it: boundaries, file and function shapes, headers,
//! links. Reads the working tree; runs nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file without its tests.
const FILE_MAX: usize = 400;
/// Lines of a function.
const FUNCTION_MAX: usize = 60;
/// Functions that are one table, and would only be harder to read in parts.
const TABLES: [(&str, usize); 3] = [
    ("crates/wire/src/event/write.rs", 70),
    ("crates/sim/src/faults.rs", 70),
    ("crates/sim/src/reactions.rs", 75),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file with this ending that a person wrote: path from the root, and text.
fn files(ending: &str) -> BTreeMap<String, String> {
    fn walk(dir: &Path, ending: &str, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != ".git" {
                walk(&path, ending, found);
            } else if name.ends_with(ending) {
                let from_root = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.insert(from_root, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&root(), ending, &mut found);
    assert!(!found.is_empty(), "nothing to look at");
    found
}

/// The text up to the tests in it, which always stand last.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Code lines that name `what`; comments do not count.
fn names(text: &str, what: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.into_iter().any(|line| line.contains(what))
}

#[test]
fn each_library_stays_in_its_room() {
    let rooms: [(&str, &[&str]); 5] = [
        ("sled::", &["crates/coordinator/src/log/disk.rs"]),
        (
            "openraft",
            &[
                "crates/coordinator/src/log",
                "crates/coordinator/src/history",
                "crates/coordinator/src/peers",
                "crates/coordinator/src/raft",
            ],
        ),
        ("prost::", &["crates/wire/", "tests/bench/"]),
        (
            "tonic::transport::Server",
            // Agents answer agents there: material never passes through a coordinator.
            &[
                "crates/coordinator/src/api",
                "crates/coordinator/src/peers",
                "crates/agent/src/serve",
            ],
        ),
        (
            "Instant::now",
            &[
                "crates/coordinator/src/clock.rs",
                "crates/agent/src/clock.rs",
                "crates/client/",
                "crates/cli/",
                "crates/sim/",
                "jepsen/",
                "crates/coordinator/src/log/",
                "crates/coordinator/src/history/",
                "crates/wire/",
            ],
        ),
    ];
    for (path, text) in files(".rs") {
        if is_test(&path) || path.starts_with("tests/") {
            continue;
        }
        for (library, allowed) in rooms {
            let inside = allowed.iter().any(|room| path.starts_with(room));
            assert!(inside || !names(without_tests(&text), library), "{path} names {library}");
        }
    }
}

#[test]
fn the_core_is_pure() {
    let manifest = fs::read_to_string(root().join("crates/core/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let named: Vec<_> = dependencies.lines().filter(|line| line.contains('=')).collect();
    assert_eq!(named, ["thiserror.workspace = true"], "core: std and thiserror, nothing else");
    for (path, text) in files(".rs").into_iter().filter(|(p, _)| p.starts_with("crates/core/src")) {
        for banned in ["HashMap", "HashSet", "Instant", "SystemTime", "async ", "f64", "f32"] {
            assert!(!names(without_tests(&text), banned), "{path} names {banned}");
        }
    }
}

#[test]
fn every_file_says_what_lives_there_and_is_small() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        if !text.starts_with("//!") {
            found.push(format!("{path} does not open with //!"));
        }
        let lines = without_tests(&text).lines().count();
        if lines > FILE_MAX && !is_test(&path) {
            found.push(format!("{path}: {lines} lines without its tests"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Relies on rustfmt: a function ends at the first `}` as deep as its `fn`.
#[test]
fn every_function_fits_on_a_screen() {
    let mut long = Vec::new();
    for (path, text) in files(".rs").into_iter().filter(|(path, _)| !is_test(path)) {
        let mut open: Option<(usize, usize, String)> = None;
        for (number, line) in without_tests(&text).lines().enumerate() {
            let depth = line.len() - line.trim_start().len();
            let words = line.trim_start();
            let is_fn = words.starts_with("fn ")
                || (words.contains(" fn ")
                    && ["pub", "async", "const", "pub(crate)", "pub(super)"]
                        .iter()
                        .any(|w| words.starts_with(w)));
            if is_fn && open.is_none() && !words.ends_with(';') && !words.ends_with('}') {
                open = Some((number, depth, words.to_owned()));
            } else if let Some((start, at, name)) = &open
                && depth == *at
                && (words == "}" || words.ends_with(';') && number == *start)
            {
                let length = number - start + 1;
                let table = TABLES.iter().find(|(file, _)| *file == path);
                if length > table.map_or(FUNCTION_MAX, |(_, allowed)| *allowed) {
                    long.push(format!("{path}: {length} lines: {name}"));
                }
                open = None;
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    for (path, text) in files(".rs") {
        if path.ends_with("tidy.rs") {
            continue;
        }
        for mark in ["todo!", "unimplemented!", "FIXME", "XXX", "HACK", "#[ignore]"] {
            assert!(!text.contains(mark), "{path} holds {mark}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for (path, text) in files(".md") {
        let here = root().join(&path);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            assert!(here.parent().unwrap().join(target).exists(), "{path} links to {target}");
        }
    }
}
