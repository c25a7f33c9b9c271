//! The materialized views: one file each. Each looks at nothing but events and where they stand,
//! so each can be rebuilt alone. What follows from several of them together is in `picture`.
mod copies;
mod facts;
mod failovers;
mod fleet;
mod handovers;
mod health;
mod notes;
mod operations;
mod pauses;
mod queue;
mod roles;
mod withheld;

pub use copies::{COPIES_KEPT, Closed, Copies, CopyTask, Owed};
pub use facts::FactsView;
pub use failovers::{FAILOVERS_KEPT, FailoverEntry, FailoverLog};
pub use fleet::FleetView;
pub use handovers::{Handover, HandoverStep, Handovers, Unfit};
pub use health::{Expiry, Health};
pub use notes::{Note, Notes};
pub use operations::{Answered, Known, OPERATIONS_KEPT, Operations};
pub use pauses::{Pause, Pauses};
pub use queue::{FailoverQueue, Waiting};
pub use roles::{Roles, Tenure};
pub use withheld::{Mark, Withheld};

use crate::{Act, LogTime, Revision};

/// Where an event stands in the log: all that a fold may know beside the event.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// Of the decision.
    pub revision: Revision,
    /// Of the decision.
    pub at: LogTime,
    /// Who is answerable for it, and why.
    pub act: &'a Act,
}
