//! A new fleet document. Priorities, policies, timeouts, channels and whatever is new may change at
//! any time; what a recorder away from home rests on may not be pulled away.
use std::fmt::Display;
use std::sync::Arc;

use crate::fleet::{Fleet, Recorder, Server};
use crate::views::Tenure;
use crate::{Event, RecorderId, Refusal, Revision, ServerId, State};

pub(super) fn apply(
    state: &State,
    fleet: &Arc<Fleet>,
    expect: Option<Revision>,
) -> Result<Vec<Event>, Refusal> {
    let is = state.fleet.revision();
    // Read at `expected`: what was replaced since then was not read.
    if let Some(expected) = expect.filter(|expected| is > *expected) {
        return Err(Refusal::StaleRevision { is, expected });
    }
    fleet.check().map_err(Refusal::Unsound)?;
    for tenure in state.roles.tenures() {
        recorder_may_change(state, fleet, &tenure)?;
    }
    for (&server, &old) in &state.fleet.document().servers {
        server_may_change(state, fleet, server, old)?;
    }
    for (&recorder, &Recorder { home, .. }) in &fleet.recorders {
        may_come_back(state, recorder, home)?;
    }
    Ok(vec![Event::FleetApplied { fleet: fleet.clone() }])
}

/// Its home stays; and as long as it is away, or on its way, so does it.
fn recorder_may_change(state: &State, fleet: &Fleet, tenure: &Tenure) -> Result<(), Refusal> {
    let &Tenure { recorder, home, holder, .. } = tenure;
    let subject = format_args!("recorder {recorder}").to_string();
    match fleet.recorders.get(&recorder) {
        Some(new) if new.home == home => Ok(()),
        Some(new) => {
            let why = format!("its home is {home} and cannot become {}", new.home);
            Err(Refusal::InUse { subject, why })
        }
        None if state.copies.open_of(recorder).next().is_some() => {
            let copy = state.copies.open_of(recorder).next().map_or(0, |task| task.id.0);
            in_use(subject, still_copied(copy, recorder))
        }
        None if state.copies.owed().any(|((of, _), _)| of == recorder) => {
            in_use(subject, "its material is about to be copied")
        }
        None if !tenure.is_home() => in_use(subject, format_args!("{holder} substitutes it")),
        // A home that is dead for good may go with its recorder: it has no lease.
        None => match state.handovers.of(recorder).filter(|open| open.is_before_move()) {
            Some(open) => in_use(subject, format_args!("it is on its way to {}", open.to)),
            None => Ok(()),
        },
    }
}

/// It stays what it is as long as it holds a recorder for another, or is to take one.
fn server_may_change(
    state: &State,
    fleet: &Fleet,
    server: ServerId,
    old: Server,
) -> Result<(), Refusal> {
    let new = fleet.servers.get(&server);
    if new.is_some_and(|new| (new.group, new.role) == (old.group, old.role)) {
        return Ok(());
    }
    let subject = format_args!("server {server}").to_string();
    if new.is_none()
        && let Some(task) = state.copies.from(server).find(|task| task.is_open())
    {
        return in_use(subject, still_copied(task.id.0, task.recorder));
    }
    if let Some(held) = state.roles.held_by(server).find(|tenure| !tenure.is_home()) {
        return in_use(subject, format_args!("it substitutes {}", held.recorder));
    }
    if let Some(open) = state.handovers.towards(server).filter(|open| open.is_before_move()) {
        return in_use(subject, format_args!("it is to take {}", open.recorder));
    }
    let home_of = |tenure: &Tenure| tenure.home == server;
    match state.roles.away().find(home_of) {
        Some(away) => in_use(subject, format_args!("{} is away from it", away.recorder)),
        None => Ok(()),
    }
}

/// A recorder that was removed and comes back elsewhere could be acted for twice: its last holder
/// may still hold a lease.
fn may_come_back(state: &State, recorder: RecorderId, home: ServerId) -> Result<(), Refusal> {
    match state.roles.last_holder(recorder).filter(|last| *last != home) {
        Some(last) => in_use(
            format_args!("recorder {recorder}").to_string(),
            format_args!("a recorder of that name was held by {last}; choose another name"),
        ),
        None => Ok(()),
    }
}

/// C1: nothing is lost by leaving something out of the document.
fn still_copied(copy: u64, recorder: RecorderId) -> String {
    format!(
        "copy {copy} still brings home material of {recorder}; wait, or `interrex copy give-up {copy}`"
    )
}

fn in_use(subject: String, why: impl Display) -> Result<(), Refusal> {
    Err(Refusal::InUse { subject, why: why.to_string() })
}
