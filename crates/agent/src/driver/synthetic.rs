//! The synthetic driver: a thread that ticks by the wall clock's grid, and one that waits for the
//! disk. It records in this process, so it stops with it.
mod channel;
pub(super) mod recorder;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{Epoch, RecorderId, ServerId};
use tokio::sync::watch;

use self::recorder::Recorder;
use super::keeper::{Job, Keeper, Kept};
use super::{Answer, Driver, TICK_MS};
use crate::clock::{Clock, Stamp};
use crate::journal::Journal;

enum Order {
    Run(Vec<Wish>),
    FindEnds(Vec<(RecorderId, Epoch)>, Answer),
    Stop,
}

/// Records time-stamped ticks in real files.
pub(crate) struct Synthetic {
    orders: Sender<Order>,
    status: watch::Receiver<Vec<DriverStatus>>,
    threads: Vec<JoinHandle<()>>,
}

impl Synthetic {
    /// Starts both threads; nothing is recorded yet.
    pub(crate) fn start(
        root: PathBuf,
        server: ServerId,
        journal: Arc<Journal>,
        clock: Clock,
    ) -> io::Result<Self> {
        let (orders, ordered) = mpsc::channel();
        let (jobs, todo) = mpsc::channel();
        let (tell, kept) = mpsc::channel();
        let (shown, status) = watch::channel(Vec::new());
        let keeper = Keeper { root: root.clone(), server, journal, clock, tick_ms: TICK_MS };
        let recorder = Recorder::new(root, server);
        let ticking = Ticking { recorder, clock, jobs, kept, shown };
        let threads = vec![
            thread::Builder::new().name("recorder".into()).spawn(move || ticking.run(&ordered))?,
            thread::Builder::new()
                .name("keeper".into())
                .spawn(move || keeper.work(&todo, &tell))?,
        ];
        Ok(Self { orders, status, threads })
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::error!("the recorder's thread is gone: nothing is recorded");
        }
    }
}

impl Driver for Synthetic {
    fn run(&self, wishes: Vec<Wish>) {
        self.order(Order::Run(wishes));
    }

    fn status(&self) -> watch::Receiver<Vec<DriverStatus>> {
        self.status.clone()
    }

    fn find_ends(&self, tenures: Vec<(RecorderId, Epoch)>, answer: Answer) {
        self.order(Order::FindEnds(tenures, answer));
    }

    fn stop(self: Box<Self>) {
        self.order(Order::Stop);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the recorder panicked");
            }
        }
    }
}

/// The thread that ticks.
struct Ticking {
    recorder: Recorder,
    clock: Clock,
    jobs: Sender<Job>,
    kept: Receiver<Kept>,
    shown: watch::Sender<Vec<DriverStatus>>,
}

impl Ticking {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut ticked = u64::MAX;
        loop {
            let mut jobs = Vec::new();
            let order = orders.recv_timeout(until_next_tick((self.clock)()));
            let now = (self.clock)();
            match order {
                Ok(Order::Run(wishes)) => self.recorder.run(wishes, now, &mut jobs),
                Ok(Order::FindEnds(tenures, answer)) => {
                    self.recorder.find_ends(tenures, answer, &mut jobs);
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.recorder.run(Vec::new(), now, &mut jobs);
                    self.give(jobs);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            while let Ok(kept) = self.kept.try_recv() {
                self.recorder.kept(kept, now, &mut jobs);
            }
            let tick = now.wall_ms() / TICK_MS;
            if tick != ticked {
                ticked = tick;
                self.recorder.tick(now, &mut jobs);
            }
            self.give(jobs);
            let status = self.recorder.status(now);
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

fn until_next_tick(now: Stamp) -> Duration {
    let tick = Duration::from_millis(TICK_MS);
    let into = now.wall.subsec_nanos() % u32::try_from(tick.as_nanos()).unwrap_or(1);
    tick - Duration::from_nanos(into.into())
}
