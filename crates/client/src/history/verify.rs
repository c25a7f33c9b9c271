//! Folding a history again, with every check on the way: chain (by whoever reads), fold,
//! invariants, and the digest of the state at the end.
use interrex_core::invariants::{Step, violated};
use interrex_core::{Entry, LogIndex, Outcome, State};
use interrex_wire::segment::Frame;

use super::BadHistory;
use crate::views::{Verification, Violation};

/// Violations that are listed; all are counted by `ok`.
const LISTED: usize = 1_000;

/// Two states, one decision apart.
#[derive(Debug, Default)]
pub struct Verifier {
    before: State,
    after: State,
    /// Entries that are no decisions wait for the next one, so that the state at one revision is
    /// the same wherever a history ends.
    waiting: Vec<(LogIndex, Entry)>,
    found: Verification,
}

impl Verifier {
    /// Takes in the next frame.
    ///
    /// # Errors
    ///
    /// It cannot be read, or its place and the fold contradict each other.
    pub fn enter(&mut self, frame: &Frame<'_>) -> Result<(), BadHistory> {
        let revision = frame.after.revision.0;
        let broken = |what: String| BadHistory::Broken { revision, what };
        let entry = frame.entry().map_err(|malformed| broken(malformed.to_string()))?;
        let Entry::Decision(decision) = &entry else {
            self.waiting.push((frame.index, entry));
            return Ok(());
        };
        if !decision.stands(frame.index) {
            self.waiting.push((frame.index, entry));
            return Ok(());
        }
        for (index, entry) in self.waiting.drain(..) {
            self.before.enter(index, &entry);
            self.after.enter(index, &entry);
        }
        let outcome = self.after.commit(frame.index, decision);
        if outcome != Outcome::Applied(frame.after.revision) {
            return Err(broken(format!("the fold says {outcome:?}")));
        }
        let step = Step { before: &self.before, decision, after: &self.after };
        for invariant in violated(step) {
            self.add(invariant, revision, format!("index {}", frame.index.0));
        }
        self.found.events += decision.events().count() as u64;
        self.found.revision = revision;
        self.found.chain = frame.after.head.to_string();
        self.before.commit(frame.index, decision);
        Ok(())
    }

    /// Adds what only the reader could see.
    pub fn add(&mut self, invariant: &str, revision: u64, detail: String) {
        if self.found.violations.len() < LISTED {
            let invariant = invariant.to_owned();
            self.found.violations.push(Violation { invariant, revision, detail });
        }
    }

    /// How far it has come.
    pub fn revision(&self) -> u64 {
        self.found.revision
    }

    /// What was found, with the digest of the state after the newest decision.
    pub fn finish(mut self) -> Verification {
        self.found.state = digest(&self.after);
        self.found.ok = self.found.violations.is_empty();
        self.found
    }
}

/// BLAKE3 over the state's canonical lines, each with its line feed, in hex.
fn digest(state: &State) -> String {
    let mut hasher = blake3::Hasher::new();
    state.lines(&mut |line| {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    });
    hasher.finalize().to_hex().to_string()
}
