//! A cluster under test: three coordinators, two recorder hosts and one standby unless said
//! otherwise.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use interrex_cli::local::material::{self, Ticks};
use interrex_cli::local::{Host, Place};
use serde_json::Value;

use crate::net::Net;

/// Names with a prefix, counted from one.
pub fn names(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{prefix}{n}")).collect()
}

/// Bounds are for quiet machines: everywhere else they are five times as wide.
pub fn relaxed(bound: Duration) -> Duration {
    if std::env::var_os("INTERREX_STRICT").is_some() { bound } else { bound * 5 }
}

/// A running cluster. Everything ends with it; its folder stays if the test failed.
pub struct World {
    /// Its processes and folders.
    pub place: Place,
    net: Option<Net>,
}

impl World {
    /// Lays out a cluster for the test `name` on loopback. Nothing runs yet.
    pub fn on_loopback(name: &str) -> Self {
        Self::lay(name, None)
    }

    /// The same, each program in a network namespace of its own. Needs root.
    pub fn in_namespaces(name: &str) -> Self {
        let hosts = [names("c", 3), names("srv-", 3), vec!["op".into()]].concat();
        Self::lay(name, Some(Net::build(&hosts).expect("network namespaces")))
    }

    fn lay(name: &str, net: Option<Net>) -> Self {
        let dir = target().join("e2e").join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).expect("the folder of an earlier run");
        }
        let at = |name: &String| {
            (name.clone(), net.as_ref().map_or_else(Host::default, |n| n.host(name)))
        };
        let coordinators: Vec<_> = names("c", 3).iter().map(at).collect();
        let agents: Vec<_> = names("srv-", 3).iter().map(at).collect();
        let program = target().join("debug/interrex");
        assert!(program.exists(), "{}: cargo build -p interrex-cli first", program.display());
        let mut place =
            Place::lay(&dir, &program, &coordinators, &agents).expect("a local cluster");
        place.operators = net.as_ref().and_then(|net| net.host("op").namespace);
        Self { place, net }
    }

    /// Starts all of it with `timeout` (such as `2s`), and waits until both recorders record.
    pub fn start(&mut self, timeout: &str) {
        self.place.start_coordinators().expect("coordinators");
        self.apply(&fleet(timeout, "auto"));
        self.place.start_agents().expect("agents");
        for recorder in ["rec-1", "rec-2"] {
            self.wait(&format!("recorder/{recorder}"), "state=recording", 60);
        }
    }

    /// Replaces the fleet document.
    pub fn apply(&self, fleet: &str) {
        let file = self.place.dir().join("fleet.toml");
        std::fs::write(&file, fleet).expect("fleet.toml");
        self.ok(&["apply", "-f", &file.to_string_lossy()]);
    }

    /// Runs a verb that must succeed, and returns its JSON (null if it prints none).
    pub fn ok(&self, args: &[&str]) -> Value {
        let (code, json, error) = self.run(args);
        assert_eq!(code, Some(0), "interrex {args:?}: {error}");
        json
    }

    /// Runs a verb: exit code, JSON on standard output, text on standard error.
    pub fn run(&self, args: &[&str]) -> (Option<i32>, Value, String) {
        let output = self.place.interrex(&[args, &["-o", "json"]].concat()).expect("interrex");
        let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), json, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Waits for a field of `get`, as operators do.
    pub fn wait(&self, what: &str, field: &str, seconds: u64) -> Value {
        let seconds = format!("{seconds}s");
        self.ok(&["wait", what, "--for", field, "--timeout", &seconds])
    }

    /// The items of a list.
    pub fn items(&self, args: &[&str]) -> Vec<Value> {
        let list = self.ok(args);
        list.get("items").and_then(Value::as_array).cloned().unwrap_or_else(|| panic!("{list}"))
    }

    /// One item of a list.
    pub fn item(&self, args: &[&str]) -> Value {
        let items = self.items(args);
        items.first().cloned().unwrap_or_else(|| panic!("{args:?}: nothing"))
    }

    /// All events so far, oldest first.
    pub fn history(&self) -> Vec<Value> {
        let output = self.place.interrex(&["history", "-o", "jsonl"]).expect("interrex");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// How many events of a kind there are.
    pub fn count(&self, kind: &str) -> usize {
        self.history().iter().filter(|event| event["kind"] == kind).count()
    }

    /// The current leader.
    pub fn leader(&self) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            let (_, status, _) = self.run(&["status"]);
            if let Some(leader) = status.get("leader").and_then(Value::as_str) {
                return leader.to_owned();
            }
        }
        panic!("no leader within 30 s");
    }

    /// Every tick of `recorder` on the disks of all servers, by channel.
    pub fn ticks(&self, recorder: &str) -> BTreeMap<String, Ticks> {
        material::ticks(&self.disks(), recorder).expect("material")
    }

    /// The data folders of all servers.
    pub fn disks(&self) -> Vec<PathBuf> {
        self.place.servers().iter().map(|server| self.place.data(server)).collect()
    }

    /// Asserts that nothing of `recorder` is missing between two moments, but for `allowed_ms`.
    pub fn assert_recorded(&self, recorder: &str, from_ms: u64, to_ms: u64, allowed_ms: u64) {
        let gap = material::worst_gap_ms(&self.ticks(recorder), from_ms, to_ms);
        let gap = gap.unwrap_or_else(|| panic!("{recorder}: a channel has no material"));
        assert!(gap <= allowed_ms, "{recorder}: {gap} ms are missing, {allowed_ms} are allowed");
    }

    /// The chains and states of all coordinators agree, and every invariant holds.
    pub fn assert_verified(&self) {
        let (code, found, error) = self.run(&["verify"]);
        assert_eq!(code, Some(0), "{found} {error}");
        assert_eq!(found["ok"], true, "{found}");
    }

    /// The network, where each program has a namespace of its own.
    pub fn net(&self) -> &Net {
        self.net.as_ref().expect("a world in namespaces")
    }
}

/// Unix milliseconds now, as recorders see it.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 500,000,000")
}

/// Two recorder hosts with a recorder each, and one standby, in one group.
pub fn fleet(timeout: &str, failback: &str) -> String {
    let mut text = format!(
        "api_version = 1\n[limits]\ncommands_per_second = 0\n\
         [group.hall-a]\nmode = \"auto\"\ntimeout = \"{timeout}\"\nfailback = \"{failback}\"\n"
    );
    for (server, role) in [(1, "recorder-host"), (2, "recorder-host"), (3, "standby")] {
        write!(text, "[server.srv-{server}]\ngroup = \"hall-a\"\nrole = \"{role}\"\n")
            .expect("text");
    }
    for recorder in [1, 2] {
        let priority = 100 - recorder;
        write!(
            text,
            "[recorder.rec-{recorder}]\nhome = \"srv-{recorder}\"\npriority = {priority}\nchannels = 2\n"
        )
        .expect("text");
    }
    text
}

fn target() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../target"), PathBuf::from)
}
