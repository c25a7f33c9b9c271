//! What tests of bad input share: a program that is meant to fail, what it must say, and that
//! nobody panicked.
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::World;

/// What a program must say when it is given something bad.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// Exit code.
    pub exit: i32,
    /// Error code.
    pub code: &'static str,
    /// The message names each of these.
    pub names: &'static [&'static str],
    /// Message or remedy hold this: what to do.
    pub remedy: &'static str,
}

impl Said {
    /// Asserts that the program ended so. `what` was tried.
    pub fn assert(&self, what: &str, output: &Output) {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(self.exit), "{what}: {text}");
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let error = lines.rev().find_map(|mut line| line.get_mut("error").map(Value::take));
        let error = error.unwrap_or_else(|| panic!("{what}: no error line: {text}"));
        let word =
            |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert_eq!(word("code"), self.code, "{what}: {error}");
        for name in self.names {
            assert!(word("message").contains(name), "{what}: {name:?} is not named: {error}");
        }
        let all = word("message") + " " + &word("remedy");
        assert!(all.contains(self.remedy), "{what}: no {:?}: {error}", self.remedy);
        assert_calm(what, &text);
    }
}

/// Runs a program that should end by itself, and ends it if it does not.
pub fn run(mut command: Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    await_end(child.expect("a program that starts"))
}

/// Waits for a program that should end by itself, and ends it if it does not.
pub fn await_end(mut child: Child) -> Output {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end && child.try_wait().expect("a child").is_none() {
        // Waits for another process: there is nothing to be told by.
        thread::sleep(Duration::from_millis(20));
    }
    // One that has ended cannot be killed.
    child.kill().ok();
    Child::wait_with_output(child).expect("its output")
}

/// Nobody panicked who writes a log here.
pub fn assert_nobody_panicked(world: &World) {
    for entry in std::fs::read_dir(world.place.dir().join("log")).expect("logs") {
        let path = entry.expect("a log").path();
        let text = std::fs::read(&path).expect("a log");
        assert_calm(&path.display().to_string(), &String::from_utf8_lossy(&text));
    }
}

fn assert_calm(what: &str, text: &str) {
    assert!(!text.contains("panicked"), "{what}: {text}");
}
