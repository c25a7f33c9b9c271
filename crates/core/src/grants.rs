//! Whom a coordinator grants what (P7). When those grants have ended is in `detector` (P3), what
//! withholds them in `promise` (P4 to P6) and `agents` (A8), what an agent makes of them in `agent`.
use crate::{CoordinatorId, Grant, ServerId, State};

/// P7: the grants that `server` gets of `me`, once it is neither listed (P5) nor of a doubtful boot
/// (A8). Empty where another server was moved to, a release is ordered, or it is expired: state
/// withholds after an expiry what the promise withheld before.
///
/// `membership_open`: the log of `me` holds a membership entry that is not applied yet (M2).
pub(crate) fn grants(
    state: &State,
    me: CoordinatorId,
    membership_open: bool,
    server: ServerId,
) -> Vec<Grant> {
    let may_grant = state.members.voters.contains(me) && !membership_open;
    if !may_grant || state.health.is_expired(server) {
        return Vec::new();
    }
    let lease = state.fleet.document().timeout(server).lease();
    let held = state.roles.held_by(server).filter(|tenure| !tenure.release_ordered);
    held.map(|tenure| Grant { recorder: tenure.recorder, epoch: tenure.epoch, lease }).collect()
}
