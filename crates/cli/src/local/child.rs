//! One child process in a group of its own: started, waited for, paused, ended. Its output goes to
//! a file; nothing of it outlives the handle.
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// Process ids of all children that run: for [`end_all`].
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Ends every child of this process at once, with its group: for a program that must leave now.
pub fn end_all() {
    for id in std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner)) {
        if let Some(pid) = pid(id) {
            // One that has just gone needs no signal.
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

/// A running program and the lines that it prints.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    lines: Receiver<(Instant, String)>,
    log: PathBuf,
}

impl Child {
    /// Starts `command`. Its standard output and error go to `log`, which is appended to.
    ///
    /// # Errors
    ///
    /// The program or the log file cannot be opened; the message names it.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let open = || File::options().create(true).append(true).open(log);
        let errors = open().with_context(|| format!("cannot write {}", log.display()))?;
        let mut copy = errors.try_clone()?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let shown = command.get_program().to_os_string();
        let mut process =
            command.spawn().with_context(|| format!("cannot start {}", shown.display()))?;
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(process.id());
        let output = process.stdout.take().context("no standard output")?;
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Who listens no more, and a full disk, must not end the child.
                writeln!(copy, "{line}").ok();
                send.send((Instant::now(), line)).ok();
            }
        });
        Ok(Self { name: name.to_owned(), process, lines, log: log.to_owned() })
    }

    /// The next line that it prints, and when it did, if one comes within `patience`.
    pub fn line(&mut self, patience: Duration) -> Option<(Instant, String)> {
        self.lines.recv_timeout(patience).ok()
    }

    /// Waits until it prints `line`.
    ///
    /// # Errors
    ///
    /// It ended, or `patience` did; the message holds the end of its log.
    pub fn wait_for(&mut self, line: &str, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((_, printed)) if printed == line => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not print {line:?} within {patience:?}{}", self.name, self.tail())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.process.wait()?;
                    bail!("{} ended with {status}{}", self.name, self.tail())
                }
            }
        }
    }

    /// Sends a signal to the whole process group.
    ///
    /// # Errors
    ///
    /// The process has gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = pid(self.id()).with_context(|| format!("{} has gone", self.name))?;
        kill_process_group(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// It still runs after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                bail!("{} still runs after {patience:?}{}", self.name, self.tail());
            }
            // Waits for another process: there is nothing to be told by.
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// True while it runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(12));
        last.fold(format!("; the end of {}:", self.log.display()), |all, line| {
            format!("{all}\n    {line}")
        })
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

impl Drop for Child {
    fn drop(&mut self) {
        // A stopped process takes no other signal; one that has gone needs none.
        if self.is_alive() {
            self.signal(Signal::KILL).ok();
            self.process.wait().ok();
        }
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id());
    }
}
