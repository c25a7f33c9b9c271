//! What openraft's metrics mean for the node: who leads, whether we do, who is a member, and
//! whether this process must end. Reads metrics; asks nothing.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::CoordinatorId;
use interrex_core::coordinator::io::Input;
use openraft::alias::InstantOf;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::type_config::TypeConfigExt;
use openraft::{Instant as _, RaftMetrics, ServerState};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Consensus;
use super::reach::{News, Reach};
use crate::failure::{self, Failure};
use crate::log::types::{Cfg, LogId};
use crate::node::NodeHandle;

/// Entries that are committed but not applied for so long mean that `apply` died (OPENRAFT.md
/// section 7): the node looks healthy and never applies again.
const APPLY_STALLED: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What the node was last told.
#[derive(Default)]
struct Told {
    follows: Option<(u64, Option<u64>)>,
    members: Option<LogId>,
    /// The settling of the term that we lead.
    settling: Option<(u64, AbortOnDropHandle<()>)>,
    /// Since when we lead, and whom we then do not reach.
    reach: Option<(InstantOf<Cfg>, Reach)>,
}

pub(super) async fn watch(
    consensus: &Arc<Consensus>,
    node: NodeHandle,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let (mut receiver, mut failing) = (consensus.raft.metrics(), consensus.history.failing());
    let mut told = Told::default();
    let (mut applied, mut stalled) = (None, Duration::ZERO);
    loop {
        // Cloned and let go in one statement: a guard that is held stops Raft.
        let metrics = receiver.borrow_watched().clone();
        if let Err(fatal) = &metrics.running_state {
            if stop.is_cancelled() {
                return Ok(());
            }
            // The folder's own words, if that failed: a full disk is not a broken one.
            return Err(consensus.failed().unwrap_or_else(|| failure::disk(fatal)));
        }
        if let Some(failed) = consensus.failed() {
            return Err(failed);
        }
        told.news(consensus, &node, &metrics).await;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            // Looked at above. Its sender lives as long as the history here.
            _ = failing.changed() => {}
            changed = receiver.changed() => if changed.is_err() {
                return if stop.is_cancelled() { Ok(()) } else { Err(ended()) };
            },
            () = tokio::time::sleep(LOOK) => {
                let waits = metrics.local_committed.map(|id| id.index)
                    > metrics.last_applied.map(|id| id.index);
                let stands = waits && applied == metrics.last_applied;
                stalled = if stands { stalled + LOOK } else { Duration::ZERO };
                applied = metrics.last_applied;
                if stalled >= APPLY_STALLED {
                    tracing::error!(?applied, "committed entries are not applied: aborting");
                    std::process::abort();
                }
            }
        }
    }
}

/// Raft is gone and said nothing of it: it panicked. A process without it must not stay.
fn ended() -> Failure {
    Failure::refused(
        "raft_failed",
        "Raft ended without a word: it panicked, see the lines above",
        "start again; if a member's folder was replaced by an older copy of it, stop that member: it \
         denies what it has acknowledged",
    )
}

impl Told {
    async fn news(
        &mut self,
        consensus: &Arc<Consensus>,
        node: &NodeHandle,
        metrics: &RaftMetrics<Cfg>,
    ) {
        if self.members != *metrics.membership_config.log_id() {
            self.members = *metrics.membership_config.log_id();
            let nodes = metrics.membership_config.nodes();
            consensus.circle.learn(nodes.map(|(id, node)| (*id, node.clone())).collect());
        }
        let (term, leader) = (metrics.current_term, metrics.current_leader);
        if self.follows != Some((term, leader)) {
            let before = self.follows.replace((term, leader)).and_then(|(_, leader)| leader);
            let leader = leader.map(CoordinatorId);
            match (before, leader) {
                (_, Some(leader)) => tracing::info!(term, leader = leader.0, "leader"),
                (Some(before), None) => tracing::info!(term, before, "leader lost"),
                (None, None) => {}
            }
            node.tell(Input::Follows { term, leader }).await;
        }
        let leads = metrics.state == ServerState::Leader && leader == Some(consensus.circle.id.0);
        self.peers(leads, metrics, consensus.circle.id);
        if !leads {
            self.settling = None;
        } else if self.settling.as_ref().is_none_or(|(of, _)| *of != term) {
            let task = settle(Arc::clone(consensus), node.clone(), term);
            self.settling = Some((term, AbortOnDropHandle::new(consensus.runtime.spawn(task))));
        }
    }
}

impl Told {
    /// One line for each peer that the leader does not reach any more, or again.
    fn peers(&mut self, leads: bool, metrics: &RaftMetrics<Cfg>, own: CoordinatorId) {
        if !leads {
            self.reach = None;
            return;
        }
        let (since, reach) = self.reach.get_or_insert_with(|| (Cfg::now(), Reach::default()));
        let answered = metrics.heartbeat.iter().flatten();
        let peers = answered.filter(|(id, _)| **id != own.0);
        let silent = peers.map(|(id, at)| (*id, at.as_ref().map(|at| at.elapsed())));
        for news in reach.look(silent, since.elapsed()) {
            match news {
                News::Away(peer) => tracing::info!(peer, "peer unreachable"),
                News::Back(peer) => tracing::info!(peer, "peer reachable again"),
            }
        }
    }
}

/// L4: a read index of this term is not below the term's blank entry, and that stands behind all
/// that the log held when we began to lead. The core waits until it is applied.
async fn settle(consensus: Arc<Consensus>, node: NodeHandle, term: u64) {
    loop {
        match consensus.own_read_index().await {
            Ok(last) if consensus.standing().term == term => {
                tracing::info!(term, last = last.0, "leads");
                node.tell(Input::Leads { term, last }).await;
                return;
            }
            Ok(_) => return,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
