//! One exchange, by the end that fetches: a plan, a line, and files. Writing and hashing are here;
//! a second thread waits for the disk, so that the line never does.
use std::path::Path;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use interrex_core::fleet::Kinds;
use interrex_core::{CopyId, RecorderId};
use interrex_wire::material::{FaultCode, Frame, Listed, SegmentHash, SegmentKey};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::Orders;
use super::bucket::Bucket;
use super::keep::{Job, Kept, keep};
use super::line::Line;
use super::place::Place;
use super::plan::{Arrived, Breach, Heard, Here, Next, Plan};
use super::stage::{self, Part, Stage};
use crate::clock::Clock;
use crate::store::{Fetched, Store, StoreError};

/// An answer that does not come within this time does not come.
const PATIENCE: Duration = Duration::from_secs(60);
/// The place is kept at most so often, but at the end.
const SAVE: Duration = Duration::from_millis(500);
/// Segments that are made durable together.
const TOGETHER: usize = 1_024;

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The pass is over.
    Over,
    /// No room for this many bytes.
    Full(u64),
    /// The line broke, or this disk did: go on later.
    Broken(String),
    /// The copy is to wait, or is no longer ours.
    CalledOff,
}

/// What an exchange works with.
pub(super) struct Session<'a> {
    pub(super) copy: CopyId,
    pub(super) recorder: RecorderId,
    pub(super) root: &'a Path,
    pub(super) store: &'a dyn Store,
    pub(super) clock: Clock,
    pub(super) runtime: &'a Handle,
    pub(super) orders: &'a mut watch::Receiver<Orders>,
    /// Whether it goes on by the newest word, and how fast.
    pub(super) goes_on: &'a dyn Fn(&Orders) -> Option<u64>,
    /// Is told how far it is, every now and then.
    pub(super) tell: &'a mut dyn FnMut(&Place),
}

/// What happens next.
enum Event {
    Frame(Result<Frame, String>),
    Kept(Kept),
    Orders(bool),
    Silence,
}

impl<'a> Session<'a> {
    /// Fetches over `line` what is missing behind `place`, until it is all here or cannot go on.
    /// The place that is returned is kept on disk, if the disk allows it.
    pub(super) fn run(
        self,
        line: Line,
        stage: &'a Stage,
        place: Place,
        kinds: Kinds,
        retry: bool,
    ) -> (Ended, Place) {
        let (jobs, todo) = std_mpsc::channel();
        let (tell, kept) = mpsc::unbounded_channel();
        let (store, recorder, dir) = (self.store, self.recorder, stage.dir());
        thread::scope(|scope| {
            scope.spawn(move || keep(store, recorder, dir, &todo, &tell));
            let running = Running {
                plan: Plan::new(place, kinds, retry),
                line,
                stage,
                jobs,
                kept,
                part: None,
                ready: Vec::new(),
                in_flight: 0,
                bucket: Bucket::new(0),
                saved: Duration::ZERO,
                session: self,
            };
            running.run()
        })
    }
}

/// One exchange as it goes.
struct Running<'a> {
    session: Session<'a>,
    plan: Plan,
    line: Line,
    stage: &'a Stage,
    jobs: std_mpsc::Sender<Job>,
    kept: mpsc::UnboundedReceiver<Kept>,
    part: Option<Part>,
    /// Whole, and not given to the keeper yet.
    ready: Vec<Fetched>,
    /// Jobs that will be answered.
    in_flight: usize,
    bucket: Bucket,
    /// When the place was last given to be kept.
    saved: Duration,
}

impl Running<'_> {
    fn run(mut self) -> (Ended, Place) {
        let ended = match self.go() {
            Ok(()) => Ended::Over,
            Err(ended) => ended,
        };
        self.part = None;
        let settled = self.settle();
        let ended = match (ended, settled) {
            (Ended::Over | Ended::CalledOff, Err(why)) => why,
            (ended, Ok(()) | Err(_)) => ended,
        };
        (self.session.tell)(self.plan.place());
        (ended, self.plan.place().clone())
    }

    fn go(&mut self) -> Result<(), Ended> {
        self.obey()?;
        loop {
            match self.plan.next() {
                Next::Ask(frame) => self.line.ask(frame).map_err(Ended::Broken)?,
                Next::Look(listed) => {
                    let here = match self.look(&listed) {
                        Err(full @ Ended::Full(_)) => return self.finish(full),
                        looked => looked?,
                    };
                    if let Some(frame) = self.plan.found(listed, here) {
                        self.line.ask(frame).map_err(Ended::Broken)?;
                    }
                }
                Next::Wait => {
                    self.take_in(false);
                    let event = self.wait(PATIENCE);
                    self.handle(event)?;
                }
                Next::Over => return Ok(()),
            }
        }
    }

    /// Asks nothing more, but takes what is on its way: room was found for that.
    fn finish(&mut self, ended: Ended) -> Result<(), Ended> {
        while self.plan.coming().is_some() {
            self.take_in(false);
            let event = self.wait(PATIENCE);
            self.handle(event)?;
        }
        Err(ended)
    }

    fn wait(&mut self, patience: Duration) -> Event {
        let Self { line, kept, session, .. } = self;
        session.runtime.block_on(async {
            tokio::select! {
                biased;
                Some(kept) = kept.recv() => Event::Kept(kept),
                changed = session.orders.changed() => Event::Orders(changed.is_ok()),
                frame = line.next() => Event::Frame(frame),
                () = tokio::time::sleep(patience) => Event::Silence,
            }
        })
    }

    fn handle(&mut self, event: Event) -> Result<(), Ended> {
        match event {
            Event::Frame(frame) => self.hear(frame.map_err(Ended::Broken)?),
            Event::Kept(kept) => self.kept(kept),
            Event::Orders(true) => self.obey(),
            Event::Orders(false) => Err(Ended::CalledOff),
            Event::Silence if self.in_flight > 0 => Ok(()), // it is our disk that is slow
            Event::Silence => Err(Ended::Broken(format!("no answer for {PATIENCE:?}"))),
        }
    }

    /// The newest word may have it wait, or go slower.
    fn obey(&mut self) -> Result<(), Ended> {
        let newest = self.session.orders.borrow_and_update().clone();
        let rate = (self.session.goes_on)(&newest).ok_or(Ended::CalledOff)?;
        self.bucket.set(rate);
        Ok(())
    }

    /// What is here already of a segment, and whether there is room for the rest.
    fn look(&self, listed: &Listed) -> Result<Here, Ended> {
        let disk = |why: std::io::Error| Ended::Broken(format!("this server's disk: {why}"));
        let (session, key) = (&self.session, &listed.key);
        let held = session.store.held(session.recorder, key);
        if let Some(held) = held.map_err(|why| Ended::Broken(why.to_string()))? {
            return Ok(Here::Held(held));
        }
        let staged = self.stage.staged(key).map_err(disk)?;
        let missing = listed.length.saturating_sub(staged);
        let coming = self.plan.coming().unwrap_or_default();
        if stage::lacking(session.root, missing.saturating_add(coming)).map_err(disk)? > 0 {
            return Err(Ended::Full(missing));
        }
        Ok(if staged > 0 { Here::Staged(staged) } else { Here::Nothing })
    }

    fn hear(&mut self, frame: Frame) -> Result<(), Ended> {
        let heard = self.plan.hear(&frame).map_err(breach)?;
        match (heard, frame) {
            (Heard::Bytes { key, offset, last }, Frame::Data { bytes, blake3, .. }) => {
                self.write(key, offset, &bytes)?;
                if last {
                    self.arrived(blake3)?;
                }
                self.rest(&bytes)
            }
            (Heard::Compared(hash), Frame::Data { blake3, .. }) => {
                self.plan.arrived(hash, blake3).map(drop).map_err(breach)
            }
            (Heard::Lost { key, why }, _) => {
                self.lost(&key, &why);
                Ok(())
            }
            (Heard::Nothing | Heard::Bytes { .. } | Heard::Compared(_), _) => Ok(()),
        }
    }

    fn write(&mut self, key: SegmentKey, offset: u64, bytes: &Bytes) -> Result<(), Ended> {
        let goes_on = self.part.take().filter(|part| part.key == key && part.length == offset);
        let disk = |why: std::io::Error| match StoreError::disk("what is fetched", &why) {
            StoreError::Full(_) => Ended::Full(u64::try_from(bytes.len()).unwrap_or_default()),
            why @ (StoreError::Busy(_) | StoreError::Missing(_)) => Ended::Broken(why.to_string()),
            why @ (StoreError::Broken(_) | StoreError::Failed(_)) => Ended::Broken(why.to_string()),
        };
        let part = match goes_on {
            Some(part) => part,
            None => self.stage.part(key, offset).map_err(disk)?,
        };
        let part = self.part.insert(part);
        part.write(bytes).map_err(disk)?;
        if let Some(file) = part.unsynced() {
            // Nobody there means that the exchange is ending.
            _ = self.jobs.send(Job::Sync(file));
        }
        Ok(())
    }

    fn arrived(&mut self, source: Option<SegmentHash>) -> Result<(), Ended> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let (key, path, length, blake3) = (part.key, part.path.clone(), part.length, part.hash());
        drop(part);
        match self.plan.arrived(blake3, source).map_err(breach)? {
            Arrived::Whole => self.ready.push(Fetched { key, path, length, blake3 }),
            Arrived::Same => {}
            Arrived::Again => {
                let (channel, name) = (key.channel, key.name);
                tracing::warn!(copy = %self.session.copy, %channel, %name, "came out wrong; asking again");
                self.discard(&key);
            }
            Arrived::Lost => {
                self.lost(&key, "its content is not what was recorded");
                self.discard(&key);
            }
        }
        Ok(())
    }

    fn lost(&self, key: &SegmentKey, why: &str) {
        let (copy, recorder) = (self.session.copy, self.session.recorder);
        let (channel, name) = (key.channel, key.name);
        tracing::error!(%copy, %recorder, %channel, %name, %why, "a segment cannot be copied");
    }

    fn discard(&self, key: &SegmentKey) {
        if let Err(why) = self.stage.discard(key) {
            tracing::warn!(copy = %self.session.copy, error = %why, "cannot remove what is staged");
        }
    }

    /// Keeps to the rate; what comes meanwhile waits in the line, and so does the source.
    fn rest(&mut self, bytes: &Bytes) -> Result<(), Ended> {
        let taken = u64::try_from(bytes.len()).unwrap_or_default();
        let clock = self.session.clock;
        let now = || clock().boot;
        let mut until = now().0 + self.bucket.take(taken, now());
        while until > now().0 {
            let left = until - now().0;
            let Self { kept, session, .. } = self;
            let event = session.runtime.block_on(async {
                tokio::select! {
                    biased;
                    Some(kept) = kept.recv() => Some(Event::Kept(kept)),
                    changed = session.orders.changed() => Some(Event::Orders(changed.is_ok())),
                    () = tokio::time::sleep(left) => None,
                }
            });
            match event {
                None => return Ok(()),
                Some(Event::Orders(true)) => {
                    self.obey()?;
                    until = now().0;
                }
                Some(event) => self.handle(event)?,
            }
        }
        Ok(())
    }

    /// Gives what is whole to the keeper, if it is idle: the more it is behind, the more is made
    /// durable together.
    fn take_in(&mut self, all: bool) {
        let idle = self.in_flight == 0;
        while !self.ready.is_empty() && (idle || all) {
            let rest = self.ready.split_off(self.ready.len().min(TOGETHER));
            let batch = std::mem::replace(&mut self.ready, rest);
            self.give(Job::TakeIn(batch));
            if !all {
                return;
            }
        }
    }

    fn give(&mut self, job: Job) {
        if self.jobs.send(job).is_ok() {
            self.in_flight += 1;
        }
    }

    fn kept(&mut self, kept: Kept) -> Result<(), Ended> {
        self.in_flight = self.in_flight.saturating_sub(1);
        match kept {
            Kept::TakenIn(batch, Ok(())) => {
                for one in batch {
                    self.plan.durable(&one.key, one.length);
                }
                let now = (self.session.clock)().boot.0;
                if now >= self.saved + SAVE {
                    self.saved = now;
                    self.give(Job::Save(self.plan.place().clone()));
                    (self.session.tell)(self.plan.place());
                }
                Ok(())
            }
            Kept::TakenIn(batch, Err(StoreError::Full(_))) => {
                Err(Ended::Full(batch.iter().map(|one| one.length).sum()))
            }
            Kept::TakenIn(_, Err(why)) => Err(Ended::Broken(why.to_string())),
            Kept::Saved(Ok(())) => Ok(()),
            Kept::Saved(Err(why)) => Err(Ended::Broken(why)),
        }
    }

    /// Takes in what is whole, and keeps the place: nothing that came is asked for again.
    fn settle(&mut self) -> Result<(), Ended> {
        self.take_in(true);
        self.drain()?;
        self.give(Job::Save(self.plan.place().clone()));
        self.drain()
    }

    fn drain(&mut self) -> Result<(), Ended> {
        let mut ended = Ok(());
        while self.in_flight > 0 {
            let Some(kept) = self.kept.blocking_recv() else { break };
            ended = self.kept(kept).and(ended);
        }
        ended
    }
}

fn breach(why: Breach) -> Ended {
    match why {
        Breach::Refused(FaultCode::Busy, why) => Ended::Broken(format!("not yet: {why}")),
        why @ (Breach::Refused(..) | Breach::Unasked(_) | Breach::TooManyFail) => {
            Ended::Broken(why.to_string())
        }
    }
}
