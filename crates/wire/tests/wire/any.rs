//! Strategies: any value of the core's types that may be written. Durations are whole milliseconds
//! in what lasts, whole microseconds in what is only said.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{Failback, Fleet, Group, Limits, Mode, Recorder, Role, Server};
use interrex_core::name::Name;
use interrex_core::numbers::Timeout;
use interrex_core::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn name() -> impl Strategy<Value = Name> {
    "[a-z0-9][a-z0-9-]{0,62}".prop_map(|text| text.parse().unwrap())
}
pub(crate) fn server() -> impl Strategy<Value = ServerId> {
    name().prop_map(ServerId)
}
pub(crate) fn recorder() -> impl Strategy<Value = RecorderId> {
    name().prop_map(RecorderId)
}
pub(crate) fn group() -> impl Strategy<Value = GroupId> {
    name().prop_map(GroupId)
}
pub(crate) fn epoch() -> impl Strategy<Value = Epoch> {
    number().prop_map(Epoch)
}
/// Small, large, and both ends.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..200u64, any::<u64>(), select(vec![0, 127, 128, u64::MAX])]
}
pub(crate) fn millis() -> impl Strategy<Value = Duration> {
    number().prop_map(Duration::from_millis)
}
pub(crate) fn micros() -> impl Strategy<Value = Duration> {
    number().prop_map(Duration::from_micros)
}
pub(crate) fn timeout() -> impl Strategy<Value = Timeout> {
    (1_000..=3_600_000u64).prop_map(|ms| Timeout::new(Duration::from_millis(ms)).unwrap())
}
pub(crate) fn config() -> impl Strategy<Value = ConfigHash> {
    any::<[u8; 32]>().prop_map(ConfigHash)
}
fn boot() -> impl Strategy<Value = Option<AgentBoot>> {
    option::of(number().prop_map(AgentBoot))
}

pub(crate) fn fleet() -> impl Strategy<Value = Fleet> {
    let mode = select(vec![Mode::Observe, Mode::Auto]);
    let failback = select(vec![Failback::Manual, Failback::Auto]);
    let a_group =
        (mode, timeout(), failback, millis()).prop_map(|(mode, timeout, failback, recovery)| {
            Group { mode, timeout, failback, recovery }
        });
    let role = select(vec![Role::RecorderHost, Role::Standby]);
    let a_server = (group(), role, option::of(timeout()))
        .prop_map(|(group, role, timeout)| Server { group, role, timeout });
    let a_recorder = (server(), any::<i32>(), any::<u32>(), config()).prop_map(
        |(home, priority, channels, config)| Recorder { home, priority, channels, config },
    );
    (
        any::<u32>(),
        btree_map(group(), a_group, 0..3),
        btree_map(server(), a_server, 0..5),
        btree_map(recorder(), a_recorder, 0..4),
    )
        .prop_map(|(commands_per_second, groups, servers, recorders)| Fleet {
            limits: Limits { commands_per_second },
            groups,
            servers,
            recorders,
        })
}

pub(crate) fn testimony() -> impl Strategy<Value = Testimony> {
    let by = btree_map(number().prop_map(CoordinatorId), millis(), 0..5);
    (number(), by).prop_map(|(set, by)| Testimony { set: SetId(set), by })
}
pub(crate) fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Everything),
        group().prop_map(Subject::Group),
        server().prop_map(Subject::Server)
    ]
}
pub(crate) fn scope() -> impl Strategy<Value = Scope> {
    select(vec![Scope::Failback, Scope::All])
}
fn why() -> impl Strategy<Value = Why> {
    select(vec![Why::Failover, Why::Failback, Why::Switchover, Why::Replacement, Why::Return])
}
fn cause() -> impl Strategy<Value = Cause> {
    select(vec![Cause::Disconnection, Cause::StandbyLost, Cause::Manual, Cause::TakeoverFailed])
}
fn failover() -> impl Strategy<Value = FailoverId> {
    number().prop_map(FailoverId)
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![of_servers(), of_moves(), of_tenures(), of_operators()]
}

fn of_servers() -> impl Strategy<Value = Event> {
    prop_oneof![
        server().prop_map(|server| Event::ServerSeen { server }),
        (server(), testimony())
            .prop_map(|(server, testimony)| Event::HeartbeatExpired { server, testimony }),
        (server(), testimony())
            .prop_map(|(server, testimony)| Event::HeartbeatRestored { server, testimony }),
        (server(), millis())
            .prop_map(|(server, timeout)| Event::LongestTimeoutLowered { server, timeout }),
    ]
}

fn of_moves() -> impl Strategy<Value = Event> {
    let brake = select(vec![Brake::Paused, Brake::Observe]);
    let moving = || (recorder(), server(), server(), epoch(), why(), failover(), cause());
    prop_oneof![
        (recorder(), server(), brake, option::of(server())).prop_map(
            |(recorder, holder, by, to)| Event::MoveWithheld { recorder, holder, by, to }
        ),
        (recorder(), server(), failover(), cause()).prop_map(
            |(recorder, holder, failover, cause)| Event::FailoverQueued {
                recorder,
                holder,
                failover,
                cause
            }
        ),
        moving().prop_map(|(recorder, from, to, epoch, why, failover, cause)| {
            Event::HandoverPlanned { recorder, from, to, epoch, why, failover, cause }
        }),
        moving().prop_map(|(recorder, from, to, epoch, why, failover, cause)| Event::Moved {
            recorder,
            from,
            to,
            epoch,
            why,
            failover,
            cause
        }),
    ]
}

fn of_tenures() -> impl Strategy<Value = Event> {
    prop_oneof![
        (recorder(), epoch())
            .prop_map(|(recorder, epoch)| Event::HandoverReady { recorder, epoch }),
        (recorder(), epoch())
            .prop_map(|(recorder, epoch)| Event::ReleaseOrdered { recorder, epoch }),
        (recorder(), epoch(), server(), boot()).prop_map(|(recorder, epoch, to, boot)| {
            Event::HandoverAbandoned { recorder, epoch, to, boot }
        }),
        (recorder(), epoch(), server(), boot()).prop_map(|(recorder, epoch, server, boot)| {
            Event::TakeoverFailed { recorder, epoch, server, boot }
        }),
        (recorder(), epoch(), server(), number(), any::<[u32; 3]>()).prop_map(
            |(recorder, epoch, server, first_ms, [tick_ms, recording, channels])| {
                Event::TookOver { recorder, epoch, server, first_ms, tick_ms, recording, channels }
            }
        ),
        (recorder(), epoch(), server(), option::of(number())).prop_map(
            |(recorder, epoch, server, last_ms)| Event::TenureEnded {
                recorder,
                epoch,
                server,
                last_ms
            }
        ),
    ]
}

fn of_operators() -> impl Strategy<Value = Event> {
    prop_oneof![
        fleet().prop_map(|fleet| Event::FleetApplied { fleet: Arc::new(fleet) }),
        (subject(), scope(), number()).prop_map(|(subject, scope, until)| Event::Paused {
            subject,
            scope,
            until: LogTime(until)
        }),
        subject().prop_map(|subject| Event::Resumed { subject }),
        (".{0,40}", ".{0,200}").prop_map(|(key, text)| Event::Noted { key, text }),
        any::<u32>().prop_map(|to| Event::LevelRaised { to: Level(to) }),
    ]
}

pub(crate) fn refused() -> impl Strategy<Value = Refused> {
    ("[a-z_]{0,20}", ".{0,60}", ".{0,60}").prop_map(|(code, message, remedy)| Refused {
        code,
        message,
        remedy,
    })
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let actor = option::of(number())
        .prop_map(|id| id.map_or(Actor::Automaton, |id| Actor::Person(PersonId(id))));
    let key = (any::<u128>(), number())
        .prop_map(|(id, command)| OperationKey { id: OperationId(id), command });
    let outcome = prop_oneof![
        3 => vec(event(), 1..4).prop_map(Verdict::Done),
        1 => refused().prop_map(Verdict::Refused),
    ];
    (actor, option::of(key), ".{0,30}", ".{0,30}", outcome).prop_map(
        |(actor, operation, reason, ticket, outcome)| Act {
            actor,
            operation,
            reason,
            ticket,
            outcome,
        },
    )
}

pub(crate) fn decision() -> impl Strategy<Value = Decision> {
    (number(), number(), vec(act(), 0..4)).prop_map(|(basis, at, acts)| Decision {
        basis: LogIndex(basis),
        at: LogTime(at),
        level: LEVEL,
        acts,
    })
}

pub(crate) fn voters() -> impl Strategy<Value = Voters> {
    vec(btree_set(number().prop_map(CoordinatorId), 0..5), 0..=2).prop_map(Voters)
}

pub(crate) fn members() -> impl Strategy<Value = Members> {
    let member =
        (name(), "[a-z0-9.:]{0,40}").prop_map(|(name, peer_address)| Member { name, peer_address });
    let nodes = btree_map(number().prop_map(CoordinatorId), member, 0..5);
    (number(), voters(), nodes).prop_map(|(set, voters, nodes)| Members {
        set: SetId(set),
        voters,
        nodes,
    })
}

pub(crate) fn duty_status() -> impl Strategy<Value = DutyStatus> {
    let phase = select(vec![Phase::Preparing, Phase::Prepared, Phase::Acting, Phase::Released]);
    let times = (option::of(number()), option::of(number()));
    (recorder(), epoch(), phase, config(), any::<[u32; 3]>(), times, any::<bool>()).prop_map(
        |(recorder, epoch, phase, config, [recording, channels, tick_ms], times, failed)| {
            let (first_ms, last_ms) = times;
            DutyStatus {
                recorder,
                epoch,
                phase,
                config,
                recording,
                channels,
                first_ms,
                last_ms,
                tick_ms,
                failed,
            }
        },
    )
}

pub(crate) fn ended() -> impl Strategy<Value = EndedTenure> {
    (recorder(), epoch(), option::of(number())).prop_map(|(recorder, epoch, last_ms)| EndedTenure {
        recorder,
        epoch,
        last_ms,
    })
}

fn assignment_id() -> impl Strategy<Value = AssignmentId> {
    (number(), number()).prop_map(|(generation, index)| AssignmentId {
        generation: Generation(generation),
        index: LogIndex(index),
    })
}

pub(crate) fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let lists = (vec(duty_status(), 0..3), vec(ended(), 0..3));
    (server(), number(), boot(), number(), option::of(assignment_id()), lists, number()).prop_map(
        |(server, boot, follows, seq, holds, (duties, ended), wall)| Heartbeat {
            server,
            boot: AgentBoot(boot),
            follows,
            seq: BeatSeq(seq),
            holds,
            duties,
            ended,
            wall: Wall(wall),
        },
    )
}

pub(crate) fn assignment() -> impl Strategy<Value = Assignment> {
    let kind = select(vec![DutyKind::Prepare, DutyKind::Act, DutyKind::Release]);
    let duty = (recorder(), epoch(), kind, any::<u32>(), config()).prop_map(
        |(recorder, epoch, kind, channels, config)| Duty {
            recorder,
            epoch,
            kind,
            channels,
            config,
        },
    );
    (server(), assignment_id(), vec(duty, 0..3), vec((recorder(), epoch()), 0..3)).prop_map(
        |(server, id, duties, ends_wanted)| Assignment { server, id, duties, ends_wanted },
    )
}

pub(crate) fn ack() -> impl Strategy<Value = Ack> {
    let grant = (recorder(), epoch(), micros()).prop_map(|(recorder, epoch, lease)| Grant {
        recorder,
        epoch,
        lease,
    });
    let times = (micros(), micros());
    (any::<[u64; 6]>(), voters(), vec(grant, 0..3), times, option::of(assignment())).prop_map(
        |([coordinator, boot, agent, seq, set, applied], voters, grants, times, assignment)| Ack {
            coordinator: CoordinatorId(coordinator),
            boot: Boot(boot),
            agent: AgentBoot(agent),
            seq: BeatSeq(seq),
            set: SetId(set),
            voters,
            applied: LogIndex(applied),
            grants,
            interval: times.0,
            deaf: times.1,
            assignment,
        },
    )
}

pub(crate) fn term() -> impl Strategy<Value = Term> {
    any::<[u64; 3]>().prop_map(|[number, leader, boot]| Term {
        number,
        leader: CoordinatorId(leader),
        boot: Boot(boot),
    })
}

pub(crate) fn report() -> impl Strategy<Value = Report> {
    let times = || vec((server(), micros()), 0..3);
    let numbers = (any::<[u64; 8]>(), any::<u32>());
    let duties = (server(), number(), number(), vec(duty_status(), 0..2), vec(ended(), 0..2))
        .prop_map(|(server, boot, seq, duties, ended)| ServerDuties {
            server,
            boot: AgentBoot(boot),
            seq: BeatSeq(seq),
            duties,
            ended,
        });
    let lists = (vec((recorder(), epoch()), 0..3), vec(server(), 0..3), vec(server(), 0..3));
    (numbers, term(), "[0-9.]{0,9}", times(), times(), lists, vec(duties, 0..2)).prop_map(
        |((numbers, reads), term, version, silent, heard, (clear, quiet, late), duties)| {
            let [from, boot, seq, echo, set, applied, revision, wall] = numbers;
            Report {
                from: CoordinatorId(from),
                term,
                boot: Boot(boot),
                seq: ReportSeq(seq),
                echo: TickSeq(echo),
                set: SetId(set),
                applied: LogIndex(applied),
                revision: Revision(revision),
                wall: Wall(wall),
                reads: Level(reads),
                version,
                address: "127.0.0.1:7401".into(),
                silent,
                heard,
                clear,
                quiet,
                late,
                duties,
            }
        },
    )
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    let revision = || option::of(number().prop_map(Revision));
    let expect = || option::of(epoch());
    prop_oneof![
        (fleet(), revision()).prop_map(|(mut fleet, expect)| {
            for recorder in fleet.recorders.values_mut() {
                recorder.config = interrex_wire::fleet::config_hash(recorder.channels);
            }
            Command::ApplyFleet { fleet: Arc::new(fleet), expect }
        }),
        (recorder(), option::of(server()), expect(), any::<bool>()).prop_map(
            |(recorder, to, expect, despite)| Command::FailOver { recorder, to, expect, despite }
        ),
        (recorder(), expect(), any::<bool>()).prop_map(|(recorder, expect, despite)| {
            Command::FailBack { recorder, expect, despite }
        }),
        (subject(), scope(), millis()).prop_map(|(subject, scope, lasts)| Command::Pause {
            subject,
            scope,
            lasts
        }),
        subject().prop_map(|subject| Command::Resume { subject }),
        (".{0,40}", ".{0,200}", revision()).prop_map(|(key, text, expect)| Command::Note {
            key,
            text,
            expect
        }),
    ]
}
