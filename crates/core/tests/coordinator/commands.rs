//! Operators' commands: judged once, in order, answered when applied (L3, O1 to O5).
use interrex_core::coordinator::io::{Judged, Output, Reply};
use interrex_core::*;

use super::fleet::fleet;
use super::world::*;

fn note(key: &str, text: &str) -> Command {
    Command::Note { key: key.into(), text: text.into(), expect: None }
}

fn code(reply: Option<Reply>) -> String {
    match reply {
        Some(Reply::NotNow(refused) | Reply::WouldBe(Err(refused))) => refused.code,
        other => format!("{other:?}"),
    }
}

fn judged(world: &World, ticket: u64) -> Judged {
    match world.reply(ticket) {
        Some(Reply::Judged(judged)) => judged,
        other => panic!("{other:?}"),
    }
}

/// O5: `ok` only after apply; nothing before, however long it takes.
#[test]
fn nobody_is_answered_before_the_entry_is_applied() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 5, note("k", "v"));
    world.run(1_000);
    assert_eq!(world.reply(5), None);
    world.release();
    assert_eq!(judged(&world, 5).outcome, Ok(vec!["noted"]));
    assert_eq!(judged(&world, 5).operations, world.state().operations.applied());
}

/// O2, O4: the same id again is told the same, refused or not, and has no second effect.
#[test]
fn a_repeated_operation_is_told_the_same() {
    let mut world = World::at_work();
    let wrong = Command::FailBack { recorder: recorder("r1"), expect: None, despite: false };
    world.ask(1, 5, note("k", "v"));
    world.ask(1, 6, wrong.clone());
    let (first, second) = (judged(&world, 5), judged(&world, 6));
    assert!(second.outcome.is_err(), "nobody substitutes it");
    let entries = world.log.len();
    world.replies.clear();
    world.ask(1, 5, note("k", "v"));
    world.ask(1, 6, wrong);
    assert_eq!((judged(&world, 5), judged(&world, 6)), (first, second));
    assert_eq!(world.log.len(), entries);
}

/// O2: also one whose first attempt is still in flight.
#[test]
fn a_repetition_waits_for_the_attempt_that_is_in_flight() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 5, note("k", "v"));
    world.ask(1, 5, note("k", "v"));
    world.release();
    let answers = world.replies.iter().filter(|(ticket, _)| ticket.0 == 5).count();
    assert_eq!(answers, 2);
    assert_eq!(world.events().filter(|event| matches!(event, Event::Noted { .. })).count(), 1);
}

/// O1, O3, O4: another command under the id; no `seen` and not known; too long ago.
#[test]
fn what_is_not_safe_to_judge_is_not_judged() {
    let mut world = World::at_work();
    world.ask(1, 5, note("k", "v"));
    let entries = world.log.len();
    let key = OperationKey { id: OperationId(5), command: 2 };
    let request = Request {
        actor: Actor::Person(PersonId(1)),
        operation: Operation { key, seen: Some(0) },
        reason: String::new(),
        ticket: String::new(),
        command: note("k", "w"),
    };
    let ticket = interrex_core::coordinator::io::Ticket(55);
    world.give(
        1,
        interrex_core::coordinator::io::Input::Request { ticket, request, dry_run: false },
    );
    assert_eq!(code(world.reply(55)), "operation_id_reused");
    world.ask_as(1, 6, 1, None, false, note("k", "v"));
    assert_eq!(world.reply(6), Some(Reply::Unknown(OperationId(6))));
    assert_eq!(world.log.len(), entries);
    world.ask_as(1, 5, 1, None, false, note("k", "v"));
    assert!(matches!(world.reply(5), Some(Reply::Judged(_))), "asking is answered");
}

/// L3: one note of a key in a decision, though they come at once: each revision is a note's own.
#[test]
fn notes_of_one_key_stand_in_decisions_of_their_own() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 1, note("other", "v"));
    ["a", "b", "c"].iter().zip(2..).for_each(|(text, id)| world.ask(1, id, note("k", text)));
    for _ in 0..4 {
        world.commit_held();
    }
    let revisions: Vec<u64> = (2..5).map(|id| judged(&world, id).revision.0).collect();
    assert_eq!(revisions, [revisions[0], revisions[0] + 1, revisions[0] + 2]);
}

/// L3: whatever waits is judged together, each on the state that those before it leave.
#[test]
fn what_waits_is_judged_together_and_in_order() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 1, note("first", "v"));
    let until = std::time::Duration::from_secs(60);
    let pause = Command::Pause { subject: Subject::Everything, scope: Scope::All, lasts: until };
    world.ask(1, 2, pause);
    let away =
        Command::FailOver { recorder: recorder("r1"), to: None, expect: None, despite: false };
    world.ask(1, 3, away);
    world.release();
    assert_eq!(judged(&world, 2).revision, judged(&world, 3).revision);
    assert_eq!(judged(&world, 3).outcome.unwrap_err().code, "paused");
}

/// L3: of many who were answered together the first to ask again waits for half of them, or for one
/// step of the grid: it does not fly alone while they all come.
#[test]
fn a_crowd_is_judged_together_again() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 100, note("k", "v"));
    let ask = |world: &mut World, ids: std::ops::RangeInclusive<u128>| {
        ids.for_each(|id| world.ask(1, id, note(&format!("k{id}"), "v")));
    };
    ask(&mut world, 1..=20);
    world.release();
    assert_eq!(judged(&world, 1).revision, judged(&world, 20).revision);
    ask(&mut world, 21..=29);
    assert_eq!((21..=29).find_map(|id| world.reply(id)), None);
    ask(&mut world, 30..=30);
    assert_eq!(judged(&world, 21).revision, judged(&world, 30).revision);
    ask(&mut world, 31..=33);
    assert_eq!(world.reply(31), None);
    world.run(10);
    assert_eq!(judged(&world, 31).revision, judged(&world, 33).revision);
}

/// Dry runs are judged on the state ahead, and are in no log.
#[test]
fn a_dry_run_leaves_nothing() {
    let mut world = World::at_work();
    let entries = world.log.len();
    world.ask_as(1, 1, 1, Some(0), true, note("k", "v"));
    assert_eq!(world.reply(1), Some(Reply::WouldBe(Ok(vec!["noted"]))));
    let wrong = Command::FailBack { recorder: recorder("r1"), expect: None, despite: false };
    world.ask_as(1, 2, 1, Some(0), true, wrong);
    assert_eq!(code(world.reply(2)), "nobody_substitutes");
    world.run(200);
    assert_eq!(world.log.len(), entries);
}

/// O4: the rate limit speaks for the attempt only, and is each identity's own.
#[test]
fn an_identity_that_asks_too_fast_is_turned_away_unrecorded() {
    let mut world = World::at_work();
    let mut limited = fleet();
    limited.limits.commands_per_second = 10;
    world.apply_fleet(limited);
    let entries = world.log.len();
    (0..20).for_each(|id| world.ask(1, id, note("k", "v")));
    let turned_away = (0..20).filter(|id| code(world.reply(*id)) == "rate_limited").count();
    assert_eq!((turned_away, world.log.len() - entries), (10, 10));
    world.ask_as(1, 77, 2, Some(0), false, note("k", "v"));
    assert!(judged(&world, 77).outcome.is_ok());
    world.ask(1, 5, note("k", "v"));
    assert!(judged(&world, 5).outcome.is_ok(), "a repetition is not judged, so it is not counted");
}

/// L10: a bounded queue.
#[test]
fn a_full_queue_turns_callers_away() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 0, note("k", "v"));
    (1..=10_001).for_each(|id| world.ask(1, id, note("k", "v")));
    assert_eq!(world.reply(10_000), None);
    assert_eq!(code(world.reply(10_001)), "overloaded");
}

/// L3: no decision is larger than 4,096 events; the rest follows in the next.
#[test]
fn a_decision_is_bounded() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 0, note("k", "v"));
    world.run(10);
    (1..=6_000).for_each(|id| world.ask(1, id, note(&format!("k{id}"), "v")));
    world.release();
    let sizes: Vec<usize> = world
        .log
        .iter()
        .filter_map(|entry| match entry {
            Entry::Decision(decision) => Some(decision.acts.len()),
            _ => None,
        })
        .collect();
    assert_eq!(sizes.iter().rev().take(2).sum::<usize>(), 6_000);
    assert!(sizes.iter().all(|size| *size <= EVENTS_MAX), "{sizes:?}");
}

/// Followers judge nothing, and say who does.
#[test]
fn a_follower_names_the_leader() {
    let mut world = World::at_work();
    world.ask(2, 1, note("k", "v"));
    assert_eq!(world.reply(1), Some(Reply::NotLeader(Some(CoordinatorId(1)))));
}

/// L3: a proposal that was refused before it was appended is judged and proposed again.
#[test]
fn a_refused_proposal_is_proposed_again() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 5, note("k", "v"));
    assert!(world.held.take().is_some());
    let term = world.term;
    world.give(1, interrex_core::coordinator::io::Input::NotAppended { term });
    assert!(world.held.is_some());
    world.release();
    assert!(judged(&world, 5).outcome.is_ok());
    let proposed = |output: &&(u64, Output)| matches!(output.1, Output::Propose { .. });
    assert!(world.outputs.iter().filter(proposed).count() >= 2);
}
