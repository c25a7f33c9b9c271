//! What facts about servers rest on: a majority, of one set, each for long enough.
use std::time::Duration;

use super::Scene;
use crate::{Event, Testimony};

/// P11, by its own counting: more than half of each half of the voters, each for `long`.
fn is_majority(scene: &Scene<'_>, testimony: &Testimony, long: Duration) -> bool {
    let members = &scene.before.members;
    let agrees = |c| testimony.by.get(c).is_some_and(|lasted| *lasted >= long);
    let mut halves = members.voters.0.iter();
    testimony.set == members.set
        && !members.voters.0.is_empty()
        && halves.all(|half| 2 * half.iter().filter(|c| agrees(c)).count() > half.len())
}

/// D1: each of a majority of the voters, of one membership, has missed it for the timeout.
pub(super) fn expiries_rest_on_a_majority(scene: &Scene<'_>) -> bool {
    scene.each(|walk, _, event| {
        let Event::HeartbeatExpired { server, testimony } = event else { return true };
        let timeout = walk.fleet().timeout(*server).silence();
        walk.is_seen(*server) && !walk.is_expired(*server) && is_majority(scene, testimony, timeout)
    })
}

/// D2: as many must hear it, for two heartbeat intervals.
pub(super) fn returns_rest_on_a_majority(scene: &Scene<'_>) -> bool {
    scene.each(|walk, _, event| {
        let Event::HeartbeatRestored { server, testimony } = event else { return true };
        let intervals = walk.fleet().timeout(*server).interval() * 2;
        walk.is_expired(*server) && is_majority(scene, testimony, intervals)
    })
}

/// P2: once, and before anything else is said of it.
pub(super) fn servers_are_seen_once_and_first(scene: &Scene<'_>) -> bool {
    scene.each(|walk, _, event| {
        let Event::ServerSeen { server } = event else { return true };
        !walk.is_seen(*server) && walk.fleet().servers.contains_key(server)
    })
}

/// P3: a coordinator that restarts never assumes less than what is granted now.
pub(super) fn no_lease_outlives_what_is_assumed(scene: &Scene<'_>) -> bool {
    let fleet = &scene.after.fleet;
    scene
        .tenures()
        .map(|tenure| tenure.holder)
        .all(|server| fleet.longest_timeout(server) >= fleet.document().timeout(server).silence())
        && scene.each(|walk, _, event| {
            let Event::FleetApplied { .. } = event else { return true };
            let mut servers = walk.fleet().servers.keys();
            let before = |server| walk.fleet().timeout(server).silence();
            servers.all(|server| fleet.longest_timeout(*server) >= before(*server))
        })
}
