//! One connection of an agent, as the node task sees it: where acknowledgements go.
use std::sync::atomic::{AtomicU64, Ordering};

use interrex_core::Ack;
use tokio::sync::mpsc;

/// Acknowledgements that may wait for one connection; the newest beat brings another one.
const ACKS_MAX: usize = 8;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Where a connection's acknowledgements go.
#[derive(Debug)]
pub(crate) struct AgentLine {
    /// Later connections have higher numbers.
    number: u64,
    acks: mpsc::Sender<Ack>,
}

impl AgentLine {
    /// A new connection, and what it has to send.
    pub(crate) fn open() -> (Self, mpsc::Receiver<Ack>) {
        let (acks, to_send) = mpsc::channel(ACKS_MAX);
        (Self { number: NEXT.fetch_add(1, Ordering::Relaxed), acks }, to_send)
    }

    /// False if the connection is gone. Where it is full the acknowledgement is lost, as any may be.
    pub(super) fn send(&self, ack: Ack) -> bool {
        !matches!(self.acks.try_send(ack), Err(mpsc::error::TrySendError::Closed(_)))
    }

    /// A3: the newest connection of a server is answered, the old one only once that is gone.
    pub(super) fn replaces(&self, old: &Self) -> bool {
        self.number >= old.number || old.acks.is_closed()
    }
}
