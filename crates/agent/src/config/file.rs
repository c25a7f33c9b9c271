//! The TOML file of `--config`: the flags' names as keys.
use std::path::{Path, PathBuf};

use interrex_client::program::{Failure, read_toml};
use serde::Deserialize;

use super::AgentArgs;

/// The keys. What is not here is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) struct File {
    server: Option<String>,
    data: Option<PathBuf>,
    coordinators: Option<String>,
    listen: Option<String>,
    advertise: Option<String>,
    tls: Option<PathBuf>,
    insecure: Option<bool>,
    driver: Option<String>,
    driver_config: Option<PathBuf>,
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
            advertise: args.advertise.or(self.advertise),
            tls: if chosen { args.tls } else { self.tls },
            insecure: if chosen { args.insecure } else { self.insecure.unwrap_or(false) },
            driver: args.driver.or(self.driver),
            driver_config: args.driver_config.or(self.driver_config),
            connection_timeout_s: args.connection_timeout_s.or(self.connection_timeout_s),
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
        "the keys are the flags of `interrex agent --help`; groups, servers and recorders belong into the fleet document (`interrex apply`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Result<File, Failure> {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_key_of_the_fleet_is_sent_there() {
        for text in ["[group.hall-a]\n", "sever = \"s\"\n"] {
            let failure = from(text).unwrap_err();
            assert_eq!(failure.exit, 78);
            assert!(failure.message.contains("unknown field"), "{failure}");
            assert!(failure.remedy.contains("`interrex apply`"), "{failure}");
        }
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let file = from("server = \"s\"\ninsecure = true\n").unwrap();
        let args = AgentArgs { server: Some("t".into()), ..AgentArgs::default() };
        let merged = file.under(&args);
        assert_eq!((merged.server.as_deref(), merged.insecure), (Some("t"), true));
    }
}
