//! Silence becomes an expiry, and an expiry a move, whoever leads and whatever is lost.
use interrex_core::coordinator::io::{Alarm, Output, Reply};
use interrex_core::*;

use super::world::*;

/// Reached (section 1): expiry at F plus the grid plus a round trip; the takeover follows.
#[test]
fn a_dead_host_is_replaced_just_after_its_timeout() {
    let mut world = World::at_work();
    world.agents.remove(&server("s1"));
    let took = world.run_until("expired", |world| world.is_expired("s1"));
    assert!((F - 200..=F + 20).contains(&took), "{took} ms");
    assert_eq!(world.holder("r1"), server("s9"), "in the same decision");
    let took = world.run_until("acts", |world| world.acts("s9", "r1"));
    assert!(took <= 20, "pushed, not waited for: {took} ms (A5)");
}

/// D1: a minority that hears nothing makes an alarm after F/2, and no expiry.
#[test]
fn a_minority_makes_a_split_view() {
    let mut world = World::at_work();
    world.cut("s1", "c2");
    world.run(1_300);
    assert_eq!(world.coordinators[&1].alarms(), []);
    world.run(500);
    let missed_by = [CoordinatorId(2)].into();
    let alarm = Alarm::SplitView { server: server("s1"), missed_by };
    assert_eq!(world.coordinators[&1].alarms(), [alarm]);
    assert_eq!(world.coordinators[&2].alarms(), [], "only the leader knows");
    world.run(5_000);
    assert!(!world.is_expired("s1"));
    assert!(world.acts("s1", "r1"), "leases run on the other two");
    world.cut.clear();
    world.run(300);
    assert_eq!(world.coordinators[&1].alarms(), []);
}

/// L2, L4: the next leader finds the decision in its log, settles, and goes on from there.
#[test]
fn a_leader_lost_after_its_proposal_was_kept_by_others() {
    let mut world = World::at_work();
    world.hold = true;
    world.agents.remove(&server("s1"));
    world.run_until("proposed", |world| world.held.is_some());
    world.hold = false;
    world.elect(2);
    world.run(100);
    assert!(world.is_expired("s1"));
    let moves = world.events().filter(|event| matches!(event, Event::Moved { .. })).count();
    assert_eq!((moves, world.holder("r1")), (1, server("s9")));
}

/// L4, L5: nothing is inherited; the reports of a majority come to the next leader within one tick.
#[test]
fn a_leader_lost_before_its_proposal_was_kept() {
    let mut world = World::at_work();
    world.hold = true;
    world.agents.remove(&server("s1"));
    world.run_until("proposed", |world| world.held.is_some());
    world.held = None;
    world.hold = false;
    world.elect(2);
    let took = world.run_until("expired", |world| world.is_expired("s1"));
    assert!(took <= 30, "{took} ms");
    assert_eq!(world.holder("r1"), server("s9"));
}

/// L2, L3: a membership entry between basis and decision makes it stale; it is judged again.
#[test]
fn a_decision_that_a_membership_entry_overtakes_is_judged_again() {
    let mut world = World::at_work();
    world.hold = true;
    let command = Command::Note { key: "k".into(), text: "v".into(), expect: None };
    world.ask(1, 7, command);
    let same = world.state().members.clone();
    world.log.push(Entry::Members(Members { set: SetId(world.log.len() as u64 + 1), ..same }));
    world.catch_up();
    world.release();
    world.run(100);
    assert!(matches!(world.reply(7), Some(Reply::Judged(judged)) if judged.outcome.is_ok()));
    assert_eq!(world.events().filter(|event| matches!(event, Event::Noted { .. })).count(), 1);
    let ahead: Vec<_> = world.coordinators.values().map(|c| c.state().clone()).collect();
    assert!(ahead.windows(2).all(|pair| pair[0] == pair[1]));
}

/// D8, P8: a failback by hand, through all five steps, with the holder alive.
#[test]
fn a_recorder_goes_home_step_by_step() {
    let mut world = World::at_work();
    world.agents.remove(&server("s1"));
    world.run_until("acts", |world| world.acts("s9", "r1"));
    world.run(200);
    world.start_agent("s1");
    world.run_until("restored", |world| !world.is_expired("s1"));
    world.run(1_500);
    let command = Command::FailBack { recorder: recorder("r1"), expect: None, despite: false };
    world.ask(1, 8, command);
    world.run_until("home", |world| world.holder("r1") == server("s1"));
    assert!(!world.acts("s9", "r1"), "clear before it moved (D3 b)");
    let took = world.run_until("acts", |world| world.acts("s1", "r1"));
    assert!(took <= 20, "{took} ms");
    world.run(500);
    assert!(world.state().handovers.of(recorder("r1")).is_none(), "took over, and that is known");
    assert!(world.state().roles.owing().next().is_none(), "the end of s9's tenure is in the log");
}

/// P8, D10: the holder is cut off after the release was ordered: clear by time, F after the order.
#[test]
fn a_holder_that_never_answers_is_clear_by_time() {
    let mut world = World::at_work();
    world.agents.remove(&server("s1"));
    world.run_until("acts", |world| world.acts("s9", "r1"));
    world.run(200);
    world.start_agent("s1");
    world.run_until("restored", |world| !world.is_expired("s1"));
    world.run(1_500);
    // It goes on beating, but hears nothing, so it never says that it gave up.
    ["c1", "c2", "c3"].iter().for_each(|from| world.cut(from, "s9"));
    let command = Command::FailBack { recorder: recorder("r1"), expect: None, despite: false };
    world.ask(1, 8, command);
    let ordered =
        |world: &World| world.state().roles.tenure(recorder("r1")).unwrap().release_ordered;
    world.run_until("ordered", ordered);
    let took = world.run_until("home", |world| world.holder("r1") == server("s1"));
    assert!((F - 250..=F + 60).contains(&took), "{took} ms");
    assert!(!world.acts("s9", "r1"));
}

/// D5 and D2: who returns before it is replaced gets its lease back once a majority hears it.
#[test]
fn a_host_that_returns_unreplaced_goes_on() {
    let mut world = World::at_work();
    world.agents.remove(&server("s9"));
    world.run(1_500);
    ["c1", "c2", "c3"].iter().for_each(|to| world.cut("s1", to));
    world.run_until("expired", |world| world.is_expired("s1"));
    assert!(!world.acts("s1", "r1"));
    world.cut.clear();
    let took = world.run_until("restored", |world| !world.is_expired("s1"));
    assert!((400..=900).contains(&took), "two intervals of 200 ms: {took} ms");
    world.run(300);
    assert!(world.acts("s1", "r1"));
    assert_eq!(world.state().roles.tenure(recorder("r1")).unwrap().epoch, Epoch(1));
}

/// P9: a leader that was paused finds every report too old, and proposes nothing from them.
#[test]
fn a_leader_that_wakes_decides_nothing_from_old_reports() {
    let mut world = World::at_work();
    world.agents.remove(&server("s1"));
    world.run(700);
    let before = world.log.len();
    world.now += 30_000;
    world.give(1, interrex_core::coordinator::io::Input::Step);
    assert_eq!(world.log.len(), before);
    let stepped_aside = world.outputs.iter().any(|(_, output)| *output == Output::StepAside);
    assert!(!stepped_aside, "all of it came at once");
    // P1: the pause is no silence of those that live.
    world.run(100);
    assert!(!world.is_expired("s2") && !world.is_expired("s9"));
}
