//! A spawner without a guard: what it started ends with this process's last word of it. Tests of
//! drivers use it, where the guard itself is not what is tested.
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::mpsc;

use crate::guard::{
    Child, Ended, Exit, Key, Launch, SpawnError, Spawner, Stopping, TOLD_MAX, Told,
};

/// Runs programs as children of this process.
#[derive(Clone, Default)]
pub(crate) struct Direct(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    runs: BTreeMap<Key, (Child, Option<Stopping>)>,
    listener: Option<mpsc::Sender<Told>>,
}

impl Direct {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, key: &Key, pid: u32, signal: Signal, why: Stopping) {
        let mut state = self.state();
        let Some((child, stopping)) = state.runs.get_mut(key) else { return };
        if child.pid == pid {
            *stopping = Some(why);
            kill(pid, signal);
        }
    }

    fn over(&self, key: &Key, status: io::Result<ExitStatus>) {
        let mut state = self.state();
        let Some((child, stopping)) = state.runs.remove(key) else { return };
        let exit = match status.map(|status| (status.code(), status.signal())) {
            Ok((_, Some(signal))) => Exit::Signal(signal),
            Ok((code, None)) => Exit::Code(code.unwrap_or(-1)),
            Err(_) => Exit::Code(-1),
        };
        let told = Told::Ended(Ended { child, exit, stopping });
        let lost = state.listener.as_ref().is_some_and(|listener| listener.try_send(told).is_err());
        if lost {
            tracing::debug!("nobody listens to the end of a command");
        }
    }
}

impl Spawner for Direct {
    fn spawn(&self, key: Key, launch: Launch) -> Result<Child, SpawnError> {
        let mut state = self.state();
        if let Some((child, _)) = state.runs.get(&key) {
            return Err(SpawnError::Runs(child.clone()));
        }
        let failed = |why: io::Error| SpawnError::Failed(why.to_string());
        let mut running = command(&launch).map_err(failed)?.spawn().map_err(failed)?;
        let pid = running.id();
        let started = start_time(pid).unwrap_or_default();
        let child = Child { key: key.clone(), pid, started, tag: launch.tag };
        state.runs.insert(key.clone(), (child.clone(), None));
        drop(state);
        let this = self.clone();
        thread::spawn(move || {
            let status = running.wait();
            kill(pid, Signal::KILL); // what is left of its group
            this.over(&key, status);
        });
        Ok(child)
    }

    fn stop(&self, key: &Key, grace: Duration) -> Result<(), SpawnError> {
        let pid = self.state().runs.get(key).map(|(child, _)| child.pid);
        let Some(pid) = pid else { return Ok(()) };
        self.signal(key, pid, Signal::TERM, Stopping::Asked);
        let (this, key) = (self.clone(), key.clone());
        thread::spawn(move || {
            thread::sleep(grace);
            this.signal(&key, pid, Signal::KILL, Stopping::Killed);
        });
        Ok(())
    }

    fn kill(&self, key: &Key) -> Result<(), SpawnError> {
        let pid = self.state().runs.get(key).map(|(child, _)| child.pid);
        if let Some(pid) = pid {
            self.signal(key, pid, Signal::KILL, Stopping::Killed);
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<Child>, SpawnError> {
        Ok(self.state().runs.values().map(|(child, _)| child.clone()).collect())
    }

    fn listen(&self) -> mpsc::Receiver<Told> {
        let (listener, told) = mpsc::channel(TOLD_MAX);
        self.state().listener = Some(listener);
        told
    }
}

fn command(launch: &Launch) -> io::Result<Command> {
    let mut argv = launch.argv.iter();
    let program = argv.next().ok_or(io::ErrorKind::InvalidInput)?;
    let path = std::env::var_os("PATH").into_iter().map(|path| ("PATH".into(), path));
    let to = |path: Option<&Path>| match path {
        Some(path) => File::options().create(true).append(true).open(path).map(Stdio::from),
        None => Ok(Stdio::null()),
    };
    let mut command = Command::new(program);
    command.args(argv).env_clear().envs(path.collect::<Vec<(std::ffi::OsString, _)>>());
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    command.current_dir(&launch.dir).process_group(0).stdin(Stdio::null());
    command.stdout(to(launch.stdout.as_deref())?).stderr(to(launch.stderr.as_deref())?);
    Ok(command)
}

fn kill(group: u32, signal: Signal) {
    let group = i32::try_from(group).ok().and_then(Pid::from_raw);
    if let Some(Err(why)) = group.map(|group| kill_process_group(group, signal)) {
        tracing::trace!(%why, "nothing is left of the group");
    }
}

/// Field 22 of /proc/PID/stat; the second one, in parentheses, may hold anything.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}
