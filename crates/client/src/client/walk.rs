//! In which order coordinators are asked, and for how long.
use std::time::Duration;

use tokio::time::Instant;

use super::{Client, Error};

/// Between two rounds over all endpoints; doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(320);

/// One call's way over the coordinators: the leader first, if known, then the others in turn.
pub(super) struct Walk<'a> {
    client: &'a Client,
    deadline: Instant,
    asked: usize,
    hints: usize,
    pause: Duration,
    why: Option<String>,
}

impl Client {
    pub(super) fn walk(&self, deadline: Instant) -> Walk<'_> {
        Walk { client: self, deadline, asked: 0, hints: 0, pause: PAUSE, why: None }
    }
}

impl Walk<'_> {
    /// Whom to ask next; None once the time is over.
    pub(super) async fn next(&mut self) -> Option<String> {
        let endpoints = &self.client.settings.endpoints;
        // A hint that leads nowhere must not keep the others from being asked.
        if let Some(leader) = self.client.leader().filter(|_| self.hints <= endpoints.len()) {
            self.hints += 1;
            return (Instant::now() < self.deadline).then_some(leader);
        }
        self.hints = 0;
        let at = self.asked.checked_rem(endpoints.len())?;
        if self.asked > 0 && at == 0 {
            tokio::time::sleep_until((Instant::now() + self.pause).min(self.deadline)).await;
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
        self.asked += 1;
        if Instant::now() >= self.deadline {
            return None;
        }
        endpoints.get((at + self.client.first) % endpoints.len()).cloned()
    }

    pub(super) fn failed(&mut self, why: String) {
        self.why = Some(why);
    }

    pub(super) fn why(&self) -> String {
        self.why.clone().unwrap_or_else(|| "the time was over".to_owned())
    }

    pub(super) fn unavailable(&self) -> Error {
        Error::Unavailable { why: self.why(), asked: self.client.settings.endpoints.join(",") }
    }

    /// True once every endpoint was asked at least once.
    pub(super) fn is_round(&self) -> bool {
        self.asked >= self.client.settings.endpoints.len()
    }
}
