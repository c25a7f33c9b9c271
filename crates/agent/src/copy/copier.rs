//! The thread that fetches: one copy at a time, the lowest id whose turn has come (MB-08). One that
//! cannot go on lets the others go first.
use std::collections::BTreeMap;
use std::time::Duration;

use interrex_core::{CopyDuty, CopyId, CopyStanding, CopyStatus};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::dial::Call;
use super::line::{Line, QUESTIONS_MAX};
use super::place::Place;
use super::session::{Ended, Session};
use super::stage::{self, Stage};
use super::task::{Fetch, Task, fetch};
use super::{Offer, Orders, Setup};

/// Nothing is due: whatever changes, wakes.
const IDLE: Duration = Duration::from_secs(3_600);

/// All that is fetched here.
pub(super) struct Copier {
    setup: Setup,
    runtime: Handle,
    orders: watch::Receiver<Orders>,
    offers: mpsc::Receiver<Offer>,
    shown: watch::Sender<Vec<CopyStatus>>,
    tasks: BTreeMap<CopyId, Task>,
}

impl Copier {
    /// Must be called within a tokio runtime.
    pub(super) fn new(
        setup: Setup,
        orders: watch::Receiver<Orders>,
        offers: mpsc::Receiver<Offer>,
        shown: watch::Sender<Vec<CopyStatus>>,
    ) -> Self {
        let (runtime, tasks) = (Handle::current(), BTreeMap::new());
        Self { setup, runtime, orders, offers, shown, tasks }
    }

    /// Works until there are no more words.
    pub(super) fn run(mut self) {
        loop {
            let orders = self.orders.borrow_and_update().clone();
            self.take_up(&orders);
            while let Ok(offer) = self.offers.try_recv() {
                self.offered(offer);
            }
            let rest = match self.turn(&orders) {
                Some(duty) => {
                    self.go(&duty, &orders);
                    Duration::ZERO
                }
                None => self.rest(),
            };
            self.show();
            if !self.wait(rest) {
                return;
            }
        }
    }

    fn now(&self) -> Duration {
        (self.setup.clock)().boot.0
    }

    /// Makes the tasks those that the newest word names.
    fn take_up(&mut self, orders: &Orders) {
        let now = self.now();
        let wanted = |copy: CopyId| orders.duty(copy).and_then(fetch).is_some();
        self.tasks.retain(|copy, _| wanted(*copy));
        // Before the first word nothing is known to be over.
        let swept = orders.told.then(|| stage::sweep(&self.setup.root, wanted));
        if let Some(Err(why)) = swept {
            tracing::warn!(error = %why, "cannot remove what was staged for a copy that is over");
        }
        for duty in orders.duties.iter() {
            if let Some(fetch) = fetch(duty) {
                let task = self.tasks.entry(duty.copy).or_insert_with(|| Task::new(now));
                task.obey(&fetch, now);
            }
        }
    }

    fn offered(&mut self, Offer { copy, line }: Offer) {
        let now = self.now();
        if let Some(task) = self.tasks.get_mut(&copy) {
            task.offered(line, now);
        }
    }

    /// The lowest id whose turn it is.
    fn turn(&self, orders: &Orders) -> Option<CopyDuty> {
        let now = self.now();
        let due = |task: &Task| task.due().is_some_and(|due| due <= now);
        let (copy, _) = self.tasks.iter().find(|(_, task)| due(task))?;
        orders.duty(*copy).cloned()
    }

    /// How long nothing is due.
    fn rest(&self) -> Duration {
        let next = self.tasks.values().filter_map(Task::due).min();
        next.map_or(IDLE, |next| next.saturating_sub(self.now()))
    }

    /// False once there are no more words.
    fn wait(&mut self, rest: Duration) -> bool {
        enum Woken {
            Orders(bool),
            Offer(Offer),
            Time,
        }
        let Self { runtime, orders, offers, .. } = self;
        let woken = runtime.block_on(async {
            tokio::select! {
                biased;
                changed = orders.changed() => Woken::Orders(changed.is_ok()),
                Some(offer) = offers.recv() => Woken::Offer(offer),
                () = tokio::time::sleep(rest) => Woken::Time,
            }
        });
        match woken {
            Woken::Orders(more) => return more,
            Woken::Offer(offer) => self.offered(offer),
            Woken::Time => {}
        }
        true
    }

    /// One exchange, or one try of it.
    fn go(&mut self, duty: &CopyDuty, orders: &Orders) {
        let copy = duty.copy;
        let (Some(fetch), Some(mut task)) = (fetch(duty), self.tasks.remove(&copy)) else { return };
        let opened = match task.opened.take() {
            Some(opened) => Ok(opened),
            None => open(&self.setup, copy),
        };
        let ended = match opened {
            Ok((stage, place)) => {
                let (ended, place) = self.exchange(duty, &fetch, orders, &mut task, &stage, place);
                task.opened = Some((stage, place));
                ended
            }
            Err(why) => Ended::Broken(format!("this server's disk: {why}")),
        };
        task.judge(copy, ended, self.now());
        self.tasks.insert(copy, task);
    }

    fn exchange(
        &mut self,
        duty: &CopyDuty,
        fetch: &Fetch,
        orders: &Orders,
        task: &mut Task,
        stage: &Stage,
        place: Place,
    ) -> (Ended, Place) {
        if place.complete && place.failed.is_empty() {
            return (Ended::Over, place); // by an earlier process
        }
        if let Some(bytes) = task.full.take()
            && stage::lacking(&self.setup.root, bytes).is_ok_and(|bytes| bytes > 0)
        {
            return (Ended::Full(bytes), place);
        }
        let line = match self.line(duty, fetch, orders, task) {
            Ok(line) => line,
            Err(why) => return (Ended::Broken(why), place),
        };
        task.reached();
        let (copy, recorder, epoch) = (duty.copy, duty.recorder, duty.epoch);
        let (source, done) = (duty.source, place.done.segments);
        tracing::info!(%copy, %recorder, %epoch, %source, done, "fetches material");
        set(&self.shown, running(copy, &place));
        self.session(duty, fetch, line, stage, place)
    }

    /// A connection to the source: ours, or the one that it has dialled.
    fn line(
        &self,
        duty: &CopyDuty,
        fetch: &Fetch,
        orders: &Orders,
        task: &mut Task,
    ) -> Result<Line, String> {
        let Some(address) = fetch.from.clone() else {
            let line = task.line.take().filter(|line| !line.is_closed());
            return line.ok_or_else(|| "the source cannot be dialled, and has not dialled".into());
        };
        let cluster = orders.cluster.ok_or("no cluster is known yet")?;
        let (server, copy, other) = (self.setup.server, duty.copy, duty.source);
        let call = Call { address, other, cluster, server, copy, room: QUESTIONS_MAX };
        self.runtime.block_on(call.dial(&self.setup.security))
    }

    fn session(
        &mut self,
        duty: &CopyDuty,
        begun: &Fetch,
        line: Line,
        stage: &Stage,
        place: Place,
    ) -> (Ended, Place) {
        let copy = duty.copy;
        let goes_on = |orders: &Orders| {
            let now = fetch(orders.duty(copy)?)?;
            (!now.paused && now.kinds == begun.kinds).then_some(now.rate)
        };
        let (shown, setup) = (&self.shown, &self.setup);
        let mut tell = |place: &Place| set(shown, running(copy, place));
        let session = Session {
            copy,
            recorder: duty.recorder,
            root: &setup.root,
            store: setup.store.as_ref(),
            clock: setup.clock,
            runtime: &self.runtime,
            orders: &mut self.orders,
            goes_on: &goes_on,
            tell: &mut tell,
        };
        let retry = place.complete;
        session.run(line, stage, place, begun.kinds, retry)
    }

    /// Tells how all of them stand.
    fn show(&self) {
        let all: Vec<CopyStatus> =
            self.tasks.iter().filter_map(|(copy, task)| task.status(*copy)).collect();
        self.shown.send_if_modified(|shown| {
            let changed = *shown != all;
            *shown = all;
            changed
        });
    }
}

fn open(setup: &Setup, copy: CopyId) -> std::io::Result<(Stage, Place)> {
    let stage = Stage::open(&setup.root, copy)?;
    let place = Place::load(stage.dir())?;
    Ok((stage, place))
}

fn running(copy: CopyId, place: &Place) -> CopyStatus {
    CopyStatus { copy, progress: place.progress(), standing: CopyStanding::Running }
}

/// Tells how one of them stands, the others as before.
fn set(shown: &watch::Sender<Vec<CopyStatus>>, status: CopyStatus) {
    shown.send_modify(|shown| match shown.iter_mut().find(|one| one.copy == status.copy) {
        Some(one) => *one = status,
        None => shown.push(status),
    });
}
