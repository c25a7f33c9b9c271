//! Who is clear of a tenure: grants it no more, and every lease of it has ended (P8).
use crate::agents::Agents;
use crate::detector::Detector;
use crate::{Epoch, RecorderId, State};

/// P8: the tenures of which this coordinator is clear, in id order. The release order is applied
/// here, and later than our newest grant either the holder's present process said that it gave the
/// tenure up, or all our grants have ended. One predicate for obedient and for dead servers.
pub(crate) fn clear(
    state: &State,
    agents: &Agents,
    detector: &Detector,
) -> Vec<(RecorderId, Epoch)> {
    let ordered = state.handovers.iter().filter_map(|handover| {
        state.roles.tenure(handover.recorder).filter(|tenure| tenure.release_ordered)
    });
    let is_clear = |recorder, epoch, holder| {
        let longest = state.fleet.longest_timeout(holder);
        agents.get(holder).is_some_and(|agent| agent.released(recorder, epoch, detector.listened()))
            || detector.listened() >= detector.grant_until(holder, longest)
    };
    ordered
        .filter(|tenure| is_clear(tenure.recorder, tenure.epoch, tenure.holder))
        .map(|tenure| (tenure.recorder, tenure.epoch))
        .collect()
}
