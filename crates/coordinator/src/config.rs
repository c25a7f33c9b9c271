//! What one coordinator may set for itself: addresses, paths, TLS files, logging. A flag comes before
//! the environment, that before the file, that before the default. What all coordinators must share
//! is the fleet document, in the log, and a key of it in this file is an error.
mod file;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use interrex_client::program::{Failure, address, host_port, required, wrong};
pub use interrex_client::program::{LogFormat, Security};
use interrex_core::name::Name;

/// Where nothing is said: reachable from this machine only.
const LISTEN: &str = "127.0.0.1:7401";
const PEER_LISTEN: &str = "127.0.0.1:7402";
const HTTP: &str = "127.0.0.1:7480";
/// Founders in one list; later members come by `member add`.
const INITIAL_MAX: usize = 9;

/// One coordinator of a cluster, in the foreground.
///
/// Each flag may stand in the environment (INTERREX_...) or in a TOML file under the same name.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CoordinatorArgs {
    /// Name of this member, as in --initial
    #[arg(long, env = "INTERREX_NAME")]
    pub name: Option<String>,
    /// Folder of the log and the history
    #[arg(long, value_name = "DIR", env = "INTERREX_DATA")]
    pub data: Option<PathBuf>,
    /// Address for operators, clients and agents [default: 127.0.0.1:7401]
    #[arg(long, value_name = "HOST:PORT", env = "INTERREX_LISTEN")]
    pub listen: Option<String>,
    /// Address for the other members [default: 127.0.0.1:7402]
    #[arg(long, value_name = "HOST:PORT", env = "INTERREX_PEER_LISTEN")]
    pub peer_listen: Option<String>,
    /// Address for health and metrics [default: 127.0.0.1:7480]
    #[arg(long, value_name = "HOST:PORT", env = "INTERREX_HTTP")]
    pub http: Option<String>,
    /// Folder with ca.pem, cert.pem, key.pem
    #[arg(long, value_name = "DIR", env = "INTERREX_TLS")]
    pub tls: Option<PathBuf>,
    /// No TLS: on loopback only
    #[arg(long, env = "INTERREX_INSECURE")]
    pub insecure: bool,
    /// Founders: name=host:port of their peer addresses. Read only while --data is empty
    #[arg(long, value_name = "c1=H:P,..", env = "INTERREX_INITIAL")]
    pub initial: Option<String>,
    /// Address told to operators and agents [default: that of --listen]
    #[arg(long, value_name = "HOST:PORT", env = "INTERREX_ADVERTISE")]
    pub advertise: Option<String>,
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
    pub name: Name,
    pub data: PathBuf,
    pub listen: SocketAddr,
    pub peer_listen: SocketAddr,
    pub http: SocketAddr,
    pub security: Security,
    pub initial: Founders,
    pub advertise: String,
    pub log_format: LogFormat,
}

/// The members that found a cluster, and their peer addresses, by name. Empty: none was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Founders(pub BTreeMap<Name, String>);

impl std::fmt::Display for Founders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, address)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}={address}")?;
        }
        Ok(())
    }
}

impl Config {
    /// Puts flags, environment, file and defaults together, and checks the whole.
    ///
    /// # Errors
    ///
    /// Exit 78: names the key, and file, line and column where it stands in a file.
    pub fn load(args: &CoordinatorArgs) -> Result<Self, Failure> {
        let merged = match &args.config {
            Some(path) => file::read(path)?.under(args),
            None => args.clone(),
        };
        Self::check(&merged)
    }

    fn check(args: &CoordinatorArgs) -> Result<Self, Failure> {
        let name = required("name", args.name.as_ref())?;
        let name = name.parse().map_err(|bad| wrong("name", bad))?;
        let data = required("data", args.data.as_ref())?.clone();
        let listen = address("listen", args.listen.as_deref().unwrap_or(LISTEN))?;
        let peer_listen =
            address("peer-listen", args.peer_listen.as_deref().unwrap_or(PEER_LISTEN))?;
        let http = address("http", args.http.as_deref().unwrap_or(HTTP))?;
        let initial = founders(args.initial.as_deref().unwrap_or_default())?;
        if !initial.0.is_empty() && !initial.0.contains_key(&name) {
            return Err(wrong("initial", format_args!("{name} is not in it: {initial}")));
        }
        let open = [listen, peer_listen, http].into_iter().find(|at| !at.ip().is_loopback());
        let security = Security::check(args.tls.as_deref(), args.insecure, open, "coordinator")?;
        let advertise = args.advertise.clone().or_else(|| args.listen.clone());
        let advertise = advertise.unwrap_or_else(|| LISTEN.to_owned());
        host_port(&advertise).map_err(|why| wrong("advertise", why))?;
        if listen.ip().is_unspecified() && args.advertise.is_none() {
            return Err(Failure::config(
                format!("advertise: nobody can dial {listen}, the address of --listen"),
                "set --advertise to the host and port that operators and agents reach",
            ));
        }
        let log_format = LogFormat::check(args.log_format.as_deref())?;
        Ok(Self { name, data, listen, peer_listen, http, security, initial, advertise, log_format })
    }
}

fn founders(list: &str) -> Result<Founders, Failure> {
    let mut founders = BTreeMap::new();
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, address) = item
            .split_once('=')
            .ok_or_else(|| wrong("initial", format_args!("{item:?} is not name=host:port")))?;
        let name: Name = name.parse().map_err(|bad| wrong("initial", bad))?;
        host_port(address).map_err(|why| wrong("initial", why))?;
        if founders.insert(name, address.to_owned()).is_some() {
            return Err(wrong("initial", format_args!("{name} is in it twice")));
        }
    }
    if founders.len() > INITIAL_MAX {
        return Err(wrong("initial", format_args!("more than {INITIAL_MAX} members")));
    }
    Ok(Founders(founders))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> CoordinatorArgs {
        CoordinatorArgs {
            name: Some("c1".into()),
            data: Some("/nowhere".into()),
            insecure: true,
            ..CoordinatorArgs::default()
        }
    }

    #[test]
    fn the_defaults_are_on_loopback() {
        let config = Config::load(&sound()).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.advertise, LISTEN);
    }

    #[test]
    fn each_wrong_value_names_its_key() {
        type Spoil = fn(&mut CoordinatorArgs);
        let wrong: [(&str, Spoil); 9] = [
            ("name is not set", |args| args.name = None),
            ("name: \"C1\"", |args| args.name = Some("C1".into())),
            ("data is not set", |args| args.data = None),
            ("insecure: 0.0.0.0:1", |args| args.listen = Some("0.0.0.0:1".into())),
            ("tls and insecure", |args| args.tls = Some("/x".into())),
            ("neither tls nor insecure", |args| args.insecure = false),
            ("initial: c1 is not in it", |args| args.initial = Some("c2=h:1".into())),
            ("initial: c1 is in it twice", |args| args.initial = Some("c1=h:1,c1=h:2".into())),
            ("log-format: \"xml\"", |args| args.log_format = Some("xml".into())),
        ];
        for (message, spoil) in wrong {
            let mut args = sound();
            spoil(&mut args);
            let failure = Config::load(&args).unwrap_err();
            assert_eq!(failure.exit, 78);
            assert!(failure.message.starts_with(message), "{}", failure.message);
            assert!(!failure.remedy.is_empty());
        }
    }

    #[test]
    fn founders_are_written_in_the_order_of_their_names() {
        let read = founders("c2=b:2, c1=a:1").unwrap();
        assert_eq!(read.to_string(), "c1=a:1,c2=b:2");
    }
}
