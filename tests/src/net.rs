//! Hosts on one machine: a network namespace each, joined by a bridge in a namespace of its own.
//! Cuts are nftables rules inside the host's namespace. All of it goes with its owner.
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};
use interrex_cli::local::Host;

/// The hosts of one test.
#[derive(Debug)]
pub struct Net {
    id: String,
    hosts: Vec<String>,
}

impl Net {
    /// Builds a namespace for each host. Needs root.
    ///
    /// # Errors
    ///
    /// `ip` says no; the message holds what it said.
    pub fn build(hosts: &[String]) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("ix{}n{count}", std::process::id());
        let net = Self { id, hosts: hosts.to_vec() };
        let switch = net.namespace("switch");
        ip(&["netns", "add", &switch])?;
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &switch, "link", "set", "br0", "up"])?;
        for (number, host) in hosts.iter().enumerate() {
            let (namespace, port) = (net.namespace(host), format!("p{number}"));
            ip(&["netns", "add", &namespace])?;
            let peer = ["peer", "name", &port, "netns", &switch];
            ip(&[&["-n", &namespace, "link", "add", "eth0", "type", "veth"], &peer[..]].concat())?;
            ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"])?;
            let address = format!("{}/24", net.address(host));
            ip(&["-n", &namespace, "addr", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
            ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        }
        Ok(net)
    }

    /// Where a program of this host runs.
    pub fn host(&self, name: &str) -> Host {
        Host { address: self.address(name), namespace: Some(self.namespace(name)) }
    }

    /// Drops all that `to` would hear from `from`: one way.
    ///
    /// # Errors
    ///
    /// `nft` says no.
    pub fn deafen(&self, to: &str, from: &str) -> Result<()> {
        let drop = format!("add rule inet cut input ip saddr {} drop", self.address(from));
        let table = "add table inet cut";
        let chain =
            "add chain inet cut input { type filter hook input priority 0; policy accept; }";
        self.nft(to, &[table, chain, &drop].join("\n"))
    }

    /// Cuts `host` off from everybody, both ways.
    ///
    /// # Errors
    ///
    /// `nft` says no.
    pub fn isolate(&self, host: &str) -> Result<()> {
        let chain = |hook: &str| {
            format!(
                "add chain inet cut {hook} {{ type filter hook {hook} priority 0; policy drop; }}"
            )
        };
        self.nft(host, &format!("add table inet cut\n{}\n{}", chain("input"), chain("output")))
    }

    /// Takes back every cut at `host`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn heal(&self, host: &str) -> Result<()> {
        self.nft(host, "delete table inet cut")
    }

    fn nft(&self, host: &str, rules: &str) -> Result<()> {
        let file = std::env::temp_dir().join(format!("{}-{host}.nft", self.id));
        std::fs::write(&file, rules)?;
        let path = file.to_string_lossy();
        let done = ip(&["netns", "exec", &self.namespace(host), "nft", "-f", &path]);
        std::fs::remove_file(&file)?;
        done
    }

    fn address(&self, host: &str) -> String {
        let number = self.hosts.iter().position(|name| name == host).unwrap_or_default();
        format!("10.77.0.{}", number + 1)
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.id)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for host in self.hosts.iter().map(String::as_str).chain(["switch"]) {
            // One that was never made need not go.
            ip(&["netns", "del", &self.namespace(host)]).ok();
        }
    }
}

fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(args).output()?;
    if !output.status.success() {
        bail!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
