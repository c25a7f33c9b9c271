//! Who is who: identities are certificates of the cluster's own CA, with role and name in a URI
//! (`spiffe://interrex/<role>/<name>`); every connection proves both ends (mutual TLS).
//!
//! Deliberately absent: what a role may do; that is asked where calls are served.
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use interrex_core::PersonId;
use interrex_core::name::Name;
use rustls::crypto::CryptoProvider;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

mod accept;
mod configs;
mod connect;
mod folder;
mod issue;

pub use accept::{AcceptLimits, Acceptor, Peer, Peered};
pub use configs::Callers;
pub use connect::{Connector, Dialed, WrongPeer};
pub use folder::TlsFolder;
pub use issue::{DAYS_DEFAULT, HOSTS_DEFAULT, IssueRequest, create_ca, issue};

/// What every identity's URI begins with.
const SCHEME: &str = "spiffe://interrex/";

/// What an identity may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A coordinator: among its peers, and as a server to everybody.
    Coordinator,
    /// An agent, for the server of its name only.
    Agent,
    /// Reads.
    Viewer,
    /// Reads, and moves recorders.
    Operator,
    /// All that an operator may, and changes the fleet and the members.
    Admin,
    /// Reads, and writes notes.
    Auditor,
}

/// Role and name, as a certificate has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct PeerIdentity {
    pub role: Role,
    pub name: Name,
}

/// How the ends of connections are proved.
#[derive(Clone, Debug)]
pub enum Security {
    /// Mutual TLS with the identity of a folder.
    Tls(Arc<TlsFolder>),
    /// Nothing is proved: loopback only, for tries and benchmarks.
    Insecure,
}

/// An identity that cannot be made or used. Nothing was changed; each message names the file and
/// what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum BadIdentity {
    /// Correct the path or its permissions.
    #[error("{file}: cannot be read: {why}", file = file.display())]
    Unreadable { file: PathBuf, why: String },
    /// Correct the path, its permissions or the disk.
    #[error("{file}: cannot be written: {why}", file = file.display())]
    Unwritable { file: PathBuf, why: String },
    /// Choose another folder: an identity or a CA is never overwritten.
    #[error("{file}: already exists; choose another folder, or move it away first", file = file.display())]
    Exists { file: PathBuf },
    /// Issue it anew.
    #[error("{file}: holds no {what} in PEM; issue it anew with `interrex cert issue`", file = file.display())]
    NotPem { file: PathBuf, what: &'static str },
    /// Issue it anew.
    #[error(
        "{file}: expired on {expired}; issue a new one with `interrex cert issue --days N`",
        file = file.display()
    )]
    Expired { file: PathBuf, expired: String },
    /// Correct the clock.
    #[error("{file}: is valid from {from} on; correct this machine's clock", file = file.display())]
    NotYet { file: PathBuf, from: String },
    /// Take both files from one CA.
    #[error(
        "{file}: was not issued by the CA in {ca} ({why}); use files that one CA issued",
        file = file.display(), ca = ca.display()
    )]
    ForeignCa { file: PathBuf, ca: PathBuf, why: String },
    /// Take both files from one issue.
    #[error(
        "{key}: is not the key of {cert}; use the two files of one `interrex cert issue`",
        key = key.display(), cert = cert.display()
    )]
    KeyMismatch { key: PathBuf, cert: PathBuf },
    /// Issue it with `interrex cert issue`.
    #[error(
        "{file}: names no role and name ({SCHEME}ROLE/NAME); issue it with `interrex cert issue`",
        file = file.display()
    )]
    NoRole { file: PathBuf },
    /// Use another identity.
    #[error(
        "{file}: is the identity {is}, but this needs {wanted}; issue one with \
         `interrex cert issue --role {role} --name {name}`",
        file = file.display(), role = wanted.split('/').next().unwrap_or("ROLE"),
        name = wanted.split('/').nth(1).unwrap_or("NAME"),
    )]
    WrongRole { file: PathBuf, is: String, wanted: String },
    /// Use TLS, or a loopback address.
    #[error("{0} is not a loopback address; use --tls DIR (--insecure is for loopback only)")]
    InsecureElsewhere(String),
    /// Correct the argument.
    #[error("{0}")]
    Argument(String),
}

/// The one place that chooses who computes: ring, not the slower-to-build default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Makes ring the provider of the whole process; the first thing that a `main` does. Calling it
/// again does nothing.
pub fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Role {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Role; 6] =
        [Role::Coordinator, Role::Agent, Role::Viewer, Role::Operator, Role::Admin, Role::Auditor];

    /// As in a URI and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Coordinator => "coordinator",
            Role::Agent => "agent",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Auditor => "auditor",
        }
    }
}

impl FromStr for Role {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Role::as_str).join(", ");
            BadIdentity::Argument(format!("{text:?} is not a role; there are {known}"))
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl PeerIdentity {
    /// Whose the certificate is, if it says so: by the first URI of ours among its names. Proves
    /// nothing; TLS has done that.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        names.value.general_names.iter().find_map(|name| {
            if let GeneralName::URI(uri) = name { Self::of_uri(uri) } else { None }
        })
    }

    fn of_uri(uri: &str) -> Option<Self> {
        let (role, name) = uri.strip_prefix(SCHEME)?.split_once('/')?;
        Some(Self { role: role.parse().ok()?, name: name.parse().ok()? })
    }

    /// As the certificate has it.
    fn uri(self) -> String {
        format!("{SCHEME}{self}")
    }

    /// The number by which the history knows it: the first eight bytes, least significant first,
    /// of BLAKE3 over `role/name`.
    pub fn person(self) -> PersonId {
        let hash = blake3::hash(self.to_string().as_bytes());
        let eight = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        PersonId(u64::from_le_bytes(eight))
    }
}

impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.role, self.name)
    }
}

impl Security {
    /// `--insecure` serves loopback only.
    ///
    /// # Errors
    ///
    /// [`BadIdentity::InsecureElsewhere`], a wrong configuration (exit 78).
    pub fn check_address(&self, address: SocketAddr) -> Result<(), BadIdentity> {
        match self {
            Security::Tls(_) => Ok(()),
            Security::Insecure if address.ip().is_loopback() => Ok(()),
            Security::Insecure => Err(BadIdentity::InsecureElsewhere(address.to_string())),
        }
    }

    /// Of this side.
    pub fn identity(&self) -> Option<PeerIdentity> {
        match self {
            Security::Tls(folder) => Some(folder.identity()),
            Security::Insecure => None,
        }
    }
}
