//! What a server must be. A function, never stored: what is not kept cannot be lost.
use crate::{Assignment, AssignmentId, Duty, DutyKind, Epoch, RecorderId, ServerId, State};

/// All that `server` must be. Complete: what it does not name is to be given up.
///
/// An expired holder keeps its duties until they move; what it lacks is a lease.
pub fn assignment(state: &State, server: ServerId) -> Assignment {
    let held = state.roles.held_by(server).filter_map(|tenure| {
        let kind = if tenure.release_ordered { DutyKind::Release } else { DutyKind::Act };
        duty(state, tenure.recorder, tenure.epoch, kind)
    });
    let coming = state.handovers.towards(server).filter(|handover| handover.is_before_move());
    let prepare = coming.and_then(|handover| {
        duty(state, handover.recorder, handover.next_epoch(), DutyKind::Prepare)
    });
    Assignment {
        server,
        id: AssignmentId { generation: state.generation, index: state.applied },
        duties: held.chain(prepare).collect(),
        ends_wanted: state.roles.ends_of(server).collect(),
        copies: Vec::new(),
        keep: Vec::new(),
    }
}

fn duty(state: &State, recorder: RecorderId, epoch: Epoch, kind: DutyKind) -> Option<Duty> {
    let document = state.fleet.document().recorders.get(&recorder)?;
    let (channels, config) = (document.channels, document.config);
    let fencing = state.fleet.document().policy(recorder).fencing;
    let addresses = document.addresses.clone();
    Some(Duty { recorder, epoch, kind, channels, config, fencing, addresses })
}
