//! What is due, where a story would not show it: order, candidates, evidence, and its cost.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{Fleet, Server};
use interrex_core::numbers::Timeout;
use interrex_core::*;

use crate::script::run;
use crate::world::*;

fn holder(world: &World, name: &str) -> String {
    world.state.roles.tenure(recorder(name)).unwrap().holder.to_string()
}

/// D6: those that the leader has just missed come last; ties by id.
#[test]
fn the_standby_that_was_just_missed_comes_last() {
    let three = || Plan { standbys: 3, ..Plan::default() }.world();
    let mut world = three();
    run(&mut world, "silent srv-1");
    assert_eq!(holder(&world, "rec-1"), "srv-3");
    let mut world = three();
    run(&mut world, "late srv-3");
    run(&mut world, "silent srv-1");
    assert_eq!(holder(&world, "rec-1"), "srv-4");
    let mut world = three();
    for line in ["late srv-3", "late srv-4", "late srv-5", "silent srv-1"] {
        run(&mut world, line);
    }
    assert_eq!(holder(&world, "rec-1"), "srv-3", "late is better than none");
}

/// "Connected": a standby that a majority does not hear just now is not chosen, though not expired.
#[test]
fn a_standby_that_only_a_minority_hears_is_not_chosen() {
    let mut world = Plan::default().world();
    let two = [CoordinatorId(1), CoordinatorId(2)].into();
    let timeout = Duration::from_secs(2);
    // Silent for too short a time to expire under the present timeout, yet not heard.
    world.silence(server("srv-3"), &two);
    let by = world.evidence.silent.get_mut(&server("srv-3")).unwrap();
    by.values_mut().for_each(|missed| *missed = timeout / 2);
    let told = run(&mut world, "silent srv-1");
    assert!(told.iter().any(|line| line.contains("failover_queued rec-1")), "{told:?}");
}

/// The timeout was raised after the reports were sent: they prove too little now.
#[test]
fn silence_is_measured_by_the_timeout_that_holds_now() {
    let mut world = Plan::default().world();
    let raised = Plan { timeout: Duration::from_secs(3), ..Plan::default() }.fleet();
    world.command(Command::ApplyFleet { fleet: Arc::new(raised), expect: None });
    let short = world.everybody().into_iter().map(|c| (c, Duration::from_secs(2))).collect();
    world.evidence.heard.clear();
    world.evidence.silent.insert(server("srv-1"), short);
    assert_eq!(world.form(&[]), None);
    let long = world.everybody().into_iter().map(|c| (c, Duration::from_secs(3))).collect();
    world.evidence.silent.insert(server("srv-1"), long);
    assert!(world.form(&[]).is_some());
}

/// P3: a lowered timeout does not lower what restarted coordinators must assume.
#[test]
fn the_longest_timeout_is_kept() {
    let mut world = Plan { timeout: Duration::from_secs(9), ..Plan::default() }.world();
    let lowered = Plan::default().fleet();
    world.command(Command::ApplyFleet { fleet: Arc::new(lowered), expect: None });
    let longest = |world: &World| world.state.fleet.longest_timeout(server("srv-1"));
    assert_eq!(longest(&world), Duration::from_secs(9));
    let act = |event| Act {
        actor: Actor::Automaton,
        operation: None,
        reason: String::new(),
        ticket: String::new(),
        outcome: Verdict::Done(vec![event]),
    };
    let timeout = Duration::from_secs(2);
    world.state.apply(&act(Event::LongestTimeoutLowered { server: server("srv-1"), timeout }));
    assert_eq!(longest(&world), timeout);
}

/// WS-15: the recovery time is a condition of the automatic failback, not of the return.
#[test]
fn a_home_must_be_well_for_the_recovery_time() {
    let plan = Plan {
        failback: interrex_core::fleet::Failback::Auto,
        recovery: Duration::from_secs(60),
        ..Plan::default()
    };
    let mut world = plan.world();
    run(&mut world, "silent srv-1");
    run(&mut world, "agent srv-3 rec-1 e2 acting 100");
    assert_eq!(run(&mut world, "heard srv-1 for 59s").len(), 1, "restored, no more");
    let told = run(&mut world, "heard srv-1 for 60s");
    assert!(told[0].contains("handover_planned"), "{told:?}");
}

/// Step 5, D5: a takeover that failed goes on trying while a brake holds, and on when it ends.
#[test]
fn a_failed_takeover_goes_on_trying() {
    let mut world = Plan { standbys: 1, ..Plan::default() }.world();
    run(&mut world, "silent srv-1");
    let told = run(&mut world, "agent srv-3 rec-1 e2 failed");
    assert_eq!(told, ["* takeover_failed rec-1 e2 srv-3"], "nobody else can");
    run(&mut world, "pause all scope all for 10m");
    assert_eq!(run(&mut world, "heard srv-1").len(), 1, "held back: only restored");
    let told = run(&mut world, "resume all");
    assert!(told[1].contains("handover_planned rec-1 e2 srv-3 -> srv-1"), "{told:?}");
    // Had it come right by itself, that would have been the end of it.
    let mut world = Plan::default().world();
    run(&mut world, "silent srv-1");
    run(&mut world, "agent srv-3 rec-1 e2 failed");
    let told = run(&mut world, "agent srv-3 rec-1 e2 acting 900");
    assert_eq!(told, ["* took_over rec-1 e2 srv-3 from 900"]);
}

/// A receiver that was away gets the time of a whole step again, from its return.
#[test]
fn a_receiver_that_is_back_is_given_time() {
    let mut world = Plan::default().world();
    run(&mut world, "silent srv-1");
    run(&mut world, "silent srv-3");
    run(&mut world, "wait 31s");
    assert_eq!(run(&mut world, "heard srv-3").len(), 1, "restored, and not failed at once");
    assert_eq!(run(&mut world, "wait 29s"), [""; 0]);
    assert_eq!(run(&mut world, "wait 1s"), ["* takeover_failed rec-1 e2 srv-3"]);
}

/// A fleet of one group, half recorder hosts, half standbys.
fn large(pairs: u32) -> Fleet {
    let mut fleet = Plan { hosts: pairs, standbys: pairs, ..Plan::default() }.fleet();
    let timeout = Timeout::new(Duration::from_secs(1));
    fleet.servers.values_mut().for_each(|server: &mut Server| server.timeout = timeout);
    fleet
}

/// One pass each: ten times the servers must not cost a hundred times the time. Far from the true
/// cost, so that a busy machine does not fail it; a pass for each server would.
#[test]
#[expect(
    clippy::disallowed_types,
    reason = "the core has no clock; what it costs is measured here"
)]
fn a_thousand_servers_are_lost_in_one_moment() {
    let mut world = World::of(3);
    world.state.apply(&Act {
        actor: Actor::Automaton,
        operation: None,
        reason: String::new(),
        ticket: String::new(),
        outcome: Verdict::Done(vec![Event::FleetApplied { fleet: Arc::new(large(1_000)) }]),
    });
    let everybody = world.everybody();
    let servers: Vec<_> = world.state.fleet.document().servers.keys().copied().collect();
    for server in servers {
        world.hear(server, Duration::ZERO, &everybody);
    }
    let apply = |world: &mut World, acts: Vec<Act>| {
        acts.iter().for_each(|act| world.state.apply(act));
        acts.len()
    };
    let seen = due::facts(&world.state, &world.evidence);
    assert_eq!(apply(&mut world, seen), 2_000);
    let hosts: Vec<_> = world.state.roles.tenures().map(|tenure| tenure.home).collect();
    hosts.iter().for_each(|host| world.silence(*host, &everybody));
    let began = std::time::Instant::now();
    let facts = due::facts(&world.state, &world.evidence);
    assert_eq!(apply(&mut world, facts), 1_000);
    let moves = due::moves(&world.state, &world.evidence, LogTime(1));
    assert_eq!(apply(&mut world, moves), 1_000);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(world.state.roles.tenures().all(|tenure| !tenure.is_home()));
    assert_eq!(world.state.roles.away().count(), 1_000);
}
