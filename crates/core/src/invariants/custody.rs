//! No recorder is forgotten: somebody who is up holds it, or it waits, or a brake holds it back.
use std::cmp::Reverse;

use super::Scene;
use crate::picture::brake;
use crate::{Actor, Cause, EVENTS_MAX, Event, RecorderId, State, Why};

/// Held by a server that is not expired, or in the queue, or held back by a named brake. What was
/// lost or let go in this very decision is served in the next; a full decision leaves more for it.
pub(super) fn recorders_are_held_or_waited_for(scene: &Scene<'_>) -> bool {
    let is_full = 2 * scene.decision.events().count() >= EVENTS_MAX;
    scene.tenures().all(|tenure| {
        let recorder = tenure.recorder;
        let is_lost = scene.after.health.is_expired(tenure.holder);
        match (is_lost, scene.after.queue.contains(recorder)) {
            (false, false) | (true, true) => true,
            // Nobody can take it off a holder that was ordered to release it.
            (false, true) => tenure.release_ordered,
            (true, false) => {
                is_full
                    || !is_forgotten(scene.before, recorder)
                    || !is_forgotten(scene.after, recorder)
            }
        }
    })
}

fn is_forgotten(state: &State, recorder: RecorderId) -> bool {
    let Some(tenure) = state.roles.tenure(recorder) else { return false };
    let marks = state.withheld.of(recorder).map(|mark| &mark.by);
    let brake = brake(state, &tenure, state.now);
    let is_withheld = brake.is_some_and(|by| marks.is_some_and(|marks| marks.contains(&by)));
    let in_hand = state.handovers.of(recorder).is_some_and(|open| open.is_before_move());
    state.health.is_expired(tenure.holder)
        && !state.queue.contains(recorder)
        && !is_withheld
        && !in_hand
}

/// By priority, then since when, then id; and each once, under the holder that it waits for.
pub(super) fn the_queue_is_ordered(scene: &Scene<'_>) -> bool {
    let touched = scene.recorders.iter().any(|recorder| scene.after.queue.contains(*recorder));
    if !touched {
        return true;
    }
    let recorders = &scene.after.fleet.document().recorders;
    let priority = |recorder| recorders.get(&recorder).map(|recorder| Reverse(recorder.priority));
    let place = |w: &crate::views::Waiting| (priority(w.recorder), w.queued, w.recorder);
    scene.after.queue.iter().map(place).is_sorted_by(|a, b| a < b)
        && scene.after.queue.iter().all(|waiting| {
            let tenure = scene.after.roles.tenure(waiting.recorder);
            tenure.is_some_and(|tenure| tenure.holder == waiting.holder)
        })
}

/// D5: under a brake the automaton plans nothing and moves nothing off an expired holder. What is
/// released, and what an operator planned, goes on; so does a takeover that failed just now.
pub(super) fn brakes_hold_back_the_automaton(scene: &Scene<'_>) -> bool {
    let braked = |recorder| {
        let tenure = scene.before.roles.tenure(recorder);
        tenure.is_some_and(|tenure| brake(scene.before, &tenure, scene.decision.at).is_some())
    };
    let mut failing = std::collections::BTreeSet::new();
    scene.each(|walk, act, event| {
        if act.actor != Actor::Automaton {
            return true;
        }
        match *event {
            Event::TakeoverFailed { recorder, .. } => failing.insert(recorder),
            Event::HandoverPlanned { recorder, cause, .. } => {
                let is_failing = cause == Cause::TakeoverFailed && failing.contains(&recorder);
                is_failing || !braked(recorder)
            }
            Event::Moved { recorder, why, .. } => {
                let released = walk.tenure(recorder).is_some_and(|tenure| tenure.release_ordered);
                let by_hand = scene
                    .before
                    .handovers
                    .of(recorder)
                    .is_some_and(|open| open.is_plan() && open.by != Actor::Automaton);
                released || by_hand || why == Why::Return || !braked(recorder)
            }
            Event::FleetApplied { .. }
            | Event::ServerSeen { .. }
            | Event::HeartbeatExpired { .. }
            | Event::HeartbeatRestored { .. }
            | Event::MoveWithheld { .. }
            | Event::FailoverQueued { .. }
            | Event::HandoverReady { .. }
            | Event::HandoverAbandoned { .. }
            | Event::ReleaseOrdered { .. }
            | Event::TookOver { .. }
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
        }
    })
}

/// D5: once per expiry and brake, and only of a recorder that lost its holder.
pub(super) fn moves_are_withheld_once(scene: &Scene<'_>) -> bool {
    let mut said = std::collections::BTreeSet::new();
    scene.each(|walk, _, event| {
        let Event::MoveWithheld { recorder, holder, by, .. } = *event else { return true };
        // A return in this decision begins it anew.
        let marked = scene.before.withheld.of(recorder).is_some_and(|mark| mark.by.contains(&by));
        let is_lost = walk.tenure(recorder).is_some_and(|tenure| tenure.holder == holder);
        said.insert((recorder, by)) && !marked && is_lost && walk.is_expired(holder)
    })
}
