//! Every duration of the protocol, derived from the one that operators set (PROTOCOL section 1).
use std::time::Duration;

/// Smallest failover timeout that may be set (WS-02).
pub const TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// Largest failover timeout that may be set (WS-02).
pub const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
/// The failover timeout where none is set (WS-02).
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// g: the detector's grid.
pub const GRID: Duration = Duration::from_millis(10);
/// g: the largest step that listened time takes at once (P1).
pub const STEP_MAX: Duration = Duration::from_millis(100);
/// A: the oldest usable report, by the tick that it echoes (P9).
pub const REPORT_AGE_MAX: Duration = Duration::from_millis(250);
/// How often a leader ticks.
pub const TICK: Duration = Duration::from_millis(50);
/// L6: a leader that hears no quorum, or gets no answer of its own entry, for so long stops judging.
pub const STALLED: Duration = Duration::from_secs(2);
/// Least time that a step of a hand-over is given (D8).
pub const STEP_PATIENCE_MIN: Duration = Duration::from_secs(30);
/// A voter's wall clock that is further off raises an alarm (T1).
pub const SKEW_ALARM: Duration = Duration::from_secs(1);

/// F and all that follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(Duration);

impl Timeout {
    /// F, if it is within [`TIMEOUT_MIN`] and [`TIMEOUT_MAX`].
    pub fn new(timeout: Duration) -> Option<Self> {
        (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout).then_some(Self(timeout))
    }

    /// F: silence for this long is evidence.
    pub fn silence(self) -> Duration {
        self.0
    }

    /// h: between two heartbeats, before jitter of 10 %.
    pub fn interval(self) -> Duration {
        (self.0 / 5).min(Duration::from_secs(1))
    }

    /// L: the lease, by the agent's clock, from the sending of the heartbeat.
    pub fn lease(self) -> Duration {
        self.0 * 3 / 4
    }

    /// d: within this after a lease's end its holder has stopped.
    pub fn stopping(self) -> Duration {
        (self.0 / 5).min(Duration::from_secs(2))
    }

    /// Silence for longer than this is *quiet* (D7), and a minority's worth an alarm (D1).
    pub fn half(self) -> Duration {
        self.0 / 2
    }

    /// How long a step of a hand-over is waited for (D8).
    pub fn patience(self) -> Duration {
        self.0.max(STEP_PATIENCE_MIN)
    }

    /// A3: an agent without an answer for so long opens another connection.
    pub fn deaf(self) -> Duration {
        (self.lease() / 2).max(self.interval() * 2 + Duration::from_millis(100))
    }
}

impl Default for Timeout {
    fn default() -> Self {
        Self(TIMEOUT_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I1 and I2 of PROTOCOL section 1, with p = 1 %, for every timeout that may be set.
    #[test]
    fn the_lease_ends_before_silence_is_evidence() {
        for ms in (1_000..20_000).chain((20..=3_600).map(|s| s * 1_000)) {
            let timeout = Timeout::new(Duration::from_millis(ms)).unwrap();
            let (lease, stop, f) = (timeout.lease(), timeout.stopping(), timeout.silence());
            assert!(lease * 100 / 99 + stop <= f * 100 / 101, "I1 at {ms} ms");
            assert!(lease >= timeout.interval() * 3 + Duration::from_millis(100), "I2 at {ms} ms");
        }
    }
}
