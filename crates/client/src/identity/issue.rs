//! A small CA for those who have none: `interrex cert ca` and `interrex cert issue`.
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use interrex_core::name::Name;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::{BadIdentity, PeerIdentity, Role};

/// For how long an identity is valid where nothing is said: what browsers accept at most.
pub const DAYS_DEFAULT: u32 = 825;
/// The hosts of an identity where none are named.
pub const HOSTS_DEFAULT: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Of a CA: ten years.
const CA_DAYS: u32 = 3650;
/// Certificates begin so long ago, because clocks differ.
const BACKDATED: Duration = Duration::from_secs(3600);
const FOLDER_MODE: u32 = 0o700;
const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;

/// An identity to be.
#[derive(Clone, Debug)]
pub struct IssueRequest {
    /// What it is for.
    pub role: Role,
    /// Of the coordinator, the server, or the person.
    pub name: Name,
    /// DNS names and IP addresses under which it serves.
    pub hosts: Vec<String>,
    /// Validity, from now.
    pub days: u32,
}

/// Makes a CA in the folder `out`: `ca.pem`, and `ca-key.pem` for issuing.
///
/// # Errors
///
/// [`BadIdentity::Exists`] if there is one already: it is never overwritten.
pub fn create_ca(out: &Path) -> Result<(), BadIdentity> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = validity(CA_DAYS)?;
    let key = KeyPair::generate().map_err(failed)?;
    // Two CAs with one name could not be told apart: a foreign one would look like a forgery.
    let short = blake3::hash(key.public_key_raw()).to_hex().chars().take(8).collect::<String>();
    params.distinguished_name.push(DnType::CommonName, format!("Interrex CA {short}"));
    let certificate = params.self_signed(&key).map_err(failed)?;
    write_new(
        out,
        &[
            ("ca.pem", certificate.pem(), CERTIFICATE_MODE),
            ("ca-key.pem", key.serialize_pem(), KEY_MODE),
        ],
    )
}

/// Issues an identity by the CA in the folder `ca` into the folder `out`: `ca.pem`, `cert.pem`,
/// `key.pem`.
///
/// # Errors
///
/// What is missing or already there, by file.
pub fn issue(ca: &Path, request: &IssueRequest, out: &Path) -> Result<(), BadIdentity> {
    let (ca_pem, ca_key) = (read(&ca.join("ca.pem"))?, read(&ca.join("ca-key.pem"))?);
    let ca_key = KeyPair::from_pem(&ca_key)
        .map_err(|_| BadIdentity::NotPem { file: ca.join("ca-key.pem"), what: "private key" })?;
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key)
        .map_err(|_| BadIdentity::NotPem { file: ca.join("ca.pem"), what: "certificate" })?;

    let identity = PeerIdentity { role: request.role, name: request.name };
    let mut params = CertificateParams::new(request.hosts.clone()).map_err(failed)?;
    let uri = identity.uri().try_into().map_err(failed)?;
    params.subject_alt_names.insert(0, SanType::URI(uri));
    params.distinguished_name.push(DnType::CommonName, identity.to_string());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    (params.not_before, params.not_after) = validity(request.days)?;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    write_new(
        out,
        &[
            ("ca.pem", ca_pem, CERTIFICATE_MODE),
            ("cert.pem", certificate.pem(), CERTIFICATE_MODE),
            ("key.pem", key.serialize_pem(), KEY_MODE),
        ],
    )
}

/// From a little before now until `days` from now.
fn validity<T: From<SystemTime>>(days: u32) -> Result<(T, T), BadIdentity> {
    let now = SystemTime::now();
    let too_long =
        || BadIdentity::Argument(format!("{days} days is not a validity; 1 to 36500 is"));
    if !(1..=36_500).contains(&days) {
        return Err(too_long());
    }
    let from = now.checked_sub(BACKDATED).ok_or_else(too_long)?;
    let until = now.checked_add(DAY * days).ok_or_else(too_long)?;
    Ok((from.into(), until.into()))
}

fn failed(why: rcgen::Error) -> BadIdentity {
    BadIdentity::Argument(format!("the certificate cannot be made: {why}"))
}

fn read(file: &Path) -> Result<String, BadIdentity> {
    fs::read_to_string(file)
        .map_err(|why| BadIdentity::Unreadable { file: file.into(), why: why.to_string() })
}

/// All of the files or an error; none that is there is touched.
fn write_new(folder: &Path, files: &[(&str, String, u32)]) -> Result<(), BadIdentity> {
    let unwritable = |file: PathBuf| {
        move |why: std::io::Error| BadIdentity::Unwritable { file, why: why.to_string() }
    };
    let taken = files.iter().map(|(name, _, _)| folder.join(name)).find(|file| file.exists());
    if let Some(file) = taken {
        return Err(BadIdentity::Exists { file });
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE).create(folder).map_err(unwritable(folder.into()))?;
    for (name, text, mode) in files {
        let file = folder.join(name);
        let mut options = OpenOptions::new();
        let mut open = options
            .write(true)
            .create_new(true)
            .mode(*mode)
            .open(&file)
            .map_err(unwritable(file.clone()))?;
        open.write_all(text.as_bytes()).map_err(unwritable(file))?;
    }
    Ok(())
}
