//! D4: when an entry of the failover log is open, and what it covers.
use super::Scene;
use crate::views::FailoverEntry;
use crate::{Cause, Event};

/// A recorder away from home has an open entry; one at home has none, unless it waits or is planned
/// to leave; one that waits has the one under which it waits.
pub(super) fn failovers_are_open_while_they_last(scene: &Scene<'_>) -> bool {
    let after = scene.after;
    scene.tenures().all(|tenure| {
        let recorder = tenure.recorder;
        let begun = |entry: &FailoverEntry| entry.failed_over.is_some();
        let open = after.failovers.open_of(recorder);
        let (away, pending): (Vec<_>, Vec<_>) = open.partition(|entry| begun(entry));
        let waiting = after.queue.of(recorder);
        let plan = after.handovers.of(recorder).filter(|open| open.is_before_move());
        let is_pending = |id| {
            waiting.is_some_and(|w| w.failover == id) || plan.is_some_and(|p| p.failover == id)
        };
        away.is_empty() == tenure.is_home()
            && pending.iter().all(|entry| is_pending(entry.id))
            && waiting.is_none_or(|waiting| after.failovers.is_open(waiting.failover))
    })
}

/// What was finalized stays so.
pub(super) fn failovers_are_never_reopened(scene: &Scene<'_>) -> bool {
    scene.each(|_, _, event| {
        let Some(id) = event.failover() else { return true };
        match (scene.before.failovers.get(id), scene.after.failovers.get(id)) {
            (Some(before), Some(after)) => before.is_open() || before.closed == after.closed,
            (None, Some(_)) => id >= scene.before.failovers.next_id(),
            (_, None) => matches!(event, Event::Moved { .. }),
        }
    })
}

/// One tenure away from home each, and its times in order.
pub(super) fn failovers_cover_one_tenure(scene: &Scene<'_>) -> bool {
    scene.decision.events().filter_map(Event::failover).all(|id| {
        let epoch = |state: &crate::State| state.failovers.get(id).and_then(|entry| entry.epoch);
        let kept = epoch(scene.before).is_none_or(|epoch_before| {
            epoch(scene.after).is_none_or(|epoch_after| epoch_before == epoch_after)
        });
        kept && scene.after.failovers.get(id).is_none_or(in_order)
    })
}

fn in_order(entry: &FailoverEntry) -> bool {
    // One that waits for another cause than its holder's silence may expire while it waits.
    let later = match entry.cause {
        Cause::Disconnection | Cause::StandbyLost => false,
        Cause::Manual | Cause::TakeoverFailed => entry.queued < entry.expired,
    };
    let (first, second) =
        if later { (entry.queued, entry.expired) } else { (entry.expired, entry.queued) };
    let times = [first, second, entry.failed_over, entry.took_over, entry.failed_back];
    let times = times.into_iter().flatten().chain(entry.closed);
    times.map(|time| time.0).is_sorted()
}
