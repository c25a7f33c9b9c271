//! The TOML file of `--config`: the flags' names as keys.
use std::path::{Path, PathBuf};

use interrex_client::program::{Failure, read_toml};
use serde::Deserialize;

use super::CoordinatorArgs;

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
    read_toml(
        path,
        "--config",
        "the keys are the flags of `interrex coordinator --help`; groups, servers and recorders belong into the fleet document (`interrex apply`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Result<File, Failure> {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_key_of_the_fleet_is_sent_there() {
        for text in ["[group.hall-a]\n", "name = \"c1\"\ntimeout = \"2s\"\n"] {
            let failure = from(text).unwrap_err();
            assert_eq!((failure.exit, failure.code), (78, "config"));
            assert!(failure.message.contains("unknown field"), "{failure}");
            assert!(failure.remedy.contains("`interrex apply`"), "{failure}");
        }
    }

    #[test]
    fn a_flag_comes_before_the_file() {
        let file = from("name = \"c1\"\nhttp = \"h:1\"\ninsecure = true").unwrap();
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
