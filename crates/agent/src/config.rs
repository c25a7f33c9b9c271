//! What one agent may set for itself: addresses, paths, TLS files, logging. Flag > environment >
//! file > default. What the fleet shares is the fleet document, in the coordinators' log.
mod file;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use interrex_client::program::{
    Failure, LogFormat, Security, address, host_port, is_loopback, required, wrong,
};
use interrex_core::agent::CONNECTION_TIMEOUT;
use interrex_core::{Address, Facts, ServerId};

use crate::driver::choice::Choice;

/// Where nothing is said: reachable from this machine only.
const LISTEN: &str = "127.0.0.1:7501";
/// Instead of an address: nobody can connect to this agent.
const DIALS_OUT: &str = "none";
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
    /// Address for other agents, which fetch material; none: this agent only dials out
    /// [default: 127.0.0.1:7501]
    #[arg(long, value_name = "H:P", env = "INTERREX_LISTEN")]
    pub listen: Option<String>,
    /// Where other agents reach --listen, if that is another address
    #[arg(long, value_name = "H:P", env = "INTERREX_ADVERTISE")]
    pub advertise: Option<String>,
    /// Folder with ca.pem, cert.pem, key.pem
    #[arg(long, value_name = "DIR", env = "INTERREX_TLS")]
    pub tls: Option<PathBuf>,
    /// No TLS: coordinators on loopback only
    #[arg(long, env = "INTERREX_INSECURE")]
    pub insecure: bool,
    /// What records: synthetic, process (a command for each channel) or exec (a program that knows
    /// your recording system) [default: synthetic]
    #[arg(long, value_name = "DRIVER", env = "INTERREX_DRIVER")]
    pub driver: Option<String>,
    /// TOML file of the driver: its commands and sources (docs/drivers.md)
    #[arg(long, value_name = "FILE", env = "INTERREX_DRIVER_CONFIG")]
    pub driver_config: Option<PathBuf>,
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
    pub listen: Option<SocketAddr>,
    pub advertise: Option<Address>,
    pub security: Security,
    pub(crate) driver: Choice,
    pub connection_timeout: Duration,
    pub log_format: LogFormat,
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
        let listen = listen(args.listen.as_deref().unwrap_or(LISTEN))?;
        let advertise = advertise(args.advertise.as_deref(), listen)?;
        let open = coordinators.iter().find(|at| !is_loopback(at)).cloned();
        let off = listen.filter(|at| !at.ip().is_loopback());
        let open = open.or(off.map(|at| at.to_string()));
        let security = Security::check(args.tls.as_deref(), args.insecure, open, "agent")?;
        let driver = Choice::check(args.driver.as_deref(), args.driver_config.as_deref())?;
        let timeout = args.connection_timeout_s.map_or(CONNECTION_TIMEOUT, Duration::from_secs);
        if !(CONNECTION_TIMEOUT..=CONNECTION_TIMEOUT * 60).contains(&timeout) {
            return Err(wrong("connection-timeout-s", "it is 60 to 3600"));
        }
        let log_format = LogFormat::check(args.log_format.as_deref())?;
        let connection_timeout = timeout;
        Ok(Self {
            server,
            data,
            coordinators,
            listen,
            advertise,
            security,
            driver,
            connection_timeout,
            log_format,
        })
    }

    /// What the coordinators, and through them other agents, are told of this server. `bound` is
    /// where it listens: what was asked for, with a port.
    pub fn facts(&self, bound: Option<SocketAddr>) -> Facts {
        let bound = || bound.and_then(|at| at.to_string().parse().ok());
        Facts { listen: self.advertise.clone().or_else(bound) }
    }
}

/// Nothing where this agent only dials out (SY-30).
fn listen(given: &str) -> Result<Option<SocketAddr>, Failure> {
    if given == DIALS_OUT {
        return Ok(None);
    }
    address("listen", given).map(Some)
}

fn advertise(given: Option<&str>, listen: Option<SocketAddr>) -> Result<Option<Address>, Failure> {
    match (given, listen) {
        (Some(_), None) => Err(wrong("advertise", "listen is none: nobody is answered there")),
        (Some(given), Some(_)) => given.parse().map(Some).map_err(|bad| wrong("advertise", bad)),
        (None, Some(at)) if at.ip().is_unspecified() => Err(wrong(
            "advertise",
            format_args!("listen is {at}: say under which host:port others reach that"),
        )),
        (None, _) => Ok(None),
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
        assert!(config.listen.unwrap().ip().is_loopback());
        assert_eq!(config.facts(config.listen).listen.unwrap().as_str(), LISTEN);
        assert_eq!(config.coordinators, ["127.0.0.1:1", "localhost:2"]);
        assert_eq!(config.connection_timeout, Duration::from_secs(60));
    }

    #[test]
    fn each_wrong_value_names_its_key_and_the_remedy() {
        type Spoil = fn(&mut AgentArgs);
        let wrong: [(&str, Spoil); 18] = [
            ("server is not set", |args| args.server = None),
            ("server: \"Srv\"", |args| args.server = Some("Srv".into())),
            ("data is not set", |args| args.data = None),
            ("coordinators is not set", |args| args.coordinators = None),
            ("coordinators: it names nobody", |args| args.coordinators = Some(" ,".into())),
            ("coordinators: \"h\"", |args| args.coordinators = Some("h".into())),
            ("coordinators: h:1 is in", |args| args.coordinators = Some("h:1,h:1".into())),
            ("insecure: h:1", |args| args.coordinators = Some("127.0.0.1:1,h:1".into())),
            ("advertise: listen is 0.0.0.0:1", |args| args.listen = Some("0.0.0.0:1".into())),
            ("advertise: \"h\"", |args| args.advertise = Some("h".into())),
            ("advertise: listen is none", |args| {
                args.listen = Some("none".into());
                args.advertise = Some("h:1".into());
            }),
            ("insecure: 0.0.0.0:1", |args| {
                args.listen = Some("0.0.0.0:1".into());
                args.advertise = Some("h:1".into());
            }),
            ("tls and insecure", |args| args.tls = Some("/x".into())),
            ("neither tls nor insecure", |args| args.insecure = false),
            ("driver: \"magic\"", |args| args.driver = Some("magic".into())),
            ("driver-config is not set", |args| args.driver = Some("process".into())),
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
