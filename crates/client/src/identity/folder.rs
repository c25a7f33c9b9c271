//! A TLS folder: `ca.pem cert.pem key.pem`, read once and checked as a whole, so that a wrong file
//! is named at the start and not by a peer in the middle of the night.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{BadIdentity, PeerIdentity, Role, provider};
use crate::views::Time;

/// An identity that was found sound when it was read.
pub struct TlsFolder {
    folder: PathBuf,
    identity: PeerIdentity,
    expires: SystemTime,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) key: Arc<CertifiedKey>,
}

impl TlsFolder {
    /// Reads `ca.pem`, `cert.pem` and `key.pem`.
    ///
    /// # Errors
    ///
    /// The first file that is missing, expired, foreign, or does not fit the others.
    pub fn load(folder: &Path) -> Result<Self, BadIdentity> {
        Self::load_at(folder, SystemTime::now())
    }

    /// The same, as if it were `now`.
    ///
    /// # Errors
    ///
    /// As [`TlsFolder::load`].
    pub fn load_at(folder: &Path, now: SystemTime) -> Result<Self, BadIdentity> {
        let (ca, cert) = (folder.join("ca.pem"), folder.join("cert.pem"));
        let mut roots = RootCertStore::empty();
        for root in certificates(&ca)? {
            roots.add(root).map_err(|_| not_pem(&ca, "certificate"))?;
        }
        let chain = certificates(&cert)?;
        let own = chain.first().ok_or_else(|| not_pem(&cert, "certificate"))?;
        let expires = check_validity(&cert, own, now)?;
        let roots = Arc::new(roots);
        check_issuer(&ca, &cert, &roots, &chain, now)?;
        let identity = PeerIdentity::of_certificate(own)
            .ok_or_else(|| BadIdentity::NoRole { file: cert.clone() })?;
        let key = certified_key(folder, chain)?;
        Ok(Self { folder: folder.into(), identity, expires, roots, key })
    }

    /// Whose it is.
    pub fn identity(&self) -> PeerIdentity {
        self.identity
    }

    /// When its certificate ends.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// For how long its certificate is still valid at `now`; nothing once it has expired.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.expires.duration_since(now).unwrap_or_default()
    }

    /// Looks whether it can be used as one of `roles`, and as `name` where that matters.
    ///
    /// # Errors
    ///
    /// [`BadIdentity::WrongRole`].
    pub fn require(&self, roles: &[Role], name: Option<&str>) -> Result<(), BadIdentity> {
        let is = self.identity;
        let fits = name.is_none_or(|name| is.name.as_str() == name);
        if roles.contains(&is.role) && fits {
            return Ok(());
        }
        let wanted = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" or ");
        let wanted = format!("{wanted}/{}", name.unwrap_or("NAME"));
        let file = self.folder.join("cert.pem");
        Err(BadIdentity::WrongRole { file, is: is.to_string(), wanted })
    }
}

impl std::fmt::Debug for TlsFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.identity, self.folder.display())
    }
}

fn not_pem(file: &Path, what: &'static str) -> BadIdentity {
    BadIdentity::NotPem { file: file.into(), what }
}

fn read(file: &Path) -> Result<Vec<u8>, BadIdentity> {
    fs::read(file)
        .map_err(|why| BadIdentity::Unreadable { file: file.into(), why: why.to_string() })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, BadIdentity> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(not_pem(file, "certificate")),
    }
}

/// When the certificate ends, if it is valid now.
fn check_validity(file: &Path, der: &[u8], now: SystemTime) -> Result<SystemTime, BadIdentity> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| not_pem(file, "certificate"))?;
    let seconds = |time: x509_parser::time::ASN1Time| {
        Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or_default())
    };
    let shown = |since_epoch: Duration| Time(since_epoch.as_secs() * 1_000).to_string();
    let (from, until) = (certificate.validity().not_before, certificate.validity().not_after);
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since_epoch > seconds(until) {
        return Err(BadIdentity::Expired { file: file.into(), expired: shown(seconds(until)) });
    }
    if since_epoch < seconds(from) {
        return Err(BadIdentity::NotYet { file: file.into(), from: shown(seconds(from)) });
    }
    SystemTime::UNIX_EPOCH.checked_add(seconds(until)).ok_or_else(|| not_pem(file, "certificate"))
}

/// Looks at our own certificate as a peer will.
fn check_issuer(
    ca: &Path,
    cert: &Path,
    roots: &Arc<RootCertStore>,
    chain: &[CertificateDer<'static>],
    now: SystemTime,
) -> Result<(), BadIdentity> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
        .build()
        .map_err(|_| not_pem(ca, "certificate"))?;
    let (own, between) = chain.split_first().ok_or_else(|| not_pem(cert, "certificate"))?;
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seen = verifier.verify_client_cert(own, between, UnixTime::since_unix_epoch(since_epoch));
    seen.map(|_| ()).map_err(|why| {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let why = if why == unknown { "unknown issuer".to_owned() } else { why.to_string() };
        BadIdentity::ForeignCa { file: cert.into(), ca: ca.into(), why }
    })
}

fn certified_key(
    folder: &Path,
    chain: Vec<CertificateDer<'static>>,
) -> Result<Arc<CertifiedKey>, BadIdentity> {
    let (file, cert) = (folder.join("key.pem"), folder.join("cert.pem"));
    let key =
        PrivateKeyDer::from_pem_slice(&read(&file)?).map_err(|_| not_pem(&file, "private key"))?;
    let key = provider()
        .key_provider
        .load_private_key(key)
        .map_err(|_| not_pem(&file, "usable private key"))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(Arc::new(certified)),
        Err(_) => Err(BadIdentity::KeyMismatch { key: file, cert }),
    }
}
