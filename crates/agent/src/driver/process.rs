//! The driver `process`: one command for each channel, run by the guard, so that it outlives this
//! agent. A command writes Matroska files with Unix time into its working directory, a new one every
//! few seconds; that is all that is asked of it (docs/drivers.md).
mod channel;
mod files;
mod matroska;
mod said;
pub(crate) mod settings;
mod supervisor;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{BootTime, Epoch, RecorderId, ServerId};
use tokio::sync::watch;

use self::settings::Settings;
use self::supervisor::Supervisor;
use super::keeper::{Job, Keeper, Kept};
use super::{Answer, Driver};
use crate::clock::Clock;
use crate::guard::{Spawner, Told};
use crate::journal::Journal;

/// Working directories of commands, in the data folder.
const FOLDER: &str = "recorders";
/// How often is looked at what was written.
const STEP: Duration = Duration::from_millis(100);
/// What is so old is durable.
const SYNC: Duration = Duration::from_millis(500);

enum Order {
    Run(Vec<Wish>),
    FindEnds(Vec<(RecorderId, Epoch)>, Answer),
    Stop,
}

/// Runs one command for each channel.
pub(crate) struct Process {
    orders: Sender<Order>,
    status: watch::Receiver<Vec<DriverStatus>>,
    threads: Vec<JoinHandle<()>>,
}

impl Process {
    /// Takes up what an earlier agent left, and starts both threads.
    pub(crate) fn start(
        (root, server): (PathBuf, ServerId),
        settings: Settings,
        (journal, clock): (Arc<Journal>, Clock),
        spawner: Arc<dyn Spawner>,
    ) -> io::Result<Self> {
        let (orders, ordered) = mpsc::channel();
        let (jobs, todo) = mpsc::channel();
        let (tell, kept) = mpsc::channel();
        let (shown, status) = watch::channel(Vec::new());
        let told = spawner.listen();
        let supervisor = Supervisor::take_up((root.clone(), server), settings, spawner, clock())?;
        let keeper = Keeper { root, server, journal, clock, tick_ms: 0 };
        let work = Work { supervisor, clock, jobs, kept, told, shown };
        let threads = vec![
            thread::Builder::new().name("recorder".into()).spawn(move || work.run(&ordered))?,
            thread::Builder::new()
                .name("keeper".into())
                .spawn(move || keeper.work(&todo, &tell))?,
        ];
        Ok(Self { orders, status, threads })
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::error!("the recorder's thread is gone: nobody looks after what is recorded");
        }
    }
}

impl Driver for Process {
    fn run(&self, wishes: Vec<Wish>) {
        self.order(Order::Run(wishes));
    }

    fn status(&self) -> watch::Receiver<Vec<DriverStatus>> {
        self.status.clone()
    }

    fn find_ends(&self, tenures: Vec<(RecorderId, Epoch)>, answer: Answer) {
        self.order(Order::FindEnds(tenures, answer));
    }

    /// A10: the commands go on; the next agent takes them up.
    fn stop(self: Box<Self>) {
        self.order(Order::Stop);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the recorder panicked");
            }
        }
    }
}

/// The thread that looks after the commands.
struct Work {
    supervisor: Supervisor,
    clock: Clock,
    jobs: Sender<Job>,
    kept: Receiver<Kept>,
    told: tokio::sync::mpsc::Receiver<Told>,
    shown: watch::Sender<Vec<DriverStatus>>,
}

impl Work {
    fn run(mut self, orders: &Receiver<Order>) {
        let (mut stepped, mut synced) = (BootTime::default(), BootTime::default());
        loop {
            let mut jobs = Vec::new();
            let order = orders.recv_timeout(STEP);
            let now = (self.clock)();
            let mut urgent = false;
            match order {
                Ok(Order::Run(wishes)) => {
                    self.supervisor.run(wishes, now, &mut jobs);
                    urgent = true;
                }
                Ok(Order::FindEnds(tenures, answer)) => {
                    self.supervisor.find_ends(tenures, answer, &mut jobs);
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            while let Ok(told) = self.told.try_recv() {
                self.supervisor.told(&told, now);
                urgent = true;
            }
            while let Ok(kept) = self.kept.try_recv() {
                self.supervisor.kept(kept, now);
            }
            if urgent || now.boot.0.saturating_sub(stepped.0) >= STEP {
                stepped = now.boot;
                self.supervisor.step(now, &mut jobs);
            }
            if now.boot.0.saturating_sub(synced.0) >= SYNC {
                synced = now.boot;
                self.supervisor.sync(&mut jobs);
            }
            self.give(jobs);
            let status = self.supervisor.status(now);
            self.shown.send_if_modified(|shown| {
                let changed = *shown != status;
                *shown = status;
                changed
            });
        }
    }

    fn give(&self, jobs: Vec<Job>) {
        for job in jobs {
            if self.jobs.send(job).is_err() {
                tracing::error!("the keeper's thread is gone: nothing becomes durable");
            }
        }
    }
}
