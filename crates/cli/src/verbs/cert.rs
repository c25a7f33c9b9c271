//! `interrex cert ca` and `interrex cert issue`.
use std::path::PathBuf;

use clap::Subcommand;
use interrex_client::identity::{
    BadIdentity, DAYS_DEFAULT, HOSTS_DEFAULT, IssueRequest, Role, create_ca, issue,
};
use interrex_core::name::Name;

use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Cert {
    /// Make a CA: ca.pem and ca-key.pem
    Ca {
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Issue an identity: ca.pem, cert.pem, key.pem
    Issue {
        /// Folder of the CA
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// coordinator, agent, viewer, operator, admin or auditor
        #[arg(long)]
        role: Role,
        /// Of the coordinator, server or person
        #[arg(long)]
        name: Name,
        /// DNS name or address under which it serves; may be repeated
        #[arg(long = "host", value_name = "H", default_values_t = HOSTS_DEFAULT.map(str::to_owned))]
        hosts: Vec<String>,
        /// Validity from now
        #[arg(long, default_value_t = DAYS_DEFAULT)]
        days: u32,
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

impl Cert {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        match self {
            Cert::Ca { out } => {
                create_ca(out).map_err(failed)?;
                output::aside(&format!("CA in {}; keep ca-key.pem to yourself", out.display()));
            }
            Cert::Issue { ca, role, name, hosts, days, out } => {
                let (hosts, days) = (hosts.clone(), *days);
                let request = IssueRequest { role: *role, name: *name, hosts, days };
                issue(ca, &request, out).map_err(failed)?;
                output::aside(&format!("{role}/{name} in {}", out.display()));
            }
        }
        Ok(0)
    }
}

/// Here a folder is not a configuration but the thing asked for: exit 1.
fn failed(bad: BadIdentity) -> Failure {
    let code = match &bad {
        BadIdentity::Exists { .. } => "exists",
        BadIdentity::Unreadable { .. } => "unreadable",
        BadIdentity::Unwritable { .. } => "unwritable",
        BadIdentity::NotPem { .. }
        | BadIdentity::Expired { .. }
        | BadIdentity::NotYet { .. }
        | BadIdentity::ForeignCa { .. }
        | BadIdentity::KeyMismatch { .. }
        | BadIdentity::NoRole { .. }
        | BadIdentity::WrongRole { .. }
        | BadIdentity::InsecureElsewhere(_)
        | BadIdentity::Argument(_) => "identity",
    };
    Failure::refused(code, bad.to_string(), "")
}
