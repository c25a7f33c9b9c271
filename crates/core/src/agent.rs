//! The agent: leases and obedience, sans IO.
mod io;

use std::time::Duration;

pub use io::*;

/// A9, WS-11: how long a starting agent waits for a majority, where nothing is set.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// One server's agent.
#[derive(Clone, Debug)]
pub struct Agent {
    identity: AgentIdentity,
    started: AgentMoment,
}

impl Agent {
    /// Begins a life of the process. Nothing is connected, assigned or leased yet.
    pub fn start(identity: AgentIdentity, now: AgentMoment) -> Self {
        Self { identity, started: now }
    }

    /// Takes one input, and says what is to be done about it, in order.
    pub fn handle(&mut self, input: AgentInput, now: AgentMoment) -> Vec<AgentOutput> {
        let _ = (input, now, &self.identity, self.started);
        Vec::new()
    }

    /// A1: the tenures for which it acts at `at`, whether or not a step has come meanwhile.
    pub fn acting(&self, at: crate::BootTime) -> Vec<(crate::RecorderId, crate::Epoch)> {
        let _ = at;
        Vec::new()
    }
}
