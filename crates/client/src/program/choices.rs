//! What one value of a configuration may be. Each complaint names the key, as its flag is named.
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use super::Failure;

/// How connections are secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Mutual TLS with the identity in this folder.
    Tls(PathBuf),
    /// None; every address is on loopback.
    Insecure,
}

impl Security {
    /// Reads `--tls` and `--insecure` of a program of this `role`, of which `off_loopback` is an
    /// address that others reach, if there is one.
    ///
    /// # Errors
    ///
    /// Exit 78: both are set, or neither, or `--insecure` off loopback.
    pub fn check(
        tls: Option<&Path>,
        insecure: bool,
        off_loopback: Option<impl fmt::Display>,
        role: &str,
    ) -> Result<Self, Failure> {
        match (tls, insecure, off_loopback) {
            (Some(_), true, _) => Err(Failure::config(
                "tls and insecure are both set",
                "keep --tls DIR; --insecure is for trying things on one machine",
            )),
            (Some(folder), false, _) => Ok(Self::Tls(folder.to_owned())),
            (None, true, None) => Ok(Self::Insecure),
            (None, true, Some(at)) => Err(Failure::config(
                format!("insecure: {at} is not a loopback address"),
                "use --tls DIR (see `interrex cert`), or stay on 127.0.0.1",
            )),
            (None, false, _) => Err(Failure::config(
                "neither tls nor insecure is set",
                format!(
                    "set --tls DIR with the identity of this {role} (see `interrex cert issue --role {role}`)"
                ),
            )),
        }
    }
}

/// A value without which the program does not start.
///
/// # Errors
///
/// Names the key and the three places where it may be set.
pub fn required<'a, T>(key: &str, value: Option<&'a T>) -> Result<&'a T, Failure> {
    value.ok_or_else(|| {
        let environment = key.to_uppercase().replace('-', "_");
        Failure::config(
            format!("{key} is not set"),
            format!("set --{key}, INTERREX_{environment}, or {key} in the file of --config"),
        )
    })
}

/// An address of this machine, to listen on.
///
/// # Errors
///
/// Names the key and the text.
pub fn address(key: &str, text: &str) -> Result<SocketAddr, Failure> {
    let mut found = text.to_socket_addrs().map_err(|why| {
        wrong(key, format_args!("{text:?} is not an address of this machine: {why}"))
    })?;
    found.next().ok_or_else(|| wrong(key, format_args!("{text:?} has no address")))
}

/// `host:port` that somebody can dial; names are resolved when they are dialled.
///
/// # Errors
///
/// Says what is wrong with the text.
pub fn host_port(text: &str) -> Result<(), String> {
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

/// True if the host of this `host:port` is this machine, whatever its name service says.
#[must_use]
pub fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The value of `key` cannot be used.
pub fn wrong(key: &str, why: impl fmt::Display) -> Failure {
    Failure::config(format!("{key}: {why}"), format!("correct --{key} (or where it is set)"))
}
