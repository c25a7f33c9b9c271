//! A1, A2, A5, A8, A9: which word counts, and what is done about it.
use std::sync::Arc;

use interrex_core::agent::{AgentInput, AgentOutput, Connection, Deed, Link};
use interrex_core::{AgentBoot, BeatSeq, Duty, DutyKind, EndedTenure, Epoch, Phase};
use proptest::prelude::*;

use crate::bench::*;

/// Acknowledged and granted (r1, epoch) by two of three, and assigned `duties` at `index`.
fn told(bench: &mut Bench, index: u64, duties: &[Duty], epoch: u64) -> Vec<AgentOutput> {
    let seq = bench.seq();
    let mut out = bench.ack(assigning(1, seq, assignment(1, index, duties)));
    out.extend(bench.ack(granting(1, seq, epoch)));
    out.extend(bench.ack(granting(2, seq, epoch)));
    out
}

fn begun() -> Bench {
    let mut bench = Bench::new();
    bench.step();
    bench
}

proptest! {
    /// In whatever order, and however often, assignments come: the newest counts.
    #[test]
    fn the_newest_assignment_counts(order in prop::collection::vec((1..3_u64, 1..6_u64), 1..40)) {
        let mut bench = begun();
        // Epochs run against the indices, so that nothing but (generation, index) can be the order.
        let of = |(generation, index): (u64, u64)| {
            assignment(generation, index, &[duty(index, 90 - index, DutyKind::Act)])
        };
        let mut newest = (0, 0);
        for id in order {
            bench.ack(assigning(1, 1, of(id)));
            newest = newest.max(id);
            let holds = of(newest);
            let wishes = bench.wishes();
            prop_assert_eq!(wishes.len(), 1);
            prop_assert_eq!(wishes[0].recorder, holds.duties[0].recorder);
            prop_assert_eq!(wishes[0].epoch, holds.duties[0].epoch);
            bench.run(bench.at + 230);
            prop_assert_eq!(bench.beat().holds, Some(holds.id));
        }
    }
}

#[test]
fn it_acts_by_the_lease_of_the_assigned_epoch_only() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 2, DutyKind::Act)], 1);
    assert!(!bench.acts(), "the lease is of an older epoch");
    let out = told(&mut bench, 1, &[duty(1, 2, DutyKind::Act)], 2);
    assert_eq!(deeds(&out), [(Deed::Acts, 2)]);
}

#[test]
fn preparing_needs_no_lease_and_a_lease_alone_is_no_order() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 2, DutyKind::Prepare)], 2);
    assert!(!bench.acts());
    assert_eq!(bench.wishes().len(), 1, "record-first: it records while it prepares");
    bench.at = 20;
    bench.give(AgentInput::Status(vec![recording(2, None, None)]));
    assert_eq!(bench.beat().duties[0].phase, Phase::Prepared);
}

#[test]
fn what_is_not_named_is_given_up() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 1, DutyKind::Act)], 1);
    let out = bench.ack(assigning(3, 1, assignment(1, 2, &[])));
    assert_eq!(deeds(&out), [(Deed::DropsAddresses, 1)]);
    assert_eq!(bench.wishes(), []);
    assert!(out.contains(&AgentOutput::Remember(Vec::new())), "ready: its word is sure");
}

#[test]
fn an_assignment_of_another_server_is_none() {
    let mut bench = begun();
    let mut other = assignment(1, 9, &[duty(1, 1, DutyKind::Act)]);
    other.server = "srv-2".parse().unwrap();
    bench.ack(assigning(1, 1, other));
    assert_eq!(bench.wishes(), []);
}

#[test]
fn released_is_for_good_in_that_epoch() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 1, DutyKind::Act)], 1);
    let out = bench.ack(assigning(1, 1, assignment(1, 2, &[duty(1, 1, DutyKind::Release)])));
    assert_eq!(deeds(&out), [(Deed::DropsAddresses, 1), (Deed::Releases, 1)]);
    assert_eq!(bench.wishes().len(), 1, "record-first: it goes on recording");
    bench.at = 20;
    bench.step();
    assert_eq!(bench.beat().duties[0].phase, Phase::Released);
    told(&mut bench, 3, &[duty(1, 1, DutyKind::Act)], 1);
    assert!(!bench.acts(), "granted and assigned, and released all the same");
    told(&mut bench, 4, &[duty(1, 2, DutyKind::Act)], 2);
    assert!(bench.acts(), "the next epoch is another tenure");
}

#[test]
fn a_lease_regained_in_the_same_epoch_is_acted_on_again() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 1, DutyKind::Act)], 1);
    let out = bench.run(L + 50);
    assert_eq!(deeds(&out), [(Deed::LeaseEnds, 1), (Deed::DropsAddresses, 1)]);
    let kept = bench.wishes()[0];
    assert_eq!((kept.acting, kept.lease_end), (false, Some(boot_ms(L))), "records on, unfenced");
    let out = told(&mut bench, 1, &[duty(1, 1, DutyKind::Act)], 1);
    assert_eq!(deeds(&out), [(Deed::Acts, 1)]);
}

#[test]
fn a_lease_that_ended_unseen_is_told_of_before_it_is_renewed() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 1, DutyKind::Act)], 1);
    bench.run(300);
    let seq = bench.seq();
    bench.ack(granting(1, seq, 1));
    bench.at = 900; // the process was stopped; the answer lay in its socket
    let out = bench.ack(granting(2, seq, 1));
    let expect = [(Deed::LeaseEnds, 1), (Deed::DropsAddresses, 1), (Deed::Acts, 1)];
    assert_eq!(deeds(&out), expect);
}

#[test]
fn beats_keep_to_the_interval_with_jitter() {
    let mut bench = begun();
    bench.ack(ack(1, 1));
    let out = bench.run(10_000);
    assert!((45..=56).contains(&beats(&out)), "{} beats in 10 s at h = 200 ms", beats(&out));
    let mut slow = ack(1, bench.seq());
    slow.interval = ms(1_000);
    bench.ack(slow);
    let out = bench.run(30_000);
    assert!((18..=23).contains(&beats(&out)), "{} beats in 20 s at h = 1 s", beats(&out));
}

#[test]
fn a_change_is_told_at_once_but_not_in_a_flood() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 1, DutyKind::Act)], 1);
    bench.run(100);
    let before = bench.seq();
    for n in 0..50_u64 {
        bench.at += 2;
        bench.give(AgentInput::Status(vec![recording(1, Some(n), Some(1_000 + n))]));
    }
    let sent = bench.seq() - before;
    assert!((4..=6).contains(&sent), "{sent} beats for 50 changes in 100 ms");
    bench.run(bench.at + 20);
    let before = bench.seq();
    bench.give(AgentInput::Status(vec![recording(1, Some(49), Some(9_999))]));
    assert_eq!(bench.seq(), before, "that recording goes on is no news");
}

#[test]
fn ready_means_a_majority_of_the_voters_in_this_boot() {
    let mut bench = begun();
    let mut strange = ack(2, 1);
    strange.agent = AgentBoot(5);
    let mut out = bench.ack(strange);
    out.extend(bench.ack(ack(1, 1)));
    let mut learner = ack(3, 1);
    learner.coordinator.0 = 9;
    out.extend(bench.ack(learner));
    assert!(!out.contains(&AgentOutput::Ready) && !bench.agent.is_ready());
    assert!(bench.ack(ack(3, 1)).contains(&AgentOutput::Ready));
    assert!(!bench.ack(ack(2, 1)).contains(&AgentOutput::Ready), "once");
}

#[test]
fn ends_are_asked_for_until_they_are_found() {
    let mut bench = begun();
    let mut wants = assignment(1, 1, &[]);
    wants.ends_wanted = vec![(rec(1), Epoch(3))];
    let out = bench.ack(assigning(1, 1, wants));
    let asks = |out: &[AgentOutput]| {
        out.iter().filter(|out| matches!(out, AgentOutput::FindEnds(_))).count()
    };
    assert_eq!(asks(&out), 1);
    assert!((4..=5).contains(&asks(&bench.run(1_000))));
    let (last_ms, account) = (Some(123), Arc::default());
    let end = EndedTenure { recorder: rec(1), epoch: Epoch(3), last_ms, account };
    let other = EndedTenure { epoch: Epoch(4), ..end.clone() };
    bench.give(AgentInput::Ended(vec![end.clone(), other]));
    assert_eq!(bench.beat().ended, [end], "only what was asked, and at once");
    assert_eq!(asks(&bench.run(2_000)), 0);
    bench.ack(assigning(1, 1, assignment(1, 2, &[])));
    bench.run(2_100);
    assert_eq!(bench.beat().ended, []);
}

// FEATURE: WS-11
#[test]
fn alone_it_records_what_it_last_acted_for_and_does_not_act() {
    let mut bench = Bench::after(vec![duty(1, 4, DutyKind::Act)]);
    bench.run(59_990);
    assert_eq!(bench.wishes(), [], "a majority may still come");
    assert!(bench.run(60_010).contains(&AgentOutput::Alone));
    let wish = bench.wishes()[0];
    assert_eq!((wish.epoch, wish.acting, wish.lease_end), (Epoch(4), false, None));
    bench.run(60_100);
    assert_eq!(bench.beat().duties[0].epoch, Epoch(4), "and says so");
    bench.ack(assigning(1, 1, assignment(1, 1, &[])));
    assert_eq!(bench.wishes().len(), 1, "one coordinator that knows nothing stops nothing");
    bench.ack(ack(2, 1));
    assert_eq!(bench.wishes(), [], "a majority knows that another holds it");
}

/// A2, A9: what it once was told, if by one coordinator only, counts before what it was earlier.
#[test]
fn alone_it_gives_up_what_a_newer_word_no_longer_names() {
    let mut bench = Bench::after(vec![duty(1, 4, DutyKind::Act)]);
    bench.step();
    bench.ack(assigning(1, 1, assignment(1, 1, &[duty(1, 4, DutyKind::Release)])));
    assert!(!bench.run(60_010).contains(&AgentOutput::Alone), "it was told");
    bench.ack(assigning(1, 2, assignment(1, 2, &[])));
    assert_eq!(bench.wishes(), [], "another has it, so it is not taken up again");
}

#[test]
fn a_majority_in_time_makes_the_last_good_configuration_void() {
    let mut bench = Bench::after(vec![duty(1, 4, DutyKind::Act)]);
    bench.step();
    told(&mut bench, 1, &[], 1);
    assert!(bench.out.contains(&AgentOutput::Remember(Vec::new())));
    assert!(!bench.run(70_000).contains(&AgentOutput::Alone));
    assert_eq!(bench.wishes(), []);
}

#[test]
fn it_remembers_what_it_acts_for() {
    let mut bench = begun();
    let (kept, next) = (duty(1, 1, DutyKind::Act), duty(2, 1, DutyKind::Prepare));
    let out = told(&mut bench, 1, &[kept.clone(), next], 1);
    assert!(out.contains(&AgentOutput::Remember(vec![kept])));
    assert!(!bench.run(L + 100).iter().any(|out| matches!(out, AgentOutput::Remember(_))));
}

#[test]
fn without_a_majority_later_it_goes_on_by_its_last_assignment() {
    let mut bench = begun();
    told(&mut bench, 1, &[duty(1, 1, DutyKind::Act)], 1);
    bench.run(600_000);
    assert_eq!(bench.wishes().len(), 1);
    assert!(!bench.acts());
}

#[test]
fn a_connection_that_opens_gets_a_beat_of_its_own() {
    let mut bench = begun();
    bench.at = 30;
    bench.give(AgentInput::Opened(Connection { link: Link(0), attempt: 1 }));
    assert_eq!(bench.beat().seq, BeatSeq(2));
}
