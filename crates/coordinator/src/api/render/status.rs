//! `status` and `member list`: the cluster on one screen.
use std::time::Duration;

use interrex_client::views::{
    API, Automation, Coordinator, Counts, Health, RecorderState, Status, word,
};
use interrex_core::{CoordinatorId, Scope, Subject};

use super::Sight;

/// A leader that has heard a majority within this has its quorum (L6 gives up after 2 s).
const QUORUM_MAX: Duration = Duration::from_secs(1);

impl Sight<'_> {
    pub(super) fn status(&self) -> Status {
        let coordinators = self.coordinators();
        Status {
            api: API,
            cluster: uuid::Uuid::from_bytes(self.context.cluster).to_string(),
            revision: self.state.revision.0,
            operations: self.state.operations.applied(),
            chain: hex(&self.context.head.chain),
            leader: self.leader(),
            term: self.context.standing.term,
            quorum: self.has_quorum(),
            stale: self.context.stale,
            age_ms: self.age_ms(),
            automation: self.automation(),
            level: self.state.level.0,
            counts: self.counts(),
            problems: self.problems(&coordinators),
            coordinators,
        }
    }

    /// Known on the leader; elsewhere it is only known that somebody leads.
    pub(super) fn has_quorum(&self) -> bool {
        let standing = &self.context.standing;
        match standing.quorum_age {
            Some(age) => age <= QUORUM_MAX,
            None => standing.leader.is_some() && standing.leader != Some(self.context.id),
        }
    }

    pub(super) fn automation(&self) -> Automation {
        let everything = self.state.pauses.of(Subject::Everything, self.state.now);
        match everything.map(|pause| pause.scope) {
            Some(Scope::All) => Automation::Paused,
            Some(Scope::Failback) | None => Automation::Auto,
        }
    }

    pub(super) fn coordinators(&self) -> Vec<Coordinator> {
        let nodes = &self.state.members.nodes;
        nodes.keys().map(|id| self.coordinator(*id)).collect()
    }

    fn coordinator(&self, id: CoordinatorId) -> Coordinator {
        let own = id == self.context.id;
        let report = self.inside.core.reports().find(|report| report.from == id);
        let asked = self.context.seers.iter().find(|seer| seer.id == id);
        let reachable = asked.map(|seer| seer.silent.is_some());
        let applied = report.map(|report| report.revision.0);
        let version = report.map(|report| report.version.clone());
        let address = report.map(|report| report.address.clone());
        Coordinator {
            name: self.member(id),
            voter: self.state.members.voters.contains(id),
            reachable: if own { Some(true) } else { reachable },
            applied_revision: if own { Some(self.state.revision.0) } else { applied },
            version: if own { Some(env!("CARGO_PKG_VERSION").to_owned()) } else { version },
            id: id.0,
            peer_address: self.state.members.nodes.get(&id).map(|node| node.peer_address.clone()),
            address: if own { Some(self.context.address.clone()) } else { address },
        }
    }

    /// Every state is named, also where nobody is in it.
    fn counts(&self) -> Counts {
        let states = [
            RecorderState::Recording,
            RecorderState::TakingOver,
            RecorderState::Substituted,
            RecorderState::Queued,
            RecorderState::Held,
            RecorderState::HandingOver,
            RecorderState::FailingBack,
            RecorderState::Down,
        ];
        let healths = [Health::Ok, Health::Late, Health::Expired, Health::Unknown];
        let mut counts = Counts {
            recorders: states.iter().map(|state| (word(state), 0)).collect(),
            servers: healths.iter().map(|health| (word(health), 0)).collect(),
        };
        let fleet = self.state.fleet.document();
        for recorder in fleet.recorders.keys() {
            if let Some((state, _)) = interrex_core::recorder_state(self.state, *recorder) {
                *counts.recorders.entry(state.name().to_owned()).or_default() += 1;
            }
        }
        for server in fleet.servers.keys() {
            *counts.servers.entry(word(&self.health(*server))).or_default() += 1;
        }
        counts
    }
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
