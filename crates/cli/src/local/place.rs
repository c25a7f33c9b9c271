//! Where a local cluster lives: a folder, free ports, identities, and who runs.
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::Child;

/// How long a program may take to say that it is ready, on a machine that does much else.
const READY: Duration = Duration::from_secs(60);

/// Where one program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The address that others reach it at.
    pub address: String,
    /// The network namespace that it is started in; none = this one.
    pub namespace: Option<String>,
}

impl Default for Host {
    fn default() -> Self {
        Self { address: "127.0.0.1".into(), namespace: None }
    }
}

#[derive(Clone, Debug)]
struct Ports {
    host: Host,
    listen: u16,
    peer: u16,
    http: u16,
}

/// A folder that holds a cluster, and its running programs by name.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    program: PathBuf,
    coordinators: BTreeMap<String, Ports>,
    agents: BTreeMap<String, Ports>,
    running: BTreeMap<String, Child>,
    /// Without TLS: for measurements on loopback.
    pub insecure: bool,
    /// The network namespace that operators' verbs run in; none = this one.
    pub operators: Option<String>,
    /// Further arguments for every coordinator and every agent.
    pub coordinator_args: Vec<String>,
    /// As above.
    pub agent_args: Vec<String>,
    /// Agents that answer nobody, and only dial out.
    pub dials_out: BTreeSet<String>,
}

impl Place {
    /// Makes identities for coordinators and agents (name and host each) and for an admin, in
    /// `dir`. Nothing runs yet. `program` is the `interrex` to use.
    ///
    /// # Errors
    ///
    /// No free port, no certificate, or an unwritable folder.
    pub fn lay(
        dir: &Path,
        program: &Path,
        coordinators: &[(String, Host)],
        agents: &[(String, Host)],
    ) -> Result<Self> {
        let count = 3 * (coordinators.len() + agents.len());
        let mut free = free_ports(count)?.into_iter();
        let mut with_ports = |names: &[(String, Host)]| {
            let ports = names.iter().map(|(name, host)| {
                let mut next = || free.next().unwrap_or_default();
                let ports =
                    Ports { host: host.clone(), listen: next(), peer: next(), http: next() };
                (name.clone(), ports)
            });
            ports.collect::<BTreeMap<_, _>>()
        };
        let (coordinators, agents) = (with_ports(coordinators), with_ports(agents));
        let (dir, program) = (dir.to_owned(), program.to_owned());
        fs::create_dir_all(dir.join("log"))?;
        let running = BTreeMap::new();
        let (coordinator_args, agent_args) = (Vec::new(), Vec::new());
        let (insecure, operators) = (false, None);
        let place = Self {
            dir,
            program,
            coordinators,
            agents,
            running,
            insecure,
            operators,
            coordinator_args,
            agent_args,
            dials_out: BTreeSet::new(),
        };
        place.issue_identities()?;
        Ok(place)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Names of all coordinators.
    pub fn coordinators(&self) -> Vec<String> {
        self.coordinators.keys().cloned().collect()
    }

    /// Names of all servers.
    pub fn servers(&self) -> Vec<String> {
        self.agents.keys().cloned().collect()
    }

    /// The data folder of a coordinator or agent.
    pub fn data(&self, name: &str) -> PathBuf {
        self.dir.join("data").join(name)
    }

    /// The identity folder of a coordinator, an agent, or `admin`.
    pub fn tls(&self, name: &str) -> PathBuf {
        self.dir.join("tls").join(name)
    }

    /// Where clients reach the coordinator `name`.
    pub fn endpoint(&self, name: &str) -> Option<String> {
        self.coordinators.get(name).map(|ports| format!("{}:{}", ports.host.address, ports.listen))
    }

    /// Where the coordinator `name` serves HTTP.
    pub fn http(&self, name: &str) -> Option<String> {
        self.coordinators.get(name).map(|ports| format!("{}:{}", ports.host.address, ports.http))
    }

    /// Where clients reach the coordinators, in name order, separated by commas.
    pub fn endpoints(&self) -> String {
        let all = self.coordinators.keys().filter_map(|name| self.endpoint(name));
        all.collect::<Vec<_>>().join(",")
    }

    /// Starts every coordinator and waits until each is ready.
    ///
    /// # Errors
    ///
    /// One ended, or took too long; the message holds the end of its log.
    pub fn start_coordinators(&mut self) -> Result<()> {
        for name in self.coordinators() {
            self.launch(&name)?;
        }
        self.coordinators().iter().try_for_each(|name| self.await_ready(name))
    }

    /// Starts every agent and waits until each is ready.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn start_agents(&mut self) -> Result<()> {
        for name in self.servers() {
            self.launch(&name)?;
        }
        self.servers().iter().try_for_each(|name| self.await_ready(name))
    }

    /// Starts the coordinator or agent `name` and waits until it is ready.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn start(&mut self, name: &str) -> Result<()> {
        self.launch(name)?;
        self.await_ready(name)
    }

    /// Starts the coordinator or agent `name`; does not wait.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub fn launch(&mut self, name: &str) -> Result<()> {
        let command = self.command(name)?;
        self.launch_as(name, command)
    }

    /// Starts `command` as the coordinator or agent `name`; does not wait.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn launch_as(&mut self, name: &str, command: Command) -> Result<()> {
        let log = self.dir.join("log").join(format!("{name}.log"));
        self.running.insert(name.to_owned(), Child::start(name, command, &log)?);
        Ok(())
    }

    /// Waits for the ready line of `name`.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn await_ready(&mut self, name: &str) -> Result<()> {
        self.child(name)?.wait_for(&format!("ready {name}"), READY)
    }

    /// Ends `name` and its whole process group at once (SIGKILL), and reaps it.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn kill(&mut self, name: &str) -> Result<()> {
        let mut child =
            self.running.remove(name).with_context(|| format!("{name} does not run"))?;
        child.signal(Signal::KILL)?;
        child.wait(READY).map(drop)
    }

    /// Asks `name` to end (SIGTERM) and returns its exit code.
    ///
    /// # Errors
    ///
    /// It does not end within `patience`.
    pub fn terminate(&mut self, name: &str, patience: Duration) -> Result<Option<i32>> {
        let mut child =
            self.running.remove(name).with_context(|| format!("{name} does not run"))?;
        child.signal(Signal::TERM)?;
        Ok(child.wait(patience)?.code())
    }

    /// The running program `name`.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn child(&mut self, name: &str) -> Result<&mut Child> {
        self.running.get_mut(name).with_context(|| format!("{name} does not run"))
    }

    /// Runs a verb of `interrex` as the admin against all coordinators, to its end.
    ///
    /// # Errors
    ///
    /// The program cannot be started. Its own failure is in the output's status.
    pub fn interrex(&self, args: &[&str]) -> Result<Output> {
        self.interrex_as("admin", &self.endpoints(), args)
    }

    /// The same with another identity and other endpoints.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn interrex_as(&self, identity: &str, endpoints: &str, args: &[&str]) -> Result<Output> {
        let mut command = self.within(self.operators.as_deref());
        command.args(args).arg("--endpoints").arg(endpoints).args(self.security(identity));
        command.env_remove("INTERREX_ENDPOINTS").env_remove("INTERREX_TLS");
        command.output().context("cannot start interrex")
    }

    /// How the coordinator or agent `name` is started.
    ///
    /// # Errors
    ///
    /// It is not of this place.
    pub fn command(&self, name: &str) -> Result<Command> {
        let coordinator = self.coordinators.get(name);
        let ports = coordinator.or_else(|| self.agents.get(name));
        let ports = ports.with_context(|| format!("{name} is not of this place"))?;
        let mut command = self.within(ports.host.namespace.as_deref());
        let at = |port: u16| format!("{}:{port}", ports.host.address);
        if coordinator.is_some() {
            let peers = self.coordinators.iter();
            let peers = peers.map(|(name, p)| format!("{name}={}:{}", p.host.address, p.peer));
            let initial = peers.collect::<Vec<_>>().join(",");
            command.args(["coordinator", "--name", name, "--initial", &initial]);
            command.args(["--listen", &at(ports.listen), "--peer-listen", &at(ports.peer)]);
            command.args(["--http", &at(ports.http)]).args(&self.coordinator_args);
        } else {
            command.args(["agent", "--server", name, "--coordinators", &self.endpoints()]);
            let out = self.dials_out.contains(name);
            let listen = if out { "none".to_owned() } else { at(ports.listen) };
            command.args(["--listen", &listen]).args(&self.agent_args);
        }
        command.arg("--data").arg(self.data(name)).args(self.security(name));
        Ok(command)
    }

    /// The program, to be started in a network namespace.
    fn within(&self, namespace: Option<&str>) -> Command {
        let Some(namespace) = namespace else { return Command::new(&self.program) };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(&self.program);
        command
    }

    fn security(&self, identity: &str) -> Vec<OsString> {
        if self.insecure {
            return vec!["--insecure".into()];
        }
        vec!["--tls".into(), self.tls(identity).into()]
    }

    fn issue_identities(&self) -> Result<()> {
        let ca = self.tls("ca");
        self.cert(&["ca", "--out", &ca.to_string_lossy()])?;
        let hosts = |name: &str| {
            let ports = self.coordinators.get(name).or_else(|| self.agents.get(name));
            ports.map_or("127.0.0.1".to_owned(), |ports| ports.host.address.clone())
        };
        let coordinators = self.coordinators.keys().map(|name| ("coordinator", name.as_str()));
        let agents = self.agents.keys().map(|name| ("agent", name.as_str()));
        for (role, name) in coordinators.chain(agents).chain([("admin", "admin")]) {
            self.issue(role, name, &hosts(name))?;
        }
        Ok(())
    }

    /// Issues an identity of `role` into [`Place::tls`] of `name`.
    ///
    /// # Errors
    ///
    /// The folder is not writable.
    pub fn issue(&self, role: &str, name: &str, host: &str) -> Result<()> {
        let (ca, out) = (self.tls("ca"), self.tls(name));
        let (ca, out) = (ca.to_string_lossy(), out.to_string_lossy());
        let host = ["--host", host, "--host", "localhost"];
        let which = ["issue", "--ca", &ca, "--role", role, "--name", name, "--out", &out];
        self.cert(&[&which[..], &host[..]].concat())
    }

    fn cert(&self, args: &[&str]) -> Result<()> {
        let output = Command::new(&self.program).arg("cert").args(args).output();
        let output = output.with_context(|| format!("cannot start {}", self.program.display()))?;
        if !output.status.success() {
            bail!("interrex cert {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// Ports that nobody listens on now. All are held until all are drawn, so that none comes twice.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held = (0..count).map(|_| TcpListener::bind("127.0.0.1:0"));
    let held = held.collect::<Result<Vec<_>, _>>().context("no free port on loopback")?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
