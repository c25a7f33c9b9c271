//! How the rest of the shell reaches the node task.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::coordinator::io::{Input, Reply};
use interrex_core::{Heartbeat, LogIndex, Request};
use interrex_wire::{pb, peer};
use tokio::sync::{mpsc, oneshot, watch};

use super::{AgentLine, Gate, Seen, View};
use crate::log::types::Person;

/// An agent spoke, or 10 ms passed where its connections are read.
pub(crate) enum FromAgent {
    /// A heartbeat, and the connection that it came on.
    Beat { beat: Heartbeat, line: Arc<AgentLine> },
    /// From the runtime that reads the agents' connections: while that does not run, nobody's
    /// silence grows (P1).
    Grid,
}

/// Looks at the core, on its thread; sends what it found by itself.
pub(crate) type Query = Box<dyn FnOnce(&View<'_>) + Send>;

/// All else that reaches the task.
pub(crate) enum Message {
    Input(Input),
    Query(Query),
    Ask(Asked),
}

/// A command and who waits for its answer.
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// Kept beside the history, where it is not yet there.
    pub(crate) person: Person,
    pub(crate) dry_run: bool,
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// The node task has ended: this process is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this coordinator is stopping")]
pub(crate) struct Gone;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct NodeHandle {
    beats: mpsc::Sender<FromAgent>,
    messages: mpsc::Sender<Message>,
    seen: watch::Receiver<Seen>,
    gate: watch::Receiver<Gate>,
}

impl NodeHandle {
    pub(super) fn new(
        beats: mpsc::Sender<FromAgent>,
        messages: mpsc::Sender<Message>,
        seen: watch::Receiver<Seen>,
        gate: watch::Receiver<Gate>,
    ) -> Self {
        Self { beats, messages, seen, gate }
    }

    /// Waits while too many heartbeats wait.
    pub(crate) async fn beat(&self, beat: Heartbeat, line: Arc<AgentLine>) -> Result<(), Gone> {
        self.beats.send(FromAgent::Beat { beat, line }).await.map_err(|_| Gone)
    }

    /// Ticks the grid, until the node is gone. Must run where agents' connections are read.
    pub(crate) async fn grid(self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Behind all heartbeats that were read before it.
            if self.beats.send(FromAgent::Grid).await.is_err() {
                return;
            }
        }
    }

    /// Hands something in. Nothing happens where the node is gone.
    pub(crate) async fn tell(&self, input: Input) {
        let _ = self.messages.send(Message::Input(input)).await;
    }

    /// Asks for a judgement; the answer is awaited apart.
    pub(crate) async fn ask(&self, asked: Asked) -> Result<(), Gone> {
        self.messages.send(Message::Ask(asked)).await.map_err(|_| Gone)
    }

    /// What `look` finds, on the node's thread: short.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (found, answer) = oneshot::channel();
        let query: Query = Box::new(move |view| {
            let _ = found.send(look(view));
        });
        self.messages.send(Message::Query(query)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// For how long this member itself has not heard each server, as other members are told.
    pub(crate) async fn silence(&self) -> Result<Vec<pb::ServerTime>, Gone> {
        let silence: Vec<_> = self.query(|view| view.core.silence().collect()).await?;
        Ok(peer::write_times(&silence))
    }

    /// Waits until the entry at `index` is applied.
    pub(crate) async fn applied(&self, index: LogIndex) -> Result<(), Gone> {
        let mut seen = self.seen.clone();
        seen.wait_for(|seen| seen.applied >= index).await.map(|_| ()).map_err(|_| Gone)
    }

    /// What changes seldom; `changed().await` follows it.
    pub(crate) fn gate(&self) -> watch::Receiver<Gate> {
        self.gate.clone()
    }

    /// What stands now; `changed().await` follows it.
    pub(crate) fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.clone()
    }
}
