//! The one file of this program that reads clocks (A4): CLOCK_BOOTTIME, which goes on while the
//! machine is suspended, and the wall clock.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interrex_core::agent::AgentMoment;
use interrex_core::{BootTime, Wall};
use rustix::time::{ClockId, clock_gettime};

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) boot: BootTime,
    /// Since the Unix epoch.
    pub(crate) wall: Duration,
}

impl Stamp {
    /// Milliseconds since the Unix epoch.
    pub(crate) fn wall_ms(self) -> u64 {
        u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX)
    }

    /// As the core takes it.
    pub(crate) fn moment(self) -> AgentMoment {
        AgentMoment { boot: self.boot, wall: Wall(self.wall_ms()) }
    }
}

/// Where the program takes its time from: the machine, or a test.
pub(crate) type Clock = fn() -> Stamp;

/// The machine's clocks.
pub(crate) fn machine() -> Stamp {
    let boot = clock_gettime(ClockId::Boottime);
    let (secs, nanos) = (u64::try_from(boot.tv_sec), u32::try_from(boot.tv_nsec));
    let boot = Duration::new(secs.unwrap_or_default(), nanos.unwrap_or_default());
    // A wall clock before 1970 is shown as 1970; nothing but names of files hangs on it.
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp { boot: BootTime(boot), wall }
}
