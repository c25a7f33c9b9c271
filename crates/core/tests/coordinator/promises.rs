//! Who is granted what, and what a report binds to (P3 to P8, M1, M2, A5, A8).
use interrex_core::coordinator::io::{Alarm, Input, Output};
use interrex_core::*;

use super::fleet::fleet;
use super::world::*;

fn is_granted(world: &World, by: u64, to: &str) -> bool {
    !world.granted(by, to).is_empty()
}

/// The newest report of a coordinator.
fn report(world: &World, of: u64) -> &Report {
    let mut outputs = world.outputs.iter().rev().filter(|(from, _)| *from == of);
    let report = outputs.find_map(|(_, output)| match output {
        Output::Report { report, .. } => Some(report),
        _ => None,
    });
    report.unwrap()
}

/// P4, P5, trap "overtaken suspicion": c2 reported s1, then hears it: no grant before an answer.
#[test]
fn who_reported_a_server_grants_it_nothing_until_a_later_report_is_answered() {
    let mut world = World::at_work();
    world.cut("s1", "c2");
    world.run_until("listed", |world| !report(world, 2).silent.is_empty());
    world.cut("c1", "c2");
    world.cut.remove(&("s1".into(), "c2".into()));
    world.run(400);
    assert!(!is_granted(&world, 2, "s1"), "P4: bound, though it is heard");
    assert!(is_granted(&world, 3, "s1"));
    world.cut.clear();
    let took = world.run_until("granted", |world| is_granted(world, 2, "s1"));
    assert!(took <= 60, "one tick, and pushed: {took} ms (A5)");
}

/// P5: the barrier. c2 lags, so it does not know what rests on its promise.
#[test]
fn an_answer_does_not_free_who_lags_behind_its_barrier() {
    let mut world = World::at_work();
    world.cut("s1", "c2");
    world.run_until("listed", |world| !report(world, 2).silent.is_empty());
    world.cut("c2", "c1");
    world.cut.remove(&("s1".into(), "c2".into()));
    world.run(250);
    assert_eq!(report(&world, 2).silent, [], "heard again");
    world.lagging.insert(2);
    world.ask(1, 1, Command::Note { key: "k".into(), text: "v".into(), expect: None });
    world.cut.clear();
    world.run(400);
    assert!(!is_granted(&world, 2, "s1"));
    world.lagging.clear();
    world.catch_up();
    assert!(is_granted(&world, 2, "s1"), "at once");
}

/// P6: a restarted coordinator grants nothing, and accuses nobody, before its first answer.
#[test]
fn a_restarted_coordinator_is_bound_towards_everybody() {
    let mut world = World::at_work();
    world.cut_both("c1", "c2");
    world.start_coordinator(2);
    world.run(400);
    assert!(!is_granted(&world, 2, "s1") && !is_granted(&world, 2, "s2"));
    assert!(!world.coordinators[&2].ready());
    world.agents.remove(&server("s1"));
    world.run(3 * F);
    world.cut.clear();
    world.run(10);
    assert_eq!(report(&world, 2).silent, [], "before the first answer");
    world.run(100);
    assert!(world.coordinators[&2].ready());
    assert!(is_granted(&world, 2, "s2"));
}

/// P3, P6: back behind, with the state of a time before the long timeout, it calls nobody silent.
#[test]
fn a_coordinator_that_comes_back_behind_is_not_ready() {
    let mut world = World::at_work();
    world.lagging.insert(3);
    world.start_behind(3, 2);
    world.run(5_000);
    assert!(!world.coordinators[&3].ready(), "the barrier of its first answer is not applied");
    assert_eq!(report(&world, 3).silent, []);
    world.lagging.clear();
    world.catch_up();
    assert!(world.coordinators[&3].ready());
}

/// P7, M2: no grants while the log holds a membership entry that is not applied, until it is, or is
/// cut off again.
#[test]
fn an_unapplied_membership_entry_withholds_all_grants() {
    let mut world = World::at_work();
    let next = LogIndex(world.log.len() as u64 + 1);
    world.give(2, Input::MembersAppended(next));
    world.run(400);
    assert!(!is_granted(&world, 2, "s1"));
    world.give(2, Input::Truncated { last_kept: Some(LogIndex(next.0 - 1)) });
    world.run(400);
    assert!(is_granted(&world, 2, "s1"));
    world.give(2, Input::MembersAppended(next));
    world.run(400);
    assert!(!is_granted(&world, 2, "s1"));
    let same = world.state().members.clone();
    world.log.push(Entry::Members(Members { set: SetId(next.0), ..same }));
    world.catch_up();
    world.run(400);
    assert!(is_granted(&world, 2, "s1"));
    world.give(2, Input::MembersAppended(next));
    world.run(400);
    assert!(is_granted(&world, 2, "s1"), "applied long ago");
}

/// P7, M1: who is no voter grants nothing; where the voters change, silence begins anew.
#[test]
fn a_removed_voter_grants_nothing_and_silence_begins_anew() {
    let mut world = World::at_work();
    world.agents.remove(&server("s1"));
    world.run(F - 300);
    let ids = [CoordinatorId(1), CoordinatorId(2)].into();
    let set = SetId(world.log.len() as u64 + 1);
    world.log.push(Entry::Members(Members {
        set,
        voters: Voters(vec![ids]),
        ..Members::default()
    }));
    world.catch_up();
    let took = world.run_until("expired", |world| world.is_expired("s1"));
    assert!(took >= F, "M1: {took} ms");
    assert!(!is_granted(&world, 3, "s2"), "P7");
    assert!(world.acts("s2", "r2"), "P12: the two are the set now");
}

/// P7, trap "acknowledgements without epoch": expired, replaced, returned: nothing of the old epoch.
#[test]
fn who_returns_after_its_replacement_is_granted_nothing() {
    let mut world = World::at_work();
    ["c1", "c2", "c3"].iter().for_each(|to| world.cut("s1", to));
    world.run_until("moved", |world| world.holder("r1") == server("s9"));
    world.cut.clear();
    world.run(2_000);
    assert!(!world.is_expired("s1"));
    assert!((1..=3).all(|by| !is_granted(&world, by, "s1")));
    assert!(!world.acts("s1", "r1"));
}

/// P3: a timeout is lowered while the acknowledgements that say so are lost.
#[test]
fn a_lease_granted_under_a_longer_timeout_is_waited_for() {
    let mut world = World::at_work();
    let mut slow = fleet();
    let timeout = interrex_core::numbers::Timeout::new(std::time::Duration::from_secs(5));
    slow.servers.get_mut(&server("s1")).unwrap().timeout = timeout;
    world.apply_fleet(slow);
    world.run(3_000);
    let beat = world.now;
    ["c1", "c2", "c3"].iter().for_each(|from| world.cut(from, "s1"));
    ["c1", "c2", "c3"].iter().for_each(|to| world.cut("s1", to));
    world.apply_fleet(fleet());
    world.run_until("expired", |world| world.is_expired("s1"));
    assert!(!world.acts("s1", "r1"), "its lease of 3.75 s has ended");
    assert!(world.now - beat >= 3_900, "{} ms", world.now - beat);
}

/// A8: a machine and its copy.
#[test]
fn two_processes_of_one_server_raise_an_alarm() {
    let mut world = World::at_work();
    let first = world.agents.remove(&server("s1")).unwrap();
    let copy = world.start_agent_that_follows("s1", None);
    let boot = AgentBoot(copy);
    let mut other = first;
    for _ in 0..F / 20 + 20 {
        // They share the wire, so each speaks for a while.
        let agent = world.agents.insert(server("s1"), other).unwrap();
        other = agent;
        world.run(20);
    }
    let alarms = world.coordinators[&1].alarms();
    let found = alarms.iter().find_map(|alarm| match alarm {
        Alarm::DuplicateIdentity { server: of, boots } => Some((*of, boots.contains(&boot))),
        _ => None,
    });
    assert_eq!(found, Some((server("s1"), true)), "{alarms:?}");
    assert!(!is_granted(&world, 1, "s1"));
}

/// P10: answers of a leader that our Raft does not name are ignored, and its ticks.
#[test]
fn a_deposed_leader_is_not_reported_to() {
    let mut world = World::at_work();
    world.elect(2);
    world.outputs.clear();
    let old = Term { number: world.term - 1, leader: CoordinatorId(1), boot: Boot(1) };
    world.give(3, Input::Tick(Tick { term: old, seq: TickSeq(9_999) }));
    assert_eq!(world.outputs, []);
}
