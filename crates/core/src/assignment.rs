//! What a server must be. A function, never stored: what is not kept cannot be lost.
use crate::views::CopyTask;
use crate::{
    Assignment, AssignmentId, COPIES_MAX, CopyDuty, CopyKind, Duty, DutyKind, Epoch, RecorderId,
    ServerId, State, Steering,
};

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
        copies: copies(state, server),
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

/// What `server` does for copies: as the home it fetches, as the source it serves, and removes what
/// is closed (C2, SY-27). An end that is expired is told so, too: it may only be unheard (C3).
fn copies(state: &State, server: ServerId) -> Vec<CopyDuty> {
    let homed = state.fleet.homed_at(server);
    let fetched = homed.into_iter().flat_map(|recorder| state.copies.open_of(recorder));
    let fetched = fetched.map(|task| (task, fetch(state, task)));
    let served = state.copies.from(server).filter_map(|task| Some((task, serve(state, task)?)));
    let duty = |(task, kind): (&CopyTask, CopyKind)| CopyDuty {
        copy: task.id,
        recorder: task.recorder,
        epoch: task.epoch,
        source: task.from,
        kind,
    };
    let mut duties: Vec<CopyDuty> = fetched.chain(served).map(duty).collect();
    duties.sort_by_key(|duty| duty.copy);
    duties.truncate(COPIES_MAX);
    duties
}

fn fetch(state: &State, task: &CopyTask) -> CopyKind {
    let policy = state.fleet.document().policy(task.recorder);
    CopyKind::Fetch {
        from: state.facts.of(task.from).listen,
        rate: policy.copy_rate,
        paused: task.steering == Steering::Paused,
        kinds: policy.copy_kinds,
    }
}

fn serve(state: &State, task: &CopyTask) -> Option<CopyKind> {
    if task.is_to_erase() {
        return Some(CopyKind::Erase);
    }
    let to = state.fleet.document().recorders.get(&task.recorder)?.home;
    task.is_open().then(|| CopyKind::Serve { to, at: state.facts.of(to).listen })
}
