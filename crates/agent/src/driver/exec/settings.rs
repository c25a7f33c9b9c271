//! The file of `--driver-config` for `exec`: the program, what it is given, and its deadlines.
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interrex_client::program::{Failure, read_toml};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::driver::sources::{self, Sources};

const REMEDY: &str = "the keys are program, source, stall_ms, grace_ms, deadline_ms, [settings], [channel.NAME] and [recorder.NAME] (docs/drivers.md)";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    program: PathBuf,
    stall_ms: Option<u64>,
    grace_ms: Option<u64>,
    deadline_ms: Option<u64>,
    #[serde(default)]
    settings: Map<String, Value>,
    source: Option<String>,
    #[serde(default)]
    channel: BTreeMap<String, sources::Channel>,
    #[serde(default)]
    recorder: BTreeMap<String, sources::Recorder>,
}

/// Which program, and how it is called. If you hold one, it is sound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Absolute, and executable when it was looked at.
    pub(super) program: PathBuf,
    /// Given to `apply`.
    pub(super) settings: Map<String, Value>,
    pub(super) sources: Sources,
    pub(super) stall: Duration,
    pub(super) grace: Duration,
    /// Of every verb but `health`.
    pub(super) deadline: Duration,
}

impl Settings {
    /// Reads and checks the file.
    ///
    /// # Errors
    ///
    /// Exit 78, naming the key and its place.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let file: File = read_toml(path, "--driver-config", REMEDY)?;
        let named = |key: &str, why: String| {
            Failure::config(format!("{}: {key}: {why}", path.display()), REMEDY)
        };
        let within = |key: &str, set: Option<u64>, default: u64| match set.unwrap_or(default) {
            ms @ 100..=600_000 => Ok(Duration::from_millis(ms)),
            ms => Err(named(key, format!("{ms}; it is 100 to 600000 milliseconds"))),
        };
        let program = file.program;
        let shown = program.display();
        if !program.is_absolute() {
            return Err(named("program", format!("{shown} is no absolute path")));
        }
        let meta = std::fs::metadata(&program);
        let meta = meta.map_err(|why| named("program", format!("{shown}: {why}")))?;
        if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
            return Err(named("program", format!("{shown} cannot be executed")));
        }
        Ok(Self {
            stall: within("stall_ms", file.stall_ms, 3_000)?,
            grace: within("grace_ms", file.grace_ms, 2_000)?,
            deadline: within("deadline_ms", file.deadline_ms, 10_000)?,
            program,
            settings: file.settings,
            sources: Sources {
                pattern: file.source,
                channel: file.channel,
                recorder: file.recorder,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named_with_its_place_or_its_key() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("d.toml");
        let table = [
            ("progam = \"/bin/true\"\n", "d.toml:1:1: key \"progam\": unknown field"),
            ("stall_ms = 500\n", "missing field `program`"),
            ("program = \"true\"\n", "d.toml: program: true is no absolute path"),
            ("program = \"/no/such\"\n", "d.toml: program: /no/such: No such file"),
            ("program = \"/etc/passwd\"\n", "d.toml: program: /etc/passwd cannot be executed"),
            ("program = \"/bin/true\"\ngrace_ms = 1\n", "d.toml: grace_ms: 1; it is 100"),
        ];
        for (text, expect) in table {
            std::fs::write(&path, text).unwrap();
            let failure = Settings::load(&path).unwrap_err();
            assert_eq!((failure.exit, failure.code), (78, "config"));
            assert!(failure.message.contains(expect), "{} for {expect}", failure.message);
        }
        std::fs::write(&path, "program = \"/bin/true\"\n[settings]\ncodec = \"copy\"\n").unwrap();
        let settings = Settings::load(&path).unwrap();
        assert_eq!(settings.settings.get("codec"), Some(&Value::from("copy")));
    }
}
