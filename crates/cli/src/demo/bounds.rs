//! What each step may take, at the demo's timeout of 2 s. Measured from the kill unless said
//! otherwise. Silence counts from the last heartbeat, so it is found a little before timeout + kill.
use std::time::Duration;

/// Bounds of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The first coordinator suspects.
    pub(super) suspected: Duration,
    /// A majority does, and the log says so.
    pub(super) expired: Duration,
    /// All channels record, after the expiry.
    pub(super) took_over: Duration,
    /// Nothing is recorded for so long at most.
    pub(super) gap: Duration,
    /// The next leader decides, after the last one was killed.
    pub(super) new_leader: Duration,
    /// Between two ticks of the substitute, while the leader dies.
    pub(super) undisturbed: Duration,
    /// The home holds its recorder again, after its agent was started.
    pub(super) failed_back: Duration,
    /// The failover's material lies at home, after the failback.
    pub(super) copied: Duration,
}

impl Bounds {
    pub(super) fn real() -> Self {
        let ms = Duration::from_millis;
        Self {
            suspected: ms(2_200),
            expired: ms(2_300),
            took_over: ms(1_000),
            gap: ms(4_000),
            new_leader: ms(2_000),
            undisturbed: ms(200),
            failed_back: ms(10_000),
            copied: ms(10_000),
        }
    }

    pub(super) fn relaxed() -> Self {
        let real = Self::real();
        Self {
            suspected: real.suspected * 5,
            expired: real.expired * 5,
            took_over: real.took_over * 5,
            gap: real.gap * 5,
            new_leader: real.new_leader * 5,
            undisturbed: Duration::from_secs(2),
            failed_back: real.failed_back * 5,
            copied: real.copied * 5,
        }
    }
}
