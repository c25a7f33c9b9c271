//! Losing leadership, losing the quorum, a disk that does not answer, and load (L4, L6, P10).
use interrex_core::coordinator::io::{Input, Output, Reply};
use interrex_core::*;

use super::world::*;

fn note(key: &str) -> Command {
    Command::Note { key: key.into(), text: "v".into(), expect: None }
}

fn unknown(id: u128) -> Option<Reply> {
    Some(Reply::Unknown(OperationId(id)))
}

fn answers(world: &World) -> usize {
    world.outputs.iter().filter(|(_, output)| matches!(output, Output::Answer { .. })).count()
}

fn steps_aside(world: &World) -> bool {
    world.outputs.iter().any(|(_, output)| *output == Output::StepAside)
}

/// L6, O2: the client is told that it is unknown; the next leader tells the answer.
#[test]
fn a_client_of_a_lost_leader_asks_the_next_one() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 5, note("k"));
    world.ask(1, 6, note("waits"));
    world.hold = false;
    world.elect(2);
    assert_eq!((world.reply(5), world.reply(6)), (unknown(5), unknown(6)));
    world.ask(2, 5, note("k"));
    assert!(matches!(world.reply(5), Some(Reply::Judged(judged)) if judged.outcome.is_ok()));
    assert_eq!(world.events().filter(|event| matches!(event, Event::Noted { .. })).count(), 1);
    world.ask_as(2, 6, 1, None, false, note("waits"));
    assert_eq!(world.reply(6), unknown(6), "never judged, and only asked for");
}

/// P10: nothing is answered while anything of ours is in flight.
#[test]
fn no_report_is_answered_below_an_open_entry() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 5, note("k"));
    world.outputs.clear();
    world.run(500);
    assert_eq!(answers(&world), 0);
    world.release();
    assert!(answers(&world) > 0);
}

/// P10: between two decisions answers go out, so load cannot starve grants.
#[test]
fn answers_are_not_starved_by_commands() {
    let mut world = World::at_work();
    world.cut("s1", "c2");
    world.run(F + 200);
    world.hold = true;
    world.ask(1, 99, note("k"));
    world.cut.clear();
    world.run(300);
    assert!(world.granted(2, "s1").is_empty(), "heard, and bound");
    let mut id = 100;
    let mut took = 0;
    while world.granted(2, "s1").is_empty() {
        for _ in 0..20 {
            id += 1;
            world.ask(1, id, note(&format!("k{id}")));
        }
        // Every commit takes one step, and the next decision is proposed at once.
        world.run(10);
        world.commit_held();
        took += 10;
        assert!(took <= 500, "starved");
    }
    assert!(world.held.is_some(), "there was always something in flight");
}

/// L4: a new leader neither judges nor answers before it has applied all that its log held.
#[test]
fn an_unsettled_leader_is_silent() {
    let mut world = World::at_work();
    world.lagging.insert(2);
    world.outputs.clear();
    world.elect(2);
    world.ask(2, 5, note("k"));
    world.run(500);
    assert_eq!((world.reply(5), answers(&world)), (None, 0));
    world.lagging.clear();
    world.catch_up();
    assert!(matches!(world.reply(5), Some(Reply::Judged(_))));
    assert!(answers(&world) > 0);
}

/// L6: a disk that does not answer. The flight stays, though clients are told.
#[test]
fn a_leader_whose_entry_does_not_come_back_steps_aside() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 5, note("k"));
    world.run(1_900);
    assert_eq!(world.reply(5), None);
    world.run(100);
    assert_eq!(world.reply(5), unknown(5));
    world.ask(1, 6, note("l"));
    assert_eq!(world.reply(6), Some(Reply::NotLeader(None)), "surely not judged");
    world.run(300);
    assert!(steps_aside(&world));
    world.outputs.clear();
    world.run(500);
    assert_eq!(answers(&world), 0, "L6: the flight is not dropped in its term");
    world.release();
    world.run(200);
    assert!(answers(&world) > 0);
    world.hold = false;
    world.ask(1, 7, note("m"));
    assert!(matches!(world.reply(7), Some(Reply::Judged(_))), "and it goes on");
}

/// L6: no quorum: two seconds without usable reports of a majority.
#[test]
fn a_leader_without_reports_stops_judging() {
    let mut world = World::at_work();
    world.cut_both("c1", "c2");
    world.cut_both("c1", "c3");
    world.run(2_400);
    world.ask(1, 5, note("k"));
    assert_eq!(world.reply(5), Some(Reply::NotLeader(None)));
    world.run(300);
    assert!(steps_aside(&world));
    world.cut.clear();
    world.run(100);
    world.ask(1, 6, note("k"));
    assert!(matches!(world.reply(6), Some(Reply::Judged(_))));
}

/// L6: leadership lost and found again in one term: the flight is still there.
#[test]
fn a_flight_outlives_a_short_loss_of_leadership() {
    let mut world = World::at_work();
    world.hold = true;
    world.ask(1, 5, note("k"));
    let (term, last) = (world.term, LogIndex(world.log.len() as u64));
    world.give(1, Input::Follows { term, leader: None });
    assert!(!world.coordinators[&1].leads());
    assert_eq!(world.reply(5), unknown(5));
    world.give(1, Input::Leads { term, last });
    world.outputs.clear();
    world.ask(1, 6, note("l"));
    world.run(300);
    assert_eq!((answers(&world), world.reply(6)), (0, None));
    world.release();
    assert!(matches!(world.reply(6), Some(Reply::Judged(_))));
    assert_eq!(world.events().filter(|event| matches!(event, Event::Noted { .. })).count(), 2);
}

/// T1: a voter whose clock is off is named; log time does not follow it.
#[test]
fn a_clock_that_is_off_is_named() {
    use interrex_core::coordinator::io::Alarm;
    let mut world = World::at_work();
    world.clocks_off.insert(3, 1_500);
    world.run(200);
    let alarms = world.coordinators[&1].alarms();
    let [Alarm::ClockSkew { coordinator: CoordinatorId(3), off }] = alarms[..] else {
        panic!("{alarms:?}")
    };
    assert!((1_400..=1_600).contains(&off.as_millis()), "less the age of its report: {off:?}");
    world.ask(1, 5, note("k"));
    assert_eq!(world.state().now.0, 1_000_000 + world.now);
    world.clocks_off.insert(1, 50_000);
    world.clocks_off.remove(&3);
    world.run(200);
    world.ask(1, 6, note("l"));
    assert_eq!(world.state().now.0, 1_000_000 + world.now, "never the leader's clock alone");
}
