//! One fixed value of everything that lasts: what the golden bytes are of.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{
    CopyPolicy, Failback, Fencing, Fleet, Group, Limits, MaterialKind, Mode, Overrides, Recorder,
    Role, Server,
};
use interrex_core::numbers::Timeout;
use interrex_core::*;
use interrex_wire::fleet::config_hash;

pub(crate) const CLUSTER: [u8; 16] = *b"sixteen bytes it";

pub(crate) fn server(name: &str) -> ServerId {
    name.parse().unwrap()
}

pub(crate) fn rec() -> RecorderId {
    "rec-1".parse().unwrap()
}

pub(crate) fn fleet() -> Fleet {
    let hall: GroupId = "hall-a".parse().unwrap();
    let timeout = Timeout::new(Duration::from_secs(2));
    let group = Group {
        mode: Mode::Auto,
        timeout: timeout.unwrap(),
        failback: Failback::Auto,
        recovery: Duration::from_secs(30),
        ..Group::default()
    };
    let host = Server { group: hall, role: Role::RecorderHost, timeout: None };
    let spare = Server { group: hall, role: Role::Standby, timeout };
    let recorder = Recorder {
        home: server("srv-1"),
        priority: -100,
        channels: 4,
        config: config_hash(4),
        own: Overrides::default(),
        addresses: Arc::default(),
    };
    Fleet {
        limits: Limits { commands_per_second: 50 },
        groups: BTreeMap::from([(hall, group), ("hall-b".parse().unwrap(), Group::default())]),
        servers: BTreeMap::from([(server("srv-1"), host), (server("srv-2"), spare)]),
        recorders: BTreeMap::from([(rec(), recorder)]),
    }
}

/// With all that a document may say of fencing and material.
pub(crate) fn fleet_with_copies() -> Fleet {
    let mut fleet = fleet();
    let group = fleet.groups.get_mut(&"hall-a".parse().unwrap()).unwrap();
    group.fencing = Fencing::FenceFirst;
    group.copy = CopyPolicy::Manual;
    group.copy_rate = 20_000_000;
    group.copy_kinds = [MaterialKind::Video, MaterialKind::Snapshots].into_iter().collect();
    group.keep = Duration::from_secs(30 * 24 * 3600);
    let recorder = fleet.recorders.get_mut(&rec()).unwrap();
    recorder.own = Overrides {
        fencing: Some(Fencing::RecordFirst),
        copy: Some(CopyPolicy::Auto),
        copy_kinds: Some([].into_iter().collect()),
        keep: Some(Duration::ZERO),
    };
    recorder.addresses = ["10.77.0.100/32", "fd00::9/64"].map(|text| text.parse().unwrap()).into();
    fleet
}

fn account() -> Account {
    let span = |from_ms, to_ms| Span { from_ms, to_ms };
    let channel = |name: &str, spans| ChannelAccount { channel: name.parse().unwrap(), spans };
    let broken = vec![
        span(1_795_000_000_000, 1_795_000_010_000),
        span(1_795_000_010_020, 1_795_000_020_000),
    ];
    Account {
        precision_ms: 20,
        channels: vec![channel("ch-1", broken), channel("ch-2", vec![span(0, 1)])],
    }
}

fn testimony() -> Testimony {
    let by = [(1, 2_010), (2, 2_000), (3, 40_000)];
    let by = by.map(|(id, ms)| (CoordinatorId(id), Duration::from_millis(ms)));
    Testimony { set: SetId(7), by: BTreeMap::from(by) }
}

/// One of every kind; `golden` sees to it that none is missing.
pub(crate) fn events() -> Vec<Event> {
    let (recorder, epoch, failover) = (rec(), Epoch(2), FailoverId(300));
    let (from, to) = (server("srv-1"), server("srv-2"));
    let (boot, until) = (Some(AgentBoot(0x0123_4567_89ab_cdef)), LogTime(1_795_000_000_000));
    vec![
        Event::FleetApplied { fleet: Arc::new(fleet()) },
        Event::ServerSeen { server: from },
        Event::HeartbeatExpired { server: from, testimony: testimony() },
        Event::HeartbeatRestored { server: from, testimony: testimony() },
        Event::MoveWithheld { recorder, holder: from, by: Brake::Observe, to: Some(to) },
        Event::FailoverQueued { recorder, holder: from, failover, cause: Cause::StandbyLost },
        Event::HandoverPlanned {
            recorder,
            from,
            to,
            epoch,
            why: Why::Failback,
            failover,
            cause: Cause::Manual,
        },
        Event::HandoverReady { recorder, epoch },
        Event::HandoverAbandoned { recorder, epoch, to, boot },
        Event::ReleaseOrdered { recorder, epoch },
        Event::Moved {
            recorder,
            from,
            to,
            epoch,
            why: Why::Failover,
            failover,
            cause: Cause::Disconnection,
        },
        Event::TookOver {
            recorder,
            epoch,
            server: to,
            first_ms: 1_795_000_000_123,
            tick_ms: 20,
            recording: 3,
            channels: 4,
        },
        Event::TakeoverFailed { recorder, epoch, server: to, boot: None },
        Event::TenureEnded { recorder, epoch, server: from, last_ms: Some(0) },
        Event::Paused { subject: Subject::Everything, scope: Scope::All, until },
        Event::Resumed { subject: Subject::Group("hall-a".parse().unwrap()) },
        Event::Noted { key: "incident".into(), text: "INC-4711: \u{e4}".into() },
        Event::LevelRaised { to: Level(1) },
        Event::LongestTimeoutLowered { server: from, timeout: Duration::from_secs(2) },
    ]
    .into_iter()
    .chain(events_of_copies())
    .collect()
}

/// Kinds before these: what `decision-several` was recorded with.
pub(crate) const EVENTS_BEFORE_COPIES: usize = 19;

fn events_of_copies() -> [Event; 7] {
    let (copy, recorder, epoch, from) = (CopyId(7), rec(), Epoch(2), server("srv-2"));
    let progress = Progress {
        segments_done: 3,
        segments_total: 9,
        bytes_done: 3 << 20,
        bytes_total: 9 << 20,
        segments_failed: 1,
    };
    let listen = Some("srv-2.example:7501".parse().unwrap());
    [
        Event::FactsReported { server: from, facts: Facts { listen } },
        Event::CopyOpened { copy, recorder, epoch, from, failover: Some(FailoverId(300)) },
        Event::CopyProgressed { copy, progress, standing: CopyStanding::DiskFull },
        Event::CopySteered { copy, steering: Steering::Paused },
        Event::CopyClosed { copy, end: CopyEnd::GivenUp, progress },
        Event::MaterialErased { copy, server: from },
        Event::TenureAccounted { recorder, epoch, server: from, account: Arc::new(account()) },
    ]
}

/// A decision with these acts, standing at `index`.
pub(crate) fn decision(index: u64, acts: Vec<Act>) -> Decision {
    let at = LogTime(1_795_000_000_000 + index);
    Decision { basis: LogIndex(index - 1), at, level: LEVEL, acts }
}

pub(crate) fn automatic(events: Vec<Event>) -> Act {
    Act {
        actor: Actor::Automaton,
        operation: None,
        reason: String::new(),
        ticket: String::new(),
        outcome: Verdict::Done(events),
    }
}

pub(crate) fn by_person(outcome: Verdict) -> Act {
    Act {
        actor: Actor::Person(interrex_wire::members::person("operator", "ada")),
        operation: Some(OperationKey { id: OperationId(0x0192 << 100), command: 42 }),
        reason: "maintenance".into(),
        ticket: "CHG-9".into(),
        outcome,
    }
}

pub(crate) fn refused() -> Verdict {
    Verdict::Refused(Refused {
        code: "stale_epoch".into(),
        message: "rec-1 is in e2, not in e1".into(),
        remedy: "read it again".into(),
    })
}

/// A note, as an operator writes it.
pub(crate) fn note(index: u64) -> Decision {
    let event = Event::Noted { key: format!("key-{index}"), text: format!("note {index}") };
    decision(index, vec![by_person(Verdict::Done(vec![event]))])
}

pub(crate) fn members() -> Members {
    let half = |ids: &[u64]| ids.iter().copied().map(CoordinatorId).collect::<BTreeSet<_>>();
    let node = |id: u64| {
        let name = format!("c{id}").parse().unwrap();
        (CoordinatorId(id), Member { name, peer_address: format!("10.0.0.{id}:7402") })
    };
    Members {
        set: SetId(9),
        voters: Voters(vec![half(&[1, 2, 3]), half(&[2, 3, 4])]),
        nodes: [1, 2, 3, 4].map(node).into(),
    }
}

pub(crate) fn commands() -> Vec<(&'static str, Command)> {
    let (recorder, subject) = (rec(), Subject::Server(server("srv-1")));
    let (scope, lasts) = (Scope::Failback, Duration::from_secs(7_200));
    let (key, text) = ("incident".to_owned(), "INC-4711".to_owned());
    vec![
        (
            "apply_fleet",
            Command::ApplyFleet { fleet: Arc::new(fleet()), expect: Some(Revision(3)) },
        ),
        (
            "fail_over",
            Command::FailOver {
                recorder,
                to: Some(server("srv-2")),
                expect: Some(Epoch(1)),
                despite: true,
            },
        ),
        ("fail_back", Command::FailBack { recorder, expect: None, despite: false }),
        ("pause", Command::Pause { subject, scope, lasts }),
        ("resume", Command::Resume { subject: Subject::Everything }),
        ("note", Command::Note { key, text, expect: Some(Revision(0)) }),
        ("copy_id", Command::Copy { subject: CopySubject::Id(CopyId(7)), wish: CopyWish::GiveUp }),
        (
            "copy_recorder",
            Command::Copy { subject: CopySubject::Recorder(recorder), wish: CopyWish::Start },
        ),
    ]
}
