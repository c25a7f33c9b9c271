//! D8: the hand-over, step by step.
use super::Scene;
use crate::views::HandoverStep;
use crate::{Actor, Cause, Event, Why};

/// Each step follows the one before. A holder at fault is released without its receiver ready.
pub(super) fn handovers_go_step_by_step(scene: &Scene<'_>) -> bool {
    let mut at_fault = std::collections::BTreeSet::new();
    scene.each(|walk, _, event| match *event {
        Event::HandoverPlanned { recorder, from, epoch, cause, .. } => {
            if cause == Cause::TakeoverFailed {
                at_fault.insert(recorder);
            }
            let tenure = walk.tenure(recorder);
            let is_free = matches!(walk.step(recorder), None | Some(HandoverStep::Trying));
            is_free
                && !walk.is_expired(from)
                && tenure.is_some_and(|tenure| (tenure.holder, tenure.epoch) == (from, epoch))
        }
        Event::HandoverReady { recorder, epoch } => {
            walk.step(recorder) == Some(HandoverStep::Planned)
                && walk.tenure(recorder).is_some_and(|tenure| tenure.epoch == epoch)
        }
        Event::HandoverAbandoned { recorder, .. } => {
            matches!(walk.step(recorder), Some(HandoverStep::Planned | HandoverStep::Ready))
        }
        Event::ReleaseOrdered { recorder, epoch } => {
            let step = walk.step(recorder);
            let may = step == Some(HandoverStep::Ready)
                || step == Some(HandoverStep::Planned) && at_fault.contains(&recorder);
            may && walk.tenure(recorder).is_some_and(|tenure| tenure.epoch == epoch)
        }
        Event::FleetApplied { .. }
        | Event::ServerSeen { .. }
        | Event::HeartbeatExpired { .. }
        | Event::HeartbeatRestored { .. }
        | Event::MoveWithheld { .. }
        | Event::FailoverQueued { .. }
        | Event::Moved { .. }
        | Event::TookOver { .. }
        | Event::TakeoverFailed { .. }
        | Event::TenureEnded { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Noted { .. }
        | Event::LevelRaised { .. }
        | Event::LongestTimeoutLowered { .. }
        | Event::FactsReported { .. }
        | Event::CopyOpened { .. }
        | Event::CopyProgressed { .. }
        | Event::CopySteered { .. }
        | Event::CopyClosed { .. }
        | Event::MaterialErased { .. }
        | Event::TenureAccounted { .. } => true,
    })
}

/// D11: a receiver holds nothing yet and receives nothing else; a release order and a hand-over in
/// step 3 are the same thing.
pub(super) fn one_handover_per_recorder_and_server(scene: &Scene<'_>) -> bool {
    scene.tenures().all(|tenure| {
        let open = scene.after.handovers.of(tenure.recorder);
        let released = open.is_some_and(|open| open.step == HandoverStep::Released);
        let sound = open.is_none_or(|open| {
            let towards = scene.after.handovers.towards(open.to).map(|other| other.recorder);
            let is_idle = scene.after.roles.is_idle(open.to);
            towards == Some(open.recorder)
                && if open.is_before_move() {
                    is_idle && open.from == tenure.holder && open.epoch == tenure.epoch
                } else {
                    open.to == tenure.holder && open.next_epoch() == tenure.epoch
                }
        });
        // Whoever was not yet found acting is still waited for.
        let is_waited_for = tenure.taken_over || open.is_some();
        sound && is_waited_for && released == tenure.release_ordered
    })
}

/// D11a: the automaton plans no failback of what an operator moved away.
pub(super) fn operators_bring_back_what_they_moved(scene: &Scene<'_>) -> bool {
    scene.each(|_, act, event| {
        let Event::HandoverPlanned { recorder, why: Why::Failback, .. } = *event else {
            return true;
        };
        let mut open = scene.before.failovers.open_of(recorder);
        act.actor != Actor::Automaton || open.all(|entry| entry.cause != Cause::Manual)
    })
}

/// Step 5 is told of the tenure that runs, by its holder, and once it was found acting, no more.
pub(super) fn takeovers_are_of_the_holder(scene: &Scene<'_>) -> bool {
    scene.each(|walk, _, event| {
        let (recorder, epoch, server) = match *event {
            Event::TookOver { recorder, epoch, server, .. }
            | Event::TakeoverFailed { recorder, epoch, server, .. } => (recorder, epoch, server),
            Event::FleetApplied { .. }
            | Event::ServerSeen { .. }
            | Event::HeartbeatExpired { .. }
            | Event::HeartbeatRestored { .. }
            | Event::MoveWithheld { .. }
            | Event::FailoverQueued { .. }
            | Event::HandoverPlanned { .. }
            | Event::HandoverReady { .. }
            | Event::HandoverAbandoned { .. }
            | Event::ReleaseOrdered { .. }
            | Event::Moved { .. }
            | Event::TenureEnded { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Noted { .. }
            | Event::LevelRaised { .. }
            | Event::LongestTimeoutLowered { .. }
            | Event::FactsReported { .. }
            | Event::CopyOpened { .. }
            | Event::CopyProgressed { .. }
            | Event::CopySteered { .. }
            | Event::CopyClosed { .. }
            | Event::MaterialErased { .. }
            | Event::TenureAccounted { .. } => return true,
        };
        let taking = walk.step(recorder);
        matches!(taking, Some(HandoverStep::TakingOver | HandoverStep::Trying))
            && walk.tenure(recorder).is_some_and(|tenure| {
                (tenure.holder, tenure.epoch, tenure.taken_over) == (server, epoch, false)
            })
    })
}
