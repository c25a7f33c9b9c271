//! A3: deaf connections are replaced, and the old one stays until the new one is acknowledged.
use interrex_core::agent::{AgentInput, AgentOutput, Connection, Link};

use crate::bench::*;

fn connects(out: &[AgentOutput]) -> Vec<Connection> {
    let connect = |out: &AgentOutput| match out {
        AgentOutput::Connect(connection) => Some(*connection),
        _ => None,
    };
    out.iter().filter_map(connect).collect()
}

fn closes(out: &[AgentOutput]) -> Vec<Connection> {
    let close = |out: &AgentOutput| match out {
        AgentOutput::Close(connection) => Some(*connection),
        _ => None,
    };
    out.iter().filter_map(close).collect()
}

fn conn(link: u32, attempt: u64) -> Connection {
    Connection { link: Link(link), attempt }
}

#[test]
fn every_address_is_connected_at_once() {
    let out = Bench::new().step();
    assert_eq!(connects(&out), [conn(0, 1), conn(1, 1), conn(2, 1)]);
}

#[test]
fn a_deaf_connection_is_kept_until_another_one_is_acknowledged() {
    let mut bench = Bench::new();
    bench.step();
    (1..=3).for_each(|c| drop(bench.ack(ack(c, 1))));
    for at in 1..=20 {
        bench.at = at * 100;
        (2..=3).for_each(|c| drop(bench.ack(ack(c, 1))));
        let out = bench.step();
        if at == 5 {
            assert_eq!(connects(&out), [conn(0, 2)], "500 ms without an answer");
        }
        assert!(!closes(&out).contains(&conn(0, 1)), "the old one stays");
        assert!(connects(&out).iter().all(|connection| connection.link == Link(0)));
    }
    let newest = connects(&bench.out).into_iter().max_by_key(|c| c.attempt).unwrap();
    let out = bench.give(AgentInput::Ack { via: newest, ack: ack(1, 1) });
    assert_eq!(closes(&out), [conn(0, 1)]);
}

#[test]
fn failures_are_repeated_ever_more_slowly_up_to_h() {
    let mut bench = Bench::new();
    bench.step();
    let mut slow = ack(2, 1);
    slow.interval = ms(1_000);
    bench.ack(slow);
    let (mut last, mut gone, mut waits) = (0, conn(0, 1), Vec::new());
    while waits.len() < 8 {
        bench.give(AgentInput::Closed(gone));
        gone = loop {
            bench.at += 1;
            let tried = connects(&bench.step());
            if let Some(new) = tried.into_iter().find(|new| new.link == Link(0)) {
                break new;
            }
        };
        waits.push(bench.at - last);
        last = bench.at;
    }
    assert!(waits.iter().all(|wait| (100..=1_001).contains(wait)), "{waits:?}");
    assert!(waits[0] <= 201 && waits[4..].iter().all(|wait| *wait >= 500), "{waits:?}");
}
