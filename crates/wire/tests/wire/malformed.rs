//! Each way in which bytes or a message can be wrong, and that the error names the field.
use interrex_core::fleet::Fleet;
use interrex_core::{Actor, DutyStatus, Heartbeat, LEVEL, Level, NOTE_MAX, Report, Tick};
use interrex_wire::limits::{CODE_MAX, DECISION_MAX, DUTIES_MAX, FLEET_MAX, FOUNDERS_MAX};
use interrex_wire::{Malformed, command, decision, fleet, members, pb, peer};
use prost::Message;

use crate::samples;

/// A decision of one act with one event, changed before it is written.
fn with_event(change: impl FnOnce(&mut pb::Event)) -> Vec<u8> {
    let sample = samples::automatic(vec![samples::events()[1].clone()]);
    let bytes = decision::encode(&samples::decision(1, vec![sample]));
    let mut message = pb::Decision::decode(&*bytes).unwrap();
    change(&mut message.acts[0].events[0]);
    message.encode_to_vec()
}

fn seen(server: &str) -> Vec<u8> {
    use pb::event::Kind;
    let server = server.to_owned();
    with_event(|event| event.kind = Some(Kind::ServerSeen(pb::ServerSeen { server })))
}

fn noted(text: String) -> Vec<u8> {
    use pb::event::Kind;
    with_event(|event| event.kind = Some(Kind::Noted(pb::Noted { key: "k".into(), text })))
}

fn withheld(by: i32) -> Vec<u8> {
    use pb::event::Kind;
    let (recorder, holder, to) = ("rec-1".into(), "srv-1".into(), String::new());
    let event = pb::MoveWithheld { recorder, holder, by, to };
    with_event(|to| to.kind = Some(Kind::MoveWithheld(event)))
}

fn accounted(channels: &[(&str, &[(u64, u64)])]) -> Vec<u8> {
    use pb::event::Kind;
    let span = |&(after_ms, lasts_ms): &(u64, u64)| pb::Span { after_ms, lasts_ms };
    let channel = |&(name, spans): &(&str, &[(u64, u64)])| pb::ChannelAccount {
        channel: name.into(),
        spans: spans.iter().map(span).collect(),
    };
    let channels = channels.iter().map(channel).collect();
    let account = Some(pb::Account { precision_ms: 20, channels });
    let (recorder, server) = ("rec-1".into(), "srv-1".into());
    let event = pb::TenureAccounted { recorder, epoch: 2, server, account };
    with_event(|to| to.kind = Some(Kind::TenureAccounted(event)))
}

fn reported(listen: &str) -> Vec<u8> {
    use pb::event::Kind;
    let facts = Some(pb::Facts { listen: listen.into() });
    let event = pb::FactsReported { server: "srv-1".into(), facts };
    with_event(|to| to.kind = Some(Kind::FactsReported(event)))
}

fn expired(by: &[u64]) -> Vec<u8> {
    use pb::event::Kind;
    let by = by.iter().map(|id| pb::Witness { coordinator: *id, ms: 1 }).collect();
    let testimony = Some(pb::Testimony { set: 1, by });
    let event = pb::HeartbeatExpired { server: "srv-1".into(), testimony };
    with_event(|to| to.kind = Some(Kind::HeartbeatExpired(event)))
}

#[test]
fn decisions() {
    let unknown =
        |message, field| Malformed::UnknownEvent { message, field, found: Level(1), reads: LEVEL };
    let bad_name = |text: &str| Malformed::BadName {
        field: "server",
        source: text.parse::<interrex_core::name::Name>().unwrap_err(),
    };
    let whole = seen("srv-1");
    let mut without_events = pb::Decision::decode(&*whole).unwrap();
    without_events.acts[0].events.clear();
    let mut short_id = pb::Decision::decode(&*whole).unwrap();
    short_id.acts[0].operation = Some(pb::OperationKey { id: vec![1; 3], command: 1 });
    let too_many = samples::events()[1].clone();
    let too_many = samples::automatic(vec![too_many; interrex_core::EVENTS_MAX + 1]);
    let too_many = decision::encode(&samples::decision(1, vec![too_many]));
    let length = |field, length, max| Malformed::TooLong { field, length, max };
    let table = [
        (
            "level above ours",
            vec![0x18, 9],
            Malformed::LevelAbove { reads: LEVEL, found: Level(9) },
        ),
        ("no level", vec![0x08, 1], Malformed::Missing("level")),
        ("kind not set", with_event(|event| event.kind = None), unknown("Event", 0)),
        (
            "kind of a later level",
            [&whole[..whole.len() - 9], &later_kind()].concat(),
            unknown("Event", 99),
        ),
        (
            "field of a later level",
            [&whole[..whole.len() - 9], &later_field()].concat(),
            unknown("ServerSeen", 2),
        ),
        ("cut off", whole[..whole.len() - 1].to_vec(), Malformed::Truncated("Decision")),
        ("written longer than needed", vec![0x18, 0x81, 0], Malformed::NotCanonical("Decision")),
        ("written default", vec![0x08, 0, 0x18, 1], Malformed::NotCanonical("Decision")),
        ("out of order", vec![0x18, 1, 0x10, 5], unknown("Decision", 2)),
        ("no name", seen(""), Malformed::Missing("server")),
        ("not a name", seen("Srv 1"), bad_name("Srv 1")),
        ("not text", not_text(), Malformed::NotText("server")),
        ("text too long", noted("x".repeat(NOTE_MAX + 1)), length("text", NOTE_MAX + 1, NOTE_MAX)),
        ("not in the list", withheld(77), Malformed::BadValue { field: "Brake", value: 77 }),
        ("witness twice", expired(&[1, 1]), Malformed::NotAscending("Testimony.by")),
        (
            "touching spans",
            accounted(&[("ch-1", &[(5, 1), (0, 1)])]),
            Malformed::NotAscending("ChannelAccount.spans"),
        ),
        (
            "empty span",
            accounted(&[("ch-1", &[(5, 0)])]),
            Malformed::NotAscending("ChannelAccount.spans"),
        ),
        (
            "channel twice",
            accounted(&[("ch-1", &[(5, 1)]), ("ch-1", &[(5, 1)])]),
            Malformed::NotAscending("Account.channels"),
        ),
        (
            "channel without spans",
            accounted(&[("ch-1", &[])]),
            Malformed::Missing("ChannelAccount.spans"),
        ),
        (
            "span past all time",
            accounted(&[("ch-1", &[(5, u64::MAX)])]),
            Malformed::BadValue { field: "Span.lasts_ms", value: i64::MAX },
        ),
        (
            "no address",
            reported("srv-1"),
            Malformed::BadAddress {
                field: "listen",
                source: "srv-1".parse::<interrex_core::Address>().unwrap_err(),
            },
        ),
        ("no outcome", without_events.encode_to_vec(), Malformed::Missing("events")),
        (
            "id of another length",
            short_id.encode_to_vec(),
            Malformed::WrongLength { field: "operation", length: 3, expected: 16 },
        ),
        (
            "too many events",
            too_many,
            Malformed::TooMany {
                field: "events",
                count: interrex_core::EVENTS_MAX + 1,
                max: interrex_core::EVENTS_MAX,
            },
        ),
        ("too long", vec![0; DECISION_MAX + 1], length("Decision", DECISION_MAX + 1, DECISION_MAX)),
    ];
    for (what, bytes, expected) in table {
        assert_eq!(decision::decode(&bytes), Err(expected), "{what}");
    }
}

/// The last nine bytes of `seen("srv-1")` are the event: tag, length, and the name's field.
fn later_kind() -> Vec<u8> {
    vec![0x9a, 0x06, 6, 0x0a, 4, b's', b'r', b'v', b'1']
}

fn later_field() -> Vec<u8> {
    vec![0x12, 7, 0x0a, 3, b's', b'r', b'v', 0x10, 1]
}

fn not_text() -> Vec<u8> {
    let mut bytes = seen("srv-1");
    *bytes.last_mut().unwrap() = 0xff;
    bytes
}

/// Who meets them must know which program to start: both numbers are named.
#[test]
fn a_history_that_is_too_new_names_both_levels() {
    let above = decision::decode(&[0x18, 9]).unwrap_err().to_string();
    assert!(above.contains("level 9") && above.contains("up to level 1"), "{above}");
    let unknown = decision::decode(&with_event(|event| event.kind = None)).unwrap_err();
    let unknown = unknown.to_string();
    assert!(unknown.contains("of level 1") && unknown.contains("up to level 1"), "{unknown}");
}

#[test]
fn fleets() {
    let document = || pb::Fleet::from(&samples::fleet());
    let mut no_limits = document();
    no_limits.limits = None;
    let mut twice = document();
    twice.servers.push(twice.servers[1].clone());
    let mut fast = document();
    fast.groups[0].timeout_ms = 999;
    let mut hash = document();
    hash.recorders[0].config.pop();
    for (document, expected) in [
        (no_limits, Malformed::Missing("Limits")),
        (twice, Malformed::NotAscending("servers")),
        (fast, Malformed::BadValue { field: "group timeout_ms", value: 999 }),
        (hash, Malformed::WrongLength { field: "recorder config", length: 31, expected: 32 }),
    ] {
        assert_eq!(Fleet::try_from(document), Err(expected));
    }
    let length = FLEET_MAX + 1;
    let expected = Malformed::TooLong { field: "fleet document", length, max: FLEET_MAX };
    assert_eq!(fleet::decode(&vec![0; length]), Err(expected));
}

#[test]
fn messages_of_agents_and_peers() {
    let duty = pb::DutyStatus {
        recorder: "rec-1".into(),
        phase: 1,
        config: vec![0; 32],
        ..Default::default()
    };
    let beat = |duties| pb::Heartbeat { server: "srv-1".into(), duties, ..Default::default() };
    let many = Heartbeat::try_from(beat(vec![duty.clone(); DUTIES_MAX + 1]));
    let (count, max) = (DUTIES_MAX + 1, DUTIES_MAX);
    assert_eq!(many, Err(Malformed::TooMany { field: "Heartbeat.duties", count, max }));

    let no_phase = DutyStatus::try_from(pb::DutyStatus { phase: 0, ..duty.clone() });
    assert_eq!(no_phase, Err(Malformed::BadValue { field: "Phase", value: 0 }));
    let no_hash = DutyStatus::try_from(pb::DutyStatus { config: Vec::new(), ..duty });
    let expected = Malformed::WrongLength { field: "DutyStatus.config", length: 0, expected: 32 };
    assert_eq!(no_hash, Err(expected));

    let no_server = Heartbeat::try_from(pb::Heartbeat::default());
    assert_eq!(no_server, Err(Malformed::Missing("Heartbeat.server")));
    assert_eq!(Tick::try_from(pb::Tick::default()), Err(Malformed::Missing("Tick.term")));
    let report = pb::Report {
        term: Some(pb::LeaderTerm::default()),
        address: "x".repeat(300),
        ..Default::default()
    };
    let expected = Malformed::TooLong { field: "Report.address", length: 300, max: 262 };
    assert_eq!(Report::try_from(report), Err(expected));
    let long = || "x".repeat(FOUNDERS_MAX + CODE_MAX + 1);
    let length = long().len();
    let found = |field, max| Malformed::TooLong { field, length, max };
    for (reply, expected) in [
        (
            pb::FoundReply { founders: long(), ..Default::default() },
            found("FoundReply.founders", FOUNDERS_MAX),
        ),
        (
            pb::FoundReply { why: long(), ..Default::default() },
            found("FoundReply.why", FOUNDERS_MAX + CODE_MAX),
        ),
        (
            pb::FoundReply { cluster: vec![0; 15], ..Default::default() },
            Malformed::WrongLength { field: "FoundReply.cluster", length: 15, expected: 16 },
        ),
    ] {
        assert_eq!(peer::read_found(reply), Err(expected));
    }
    let asked = |name: &str, founders| pb::FoundRequest {
        name: name.into(),
        founders,
        ..Default::default()
    };
    assert_eq!(
        peer::read_founding(asked("c1", long())),
        Err(found("FoundRequest.founders", FOUNDERS_MAX))
    );
    assert_eq!(
        peer::read_founding(asked("", String::new())),
        Err(Malformed::Missing("FoundRequest.name"))
    );
    let named = peer::read_founding(asked(&"x".repeat(64), String::new()));
    assert!(matches!(named, Err(Malformed::BadName { field: "FoundRequest.name", .. })));
    let expected = Malformed::TooLong { field: "address", length: 263, max: 262 };
    assert_eq!(peer::read_address("address", "x".repeat(263)), Err(expected));
    let half = pb::VoterSet { ids: vec![2, 1] };
    let unordered = members::read_voters("voters", vec![half]);
    assert_eq!(unordered, Err(Malformed::NotAscending("voters")));
}

#[test]
fn commands() {
    use pb::command_request::Command as Wish;
    let request = |command: Option<Wish>| pb::CommandRequest {
        operation: vec![1; 16],
        command,
        ..Default::default()
    };
    let fail_back = Wish::FailBack(pb::FailBack::default());
    let pause = Wish::Pause(pb::Pause::default());
    let mut document = pb::Fleet::from(&samples::fleet());
    document.recorders[0].config = vec![7; 32];
    let apply = Wish::ApplyFleet(pb::ApplyFleet { fleet: Some(document), expect_revision: None });
    let no_id = pb::CommandRequest { operation: Vec::new(), ..request(None) };
    let wordy = pb::CommandRequest { reason: "x".repeat(1_025), ..request(None) };
    for (message, expected) in [
        (no_id, Malformed::WrongLength { field: "operation", length: 0, expected: 16 }),
        (wordy, Malformed::TooLong { field: "reason", length: 1_025, max: 1_024 }),
        (request(None), Malformed::Missing("command")),
        (request(Some(fail_back)), Malformed::Missing("recorder")),
        (request(Some(pause)), Malformed::Missing("subject")),
        (request(Some(apply)), Malformed::WrongHash("recorder config")),
    ] {
        assert_eq!(command::read(message, Actor::Automaton), Err(expected));
    }
}
