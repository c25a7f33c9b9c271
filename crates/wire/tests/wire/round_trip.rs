//! What is written is read as it was, and what is read is written as it was.
use std::collections::BTreeMap;

use interrex_core::fleet::Fleet;
use interrex_core::*;
use interrex_wire::{command, decision, fleet, members, pb, peer};
use proptest::prelude::*;
use prost::Message;

use crate::any;

proptest! {
    #[test]
    fn decisions(sample in any::decision()) {
        let bytes = decision::encode(&sample);
        prop_assert_eq!(decision::decode(&bytes), Ok(sample));
        // The proto files describe these bytes.
        prop_assert_eq!(pb::Decision::decode(&*bytes).unwrap().encode_to_vec(), bytes);
    }

    /// Whatever is taken for a decision has one encoding.
    #[test]
    fn bytes_of_decisions(sample in any::decision(), at: prop::sample::Index, byte: u8) {
        let mut bytes = decision::encode(&sample);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = decision::decode(&bytes) {
            prop_assert_eq!(decision::encode(&read), bytes);
        }
    }

    #[test]
    fn fleets(sample in any::fleet()) {
        prop_assert_eq!(fleet::decode(&fleet::encode(&sample)), Ok(sample.clone()));
        let message = pb::Fleet::from(&sample);
        prop_assert_eq!(message.encode_to_vec(), fleet::encode(&sample));
        prop_assert_eq!(Fleet::try_from(message), Ok(sample));
    }

    #[test]
    fn heartbeats(sample in any::heartbeat()) {
        let bytes = pb::Heartbeat::from(&sample).encode_to_vec();
        prop_assert_eq!(pb::Heartbeat::decode(&*bytes).unwrap().try_into(), Ok(sample));
    }

    #[test]
    fn acks(sample in any::ack()) {
        let bytes = pb::Ack::from(&sample).encode_to_vec();
        prop_assert_eq!(pb::Ack::decode(&*bytes).unwrap().try_into(), Ok(sample));
    }

    #[test]
    fn reports(sample in any::report()) {
        let bytes = pb::Report::from(&sample).encode_to_vec();
        prop_assert_eq!(pb::Report::decode(&*bytes).unwrap().try_into(), Ok(sample));
    }

    #[test]
    fn ticks_and_answers(term in any::term(), numbers: [u64; 3]) {
        let tick = Tick { term, seq: TickSeq(numbers[0]) };
        prop_assert_eq!(pb::Tick::from(&tick).try_into(), Ok(tick));
        let [boot, seq, barrier] = numbers;
        let (boot, seq, barrier) = (Boot(boot), ReportSeq(seq), LogIndex(barrier));
        let answer = Answer { term, boot, seq, barrier };
        prop_assert_eq!(pb::Answer::from(&answer).try_into(), Ok(answer));
    }

    #[test]
    fn who_is_a_member(sample in any::members()) {
        let bytes = pb::MembersEntry::from(&sample).encode_to_vec();
        let read = pb::MembersEntry::decode(&*bytes).unwrap();
        prop_assert_eq!(members::read(sample.set, read), Ok(sample));
    }

    #[test]
    fn times_of_servers(sample in proptest::collection::vec((any::server(), any::micros()), 0..5)) {
        prop_assert_eq!(peer::read_times("observed", peer::write_times(&sample)), Ok(sample));
    }

    /// Who asks, why, and how often changes nothing about what is asked.
    #[test]
    fn commands(sample in any::command(), id: u128, seen: Option<u64>, dry_run: bool) {
        let message = pb::CommandRequest {
            operation: id.to_be_bytes().to_vec(),
            seen,
            reason: "why".into(),
            ticket: "where".into(),
            dry_run,
            command: Some((&sample).into()),
        };
        let bytes = message.encode_to_vec();
        let message = pb::CommandRequest::decode(&*bytes).unwrap();
        let actor = Actor::Person(PersonId(1));
        let asked = command::read(message, actor).unwrap();
        let key = OperationKey { id: OperationId(id), command: command::hash(&sample) };
        prop_assert_eq!(asked.dry_run, dry_run);
        prop_assert_eq!(asked.request, Request {
            actor,
            operation: Operation { key, seen },
            reason: "why".into(),
            ticket: "where".into(),
            command: sample,
        });
    }

    #[test]
    fn refusals(sample in any::refused()) {
        prop_assert_eq!(pb::Refused::from(&sample).try_into(), Ok(sample));
    }
}

#[test]
fn other_commands_have_other_hashes() {
    let hashes = crate::samples::commands().into_iter().map(|(name, c)| (command::hash(&c), name));
    assert_eq!(hashes.collect::<BTreeMap<_, _>>().len(), crate::samples::commands().len());
}

#[test]
fn an_empty_hash_of_a_recorder_is_filled_in() {
    let sample = crate::samples::fleet();
    let mut document = pb::Fleet::from(&sample);
    document.recorders[0].config.clear();
    let apply = pb::ApplyFleet { fleet: Some(document), expect_revision: None };
    let message = pb::CommandRequest {
        operation: vec![1; 16],
        command: Some(pb::command_request::Command::ApplyFleet(apply)),
        ..Default::default()
    };
    let asked = command::read(message, Actor::Automaton).unwrap();
    let expected = Command::ApplyFleet { fleet: std::sync::Arc::new(sample), expect: None };
    assert_eq!(asked.request.command, expected);
}

/// Durations are cut to whole milliseconds where they last: both sides of a comparison alike.
#[test]
fn what_is_shorter_than_a_millisecond_is_cut_off() {
    let sample = |ns| Event::LongestTimeoutLowered {
        server: crate::samples::server("srv-1"),
        timeout: std::time::Duration::from_nanos(ns),
    };
    let with = |event| crate::samples::decision(1, vec![crate::samples::automatic(vec![event])]);
    let bytes = decision::encode(&with(sample(2_000_999_999)));
    assert_eq!(decision::decode(&bytes), Ok(with(sample(2_000_000_000))));
}
