//! C1 to C4: the material of tenures that ended away from home, on the state after what moved.
use std::time::Duration;

use super::act;
use crate::fleet::CopyPolicy;
use crate::views::{CopyTask, Owed};
use crate::{
    Act, CopyEnd, CopyId, CopyStanding, CopyStatus, Epoch, Event, Evidence, OpenStep, Progress,
    RecorderId, State, Steering,
};

/// C4: how often progress is logged while nothing else about a copy changes.
const PROGRESS_EVERY: Duration = Duration::from_secs(60);

/// Copies that are owed, how far those that are open have come, and what was removed: one act each.
pub fn copies(state: &State, evidence: &Evidence) -> Vec<Act> {
    let next = state.copies.next_id().0;
    let opened = (next..).zip(state.copies.owed());
    let opened = opened.map(|(id, (tenure, owed))| open(state, CopyId(id), tenure, owed));
    let told = state.copies.open().filter_map(|task| progressed(state, evidence, task));
    let erased = evidence.erased.iter().filter_map(|copy| erased(state, *copy));
    opened.chain(told.chain(erased).map(|event| vec![event])).map(act).collect()
}

/// C1, SY-23, WT-13: each tenure has its own copy, whatever the policy makes of it.
fn open(
    state: &State,
    copy: CopyId,
    (recorder, epoch): (RecorderId, Epoch),
    Owed { from, failover }: Owed,
) -> Vec<Event> {
    let progress = Progress::default();
    let closed = |end| Some(Event::CopyClosed { copy, end, progress });
    let then = match state.fleet.document().policy(recorder).copy {
        CopyPolicy::Auto => None,
        CopyPolicy::Manual => Some(Event::CopySteered { copy, steering: Steering::Paused }),
        CopyPolicy::Discard => closed(CopyEnd::Discarded),
        CopyPolicy::Redirect => closed(CopyEnd::Redirected),
    };
    let opened = Event::CopyOpened { copy, recorder, epoch, from, failover };
    [opened].into_iter().chain(then).collect()
}

/// C2, C4: what the home says, when its standing changes, and otherwise once in a while.
fn progressed(state: &State, evidence: &Evidence, task: &CopyTask) -> Option<Event> {
    let CopyStatus { copy, progress, standing } = heard(state, evidence, task)?;
    if standing == CopyStanding::Durable {
        return Some(Event::CopyClosed { copy, end: CopyEnd::Copied, progress });
    }
    let old = evidence.age(OpenStep::Copy(copy)) >= PROGRESS_EVERY;
    // Somebody had it tried anew: that it has failed may still be the old failure.
    let stale = task.retried && standing == CopyStanding::Failed && !old;
    let news = task.standing != Some(standing) || (old && task.progress != progress);
    (news && !stale).then_some(Event::CopyProgressed { copy, progress, standing })
}

/// What the target of an open copy last said of it. Nobody else's word counts (C2).
pub(crate) fn heard(state: &State, evidence: &Evidence, task: &CopyTask) -> Option<CopyStatus> {
    let home = state.fleet.document().recorders.get(&task.recorder)?.home;
    evidence.copies.get(&home)?.iter().find(|status| status.copy == task.id).copied()
}

/// SY-27: the coordinators pass on what the source itself said.
fn erased(state: &State, copy: CopyId) -> Option<Event> {
    let task = state.copies.get(copy).filter(|task| task.is_to_erase())?;
    Some(Event::MaterialErased { copy, server: task.from })
}
