//! What one agent may set for itself: addresses, paths, TLS files, logging. Flag > environment >
//! file > default. What the fleet shares is the fleet document, in the coordinators' log.
mod file;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use interrex_core::ServerId;
use interrex_core::agent::CONNECTION_TIMEOUT;

use crate::failure::Failure;

/// Where nothing is said: reachable from this machine only.
const LISTEN: &str = "127.0.0.1:7501";
/// More coordinators than a cluster ever has, with room for moves.
const COORDINATORS_MAX: usize = 32;

/// The agent of one server, in the foreground.
///
/// Each flag may stand in the environment (INTERREX_...) or in a TOML file under the same name.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AgentArgs {
    /// Name of this server, as in the fleet document
    #[arg(long, value_name = "NAME", env = "INTERREX_SERVER")]
    pub server: Option<String>,
    /// Folder of identity, material and journal
    #[arg(long, value_name = "DIR", env = "INTERREX_DATA")]
    pub data: Option<PathBuf>,
    /// Addresses of all coordinators, separated by commas
    #[arg(long, value_name = "H:P,..", env = "INTERREX_COORDINATORS")]
    pub coordinators: Option<String>,
    /// Address for other agents, which fetch material [default: 127.0.0.1:7501]
    #[arg(long, value_name = "H:P", env = "INTERREX_LISTEN")]
    pub listen: Option<String>,
    /// Folder with ca.pem, cert.pem, key.pem
    #[arg(long, value_name = "DIR", env = "INTERREX_TLS")]
    pub tls: Option<PathBuf>,
    /// No TLS: coordinators on loopback only
    #[arg(long, env = "INTERREX_INSECURE")]
    pub insecure: bool,
    /// What records: synthetic [default: synthetic]
    #[arg(long, value_name = "DRIVER", env = "INTERREX_DRIVER")]
    pub driver: Option<String>,
    /// Seconds that a starting agent waits for a majority before it records from its last good
    /// configuration; at least 60 [default: 60]
    #[arg(long, value_name = "SECONDS", env = "INTERREX_CONNECTION_TIMEOUT_S")]
    pub connection_timeout_s: Option<u64>,
    /// TOML file with the same keys
    #[arg(long, value_name = "FILE", env = "INTERREX_CONFIG")]
    pub config: Option<PathBuf>,
    /// Only check the configuration
    #[arg(long)]
    pub check: bool,
    /// text or json [default: text]
    #[arg(long, value_name = "FORMAT", env = "INTERREX_LOG_FORMAT")]
    pub log_format: Option<String>,
}

/// The configuration, checked. If you hold one, it is sound.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the flags of the same names say it")]
pub struct Config {
    pub server: ServerId,
    pub data: PathBuf,
    pub coordinators: Vec<String>,
    pub listen: SocketAddr,
    pub security: Security,
    pub connection_timeout: Duration,
    pub log_format: LogFormat,
}

/// How connections are secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Mutual TLS with the identity in this folder.
    Tls(PathBuf),
    /// None; every coordinator is on loopback.
    Insecure,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Puts flags, environment, file and defaults together, and checks the whole.
    ///
    /// # Errors
    ///
    /// Exit 78: names the key, and file, line and column where it stands in a file.
    pub fn load(args: &AgentArgs) -> Result<Self, Failure> {
        let merged = match &args.config {
            Some(path) => file::read(path)?.under(args),
            None => args.clone(),
        };
        Self::check(&merged)
    }

    fn check(args: &AgentArgs) -> Result<Self, Failure> {
        let server = required("server", args.server.as_ref())?;
        let server = server.parse().map_err(|bad| wrong("server", bad))?;
        let data = required("data", args.data.as_ref())?.clone();
        let coordinators = coordinators(required("coordinators", args.coordinators.as_ref())?)?;
        let listen = args.listen.as_deref().unwrap_or(LISTEN);
        let mut found = listen.to_socket_addrs().map_err(|why| {
            wrong("listen", format_args!("{listen:?} is not an address of this machine: {why}"))
        })?;
        let nothing = || wrong("listen", format_args!("{listen:?} has no address"));
        let listen = found.next().ok_or_else(nothing)?;
        let security = security(args, &coordinators, listen)?;
        match args.driver.as_deref().unwrap_or("synthetic") {
            "synthetic" => {}
            other => return Err(wrong("driver", format_args!("{other:?}; there is: synthetic"))),
        }
        let timeout = args.connection_timeout_s.map_or(CONNECTION_TIMEOUT, Duration::from_secs);
        if !(CONNECTION_TIMEOUT..=CONNECTION_TIMEOUT * 60).contains(&timeout) {
            return Err(wrong("connection-timeout-s", "it is 60 to 3600"));
        }
        let log_format = match args.log_format.as_deref().unwrap_or("text") {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => return Err(wrong("log-format", format_args!("{other:?}; text or json"))),
        };
        let connection_timeout = timeout;
        Ok(Self { server, data, coordinators, listen, security, connection_timeout, log_format })
    }
}

fn coordinators(list: &str) -> Result<Vec<String>, Failure> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    for item in items {
        host_port(item).map_err(|why| wrong("coordinators", why))?;
        if !known.insert(item) {
            return Err(wrong("coordinators", format_args!("{item} is in it twice")));
        }
        found.push(item.to_owned());
    }
    match found.len() {
        1..=COORDINATORS_MAX => Ok(found),
        0 => Err(wrong("coordinators", "it names nobody; name every coordinator's --listen")),
        more => Err(wrong("coordinators", format_args!("{more}; at most {COORDINATORS_MAX}"))),
    }
}

fn security(
    args: &AgentArgs,
    coordinators: &[String],
    listen: SocketAddr,
) -> Result<Security, Failure> {
    let off_loopback = || coordinators.iter().find(|at| !is_loopback(at)).cloned();
    match (&args.tls, args.insecure) {
        (Some(_), true) => Err(Failure::config(
            "tls and insecure are both set",
            "keep --tls DIR; --insecure is for trying things on one machine",
        )),
        (Some(folder), false) => Ok(Security::Tls(folder.clone())),
        (None, true) => {
            let listen = (!listen.ip().is_loopback()).then(|| listen.to_string());
            match off_loopback().or(listen) {
                None => Ok(Security::Insecure),
                Some(at) => Err(Failure::config(
                    format!("insecure: {at} is not a loopback address"),
                    "use --tls DIR (see `interrex cert`), or stay on 127.0.0.1",
                )),
            }
        }
        (None, false) => Err(Failure::config(
            "neither tls nor insecure is set",
            "set --tls DIR with the identity of this agent (see `interrex cert issue --role agent`)",
        )),
    }
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn required<'a, T>(key: &str, value: Option<&'a T>) -> Result<&'a T, Failure> {
    value.ok_or_else(|| {
        let environment = key.to_uppercase().replace('-', "_");
        Failure::config(
            format!("{key} is not set"),
            format!("set --{key}, INTERREX_{environment}, or {key} in the file of --config"),
        )
    })
}

/// `host:port` that somebody can dial; names are resolved when they are dialled.
fn host_port(text: &str) -> Result<(), String> {
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("{text:?} is not host:port"))?;
    let port_is_sound = port.parse::<u16>().is_ok_and(|port| port > 0);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let nobody = bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let odd = host.contains(|c: char| c.is_whitespace() || c == '/');
    if host.is_empty() || odd || !port_is_sound || nobody || text.len() > 255 {
        return Err(format!("{text:?} is not a host:port that can be dialled"));
    }
    Ok(())
}

fn wrong(key: &str, why: impl std::fmt::Display) -> Failure {
    Failure::config(format!("{key}: {why}"), format!("correct --{key} (or where it is set)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> AgentArgs {
        AgentArgs {
            server: Some("srv-1".into()),
            data: Some("/nowhere".into()),
            coordinators: Some("127.0.0.1:1, localhost:2".into()),
            insecure: true,
            ..AgentArgs::default()
        }
    }

    #[test]
    fn the_least_that_must_be_said() {
        let config = Config::load(&sound()).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.coordinators, ["127.0.0.1:1", "localhost:2"]);
        assert_eq!(config.connection_timeout, Duration::from_secs(60));
    }

    #[test]
    fn each_wrong_value_names_its_key_and_the_remedy() {
        type Spoil = fn(&mut AgentArgs);
        let wrong: [(&str, Spoil); 14] = [
            ("server is not set", |args| args.server = None),
            ("server: \"Srv\"", |args| args.server = Some("Srv".into())),
            ("data is not set", |args| args.data = None),
            ("coordinators is not set", |args| args.coordinators = None),
            ("coordinators: it names nobody", |args| args.coordinators = Some(" ,".into())),
            ("coordinators: \"h\"", |args| args.coordinators = Some("h".into())),
            ("coordinators: h:1 is in", |args| args.coordinators = Some("h:1,h:1".into())),
            ("insecure: h:1", |args| args.coordinators = Some("127.0.0.1:1,h:1".into())),
            ("insecure: 0.0.0.0:1", |args| args.listen = Some("0.0.0.0:1".into())),
            ("tls and insecure", |args| args.tls = Some("/x".into())),
            ("neither tls nor insecure", |args| args.insecure = false),
            ("driver: \"exec\"", |args| args.driver = Some("exec".into())),
            ("connection-timeout-s", |args| args.connection_timeout_s = Some(59)),
            ("log-format: \"xml\"", |args| args.log_format = Some("xml".into())),
        ];
        for (message, spoil) in wrong {
            let mut args = sound();
            spoil(&mut args);
            let failure = Config::load(&args).unwrap_err();
            assert_eq!((failure.exit, failure.code), (78, "config"));
            assert!(failure.message.starts_with(message), "{}", failure.message);
            assert!(!failure.remedy.is_empty());
        }
    }
}
