//! The thread that keeps the small files of the folder, so that the loop never waits for a disk.
//! What could not be written is tried again; only the newest of each kind matters.
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use std::{io, thread};

use interrex_core::Duty;

use crate::folder::{Cluster, Writer};

/// A disk that refused is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// Something to be kept.
#[derive(Debug)]
pub(crate) enum Save {
    /// The cluster that this agent belongs to.
    Belongs(Cluster),
    /// The last good configuration (A9).
    Remember(Vec<Duty>),
}

/// Hands over what is to be kept.
#[derive(Debug)]
pub(crate) struct Saver {
    saves: Option<Sender<Save>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Saver {
    /// Starts the thread.
    pub(crate) fn start(writer: Writer) -> io::Result<Self> {
        let (saves, todo) = mpsc::channel();
        let work = move || work(&writer, &todo);
        let thread = thread::Builder::new().name("saver".into()).spawn(work)?;
        Ok(Self { saves: Some(saves), thread: Some(thread) })
    }

    /// Returns at once.
    pub(crate) fn save(&self, save: Save) {
        let gone = self.saves.as_ref().is_none_or(|saves| saves.send(save).is_err());
        if gone {
            tracing::error!("the saver's thread is gone: the folder falls behind");
        }
    }
}

impl Drop for Saver {
    /// Waits for what was handed over, tried once more.
    fn drop(&mut self) {
        self.saves = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(writer: &Writer, todo: &Receiver<Save>) {
    let (mut cluster, mut duties): (Option<Cluster>, Option<Vec<Duty>>) = (None, None);
    let mut failing = false;
    loop {
        let idle = cluster.is_none() && duties.is_none();
        let next = if idle {
            todo.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            todo.recv_timeout(RETRY)
        };
        match next {
            Ok(Save::Belongs(to)) => cluster = Some(to),
            Ok(Save::Remember(what)) => duties = Some(what),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let kept = keep(writer, &mut cluster, &mut duties);
        match kept {
            Ok(()) if failing => tracing::info!("the data folder can be written again"),
            Err(ref why) if !failing => {
                tracing::error!(error = %why, "cannot write in the data folder; trying again");
            }
            Ok(()) | Err(_) => {}
        }
        failing = kept.is_err();
    }
}

fn keep(
    writer: &Writer,
    cluster: &mut Option<Cluster>,
    duties: &mut Option<Vec<Duty>>,
) -> io::Result<()> {
    if cluster.is_some() {
        writer.belongs_to(*cluster)?;
        *cluster = None;
    }
    if let Some(what) = duties.as_deref() {
        writer.remember(what)?;
        *duties = None;
    }
    Ok(())
}
