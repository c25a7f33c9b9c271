//! Whom a decision may concern: those whose assignment, grants or watching it can change. A test
//! holds it to be complete: nobody else's assignment ever changes.
use std::collections::BTreeSet;

use crate::{Event, RecorderId, ServerId, State};

/// The servers that a decision touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// The fleet document changed: anybody.
    All,
    /// These.
    These(BTreeSet<ServerId>),
}

/// What `events` touch, as `state` has it. Asked before they are applied and after: a plan that
/// they end is known before, one that they begin after.
pub(super) fn touched<'a>(state: &State, events: impl Iterator<Item = &'a Event>) -> Touched {
    let mut servers = BTreeSet::new();
    for event in events {
        match event {
            Event::FleetApplied { .. } => return Touched::All,
            Event::ServerSeen { server }
            | Event::HeartbeatExpired { server, .. }
            | Event::HeartbeatRestored { server, .. }
            | Event::LongestTimeoutLowered { server, .. } => {
                servers.insert(*server);
                servers.extend(state.roles.held_by(*server).map(|tenure| tenure.home));
            }
            Event::MoveWithheld { recorder, holder, .. }
            | Event::FailoverQueued { recorder, holder, .. } => {
                servers.insert(*holder);
                about(state, *recorder, &mut servers);
            }
            Event::HandoverPlanned { recorder, from, to, .. }
            | Event::Moved { recorder, from, to, .. } => {
                servers.extend([*from, *to]);
                about(state, *recorder, &mut servers);
            }
            Event::HandoverReady { recorder, .. } | Event::ReleaseOrdered { recorder, .. } => {
                about(state, *recorder, &mut servers);
            }
            Event::HandoverAbandoned { recorder, to: server, .. }
            | Event::TookOver { recorder, server, .. }
            | Event::TakeoverFailed { recorder, server, .. }
            | Event::TenureEnded { recorder, server, .. }
            | Event::TenureAccounted { recorder, server, .. }
            | Event::CopyOpened { recorder, from: server, .. } => {
                servers.insert(*server);
                about(state, *recorder, &mut servers);
            }
            Event::FactsReported { server, .. } => {
                servers.insert(*server);
                others(state, *server, &mut servers);
            }
            Event::CopyProgressed { copy, .. }
            | Event::CopySteered { copy, .. }
            | Event::CopyClosed { copy, .. }
            | Event::MaterialErased { copy, .. } => {
                if let Some(task) = state.copies.get(*copy) {
                    servers.insert(task.from);
                    about(state, task.recorder, &mut servers);
                }
            }
            Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Noted { .. }
            | Event::LevelRaised { .. } => {}
        }
    }
    Touched::These(servers)
}

/// Everybody who has to do with `recorder`.
fn about(state: &State, recorder: RecorderId, servers: &mut BTreeSet<ServerId>) {
    servers.extend(state.roles.tenure(recorder).iter().flat_map(|held| [held.home, held.holder]));
    servers.extend(state.handovers.of(recorder).iter().flat_map(|plan| [plan.from, plan.to]));
}

/// The other ends of the copies of `server`.
fn others(state: &State, server: ServerId, servers: &mut BTreeSet<ServerId>) {
    let home = |recorder| state.roles.tenure(recorder).map(|tenure| tenure.home);
    let served = state.copies.from(server).filter_map(|task| home(task.recorder));
    let at_home = state.fleet.homed_at(server).into_iter();
    let fetched = at_home.flat_map(|recorder| state.copies.open_of(recorder)).map(|task| task.from);
    servers.extend(served.chain(fetched));
}

impl Touched {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::These(mut one), Self::These(mut other)) => {
                one.append(&mut other);
                Self::These(one)
            }
            (Self::All, _) | (_, Self::All) => Self::All,
        }
    }
}
