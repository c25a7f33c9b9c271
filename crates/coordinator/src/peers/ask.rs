//! What one member asks another on behalf of a reader: what it has heard itself, where clients
//! reach it, and up to where a linearizable read must have applied.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interrex_core::{CoordinatorId, LogIndex, ServerId};
use interrex_wire::limits::MEMBERS_MAX;
use interrex_wire::{pb, peer};

use super::line::Line;
use super::{Circle, Dialer, Refused};

/// A reader is not kept waiting for a member that is gone.
const OBSERVE_MAX: Duration = Duration::from_millis(400);
/// A round of heartbeats, and a leader under load.
const INDEX_MAX: Duration = Duration::from_secs(2);

/// Asks other members.
pub(crate) struct Asker {
    circle: Arc<Circle>,
    dialer: Dialer,
    lines: Mutex<BTreeMap<(CoordinatorId, String), Line>>,
    /// Where clients reach a leader, by the term that it leads.
    leader: Mutex<Option<(u64, CoordinatorId, String)>>,
}

/// What a member says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) silent: BTreeMap<ServerId, Duration>,
    pub(crate) address: String,
    /// With whom it does not talk, and why.
    pub(crate) refused: BTreeMap<u64, Refused>,
}

impl Asker {
    pub(crate) fn new(circle: Arc<Circle>, dialer: Dialer) -> Self {
        Self { circle, dialer, lines: Mutex::default(), leader: Mutex::default() }
    }

    fn line(&self, to: CoordinatorId) -> Option<Line> {
        let member = self.circle.members().remove(&to.0)?;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry((to, member.addr.clone()));
        Some(line.or_insert_with(|| Line::new(&self.dialer, &member.name, &member.addr)).clone())
    }

    /// What `of` has heard; none where it does not answer in time.
    pub(crate) async fn observe(&self, of: CoordinatorId) -> Option<Observed> {
        let line = self.line(of)?;
        let request = pb::ObserveRequest { envelope: Some(self.circle.envelope(of.0)) };
        let mut client = line.client();
        match tokio::time::timeout(OBSERVE_MAX, client.observe(request)).await {
            Ok(Ok(reply)) => {
                line.worked();
                let pb::ObserveReply { silent, address, refused, .. } = reply.into_inner();
                let address = peer::read_address("ObserveReply.address", address).ok()?;
                let silent = peer::read_times("silent", silent).ok()?.into_iter().collect();
                let refused = refused.into_iter().take(MEMBERS_MAX).filter_map(|refusal| {
                    Some((refusal.member, Refused::from_words(&refusal.code, &refusal.why)?))
                });
                Some(Observed { silent, address, refused: refused.collect() })
            }
            Ok(Err(_)) | Err(_) => {
                line.failed();
                None
            }
        }
    }

    /// The read index of `leader`; none where it does not lead, or has no majority.
    pub(crate) async fn read_index(&self, leader: CoordinatorId) -> Option<LogIndex> {
        let line = self.line(leader)?;
        let request = pb::ReadIndexRequest { envelope: Some(self.circle.envelope(leader.0)) };
        let mut client = line.client();
        match tokio::time::timeout(INDEX_MAX, client.read_index(request)).await {
            Ok(Ok(reply)) => {
                line.worked();
                Some(LogIndex(reply.into_inner().index))
            }
            Ok(Err(_)) | Err(_) => {
                line.failed();
                None
            }
        }
    }

    /// Where clients reach the leader of `term`: asked once a term.
    pub(crate) async fn address(&self, term: u64, leader: CoordinatorId) -> Option<String> {
        let known = self.leader.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, who, address)) = known
            && (of, who) == (term, leader)
        {
            return Some(address);
        }
        let address = self.observe(leader).await?.address;
        let mut known = self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((term, leader, address.clone()));
        Some(address)
    }
}
