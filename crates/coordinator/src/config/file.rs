//! The TOML file of `--config`: the flags' names as keys. Says where in the file something is wrong.
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::CoordinatorArgs;
use crate::failure::Failure;

/// Larger is not a configuration file.
const FILE_MAX: u64 = 64 << 10;

/// The keys. What is not here is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) struct File {
    name: Option<String>,
    data: Option<PathBuf>,
    listen: Option<String>,
    peer_listen: Option<String>,
    http: Option<String>,
    tls: Option<PathBuf>,
    insecure: Option<bool>,
    initial: Option<String>,
    advertise: Option<String>,
    log_format: Option<String>,
}

impl File {
    /// What flags and environment leave open comes from the file.
    pub(super) fn under(self, args: &CoordinatorArgs) -> CoordinatorArgs {
        let args = args.clone();
        // One choice: the file's is not looked at where flag or environment made it.
        let chosen = args.insecure || args.tls.is_some();
        CoordinatorArgs {
            name: args.name.or(self.name),
            data: args.data.or(self.data),
            listen: args.listen.or(self.listen),
            peer_listen: args.peer_listen.or(self.peer_listen),
            http: args.http.or(self.http),
            tls: if chosen { args.tls } else { self.tls },
            insecure: if chosen { args.insecure } else { self.insecure.unwrap_or(false) },
            initial: args.initial.or(self.initial),
            advertise: args.advertise.or(self.advertise),
            log_format: args.log_format.or(self.log_format),
            ..args
        }
    }
}

/// Reads and parses `path`.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let unreadable = |why: std::io::Error| {
        Failure::config(
            format!("{}: {why}", path.display()),
            "name a readable TOML file in --config",
        )
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_MAX {
        return Err(unreadable(std::io::Error::other("larger than 64 KiB")));
    }
    parse(path, &std::fs::read_to_string(path).map_err(unreadable)?)
}

fn parse(path: &Path, text: &str) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| {
        let (line, column, key) = place(text, error.span().unwrap_or_default());
        let why = error.message().lines().next().unwrap_or_default();
        Failure::config(
            format!("{}:{line}:{column}: key {key:?}: {why}", path.display()),
            "the keys are the flags of `interrex coordinator --help`; groups, servers and recorders belong into the fleet document (`interrex apply`)",
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
    fn says_where_and_which_key() {
        for (text, place, key) in [
            ("name = \"c1\"\ntimeout = \"2s\"\n", "f.toml:2:1", "timeout"),
            ("name = \"c1\"\nlisten = 7401\n", "f.toml:2:10", "listen"),
            ("[group.hall-a]\nmode = \"auto\"\n", "f.toml:1:2", "group"),
            ("name \"c1\"\n", "f.toml:1:", "name"),
        ] {
            let failure = parse(Path::new("f.toml"), text).unwrap_err();
            assert_eq!((failure.exit, failure.code), (78, "config"));
            assert!(failure.message.starts_with(place), "{}", failure.message);
            assert!(failure.message.contains(key), "{}", failure.message);
        }
    }

    #[test]
    fn a_flag_comes_before_the_file() {
        let file = parse(Path::new("f"), "name = \"c1\"\nhttp = \"h:1\"\ninsecure = true").unwrap();
        let args = CoordinatorArgs {
            name: Some("c2".into()),
            tls: Some("/tls".into()),
            ..CoordinatorArgs::default()
        };
        let merged = file.under(&args);
        assert_eq!(merged.name.as_deref(), Some("c2"));
        assert_eq!(merged.http.as_deref(), Some("h:1"));
        assert!(!merged.insecure && merged.tls.is_some());
    }
}
