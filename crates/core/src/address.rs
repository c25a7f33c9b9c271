//! Where something is reached: servers by each other, and recorders by their clients.
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Longest [`Address`], in bytes.
pub const ADDRESS_MAX: usize = 255;

/// `host:port`, as it is dialled; names are resolved then. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

/// Not an address. Nothing was changed; write another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
#[expect(missing_docs, reason = "the message names every field")]
pub struct BadAddress {
    pub text: String,
    pub expected: &'static str,
}

impl BadAddress {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), expected }
    }
}

impl Address {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress::new(text, "a host:port that can be dialled");
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let nobody = bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '/';
        let port = port.parse::<u16>().is_ok_and(|port| port > 0);
        let sound = !host.is_empty() && !text.contains(odd) && port && !nobody;
        if sound && text.len() <= ADDRESS_MAX { Ok(Self(text.into())) } else { Err(bad()) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address under which clients know a recorder, with the length of its prefix: whoever acts
/// holds it, and nobody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogicalAddress {
    ip: IpAddr,
    prefix: u8,
}

impl LogicalAddress {
    /// Without the prefix.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Bits of the prefix, at most 32 or 128.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl FromStr for LogicalAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress::new(text, "an IP address with its prefix, such as 10.0.0.9/24");
        let (ip, prefix) = text.split_once('/').ok_or_else(bad)?;
        let ip: IpAddr = ip.parse().map_err(|_| bad())?;
        let plain = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let nobody = ip.is_unspecified() || ip.is_multicast();
        let sound = plain && (1..=longest).contains(&prefix) && !nobody;
        if sound { Ok(Self { ip, prefix }) } else { Err(bad()) }
    }
}

impl fmt::Display for LogicalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

impl fmt::Debug for LogicalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address_and_what_is_not() {
        for text in ["srv-1:7501", "10.0.0.1:1", "[fe80::1]:7501", "h.example:65535"] {
            assert_eq!(text.parse::<Address>().unwrap().as_str(), text);
        }
        let long = format!("{}:1", "h".repeat(254));
        for text in
            ["", "h", ":1", "h:0", "h:65536", "0.0.0.0:1", "[::]:1", "a b:1", "a/b:1", &long]
        {
            text.parse::<Address>().unwrap_err();
        }
    }

    #[test]
    fn what_is_a_logical_address_and_what_is_not() {
        for text in ["10.77.0.100/32", "10.0.0.9/24", "fd00::9/64"] {
            assert_eq!(text.parse::<LogicalAddress>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.1", "10.0.0.1/0", "10.0.0.1/33", "10.0.0.1/+8", "0.0.0.0/8", "x/8"] {
            text.parse::<LogicalAddress>().unwrap_err();
        }
    }
}
