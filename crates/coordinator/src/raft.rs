//! The one place that builds Raft, and all that the shell asks of it: propose, read index, hand
//! leadership over, who leads. Deliberately absent: what is decided (core), what is stored (`log`),
//! and how calls travel (`peers`).
mod reach;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use interrex_core::coordinator::io::Input;
use interrex_core::{CoordinatorId, LogIndex};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::impls::ProgressResponder;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use openraft::{Instant as _, LinearizerOption, ReadPolicy, ServerState};
use tokio_util::sync::CancellationToken;

use crate::failure::{self, Failure};
use crate::history::{History, Machine};
use crate::log::LogStore;
use crate::log::config::{ELECTION_MAX, config};
use crate::log::types::{LogId, MemberNode, Proposal, Raft};
use crate::node::NodeHandle;
use crate::peers::{Circle, Dialer, Held, Network};

/// How long a reader waits for a majority's word.
const READ_MAX: Duration = Duration::from_secs(2);
/// How long a transfer of leadership may take before it is tried with the next voter.
const TRANSFER_MAX: Duration = Duration::from_secs(1);

/// This member's Raft.
pub(crate) struct Consensus {
    raft: Raft,
    log: LogStore,
    history: History,
    circle: Arc<Circle>,
    /// Raft's own; everything here runs on it.
    runtime: tokio::runtime::Handle,
}

/// Why no read index is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoIndex {
    /// Ask that one, or again where none is known.
    #[error("this member does not lead")]
    NotLeader(Option<CoordinatorId>),
    /// Ask again, or another member.
    #[error("no majority of the members answers")]
    NoQuorum,
}

/// How Raft stands, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) term: u64,
    pub(crate) leader: Option<CoordinatorId>,
    pub(crate) last_log: u64,
    pub(crate) committed: u64,
    /// Since a majority last answered this leader.
    pub(crate) quorum_age: Option<Duration>,
    /// Per member, on the leader: up to where its log is known to agree.
    pub(crate) matched: BTreeMap<CoordinatorId, u64>,
}

impl Consensus {
    /// Builds Raft and lets it take part. Runs on the runtime that calls it.
    ///
    /// # Errors
    ///
    /// The log and the history do not agree, or the disk fails.
    pub(crate) async fn start(
        circle: Arc<Circle>,
        dialer: Dialer,
        log: LogStore,
        (machine, history): (Machine, History),
    ) -> Result<Arc<Self>, Failure> {
        let config = config().map_err(failure::disk)?;
        let network = Network::new(Arc::clone(&circle), dialer);
        let raft = Raft::new(circle.id.0, Arc::new(config), network, log.clone(), machine).await;
        // The folder's own words, if that failed: a full disk is not a broken one.
        let failed = log.failed().or_else(|| history.failed());
        let raft =
            raft.map_err(|fatal| failed.map_or_else(|| failure::disk(fatal), Failure::from))?;
        let runtime = tokio::runtime::Handle::current();
        Ok(Arc::new(Self { raft, log, history, circle, runtime }))
    }

    /// What a log holds that was just opened.
    pub(crate) async fn opened(log: &LogStore) -> Result<Held, Failure> {
        let mut log = log.clone();
        let vote = log.read_vote().await.map_err(failure::disk)?;
        let state = log.get_log_state().await.map_err(failure::disk)?;
        let term = vote.map_or(0, |vote| vote.leader_id.term);
        Ok(Held { term, length: length(state.last_log_id), committed: 0 })
    }

    /// What is durable on this member's disk, at least.
    pub(crate) fn holds(&self) -> Held {
        let Some(flushed) = self.raft.watch_log_progress().get() else { return Held::default() };
        let length = length(flushed.last_log_id);
        let committed = self.raft.metrics().borrow_watched().local_committed;
        let committed = committed.map_or(0, |id| id.index + 1).min(length);
        Held { term: flushed.vote.leader_id.term, length, committed }
    }

    /// The first entry of a new cluster; nothing where the log is not empty (founded before a
    /// crash).
    pub(crate) async fn initialize(
        &self,
        members: BTreeMap<u64, MemberNode>,
    ) -> Result<(), Failure> {
        if self.raft.is_initialized().await.map_err(failure::disk)? {
            return Ok(());
        }
        self.raft.initialize(members).await.map_err(failure::disk)
    }

    /// For the service of `peers`.
    pub(crate) fn raft(&self) -> &Raft {
        &self.raft
    }

    /// Raft's runtime.
    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// Appends, if `term` is still Raft's. The node is told only of a sure refusal; whatever was
    /// appended comes back as an applied entry, or with the next leader (L6).
    pub(crate) fn propose(self: &Arc<Self>, proposal: Proposal, term: u64, node: NodeHandle) {
        let consensus = Arc::clone(self);
        self.runtime.spawn(async move {
            let (responder, answer) = ProgressResponder::complete_only();
            let write = consensus.raft.write(proposal).with_leader(term).responder(responder);
            if write.await.is_err() {
                return;
            }
            // ForwardToLeader = surely not appended; anything else is unknown.
            if let Ok(Err(ClientWriteError::ForwardToLeader(_))) = answer.await {
                node.tell(Input::NotAppended { term }).await;
            }
        });
    }

    /// A reader that has applied this entry has seen all that was acknowledged before the call.
    /// ReadIndex only: a lease is unsafe across a fast restart.
    pub(crate) async fn own_read_index(&self) -> Result<LogIndex, NoIndex> {
        let option = LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(ELECTION_MAX);
        let asked = self.raft.get_read_linearizer(option);
        match tokio::time::timeout(READ_MAX, asked).await {
            Ok(Ok(linearizer)) => Ok(LogIndex(linearizer.read_log_id().index())),
            Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(leader)))) => {
                Err(NoIndex::NotLeader(leader.leader_id.map(CoordinatorId)))
            }
            Ok(Err(_)) | Err(_) => Err(NoIndex::NoQuorum),
        }
    }

    /// Hands leadership to the voter whose log is furthest, then the next, until another leads.
    /// Returns who leads then; none where nobody took it in time, or this member does not lead.
    pub(crate) async fn step_down(&self) -> Option<CoordinatorId> {
        let standing = self.standing();
        if standing.leader != Some(self.circle.id) {
            return None;
        }
        let voters: Vec<u64> = self.raft.voter_ids().collect();
        let mut heirs: Vec<(u64, CoordinatorId)> = standing
            .matched
            .into_iter()
            .filter(|(id, _)| *id != self.circle.id && voters.contains(&id.0))
            .map(|(id, matched)| (matched, id))
            .collect();
        heirs.sort_unstable();
        for (_, heir) in heirs.into_iter().rev() {
            self.raft.trigger().transfer_leader(heir.0).await.ok()?;
            let mut metrics = self.raft.server_metrics();
            let other = async {
                loop {
                    let leader = metrics.borrow_watched().current_leader.map(CoordinatorId);
                    if leader.is_some_and(|leader| leader != self.circle.id) {
                        return leader;
                    }
                    metrics.changed().await.ok()?;
                }
            };
            if let Ok(leader) = tokio::time::timeout(TRANSFER_MAX, other).await {
                return leader;
            }
        }
        None
    }

    /// How Raft stands now.
    pub(crate) fn standing(&self) -> Standing {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let index = |id: Option<LogId>| id.map_or(0, |id| id.index);
        let matched = metrics.replication.unwrap_or_default().into_iter();
        Standing {
            term: metrics.current_term,
            leader: metrics.current_leader.map(CoordinatorId),
            last_log: metrics.last_log_index.unwrap_or(0),
            committed: index(metrics.local_committed),
            quorum_age: metrics
                .last_quorum_acked
                .filter(|_| metrics.state == ServerState::Leader)
                .map(|acked| acked.elapsed()),
            matched: matched.map(|(id, upto)| (CoordinatorId(id), index(upto))).collect(),
        }
    }

    /// Why the log or the history takes no more, if one of them failed.
    fn failed(&self) -> Option<Failure> {
        self.log.failed().or_else(|| self.history.failed()).map(Failure::from)
    }

    /// Tells the node who leads, and the circle who is a member, until `stop`. Ends early with the
    /// reason why this process must not go on.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        node: NodeHandle,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        watch::watch(self, node, stop).await
    }

    /// Stops Raft, and then the writer of its log.
    pub(crate) async fn stop(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "Raft did not stop cleanly");
        }
        self.log.close();
    }
}

/// Entries of a log that ends there.
fn length(last: Option<LogId>) -> u64 {
    last.map_or(0, |id| id.index + 1)
}
