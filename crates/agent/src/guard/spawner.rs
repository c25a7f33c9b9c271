//! How drivers run programs: through the guard, which is the parent of every recorder, so that they
//! outlive the agent and never the guard (A6). What is run, and when, is the driver's business.
use std::path::PathBuf;
use std::time::Duration;

use interrex_core::{Epoch, RecorderId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Words of [`Spawner::listen`] that wait; the guard keeps the others until there is room.
pub(crate) const TOLD_MAX: usize = 1_024;

/// Which child: at most one of a key runs. `unit` is a channel, or whatever the driver tells apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    #[serde(with = "by_name")]
    pub(crate) recorder: RecorderId,
    #[serde(with = "by_number")]
    pub(crate) epoch: Epoch,
    /// At most 255 bytes.
    pub(crate) unit: String,
}

/// What is to be run. Bounded: 64 KiB altogether, as it is written to the guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The program, found by PATH, and its arguments. No shell.
    pub(crate) argv: Vec<String>,
    /// All of its environment; nothing is inherited but PATH where it is not named here.
    pub(crate) env: Vec<(String, String)>,
    /// Working directory; must exist.
    pub(crate) dir: PathBuf,
    /// Files that standard output and standard error are appended to; made where they are missing.
    /// They survive the agent, so what was said while it was away can still be read. None: discarded.
    pub(crate) stdout: Option<PathBuf>,
    /// As `stdout`.
    pub(crate) stderr: Option<PathBuf>,
    /// Free text of the driver (at most 255 bytes), given back by [`Spawner::list`]: what the child
    /// was started for, such as a configuration's hash, so that it is adopted or replaced.
    pub(crate) tag: String,
}

/// A child that runs. Its pid leads a process group of its own, which is stopped as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) key: Key,
    pub(crate) pid: u32,
    /// In clock ticks since the machine started (field 22 of /proc/PID/stat): with the pid it names
    /// this process and no later one.
    pub(crate) started: u64,
    pub(crate) tag: String,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exit {
    /// By itself; 127 if the program could not be executed (stderr says why).
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// Why it was ended, if the guard did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stopping {
    /// [`Spawner::stop`], in time.
    Asked,
    /// [`Spawner::kill`], or the grace of a stop was over.
    Killed,
    /// The deadline of its tenure was over, under fence-first (A6).
    Fenced,
}

/// A child is over, and so is every process of its group: nothing of it writes any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) child: Child,
    pub(crate) exit: Exit,
    /// Nothing if it ended by itself.
    pub(crate) stopping: Option<Stopping>,
}

/// What the driver is told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Also of those that ended while no agent was there.
    Ended(Ended),
    /// The guard died, and all its children with it. Another one is being started; nothing runs.
    Lost,
    /// Another guard is there: start anew what should run.
    Fresh,
}

/// Why nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpawnError {
    /// Adopt it, or stop it first.
    #[error("it runs already, as process {}", .0.pid)]
    Runs(Child),
    /// Under fence-first, and no lease of that tenure runs (A9). The core's next wish says when.
    #[error("its tenure is fenced: no lease of it runs")]
    Fenced,
    /// The machine or the folder does not allow it; try again after a while.
    #[error("{0}")]
    Failed(String),
    /// Wait for [`Told::Fresh`].
    #[error("the guard does not answer")]
    Gone,
}

/// Runs programs under the guard. Cheap to clone behind an `Arc`; callable from every thread, but
/// each call waits for the guard's answer (milliseconds; at most five seconds, then
/// [`SpawnError::Gone`]), so never from an async task.
pub(crate) trait Spawner: Send + Sync {
    /// Starts a child. It runs when this returns; whether its program could be executed is told by
    /// its end.
    fn spawn(&self, key: Key, launch: Launch) -> Result<Child, SpawnError>;

    /// SIGTERM to the whole group, and SIGKILL after `grace`. Returns at once; the end is told.
    /// Nothing of that key runs: success.
    fn stop(&self, key: &Key, grace: Duration) -> Result<(), SpawnError>;

    /// SIGKILL to the whole group. As [`Spawner::stop`] with no grace.
    fn kill(&self, key: &Key) -> Result<(), SpawnError>;

    /// All that runs, those that an earlier agent started included: to be adopted.
    fn list(&self) -> Result<Vec<Child>, SpawnError>;

    /// What happens from now on. One listener: a second call takes it over.
    fn listen(&self) -> mpsc::Receiver<Told>;
}

mod by_name {
    //! A recorder is written as its name.
    use interrex_core::RecorderId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(id: &RecorderId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(id.as_str())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<RecorderId, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

mod by_number {
    //! An epoch is written as its number.
    use interrex_core::Epoch;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(epoch: &Epoch, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(epoch.0)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Epoch, D::Error> {
        u64::deserialize(from).map(Epoch)
    }
}
