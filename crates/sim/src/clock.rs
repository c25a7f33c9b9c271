//! True time, which only the simulator knows, and the clocks of machines, which are wrong.
use std::ops::Add;
use std::time::Duration;

use interrex_core::agent::AgentMoment;
use interrex_core::{BootTime, Moment, Mono, Wall};

/// Unix milliseconds at which every run begins.
const EPOCH_MS: u64 = 1_800_000_000_000;
/// The bound on the error of a clock's rate: 1 % (PROTOCOL section 1, p).
pub(crate) const RATE_PPM_MAX: i64 = 10_000;

/// True time: microseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At(pub(crate) u64);

impl At {
    /// How long ago `earlier` was; zero if it is still to come.
    pub(crate) fn since(self, earlier: At) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since the run began.
    pub(crate) fn ms(self) -> u64 {
        self.0 / 1_000
    }

    /// The unix milliseconds that a right clock shows.
    pub(crate) fn unix_ms(self) -> u64 {
        EPOCH_MS + self.ms()
    }
}

impl Add<Duration> for At {
    type Output = At;

    fn add(self, duration: Duration) -> At {
        At(self.0 + u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4))
    }
}

/// One machine's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// How much too fast it runs, in millionths.
    pub(crate) rate_ppm: i64,
    /// What it showed when the run began, in microseconds.
    pub(crate) start_us: u64,
    /// How far somebody set the wall clock forward.
    pub(crate) wall_off_ms: i64,
}

impl Clock {
    /// Since some moment before the run: what CLOCK_MONOTONIC and CLOCK_BOOTTIME show.
    pub(crate) fn local(&self, at: At) -> Duration {
        let at_us = i128::from(at.0);
        let shown =
            i128::from(self.start_us) + at_us + at_us * i128::from(self.rate_ppm) / 1_000_000;
        Duration::from_micros(u64::try_from(shown).unwrap_or_default())
    }

    /// When this clock shows `local`, at the latest.
    pub(crate) fn when(&self, local: Duration) -> At {
        let since_start =
            i128::try_from(local.as_micros()).unwrap_or_default() - i128::from(self.start_us);
        let at = since_start * 1_000_000 / (1_000_000 + i128::from(self.rate_ppm)) + 1;
        At(u64::try_from(at).unwrap_or_default())
    }

    /// For people.
    pub(crate) fn wall(&self, at: At) -> Wall {
        Wall(at.unix_ms().saturating_add_signed(self.wall_off_ms))
    }

    /// What a coordinator's shell reads.
    pub(crate) fn moment(&self, at: At) -> Moment {
        Moment { mono: Mono(self.local(at)), wall: self.wall(at) }
    }

    /// What an agent's shell reads.
    pub(crate) fn agent_moment(&self, at: At) -> AgentMoment {
        AgentMoment { boot: BootTime(self.local(at)), wall: self.wall(at) }
    }
}
