//! What is true of every applied decision: named functions for simulation, tests and replay. They
//! trust neither `decide` nor `due` nor the folds, and never panic: `interrex verify` runs them, too.
//!
//! What no event shows (who was clear, who acts, what was recorded) is not here: the simulator sees
//! agents, and the tests see their files.
mod copies;
mod custody;
mod evidence;
mod failovers;
mod handovers;
mod record;
mod tenures;
mod walk;

use std::collections::BTreeSet;

use crate::views::Tenure;
use crate::{Decision, Event, RecorderId, ServerId, State};

/// One applied decision, between the states before and after it.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Step<'a> {
    pub before: &'a State,
    pub decision: &'a Decision,
    pub after: &'a State,
}

/// A property, by name.
pub type Invariant = (&'static str, fn(&Scene<'_>) -> bool);

/// Every property.
pub const INVARIANTS: &[Invariant] = &[
    ("epochs_grow_by_one_per_move", tenures::epochs_grow_by_one_per_move),
    ("moves_leave_holders_that_cannot_act", tenures::moves_leave_holders_that_cannot_act),
    ("a_server_holds_at_most_one_recorder", tenures::a_server_holds_at_most_one_recorder),
    ("substitutes_are_of_the_same_group", tenures::substitutes_are_of_the_same_group),
    ("ends_are_told_once", tenures::ends_are_told_once),
    ("expiries_rest_on_a_majority", evidence::expiries_rest_on_a_majority),
    ("returns_rest_on_a_majority", evidence::returns_rest_on_a_majority),
    ("servers_are_seen_once_and_first", evidence::servers_are_seen_once_and_first),
    ("no_lease_outlives_what_is_assumed", evidence::no_lease_outlives_what_is_assumed),
    ("recorders_are_held_or_waited_for", custody::recorders_are_held_or_waited_for),
    ("the_queue_is_ordered", custody::the_queue_is_ordered),
    ("brakes_hold_back_the_automaton", custody::brakes_hold_back_the_automaton),
    ("moves_are_withheld_once", custody::moves_are_withheld_once),
    ("handovers_go_step_by_step", handovers::handovers_go_step_by_step),
    ("one_handover_per_recorder_and_server", handovers::one_handover_per_recorder_and_server),
    ("operators_bring_back_what_they_moved", handovers::operators_bring_back_what_they_moved),
    ("takeovers_are_of_the_holder", handovers::takeovers_are_of_the_holder),
    ("failovers_are_open_while_they_last", failovers::failovers_are_open_while_they_last),
    ("failovers_are_never_reopened", failovers::failovers_are_never_reopened),
    ("failovers_cover_one_tenure", failovers::failovers_cover_one_tenure),
    ("tenures_away_are_copied_once", copies::tenures_away_are_copied_once),
    ("copies_end_once_and_by_somebody", copies::copies_end_once_and_by_somebody),
    ("material_is_erased_after_its_copy", copies::material_is_erased_after_its_copy),
    ("operations_are_judged_once", record::operations_are_judged_once),
    ("refusals_have_no_effect", record::refusals_have_no_effect),
    ("log_time_never_runs_back", record::log_time_never_runs_back),
    ("decisions_stand_on_their_basis", record::decisions_stand_on_their_basis),
    ("nothing_is_above_the_level", record::nothing_is_above_the_level),
    ("notes_are_kept", record::notes_are_kept),
];

/// The names of those that do not hold of what the decision touched.
pub fn violated(step: Step<'_>) -> Vec<&'static str> {
    names(&Scene::touched(step))
}

/// The names of those that do not hold, looking at every recorder: for simulation and tests, where
/// the fleet is small and the folds themselves are in doubt.
pub fn violated_anywhere(step: Step<'_>) -> Vec<&'static str> {
    names(&Scene::whole(step))
}

fn names(scene: &Scene<'_>) -> Vec<&'static str> {
    INVARIANTS.iter().filter(|(_, holds)| !holds(scene)).map(|(name, _)| *name).collect()
}

/// A step, and the recorders to look at in it.
#[derive(Debug)]
pub struct Scene<'a> {
    before: &'a State,
    decision: &'a Decision,
    after: &'a State,
    recorders: BTreeSet<RecorderId>,
}

impl<'a> Scene<'a> {
    fn touched(step: Step<'a>) -> Self {
        let (mut recorders, mut servers) = (BTreeSet::new(), BTreeSet::new());
        for event in step.decision.events() {
            if !touch(event, &mut recorders, &mut servers) {
                return Self::whole(step);
            }
        }
        for state in [step.before, step.after] {
            let held = servers.iter().flat_map(|server| state.roles.held_by(*server));
            recorders.extend(held.map(|tenure| tenure.recorder));
        }
        Self { before: step.before, decision: step.decision, after: step.after, recorders }
    }

    fn whole(step: Step<'a>) -> Self {
        let Step { before, decision, after } = step;
        let all = before.roles.tenures().chain(after.roles.tenures());
        Self { before, decision, after, recorders: all.map(|tenure| tenure.recorder).collect() }
    }

    /// The recorders to look at, as they stand after the decision.
    fn tenures(&self) -> impl Iterator<Item = Tenure> {
        self.recorders.iter().filter_map(|recorder| self.after.roles.tenure(*recorder))
    }
}

/// Notes whom `event` is about; false if it is about everybody.
fn touch(
    event: &Event,
    recorders: &mut BTreeSet<RecorderId>,
    servers: &mut BTreeSet<ServerId>,
) -> bool {
    match *event {
        Event::ServerSeen { server }
        | Event::HeartbeatExpired { server, .. }
        | Event::HeartbeatRestored { server, .. }
        | Event::LongestTimeoutLowered { server, .. }
        | Event::FactsReported { server, .. } => {
            servers.insert(server);
        }
        Event::MoveWithheld { recorder, .. }
        | Event::FailoverQueued { recorder, .. }
        | Event::HandoverPlanned { recorder, .. }
        | Event::HandoverReady { recorder, .. }
        | Event::HandoverAbandoned { recorder, .. }
        | Event::ReleaseOrdered { recorder, .. }
        | Event::TookOver { recorder, .. }
        | Event::TakeoverFailed { recorder, .. }
        | Event::TenureEnded { recorder, .. }
        | Event::CopyOpened { recorder, .. }
        | Event::TenureAccounted { recorder, .. } => {
            recorders.insert(recorder);
        }
        Event::Moved { recorder, to, .. } => {
            recorders.insert(recorder);
            servers.insert(to);
        }
        Event::FleetApplied { .. } => return false,
        Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Noted { .. }
        | Event::LevelRaised { .. }
        | Event::CopyProgressed { .. }
        | Event::CopySteered { .. }
        | Event::CopyClosed { .. }
        | Event::MaterialErased { .. } => {}
    }
    true
}
