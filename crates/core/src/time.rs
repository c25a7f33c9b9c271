//! Times that never mix. Nothing here reads a clock.
use std::time::Duration;

/// Milliseconds since the Unix epoch, as the log has it. For calendars, never for durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogTime(pub u64);

impl LogTime {
    /// Never earlier than `floor`, however far back the wall clocks are set.
    #[must_use]
    pub fn not_before(self, floor: LogTime) -> LogTime {
        self.max(floor)
    }
}

/// Milliseconds since the Unix epoch by one machine's wall clock; may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub u64);

/// This process's monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub Duration);

/// Time that one coordinator has spent listening, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listened(pub Duration);

/// An agent's CLOCK_BOOTTIME (A4): goes on while the machine is suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(pub Duration);

/// What a coordinator's shell reads once for each input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each type says what it holds")]
pub struct Moment {
    pub mono: Mono,
    pub wall: Wall,
}
