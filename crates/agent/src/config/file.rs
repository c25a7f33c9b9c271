//! The TOML file of `--config`: the flags' names as keys. Says where in the file something is wrong.
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::AgentArgs;
use crate::failure::Failure;

/// Larger is not a configuration file.
const FILE_MAX: u64 = 64 << 10;

/// The keys. What is not here is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) struct File {
    server: Option<String>,
    data: Option<PathBuf>,
    coordinators: Option<String>,
    listen: Option<String>,
    tls: Option<PathBuf>,
    insecure: Option<bool>,
    driver: Option<String>,
    connection_timeout_s: Option<u64>,
    log_format: Option<String>,
}

impl File {
    /// What flags and environment leave open comes from the file.
    pub(super) fn under(self, args: &AgentArgs) -> AgentArgs {
        let args = args.clone();
        // One choice: the file's is not looked at where flag or environment made it.
        let chosen = args.insecure || args.tls.is_some();
        AgentArgs {
            server: args.server.or(self.server),
            data: args.data.or(self.data),
            coordinators: args.coordinators.or(self.coordinators),
            listen: args.listen.or(self.listen),
            tls: if chosen { args.tls } else { self.tls },
            insecure: if chosen { args.insecure } else { self.insecure.unwrap_or(false) },
            driver: args.driver.or(self.driver),
            connection_timeout_s: args.connection_timeout_s.or(self.connection_timeout_s),
            log_format: args.log_format.or(self.log_format),
            ..args
        }
    }
}

/// Reads and parses `path`.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let unreadable = |why: io::Error| {
        Failure::config(
            format!("{}: {why}", path.display()),
            "name a readable TOML file in --config",
        )
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_MAX {
        return Err(unreadable(io::Error::other("larger than 64 KiB")));
    }
    parse(path, &std::fs::read_to_string(path).map_err(unreadable)?)
}

fn parse(path: &Path, text: &str) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| {
        let (line, column, key) = place(text, error.span().unwrap_or_default());
        let why = error.message().lines().next().unwrap_or_default();
        Failure::config(
            format!("{}:{line}:{column}: key {key:?}: {why}", path.display()),
            "the keys are the flags of `interrex agent --help`; groups, servers and recorders belong into the fleet document (`interrex apply`)",
        )
    })
}

/// Line and column, from 1, and the key on that line.
fn place(text: &str, span: Range<usize>) -> (usize, usize, String) {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    let whole = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let key = whole.split('=').next().unwrap_or_default();
    (line, column, key.trim().trim_matches(['[', ']', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_file_is_told_with_line_column_and_key() {
        let table = [
            ("server = \"s\"\nsever = \"s\"\n", "a.toml:2:1: key \"sever\": unknown field"),
            ("insecure = \"yes\"\n", "a.toml:1:12: key \"insecure\": invalid type"),
            ("\n  data = 7\n", "a.toml:2:10: key \"data\": invalid type"),
            ("[group.hall-a]\n", "a.toml:1:2: key \"group.hall-a\": unknown field"),
            ("server = \"s\"\nserver = \"t\"\n", "a.toml:2:1: key \"server\": duplicate key"),
            ("server = \"s\"\nx", "a.toml:2:2: key \"x\": key with no value"),
        ];
        for (text, expect) in table {
            let failure = parse(Path::new("a.toml"), text).unwrap_err();
            assert_eq!(failure.exit, 78);
            assert!(failure.message.starts_with(expect), "{} for {expect}", failure.message);
        }
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let file = parse(Path::new("a.toml"), "server = \"s\"\ninsecure = true\n").unwrap();
        let args = AgentArgs { server: Some("t".into()), ..AgentArgs::default() };
        let merged = file.under(&args);
        assert_eq!((merged.server.as_deref(), merged.insecure), (Some("t"), true));
    }
}
