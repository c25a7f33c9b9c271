//! The decision as a record: where it stands, what it answers, and that a refusal does nothing.
use std::collections::BTreeSet;

use super::Scene;
use crate::views::Known;
use crate::{Event, Operation, Verdict};

/// O1, O2: an id is judged once, and its answer is found afterwards.
pub(super) fn operations_are_judged_once(scene: &Scene<'_>) -> bool {
    let mut ids = BTreeSet::new();
    let mut judged = 0;
    let once = scene.decision.acts.iter().all(|act| {
        let Some(key) = act.operation else { return true };
        let operation = Operation { key, seen: Some(u64::MAX) };
        judged += 1;
        let told = match (&act.outcome, scene.after.operations.known(operation)) {
            (Verdict::Done(events), Known::Answered(answered)) => {
                answered.outcome == Ok(events.iter().map(Event::kind).collect())
            }
            (Verdict::Refused(refused), Known::Answered(answered)) => {
                answered.outcome.as_ref() == Err(refused)
            }
            (_, Known::New | Known::Reused(_) | Known::Unheard | Known::TooOld) => false,
        };
        ids.insert(key.id) && scene.before.operations.known(operation) == Known::New && told
    });
    once && scene.before.operations.applied() + judged == scene.after.operations.applied()
}

/// O4: a judged `fail` means no effect, ever; and what was done, was done by an event.
pub(super) fn refusals_have_no_effect(scene: &Scene<'_>) -> bool {
    let done_nothing = |act: &crate::Act| match &act.outcome {
        Verdict::Done(events) => events.is_empty(),
        Verdict::Refused(_) => false,
    };
    if scene.decision.acts.iter().any(done_nothing) {
        return false;
    }
    let (before, after) = (scene.before, scene.after);
    scene.decision.events().next().is_some()
        || (before.level == after.level
            && before.fleet.revision() == after.fleet.revision()
            && before.health == after.health
            && before.roles == after.roles
            && before.handovers == after.handovers
            && before.queue.iter().eq(after.queue.iter())
            && before.failovers.next_id() == after.failovers.next_id()
            && before.pauses == after.pauses
            && before.notes.len() == after.notes.len()
            && before.withheld == after.withheld
            && before.facts == after.facts
            && before.copies == after.copies)
}

/// T1.
pub(super) fn log_time_never_runs_back(scene: &Scene<'_>) -> bool {
    let (before, after) = (scene.before.now, scene.after.now);
    before <= after && after == scene.decision.at.max(before)
}

/// L1, L2: directly behind its basis, and counted once.
pub(super) fn decisions_stand_on_their_basis(scene: &Scene<'_>) -> bool {
    let (before, after) = (scene.before, scene.after);
    scene.decision.basis == before.applied
        && after.applied.0 == before.applied.0 + 1
        && after.revision.0 == before.revision.0 + 1
}

/// U2: no event above the level that holds when it is written.
pub(super) fn nothing_is_above_the_level(scene: &Scene<'_>) -> bool {
    let mut level = scene.before.level;
    let below = scene.decision.level <= level;
    below
        && scene.each(|_, _, event| {
            let holds = event.since() <= level;
            if let Event::LevelRaised { to } = event {
                level = (*to).max(level);
            }
            holds
        })
        && level == scene.after.level
}

/// The newest note of a key is the one that was written last, at its revision.
pub(super) fn notes_are_kept(scene: &Scene<'_>) -> bool {
    let mut keys = BTreeSet::new();
    scene.decision.acts.iter().rev().flat_map(|act| act.events().iter().rev()).all(|event| {
        let Event::Noted { key, text } = event else { return true };
        let kept = scene.after.notes.get(key);
        !keys.insert(key)
            || kept.is_some_and(|note| (&note.text, note.revision) == (text, scene.after.revision))
    })
}
