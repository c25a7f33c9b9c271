//! P12 against an oracle that counts, where the agent sorts.
use std::collections::BTreeMap;

use interrex_core::{Ack, AgentBoot, BeatSeq, CoordinatorId, DutyKind, Epoch, SetId, Voters};
use proptest::prelude::*;

use crate::bench::*;

/// What happens next in a random run.
#[derive(Clone, Debug)]
enum Next {
    /// Time passes; beats go out by themselves.
    Pass(u64),
    /// Coordinator answers the beat that is so many back, under one of the sets, for so long.
    Answer { by: u64, back: u64, set: usize, lease: u64, boot: u64 },
    /// One of the answers arrives; it may arrive again.
    Deliver(usize),
}

fn next() -> impl Strategy<Value = Next> {
    let boot = prop_oneof![9 => Just(BOOT.0), 1 => Just(5)];
    let answer = (1..=5_u64, 0..4_u64, 0..4_usize, prop_oneof![Just(750), Just(1500)], boot);
    prop_oneof![
        2 => (1..300_u64).prop_map(Next::Pass),
        4 => answer.prop_map(|(by, back, set, lease, boot)| Next::Answer { by, back, set, lease, boot }),
        4 => (0..64_usize).prop_map(Next::Deliver),
    ]
}

fn sets() -> Vec<Voters> {
    vec![
        voters(&[&[1, 2, 3]]),
        voters(&[&[1, 2, 3], &[2, 3, 4, 5]]),
        voters(&[&[2, 3, 4, 5]]),
        voters(&[&[1, 2, 3, 4, 5]]),
    ]
}

/// A1 and P12 in other words: in some set, a majority has granted, and each of those grants, counted
/// from the sending of the beat that it answers, still runs.
fn should_act(delivered: &[Ack], sent: &BTreeMap<u64, u64>, at: u64) -> bool {
    sets().iter().zip(1..).any(|(voters, set)| {
        voters.majority(|voter| {
            delivered.iter().any(|ack| {
                ack.coordinator == voter
                    && ack.set == SetId(set)
                    && ack.agent == BOOT
                    && sent.get(&ack.seq.0).is_some_and(|sent| {
                        ack.grants.iter().any(|grant| boot_ms(*sent).0 + grant.lease > ms(at))
                    })
            })
        })
    })
}

fn answer(by: u64, seq: u64, set: usize, lease: u64, boot: u64) -> Ack {
    let mut ack = granting(by, seq, 1);
    ack.grants[0].lease = ms(lease);
    let voters = sets()[set].clone();
    Ack { agent: AgentBoot(boot), set: SetId(set as u64 + 1), voters, ..ack }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However acknowledgements are lost, doubled, delayed and reordered.
    // FEATURE: IX-06
    #[test]
    fn it_acts_exactly_while_a_majority_grants(run in prop::collection::vec(next(), 1..120)) {
        let mut bench = Bench::new();
        let (mut sent, mut answers, mut delivered) = (BTreeMap::new(), Vec::new(), Vec::new());
        bench.step();
        sent.insert(1, 0);
        let act = assignment(1, 1, &[duty(1, 1, DutyKind::Act)]);
        bench.ack(assigning(1, 1, act));
        for next in run {
            match next {
                Next::Pass(long) => (0..long).for_each(|_| {
                    bench.at += 1;
                    bench.step();
                    sent.entry(bench.seq()).or_insert(bench.at);
                    assert_eq!(bench.acts(), should_act(&delivered, &sent, bench.at));
                }),
                Next::Answer { by, back, set, lease, boot } => {
                    let seq = bench.seq().saturating_sub(back);
                    answers.push(answer(by, seq, set, lease, boot));
                }
                Next::Deliver(n) if !answers.is_empty() => {
                    let ack: &Ack = &answers[n % answers.len()];
                    delivered.push(ack.clone());
                    bench.ack(ack.clone());
                }
                Next::Deliver(_) => {}
            }
            sent.entry(bench.seq()).or_insert(bench.at);
            prop_assert_eq!(bench.acts(), should_act(&delivered, &sent, bench.at));
        }
    }

    /// What the journal says it did is what it was allowed to do, at every step.
    #[test]
    fn it_tells_of_each_beginning_and_end(run in prop::collection::vec(next(), 1..80)) {
        let mut bench = Bench::new();
        bench.step();
        bench.ack(assigning(1, 1, assignment(1, 1, &[duty(1, 1, DutyKind::Act)])));
        let (mut answers, mut acts) = (Vec::new(), false);
        for next in run {
            let before = bench.out.len();
            match next {
                Next::Pass(long) => { bench.run(bench.at + long); }
                Next::Answer { by, back, set, lease, boot } => {
                    let seq = bench.seq().saturating_sub(back);
                    answers.push(answer(by, seq, set, lease, boot));
                }
                Next::Deliver(n) if !answers.is_empty() => {
                    let n = n % answers.len();
                    bench.ack(answers[n].clone());
                }
                Next::Deliver(_) => {}
            }
            for (deed, _) in deeds(&bench.out[before..]) {
                use interrex_core::agent::Deed;
                match deed {
                    Deed::Acts => { prop_assert!(!acts); acts = true; }
                    Deed::LeaseEnds => prop_assert!(acts),
                    Deed::DropsAddresses => { prop_assert!(acts); acts = false; }
                    Deed::Releases => prop_assert!(false, "nobody ordered it"),
                }
            }
            prop_assert_eq!(bench.acts(), acts);
        }
    }
}

fn acting_bench() -> Bench {
    let mut bench = Bench::new();
    bench.step();
    bench.ack(assigning(1, 1, assignment(1, 1, &[duty(1, 1, DutyKind::Act)])));
    bench
}

#[test]
fn the_lease_counts_from_the_sending_of_the_beat() {
    let mut bench = acting_bench();
    bench.at = 700;
    bench.ack(granting(1, 1, 1));
    bench.ack(granting(2, 1, 1));
    assert_eq!(bench.agent.lease_end(rec(1), Epoch(1)), Some(boot_ms(L)), "sent at 0");
    assert!(bench.acts());
    bench.at = L;
    assert!(!bench.acts(), "and no step was needed to end it");
}

#[test]
fn one_of_three_is_no_lease_and_one_more_set_does_not_help() {
    let mut bench = acting_bench();
    bench.ack(granting(1, 1, 1));
    bench.ack(Ack { set: SetId(2), ..granting(2, 1, 1) });
    bench.ack(Ack { coordinator: CoordinatorId(9), ..granting(3, 1, 1) });
    assert!(!bench.acts(), "one voter in each of two sets, and one that is no voter");
    bench.ack(granting(3, 1, 1));
    assert!(bench.acts());
}

#[test]
fn while_joint_both_halves_must_grant() {
    let mut bench = acting_bench();
    let joint = |c| Ack { voters: voters(&[&[1, 2, 3], &[3, 4, 5]]), ..granting(c, 1, 1) };
    bench.ack(joint(1));
    bench.ack(joint(2));
    bench.ack(joint(3));
    assert!(!bench.acts(), "one of the new half");
    bench.ack(joint(5));
    assert!(bench.acts());
}

#[test]
fn a_set_with_other_voters_is_not_added_to() {
    let mut bench = acting_bench();
    bench.ack(granting(1, 1, 1));
    bench.ack(Ack { voters: voters(&[&[1, 2, 4]]), ..granting(2, 1, 1) });
    assert!(!bench.acts());
}

#[test]
fn what_another_process_was_granted_is_not_ours() {
    let mut bench = acting_bench();
    for c in 1..=3 {
        bench.ack(Ack { agent: AgentBoot(5), ..granting(c, 1, 1) });
        bench.ack(Ack { seq: BeatSeq(99), ..granting(c, 1, 1) });
    }
    assert!(!bench.acts());
}
