//! The one file of this program that reads clocks. What is measured elsewhere is measured in what
//! this file handed out; waiting (tokio's timers) is not reading.
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use interrex_core::{Moment, Mono, Wall};

/// The clocks of one life of the process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins to count now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks, once for each input.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { mono: self.mono(), wall: Self::wall() }
    }

    /// Time since the start of the process, as the kernel's monotonic clock has it.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono(self.start.elapsed())
    }

    /// For the dates in certificates.
    #[must_use]
    pub fn system() -> SystemTime {
        SystemTime::now()
    }

    /// Milliseconds since the Unix epoch; 0 where the machine's clock stands before it.
    #[must_use]
    pub fn wall() -> Wall {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
