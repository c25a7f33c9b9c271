//! What is written while the power is on, what must be there afterwards, and the look at it.
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use interrex_coordinator::folder::FolderError;
use interrex_coordinator::history::Body;
use interrex_coordinator::log::config;
use interrex_coordinator::log::types::{Raft, RaftEntry, Vote};
use interrex_core::{LogIndex, Revision};
use openraft::storage::{RaftLogReader, RaftLogStorage};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::oneshot::Receiver;

use super::common::{self, Node};
use super::mount::Mounted;
use super::network::Nobody;

/// One life of a disk takes a second or two; whoever waits so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the disk owes us.
#[derive(Default)]
pub(crate) struct Expected {
    /// As we appended it; the first `acknowledged` are durable, the first `applied` were applied.
    log: Vec<RaftEntry>,
    acknowledged: usize,
    applied: usize,
    /// So many the log knew as committed when it was opened: no leader takes those back.
    committed: usize,
    /// Acknowledged; and the one that was being saved.
    vote: Option<Vote>,
    saving: Option<Vote>,
}

pub(crate) enum Outcome {
    /// The power failed, or the work was done.
    Ended,
    /// It did not open, though the power was on.
    Refused(FolderError),
}

/// Works until the power fails. With `steps`, the power fails after so many of them instead.
pub(crate) fn run(
    mounted: &Mounted,
    root: &Path,
    expected: &mut Expected,
    seed: u64,
    steps: Option<u64>,
) -> Outcome {
    let folder = root.join("data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let node = match common::open(&folder) {
        Ok(node) => node,
        Err(_) if mounted.disk().dead => return Outcome::Ended,
        Err(error) => return Outcome::Refused(error),
    };
    mounted.disk().deaf = steps.is_some();
    let mut load =
        Load { node, rng: SmallRng::seed_from_u64(seed), waiting: VecDeque::new(), salt: seed };
    let work = load.work(expected, steps.unwrap_or(u64::MAX));
    let answered = runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await });
    assert!(answered.is_ok(), "somebody waits for a disk without power");
    load.node.close();
    Outcome::Ended
}

struct Load {
    node: Node,
    rng: SmallRng,
    /// Appends that are not yet acknowledged: how long the log then was, and whether it still is.
    waiting: VecDeque<(usize, Receiver<Result<(), std::io::Error>>)>,
    salt: u64,
}

impl Load {
    async fn work(&mut self, expected: &mut Expected, steps: u64) {
        for _ in 0..steps {
            let step = match self.rng.random_range(0..20) {
                0 => self.new_term(expected).await,
                1..=4 => self.apply(expected).await,
                5..=8 => self.settle(expected).await,
                _ => self.append(expected).await,
            };
            if step.is_none() {
                break;
            }
        }
        // Whatever was acknowledged before the power failed counts.
        for (length, mut done) in std::mem::take(&mut self.waiting) {
            tokio::task::yield_now().await;
            if let Ok(Ok(())) = done.try_recv() {
                expected.acknowledged = expected.acknowledged.max(length);
            }
        }
    }

    fn term(expected: &Expected) -> u64 {
        expected.vote.as_ref().map_or(1, |vote| vote.leader_id.term)
    }

    /// A vote, and perhaps a leader whose log parted from ours: its entries replace our tail.
    async fn new_term(&mut self, expected: &mut Expected) -> Option<()> {
        let term = Self::term(expected) + 1;
        let vote = Vote::new(term, self.rng.random_range(1..=3));
        expected.saving = Some(vote);
        self.node.log.save_vote(&vote).await.ok()?;
        (expected.vote, expected.saving) = (Some(vote), None);
        let sure = expected.applied.max(expected.committed).max(1).min(expected.log.len());
        let keep = self.rng.random_range(sure..=expected.log.len());
        if keep < expected.log.len() && keep > 0 {
            let last = expected.log[keep - 1].log_id;
            // From here on the tail may be there or not: it is nobody's any more.
            expected.acknowledged = expected.acknowledged.min(keep);
            expected.log.truncate(keep);
            self.waiting.clear();
            self.node.log.truncate_after(Some(last)).await.ok()?;
        }
        let blank = common::blank(term, expected.log.len() as u64);
        self.push(expected, vec![blank]).await
    }

    async fn append(&mut self, expected: &mut Expected) -> Option<()> {
        let term = Self::term(expected);
        if expected.log.is_empty() {
            return self.push(expected, vec![common::members(0, 0)]).await;
        }
        let (count, servers) = match self.rng.random_range(0..12) {
            0 => (1, 1_000),
            1 => (1, 120),
            _ => (self.rng.random_range(1..8), 1),
        };
        let mut entries = Vec::new();
        for _ in 0..count {
            self.salt += 1;
            let index = expected.log.len() as u64 + entries.len() as u64;
            entries.push(common::decided(term, index, servers, self.salt % 1_000_000));
        }
        self.push(expected, entries).await
    }

    async fn push(&mut self, expected: &mut Expected, entries: Vec<RaftEntry>) -> Option<()> {
        expected.log.extend(entries.clone());
        let done = self.node.append(entries).await.ok()?;
        self.waiting.push_back((expected.log.len(), done));
        Some(())
    }

    /// Waits for the oldest append.
    async fn settle(&mut self, expected: &mut Expected) -> Option<()> {
        let Some((length, done)) = self.waiting.pop_front() else { return Some(()) };
        done.await.ok()?.ok()?;
        expected.acknowledged = expected.acknowledged.max(length);
        Some(())
    }

    /// Commits and applies some, perhaps before our own disk has them: others may.
    async fn apply(&mut self, expected: &mut Expected) -> Option<()> {
        let (from, sure) = (expected.applied, expected.applied.max(expected.committed));
        let to = self.rng.random_range(sure..=expected.log.len());
        if to > from {
            let entries = expected.log[from..to].to_vec();
            let committed = entries.last().map(|entry| entry.log_id);
            self.node.log.save_committed(committed).await.ok()?;
            expected.applied = to;
            self.node.apply(entries).await.ok()?;
        }
        if self.rng.random_bool(0.1) {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Some(())
    }
}

/// Opens what is left, compares, starts Raft on it; expects from then on what was found.
pub(crate) fn check(image: &Path, expected: &mut Expected) -> Result<(), String> {
    let folder = image.join("data");
    if !folder.join("log.made").exists() && expected.acknowledged == 0 && expected.vote.is_none() {
        *expected = Expected::default();
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let mut node = common::open(&folder).map_err(|error| format!("does not open: {error}"))?;
    let found = runtime.block_on(node.log.try_get_log_entries(..)).map_err(|e| e.to_string())?;
    for (index, entry) in expected.log.iter().enumerate().take(expected.acknowledged) {
        if found.get(index) != Some(entry) {
            let (length, owed) = (found.len(), expected.acknowledged);
            return Err(format!(
                "entry {index} of {owed} acknowledged is lost; {length} are there"
            ));
        }
    }
    let vote = runtime.block_on(node.log.read_vote()).map_err(|e| e.to_string())?;
    if vote != expected.vote && (vote.is_none() || vote != expected.saving) {
        return Err(format!("vote {vote:?} is there, {:?} was acknowledged", expected.vote));
    }
    let blobs = std::fs::read_dir(folder.join("log/blobs")).map_or(0, Iterator::count);
    if blobs > 0 {
        return Err("blobs/ is not empty".into());
    }
    check_history(&node, expected, &found)?;
    expected.applied = node.replayed.len();
    let committed = runtime.block_on(node.log.read_committed()).map_err(|e| e.to_string())?;
    expected.committed = committed.map_or(0, |committed| committed.index as usize + 1);
    (expected.vote, expected.saving) = (vote, None);
    (expected.acknowledged, expected.log) = (found.len(), found);
    runtime.block_on(start(&mut node))?;
    node.close();
    runtime.shutdown_background();
    Ok(())
}

/// The history holds what was applied, as far as it goes, and the log holds it too.
fn check_history(node: &Node, expected: &Expected, found: &[RaftEntry]) -> Result<(), String> {
    if node.replayed.len() > expected.applied {
        return Err(format!(
            "{} entries in the history, {} applied",
            node.replayed.len(),
            expected.applied
        ));
    }
    let mut cursor = node.history.read(Revision(0));
    let frames = cursor.next(usize::MAX).map_err(|error| error.to_string())?;
    if frames.len() != node.replayed.len() {
        return Err(format!("{} frames read, {} replayed", frames.len(), node.replayed.len()));
    }
    for (index, frame) in frames.iter().enumerate() {
        let (known, stored) = (&expected.log[index], found.get(index));
        let sound = frame.index == LogIndex(index as u64)
            && frame.term == known.log_id.leader_id.term
            && Some(known) == stored
            && match (&frame.body, &known.payload) {
                (
                    Body::Decision { bytes, .. } | Body::Stale(bytes),
                    openraft::EntryPayload::Normal(p),
                ) => *bytes == p.bytes,
                (Body::Blank, openraft::EntryPayload::Blank) => true,
                (Body::Members(_), openraft::EntryPayload::Membership(_)) => true,
                _ => false,
            };
        if !sound {
            return Err(format!(
                "frame {index} is not what was applied: {frame:?}, log {stored:?}"
            ));
        }
    }
    Ok(())
}

/// openraft itself must accept it.
async fn start(node: &mut Node) -> Result<(), String> {
    let config = std::sync::Arc::new(config::config().map_err(|error| error.to_string())?);
    let log = node.log.clone();
    let machine = node.take_machine();
    let raft = Raft::new(1, config, Nobody, log, machine).await;
    let raft = raft.map_err(|error| format!("Raft does not start: {error}"))?;
    raft.shutdown().await.map_err(|error| error.to_string())
}
