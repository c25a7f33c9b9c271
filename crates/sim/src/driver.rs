//! The model driver: recorders that need a while to start, may be broken, and leave intervals on a
//! model disk. The disk outlives everything.
use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{EndedTenure, Epoch, RecorderId};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::At;
use crate::rng::Rng;

/// Distance of two ticks of recorded material (CONTRACT).
pub(crate) const TICK_MS: u32 = 20;

/// Material of one recorder on one server, without a gap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    pub(crate) recorder: RecorderId,
    pub(crate) epoch: Epoch,
    pub(crate) from: At,
    pub(crate) to: At,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    wish: Wish,
    /// From here on it records; never if it is broken.
    from: Option<At>,
}

/// What runs recorders on one server.
#[derive(Debug, Default)]
pub(crate) struct Driver {
    running: Vec<Running>,
    /// The disk.
    pub(crate) material: Vec<Interval>,
    /// New recorders do not start, and it says so.
    pub(crate) broken: bool,
    /// New recorders need so much longer.
    pub(crate) slow: Duration,
    told: Option<(At, Vec<(bool, bool)>)>,
}

impl Driver {
    /// Level-triggered: starts what is new, stops what is not named.
    pub(crate) fn run(&mut self, wishes: &[Wish], now: At, dice: &mut Rng) {
        let before = std::mem::take(&mut self.running);
        let records = |run: &Running| run.from.is_some_and(|from| from <= now);
        for &wish in wishes {
            let same = |run: &&Running| run.wish.recorder == wish.recorder;
            let old = before.iter().find(|run| same(run) && run.wish.epoch == wish.epoch);
            let warm = before.iter().find(|run| same(run) && records(run));
            let from = match (old, warm) {
                (Some(old), _) if old.from.is_some() || self.broken => old.from,
                (_, Some(_)) => Some(now),
                _ if self.broken => None,
                _ => Some(now + Duration::from_millis(dice.within(30..300)) + self.slow),
            };
            self.running.push(Running { wish, from });
        }
        for run in &before {
            let goes_on = |new: &Running| {
                (new.wish.recorder, new.wish.epoch) == (run.wish.recorder, run.wish.epoch)
            };
            if !self.running.iter().any(goes_on) {
                Self::store(&mut self.material, run, now);
            }
        }
        self.told = None;
    }

    /// What did not start because it was broken starts now.
    pub(crate) fn mend(&mut self, now: At) {
        (self.broken, self.slow) = (false, Duration::ZERO);
        for run in self.running.iter_mut().filter(|run| run.from.is_none()) {
            run.from = Some(now + Duration::from_millis(200));
        }
    }

    /// The process is dead, and with it all that it ran.
    pub(crate) fn stop_all(&mut self, now: At) {
        for run in std::mem::take(&mut self.running) {
            Self::store(&mut self.material, &run, now);
        }
        self.told = None;
    }

    fn store(material: &mut Vec<Interval>, run: &Running, now: At) {
        let Wish { recorder, epoch, .. } = run.wish;
        if let Some(from) = run.from.filter(|from| *from < now) {
            material.push(Interval { recorder, epoch, from, to: now });
        }
    }

    /// It runs nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// It records that tenure, or is about to.
    pub(crate) fn runs(&self, recorder: RecorderId, epoch: Epoch) -> bool {
        self.running.iter().any(|run| (run.wish.recorder, run.wish.epoch) == (recorder, epoch))
    }

    /// It records this at present.
    pub(crate) fn records(&self, recorder: RecorderId, now: At) -> bool {
        let this = |run: &&Running| run.wish.recorder == recorder;
        self.running.iter().filter(this).any(|run| run.from.is_some_and(|from| from <= now))
    }

    /// What it is doing, if that is new or has not been told for a while.
    pub(crate) fn news(&mut self, now: At) -> Option<Vec<DriverStatus>> {
        let flags: Vec<_> = self
            .running
            .iter()
            .map(|run| (run.from.is_some_and(|from| from <= now), run.from.is_none()))
            .collect();
        let old = self.told.as_ref().is_some_and(|(at, told)| {
            *told == flags && (flags.is_empty() || now.since(*at) < Duration::from_millis(150))
        });
        if old {
            return None;
        }
        self.told = Some((now, flags));
        Some(self.running.iter().map(|run| status(run, now)).collect())
    }

    /// Where those tenures end on this disk, of those that are not being recorded.
    pub(crate) fn ends(&self, tenures: &[(RecorderId, Epoch)]) -> Vec<EndedTenure> {
        let over = |&&(recorder, epoch): &&(RecorderId, Epoch)| {
            !self.running.iter().any(|run| (run.wish.recorder, run.wish.epoch) == (recorder, epoch))
        };
        let end = |&(recorder, epoch): &(RecorderId, Epoch)| {
            let of = |part: &&Interval| (part.recorder, part.epoch) == (recorder, epoch);
            let last = self.material.iter().filter(of).map(|part| part.to).max();
            let last_ms = last.map(tick_before);
            EndedTenure { recorder, epoch, last_ms, account: Arc::default() }
        };
        tenures.iter().filter(over).map(end).collect()
    }

    /// Where the first piece of a tenure on this disk ends.
    pub(crate) fn oldest_end_ms(&self, recorder: RecorderId, epoch: Epoch) -> Option<u64> {
        let of = |part: &&Interval| (part.recorder, part.epoch) == (recorder, epoch);
        self.material.iter().filter(of).map(|part| tick_before(part.to)).min()
    }

    /// The first material of a tenure on this disk, what is being written included.
    pub(crate) fn first_ms(&self, recorder: RecorderId, epoch: Epoch) -> Option<u64> {
        let stored =
            self.material.iter().filter(|part| (part.recorder, part.epoch) == (recorder, epoch));
        let running = self
            .running
            .iter()
            .filter(|run| (run.wish.recorder, run.wish.epoch) == (recorder, epoch));
        stored.map(|part| part.from).chain(running.filter_map(|run| run.from)).min().map(tick_after)
    }
}

fn tick_before(at: At) -> u64 {
    at.unix_ms() / u64::from(TICK_MS) * u64::from(TICK_MS)
}

fn tick_after(at: At) -> u64 {
    (at.unix_ms() / u64::from(TICK_MS) + 1) * u64::from(TICK_MS)
}

fn status(run: &Running, now: At) -> DriverStatus {
    let Wish { recorder, epoch, config, channels, .. } = run.wish;
    let since = run.from.filter(|from| *from <= now);
    let first_ms = since.map(tick_after).filter(|first| *first <= now.unix_ms());
    DriverStatus {
        recorder,
        epoch,
        config,
        recording: if first_ms.is_some() { channels } else { 0 },
        channels,
        first_ms,
        last_ms: first_ms.map(|_| tick_before(now)),
        tick_ms: TICK_MS,
        prepared: since.is_some(),
        failed: run.from.is_none(),
    }
}
