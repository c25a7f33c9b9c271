//! C1 to C4: what is recorded away from home is brought there, or given up by somebody who is named.
use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use crate::views::CopyTask;
use crate::{Actor, CopyEnd, CopyId, CopyKind, Event, RecorderId};

/// C1: each tenure that ended away from home has one copy, or is owed one; nothing else has.
pub(super) fn tenures_away_are_copied_once(scene: &Scene<'_>) -> bool {
    let mut ended = BTreeMap::new();
    let mut next = scene.before.copies.next_id();
    let opened = scene.each(|walk, _, event| {
        if let Event::Moved { recorder, from, .. } = *event
            && let Some(tenure) = walk.tenure(recorder)
            && tenure.home != from
        {
            ended.insert((recorder, tenure.epoch), from);
        }
        let Event::CopyOpened { copy, recorder, epoch, from, .. } = *event else { return true };
        let mut before = scene.before.copies.owed();
        let owed = before.find(|(tenure, _)| *tenure == (recorder, epoch));
        let source = ended.remove(&(recorder, epoch)).or(owed.map(|(_, owed)| owed.from));
        let is_next = copy == next;
        next.0 += 1;
        is_next && source == Some(from)
    });
    // What is left is owed, and what was owed before still is, or has its copy.
    let after: BTreeMap<_, _> =
        scene.after.copies.owed().map(|(tenure, owed)| (tenure, owed.from)).collect();
    let has_copy = |tenure| {
        scene.decision.events().any(|event| {
            matches!(event, Event::CopyOpened { recorder, epoch, .. } if (*recorder, *epoch) == tenure)
        })
    };
    let removed = |recorder: RecorderId| {
        scene.decision.events().any(|event| {
            matches!(event, Event::FleetApplied { fleet } if !fleet.recorders.contains_key(&recorder))
        })
    };
    let kept = scene.before.copies.owed().all(|(tenure, owed)| {
        after.get(&tenure) == Some(&owed.from) || has_copy(tenure) || removed(tenure.0)
    });
    opened
        && kept
        && ended.iter().all(|(tenure, from)| after.get(tenure) == Some(from))
        && after.keys().all(|tenure| !has_copy(*tenure))
}

/// C1: closed once; copied by the word of the home, otherwise by the policy at once, or by a person.
pub(super) fn copies_end_once_and_by_somebody(scene: &Scene<'_>) -> bool {
    let mut opened: BTreeSet<CopyId> = BTreeSet::new();
    let mut closed: BTreeSet<CopyId> = BTreeSet::new();
    scene.each(|_, act, event| {
        let is_open = |copy, opened: &BTreeSet<_>, closed: &BTreeSet<_>| {
            let before = scene.before.copies.get(copy).is_some_and(CopyTask::is_open);
            (before || opened.contains(&copy)) && !closed.contains(&copy)
        };
        if let Event::CopyOpened { copy, .. } = *event {
            return opened.insert(copy);
        }
        if let Event::CopyProgressed { copy, .. } | Event::CopySteered { copy, .. } = *event {
            return is_open(copy, &opened, &closed);
        }
        let Event::CopyClosed { copy, end, .. } = *event else { return true };
        let in_act =
            |event: &Event| matches!(event, Event::CopyOpened { copy: of, .. } if *of == copy);
        let by_policy = act.actor == Actor::Automaton && act.events().iter().any(in_act);
        let by_person = act.actor != Actor::Automaton;
        let may = match end {
            CopyEnd::Copied => act.actor == Actor::Automaton && !by_policy,
            CopyEnd::Stopped | CopyEnd::GivenUp => by_person,
            CopyEnd::Discarded => by_person || by_policy,
            CopyEnd::Redirected => by_policy,
        };
        may && is_open(copy, &opened, &closed) && closed.insert(copy)
    })
}

/// SY-27: removed once, by its source, and only after the copy was closed.
pub(super) fn material_is_erased_after_its_copy(scene: &Scene<'_>) -> bool {
    let mut erased = BTreeSet::new();
    let order = scene.each(|_, _, event| {
        let Event::MaterialErased { copy, server } = *event else { return true };
        let task = scene.before.copies.get(copy);
        let was_to_be = task.is_some_and(|task| task.is_to_erase() && task.from == server);
        was_to_be && erased.insert(copy)
    });
    order && copies_named(scene).all(|task| erases_nothing_open(scene, task))
}

/// What the source of a copy is told while it is open: never to remove anything of it.
fn erases_nothing_open(scene: &Scene<'_>, task: &CopyTask) -> bool {
    let duties = crate::assignment(scene.after, task.from).copies;
    let erases = |duty: &crate::CopyDuty| {
        let same = (duty.recorder, duty.epoch) == (task.recorder, task.epoch);
        same && duty.kind == CopyKind::Erase
    };
    !task.is_open() || !duties.iter().any(erases)
}

/// The copies that the decision is about.
fn copies_named<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = &'a CopyTask> {
    let ids: BTreeSet<CopyId> = scene.decision.events().filter_map(copy_of).collect();
    ids.into_iter().filter_map(|copy| scene.after.copies.get(copy))
}

fn copy_of(event: &Event) -> Option<CopyId> {
    if let Event::CopyOpened { copy, .. }
    | Event::CopyProgressed { copy, .. }
    | Event::CopySteered { copy, .. }
    | Event::CopyClosed { copy, .. }
    | Event::MaterialErased { copy, .. } = *event
    {
        Some(copy)
    } else {
        None
    }
}
