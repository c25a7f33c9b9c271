//! Which connections there should be (A3): one for each address, and a second one while the first
//! is deaf. Opening them is the shell's.
use std::time::Duration;

use super::io::{AgentOutput, Connection, Link};
use crate::BootTime;

/// The first back-off after a success. Jitter takes up to half of it: 100 ms is the shortest (A3).
const BACK_OFF_MIN: Duration = Duration::from_millis(200);

/// What the links go by at this moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) now: BootTime,
    /// h, the longest back-off.
    pub(super) interval: Duration,
    /// Any number, for jitter.
    pub(super) dice: u32,
}

impl Pace {
    /// `long` with jitter, down to half of it.
    fn jittered(self, long: Duration) -> Duration {
        long / 2 + long / 2 * (self.dice % 1_024) / 1_023
    }
}

/// One connection, and since when nothing was heard over it.
#[derive(Clone, Copy, Debug)]
struct Since {
    connection: Connection,
    heard: BootTime,
    /// How long it may be without an acknowledgement.
    deaf: Duration,
}

impl Since {
    fn is_deaf(&self, now: BootTime) -> bool {
        now.0.saturating_sub(self.heard.0) >= self.deaf
    }
}

/// One address of a coordinator.
#[derive(Clone, Debug)]
struct Side {
    attempts: u64,
    /// Has been acknowledged; stays until a newer one is.
    old: Option<Since>,
    /// Not acknowledged yet.
    new: Option<Since>,
    retry: BootTime,
    back_off: Duration,
}

/// All configured addresses.
#[derive(Clone, Debug)]
pub(super) struct Links(Vec<Side>);

impl Links {
    /// Nothing is connected; the first step opens all.
    pub(super) fn new(count: u32, now: BootTime) -> Self {
        let side = Side { attempts: 0, old: None, new: None, retry: now, back_off: BACK_OFF_MIN };
        Self((0..count).map(|_| side.clone()).collect())
    }

    /// Opens what is missing or deaf, gives up what is not acknowledged. `deaf` is A3's bound for
    /// a connection that has not been acknowledged yet.
    pub(super) fn step(&mut self, pace: Pace, deaf: Duration, out: &mut Vec<AgentOutput>) {
        for (side, link) in self.0.iter_mut().zip(0..) {
            if let Some(new) = side.new.filter(|new| new.is_deaf(pace.now)) {
                out.push(AgentOutput::Close(new.connection));
                side.new = None;
                side.fall_back(pace);
            }
            let deaf_now = side.old.is_none_or(|old| old.is_deaf(pace.now));
            if deaf_now && side.new.is_none() && pace.now >= side.retry {
                side.attempts += 1;
                let connection = Connection { link: Link(link), attempt: side.attempts };
                side.new = Some(Since { connection, heard: pace.now, deaf });
                out.push(AgentOutput::Connect(connection));
            }
        }
    }

    /// An acknowledgement came over `via`; from now on it may be without one for `deaf`.
    pub(super) fn heard(
        &mut self,
        via: Connection,
        now: BootTime,
        deaf: Duration,
        out: &mut Vec<AgentOutput>,
    ) {
        let Some(side) = self.side(via.link) else { return };
        let since = Since { connection: via, heard: now, deaf };
        if side.new.is_some_and(|new| new.connection == via) {
            let old = side.old.replace(since);
            out.extend(old.map(|old| AgentOutput::Close(old.connection)));
            (side.new, side.back_off) = (None, BACK_OFF_MIN);
        } else if let Some(old) = side.old.as_mut().filter(|old| old.connection == via) {
            *old = since;
        }
    }

    /// `gone` is over: another one is opened after the back-off.
    pub(super) fn closed(&mut self, gone: Connection, pace: Pace) {
        let Some(side) = self.side(gone.link) else { return };
        let is = |side: Option<Since>| side.is_some_and(|side| side.connection == gone);
        if is(side.new) {
            side.new = None;
            side.fall_back(pace);
        } else if is(side.old) {
            side.old = None;
            side.fall_back(pace);
        }
    }

    fn side(&mut self, link: Link) -> Option<&mut Side> {
        self.0.get_mut(usize::try_from(link.0).ok()?)
    }
}

impl Side {
    /// Waits longer from one failure to the next, up to h.
    fn fall_back(&mut self, pace: Pace) {
        self.retry = BootTime(pace.now.0 + pace.jittered(self.back_off));
        self.back_off = (self.back_off * 2).min(pace.interval.max(BACK_OFF_MIN));
    }
}
