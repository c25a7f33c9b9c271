//! Raft's log: what openraft stores, in sled, durable before it is acknowledged (RAFT.md).
//!
//! `store` is what openraft calls; `disk` alone names sled; `records` are the stored bytes;
//! `feed` tells the node task. The history of what was committed is in `crate::history`.
pub mod config;
mod disk;
pub mod feed;
mod open;
pub mod records;
mod rouser;
mod store;
mod tail;
pub mod types;
mod writer;

use interrex_core::{Entry, LogIndex};
use tokio::sync::mpsc::UnboundedReceiver;

pub use self::store::LogStore;
use crate::folder::{Folder, FolderError};
use crate::history::{History, Machine};

/// A data folder's log and history, ready for `Raft::new(id, config, network, log, machine)`.
#[derive(Debug)]
pub struct Opened {
    /// For openraft. Keep a clone: [`LogStore::close`] after `Raft::shutdown`.
    pub log: LogStore,
    /// For openraft.
    pub machine: Machine,
    /// For the history API.
    pub history: History,
    /// For the node task, which must be running before `Raft::new` is awaited: that applies what
    /// was committed and is not yet in the history, and waits where nobody takes it.
    pub notices: UnboundedReceiver<feed::Notice>,
}

/// Opens both and makes them agree. Every entry of the history goes through `fold`, in order, once:
/// that is the whole state (`State::enter`). The folder must have an identity, and is opened once
/// in a process.
///
/// # Errors
///
/// The folder cannot be used: end with exit status 1, telling the code, the words and the remedy.
pub fn open(folder: &Folder, fold: &mut dyn FnMut(LogIndex, Entry)) -> Result<Opened, FolderError> {
    open::open(folder, fold)
}
