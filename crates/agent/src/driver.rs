//! What records: the driver. Level-triggered: it is told all that should be recorded, and makes it
//! so. `synthetic` writes ticks itself, `process` runs a command for each channel, `exec` calls a
//! program that knows a recording system; behind the trait they are equal.
pub mod check;
pub(crate) mod choice;
pub(crate) mod direct;
pub(crate) mod exec;
mod keeper;
pub(crate) mod process;
mod sources;
pub(crate) mod synthetic;
#[cfg(test)]
mod tests;

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{EndedTenure, Epoch, RecorderId};
use tokio::sync::watch;

/// Distance of two ticks of the synthetic recorder (CONTRACT).
pub(crate) const TICK_MS: u64 = 20;

/// Runs the recording software. Every method returns at once; none may wait for a disk.
pub(crate) trait Driver: Send {
    /// All that should be recorded from now on; what is not named is to be stopped.
    fn run(&self, wishes: Vec<Wish>);

    /// What it is doing, complete.
    fn status(&self) -> watch::Receiver<Vec<DriverStatus>>;

    /// Where tenures end on this disk. `answer` gets those that are no longer recorded, and
    /// durable; the others are asked for again.
    fn find_ends(&self, tenures: Vec<(RecorderId, Epoch)>, answer: Answer);

    /// Closes everything durably. The one method that waits.
    fn stop(self: Box<Self>);
}

/// Takes the answer to [`Driver::find_ends`], on whatever thread it comes.
pub(crate) type Answer = Box<dyn FnOnce(Vec<EndedTenure>) + Send>;
