//! Arguments that many verbs share, and the list of verbs. Flags win over the environment.
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use interrex_client::client::{Client, Read, Seen, Settings, Wish, new_operation};
use interrex_client::identity::{Security, TlsFolder};
use interrex_core::{Command, OperationId};
use interrex_wire::pb::View;

use crate::failure::Failure;
use crate::verbs::Verb;

/// Failover for recording servers: coordinators, agents, and the operator's tool.
#[derive(Parser)]
#[command(name = "interrex", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// How to reach the coordinators, and how to print.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Coordinators to ask, H:P,..
    #[arg(long, global = true, value_name = "H:P,..", env = "INTERREX_ENDPOINTS")]
    pub(crate) endpoints: Option<String>,
    /// Folder with ca.pem, cert.pem, key.pem
    #[arg(long, global = true, value_name = "DIR", env = "INTERREX_TLS")]
    pub(crate) tls: Option<PathBuf>,
    /// No TLS: on loopback only
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// For each call, all attempts together
    #[arg(long, global = true, value_name = "10s", default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Read what whichever coordinator answers has
    #[arg(long, global = true)]
    pub(crate) stale: bool,
    /// Form of what is printed
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// No first line in tables
    #[arg(long, global = true)]
    pub(crate) no_headers: bool,
}

/// Form of what is printed on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Wide,
    Json,
    Jsonl,
}

/// What every verb that changes something takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Mutating {
    /// Why, for the history
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) reason: String,
    /// Where your own records have it
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) ticket: String,
    /// The same id again gives the same answer; without --seen it is only asked for
    #[arg(long, value_name = "UUID")]
    pub(crate) operation_id: Option<uuid::Uuid>,
    /// Belongs to --operation-id: `operations`, as read before it was first sent
    #[arg(long, value_name = "N", requires = "operation_id")]
    pub(crate) seen: Option<u64>,
    /// Only tell what would come of it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Ask nothing (for scripts; nothing asks yet)
    #[arg(long)]
    pub(crate) yes: bool,
}

impl Output {
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Output::Json | Output::Jsonl)
    }
}

impl Global {
    /// A client of the cluster that the flags name.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let text = self.endpoints.as_deref().unwrap_or_default();
        let mut endpoints = Vec::new();
        for address in text.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none() {
                return Err(Failure::config(
                    format!("--endpoints: {address:?} is not host:port"),
                    "give addresses as in --endpoints 127.0.0.1:7401,127.0.0.1:7411",
                ));
            }
            endpoints.push(address.to_owned());
        }
        let security = self.security(&endpoints)?;
        Ok(Client::new(Settings { endpoints, security, timeout: self.timeout })?)
    }

    fn security(&self, endpoints: &[String]) -> Result<Security, Failure> {
        if self.insecure {
            let addresses = endpoints.iter().filter_map(|address| address.to_socket_addrs().ok());
            for address in addresses.flatten() {
                Security::Insecure.check_address(address).map_err(|bad| {
                    Failure::config(format!("--insecure: {bad}"), "use --tls DIR")
                })?;
            }
            return Ok(Security::Insecure);
        }
        let Some(folder) = &self.tls else {
            return Err(Failure::config(
                "no identity: neither --tls nor INTERREX_TLS names a folder",
                "give --tls DIR (`interrex cert issue` makes one), or --insecure on loopback",
            ));
        };
        Ok(Security::Tls(Arc::new(TlsFolder::load(folder)?)))
    }

    pub(crate) fn read(&self, view: View, name: &str) -> Read {
        Read { view, name: name.to_owned(), stale: self.stale }
    }
}

impl Mutating {
    pub(crate) fn wish(&self, command: Command) -> Wish {
        let seen = match (self.operation_id, self.seen) {
            (None, _) => Seen::New,
            (Some(_), Some(seen)) => Seen::Before(seen),
            (Some(_), None) => Seen::Lost,
        };
        let given = self.operation_id.map(|id| OperationId(id.as_u128()));
        Wish {
            operation: given.unwrap_or_else(new_operation),
            seen,
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            dry_run: self.dry_run,
            command,
        }
    }
}

/// `2s`, `1m 30s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parser = jiff::fmt::friendly::SpanParser::new();
    parser
        .parse_unsigned_duration(text)
        .map_err(|_| format!("{text:?} is not a duration; write 2s, 500ms or \"1m 30s\""))
}

/// `server/srv-1` and `srv-1` both work.
pub(crate) fn bare<'a>(kind: &str, name: &'a str) -> &'a str {
    name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
}

/// The same, as one of the core's names.
pub(crate) fn named<T>(kind: &str, name: &str) -> Result<T, Failure>
where
    T: std::str::FromStr<Err = interrex_core::name::BadName>,
{
    bare(kind, name)
        .parse()
        .map_err(|bad| Failure::usage(&format!("{bad}"), &format!("give the name of a {kind}")))
}
