//! Who holds what: epochs, and who may be left (D3).
use super::Scene;
use crate::Event;

/// D3: holder and epoch change in `Moved` only; each raises the epoch by one; nothing else does.
pub(super) fn epochs_grow_by_one_per_move(scene: &Scene<'_>) -> bool {
    let mut moved = std::collections::BTreeMap::new();
    let grew = scene.each(|walk, _, event| {
        let Event::Moved { recorder, from, to, epoch, .. } = *event else { return true };
        moved.insert(recorder, (to, epoch));
        walk.tenure(recorder)
            .is_some_and(|tenure| tenure.holder == from && tenure.epoch.0 + 1 == epoch.0)
    });
    // Out of the document and in again: at home, in an epoch that was never used.
    let was_removed = |recorder: &crate::RecorderId| {
        scene.decision.events().any(|event| {
            matches!(event, Event::FleetApplied { fleet } if !fleet.recorders.contains_key(recorder))
        })
    };
    grew && scene.tenures().all(|after| {
        let before = scene.before.roles.tenure(after.recorder);
        let before = before.map(|tenure| (tenure.holder, tenure.epoch));
        match moved.get(&after.recorder).copied().or(before) {
            Some(expected) if expected == (after.holder, after.epoch) => true,
            Some((_, epoch)) => {
                after.is_home() && after.epoch > epoch && was_removed(&after.recorder)
            }
            None => after.is_home() && after.epoch.0 >= 1,
        }
    })
}

/// D3 (a), (b), (c), as far as events show them: the holder is expired, or was ordered to release,
/// or is to hold it again.
pub(super) fn moves_leave_holders_that_cannot_act(scene: &Scene<'_>) -> bool {
    scene.each(|walk, _, event| {
        let Event::Moved { recorder, from, to, .. } = *event else { return true };
        let released = walk.tenure(recorder).is_some_and(|tenure| tenure.release_ordered);
        walk.is_expired(from) || released || from == to
    })
}

/// SY-06, and one recorder per recorder host.
pub(super) fn a_server_holds_at_most_one_recorder(scene: &Scene<'_>) -> bool {
    let mut holders = scene.tenures().map(|tenure| tenure.holder);
    holders.all(|holder| scene.after.roles.held_by(holder).count() <= 1)
}

/// MI-05: a substitute is a standby of the home's group. Judged when it moves.
pub(super) fn substitutes_are_of_the_same_group(scene: &Scene<'_>) -> bool {
    scene.each(|walk, _, event| {
        let Event::Moved { recorder, to, .. } = *event else { return true };
        let (fleet, tenure) = (walk.fleet(), walk.tenure(recorder));
        let group = |server| fleet.servers.get(&server).map(|server| server.group);
        tenure.is_some_and(|tenure| tenure.home == to || group(tenure.home) == group(to))
    })
}

/// A tenure ends once in the log, and only after it was over.
pub(super) fn ends_are_told_once(scene: &Scene<'_>) -> bool {
    let mut over = std::collections::BTreeSet::new();
    scene.each(|walk, _, event| match *event {
        Event::Moved { recorder, from, .. } => {
            let epoch = walk.tenure(recorder).map(|tenure| tenure.epoch);
            over.extend(epoch.map(|epoch| (from, recorder, epoch)));
            true
        }
        Event::TenureEnded { recorder, epoch, server, .. } => {
            over.remove(&(server, recorder, epoch))
                || scene.before.roles.lacks_end(server, recorder, epoch)
                    && !scene.after.roles.lacks_end(server, recorder, epoch)
        }
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
        | Event::TookOver { .. }
        | Event::TakeoverFailed { .. }
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
