//! Strategies: any value of the core's types that may be written. Durations are whole milliseconds
//! in what lasts, whole microseconds in what is only said.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{
    CopyPolicy, Failback, Fencing, Fleet, Group, Kinds, Limits, MaterialKind, Mode, Overrides,
    Recorder, Role, Server,
};
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
    let a_group = (
        mode,
        timeout(),
        failback,
        millis(),
        (fencing(), copy_policy()),
        number(),
        kinds(),
        millis(),
    )
        .prop_map(
            |(mode, timeout, failback, recovery, (fencing, copy), copy_rate, copy_kinds, keep)| {
                Group {
                    mode,
                    timeout,
                    failback,
                    recovery,
                    fencing,
                    copy,
                    copy_rate,
                    copy_kinds,
                    keep,
                }
            },
        );
    let role = select(vec![Role::RecorderHost, Role::Standby]);
    let a_server = (group(), role, option::of(timeout()))
        .prop_map(|(group, role, timeout)| Server { group, role, timeout });
    let a_recorder = (server(), any::<i32>(), any::<u32>(), config(), overrides(), addresses())
        .prop_map(|(home, priority, channels, config, own, addresses)| Recorder {
            home,
            priority,
            channels,
            config,
            own,
            addresses: addresses.into(),
        });
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

fn fencing() -> impl Strategy<Value = Fencing> {
    select(vec![Fencing::RecordFirst, Fencing::FenceFirst])
}
fn copy_policy() -> impl Strategy<Value = CopyPolicy> {
    let all =
        [CopyPolicy::Auto, CopyPolicy::Manual, CopyPolicy::Discard, CopyPolicy::Redirect].to_vec();
    select(all)
}
fn kinds() -> impl Strategy<Value = Kinds> {
    vec(select(MaterialKind::ALL.to_vec()), 0..4).prop_map(|kinds| kinds.into_iter().collect())
}
fn overrides() -> impl Strategy<Value = Overrides> {
    let copy_kinds = option::of(kinds());
    (option::of(fencing()), option::of(copy_policy()), copy_kinds, option::of(millis()))
        .prop_map(|(fencing, copy, copy_kinds, keep)| Overrides { fencing, copy, copy_kinds, keep })
}
fn addresses() -> impl Strategy<Value = Vec<LogicalAddress>> {
    let text = prop_oneof!["10\\.[1-9]\\.0\\.[1-9]/[1-3]2", "fd00::[1-9]/64"];
    vec(text.prop_map(|text| text.parse().unwrap()), 0..4)
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
    prop_oneof![of_servers(), of_moves(), of_tenures(), of_operators(), of_copies()]
}

pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    let address = "[a-z0-9.]{1,40}:[1-9][0-9]{0,3}".prop_map(|text| text.parse().unwrap());
    option::of(address).prop_map(|listen| Facts { listen })
}
fn copy_id() -> impl Strategy<Value = CopyId> {
    number().prop_map(CopyId)
}
fn progress() -> impl Strategy<Value = Progress> {
    any::<[u64; 5]>().prop_map(
        |[segments_done, segments_total, bytes_done, bytes_total, segments_failed]| Progress {
            segments_done,
            segments_total,
            bytes_done,
            bytes_total,
            segments_failed,
        },
    )
}
fn standing() -> impl Strategy<Value = CopyStanding> {
    use CopyStanding::{DiskFull, Durable, Failed, NoRoute, Running};
    select(vec![Running, DiskFull, NoRoute, Failed, Durable])
}
pub(crate) fn account() -> impl Strategy<Value = Account> {
    // Distances, so that spans are in order and do not touch.
    let spans = vec((1..10_000u64, 1..10_000u64), 1..6).prop_map(|parts| {
        let mut end = 1_795_000_000_000;
        let span = |(after, lasts)| {
            let from_ms = end + after;
            end = from_ms + lasts;
            Span { from_ms, to_ms: end }
        };
        parts.into_iter().map(span).collect::<Vec<_>>()
    });
    (any::<u32>(), btree_map(name(), spans, 0..4)).prop_map(|(precision_ms, channels)| {
        let channel = |(channel, spans)| ChannelAccount { channel, spans };
        Account { precision_ms, channels: channels.into_iter().map(channel).collect() }
    })
}

fn of_copies() -> impl Strategy<Value = Event> {
    use CopyEnd::{Copied, Discarded, GivenUp, Redirected, Stopped};
    let end = select(vec![Copied, Stopped, Discarded, GivenUp, Redirected]);
    let steering = select(vec![Steering::Paused, Steering::Running]);
    prop_oneof![
        (server(), facts()).prop_map(|(server, facts)| Event::FactsReported { server, facts }),
        (copy_id(), recorder(), epoch(), server(), option::of(failover())).prop_map(
            |(copy, recorder, epoch, from, failover)| Event::CopyOpened {
                copy,
                recorder,
                epoch,
                from,
                failover
            }
        ),
        (copy_id(), progress(), standing()).prop_map(|(copy, progress, standing)| {
            Event::CopyProgressed { copy, progress, standing }
        }),
        (copy_id(), steering).prop_map(|(copy, steering)| Event::CopySteered { copy, steering }),
        (copy_id(), end, progress()).prop_map(|(copy, end, progress)| Event::CopyClosed {
            copy,
            end,
            progress
        }),
        (copy_id(), server()).prop_map(|(copy, server)| Event::MaterialErased { copy, server }),
        (recorder(), epoch(), server(), account()).prop_map(
            |(recorder, epoch, server, account)| Event::TenureAccounted {
                recorder,
                epoch,
                server,
                account: Arc::new(account)
            }
        ),
    ]
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
    (recorder(), epoch(), option::of(number()), account()).prop_map(
        |(recorder, epoch, last_ms, account)| EndedTenure {
            recorder,
            epoch,
            last_ms,
            account: Arc::new(account),
        },
    )
}

fn assignment_id() -> impl Strategy<Value = AssignmentId> {
    (number(), number()).prop_map(|(generation, index)| AssignmentId {
        generation: Generation(generation),
        index: LogIndex(index),
    })
}

pub(crate) fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let copies = (facts(), vec(copy_status(), 0..3), vec(copy_id(), 0..3));
    let lists = (vec(duty_status(), 0..3), vec(ended(), 0..3), copies);
    (server(), number(), boot(), number(), option::of(assignment_id()), lists, number()).prop_map(
        |(server, boot, follows, seq, holds, (duties, ended, said), wall)| Heartbeat {
            server,
            boot: AgentBoot(boot),
            follows,
            seq: BeatSeq(seq),
            holds,
            duties,
            ended,
            wall: Wall(wall),
            facts: said.0,
            copies: said.1,
            erased: said.2,
        },
    )
}

pub(crate) fn assignment() -> impl Strategy<Value = Assignment> {
    let kind = select(vec![DutyKind::Prepare, DutyKind::Act, DutyKind::Release]);
    let duty = (recorder(), epoch(), kind, any::<u32>(), config(), fencing(), addresses())
        .prop_map(|(recorder, epoch, kind, channels, config, fencing, addresses)| Duty {
            recorder,
            epoch,
            kind,
            channels,
            config,
            fencing,
            addresses: addresses.into(),
        });
    let ends = vec((recorder(), epoch()), 0..3);
    let copies = btree_map(copy_id(), copy_duty(), 0..4).prop_map(|duties| {
        duties.into_iter().map(|(copy, duty)| CopyDuty { copy, ..duty }).collect()
    });
    let keep = vec((recorder(), millis()), 0..3);
    (server(), assignment_id(), vec(duty, 0..3), ends, copies, keep).prop_map(
        |(server, id, duties, ends_wanted, copies, keep)| Assignment {
            server,
            id,
            duties,
            ends_wanted,
            copies,
            keep,
        },
    )
}

fn copy_status() -> impl Strategy<Value = CopyStatus> {
    (copy_id(), progress(), standing()).prop_map(|(copy, progress, standing)| CopyStatus {
        copy,
        progress,
        standing,
    })
}

fn copy_duty() -> impl Strategy<Value = CopyDuty> {
    let at = || facts().prop_map(|facts| facts.listen);
    let kind = prop_oneof![
        (at(), number(), any::<bool>(), kinds()).prop_map(|(from, rate, paused, kinds)| {
            CopyKind::Fetch { from, rate, paused, kinds }
        }),
        (server(), at()).prop_map(|(to, at)| CopyKind::Serve { to, at }),
        Just(CopyKind::Erase),
    ];
    (copy_id(), recorder(), epoch(), server(), kind).prop_map(
        |(copy, recorder, epoch, source, kind)| CopyDuty { copy, recorder, epoch, source, kind },
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
    let said = (
        vec(duties, 0..2),
        vec((server(), facts()), 0..3),
        vec((server(), vec(copy_status(), 0..3)), 0..3),
        vec(copy_id(), 0..3),
    );
    (numbers, term(), "[0-9.]{0,9}", times(), times(), lists, said).prop_map(
        |((numbers, reads), term, version, silent, heard, (clear, quiet, late), said)| {
            let (duties, facts, copies, erased) = said;
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
                facts,
                copies,
                erased,
            }
        },
    )
}

fn copy_command() -> impl Strategy<Value = Command> {
    use CopyWish::{Discard, GiveUp, Pause, Resume, Retry, Start, Stop};
    let subject = prop_oneof![
        copy_id().prop_map(CopySubject::Id),
        recorder().prop_map(CopySubject::Recorder)
    ];
    (subject, select(vec![Start, Pause, Resume, Retry, Stop, Discard, GiveUp]))
        .prop_map(|(subject, wish)| Command::Copy { subject, wish })
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
        copy_command(),
        (".{0,40}", ".{0,200}", revision()).prop_map(|(key, text, expect)| Command::Note {
            key,
            text,
            expect
        }),
    ]
}
