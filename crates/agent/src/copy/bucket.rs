//! How fast a copy may go: a bucket of bytes that fills at the rate. Pure.
use std::time::Duration;

use interrex_core::BootTime;

/// What may be taken at once after a rest: this much of a second's bytes.
const BURST: Duration = Duration::from_millis(200);

/// Bytes that may be taken now, perhaps less than none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Bytes a second; 0 = no limit.
    rate: u64,
    /// When all that was taken is paid for.
    paid: Duration,
}

impl Bucket {
    /// Full.
    pub(super) fn new(rate: u64) -> Self {
        Self { rate, paid: Duration::ZERO }
    }

    /// From now on that fast.
    pub(super) fn set(&mut self, rate: u64) {
        if rate != self.rate {
            *self = Self::new(rate);
        }
    }

    /// Takes `bytes`, and says how long to rest before the next.
    pub(super) fn take(&mut self, bytes: u64, now: BootTime) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let cost = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        self.paid = self.paid.max(now.0.saturating_sub(BURST)).saturating_add(cost);
        self.paid.saturating_sub(now.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> BootTime {
        BootTime(Duration::from_millis(ms))
    }

    #[test]
    fn a_second_takes_no_more_than_the_rate_and_a_burst() {
        let (mut bucket, mut now, mut taken) = (Bucket::new(1_000_000), 10_000, 0);
        while now < 11_000 {
            let rest = bucket.take(1_000, at(now));
            taken += 1_000;
            now += u64::try_from(rest.as_millis()).unwrap();
        }
        assert!((1_000_000..=1_202_000).contains(&taken), "{taken}");
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        assert_eq!(Bucket::new(0).take(u64::MAX, at(1)), Duration::ZERO);
        let mut bucket = Bucket::new(1);
        assert!(bucket.take(100, at(1)) > Duration::from_secs(90));
        bucket.set(0);
        assert_eq!(bucket.take(100, at(1)), Duration::ZERO);
    }
}
