//! An event becomes bytes. The number of a kind is its field in `Event`.
use interrex_core::{
    AgentBoot, Cause, Epoch, Event, FailoverId, LogTime, RecorderId, Scope, ServerId, Subject,
    Testimony, Why,
};

use crate::codec::Writer;
use crate::{account, copy, fields, fleet};

/// Appends the body of an `Event` message.
pub(crate) fn write(to: &mut Writer, event: &Event) {
    match *event {
        Event::FleetApplied { ref fleet } => {
            to.message(1, |to| to.message(1, |to| fleet::write(to, fleet)));
        }
        Event::ServerSeen { server } => to.message(2, |to| to.name(1, server.0)),
        Event::HeartbeatExpired { server, ref testimony } => {
            to.message(3, |to| witnessed(to, server, testimony));
        }
        Event::HeartbeatRestored { server, ref testimony } => {
            to.message(4, |to| witnessed(to, server, testimony));
        }
        Event::MoveWithheld { recorder, holder, by, to: free } => to.message(5, |to| {
            pair(to, recorder, holder);
            to.choice(3, by);
            to.optional_name(4, free.map(|server| server.0));
        }),
        Event::FailoverQueued { recorder, holder, failover, cause } => to.message(6, |to| {
            pair(to, recorder, holder);
            to.uint(3, failover.0);
            to.choice(4, cause);
        }),
        Event::HandoverPlanned { recorder, from, to: next, epoch, why, failover, cause } => {
            to.message(7, |to| moves(to, (recorder, from, next), epoch, why, failover, cause));
        }
        Event::Moved { recorder, from, to: next, epoch, why, failover, cause } => {
            to.message(11, |to| moves(to, (recorder, from, next), epoch, why, failover, cause));
        }
        Event::HandoverReady { recorder, epoch } => to.message(8, |to| tenure(to, recorder, epoch)),
        Event::ReleaseOrdered { recorder, epoch } => {
            to.message(10, |to| tenure(to, recorder, epoch));
        }
        Event::HandoverAbandoned { recorder, epoch, to: unfit, boot } => {
            to.message(9, |to| failed(to, recorder, epoch, unfit, boot));
        }
        Event::TakeoverFailed { recorder, epoch, server, boot } => {
            to.message(13, |to| failed(to, recorder, epoch, server, boot));
        }
        Event::TookOver { recorder, epoch, server, first_ms, tick_ms, recording, channels } => {
            to.message(12, |to| {
                tenure(to, recorder, epoch);
                to.name(3, server.0);
                numbers(to, [first_ms, tick_ms.into(), recording.into(), channels.into()]);
            });
        }
        Event::TenureEnded { recorder, epoch, server, last_ms } => to.message(14, |to| {
            tenure(to, recorder, epoch);
            to.name(3, server.0);
            to.optional_uint(4, last_ms);
        }),
        Event::Paused { subject, scope, until } => {
            to.message(15, |to| paused(to, subject, scope, until));
        }
        Event::Resumed { subject } => to.message(16, |to| to.message(1, |to| whom(to, subject))),
        Event::Noted { ref key, ref text } => to.message(17, |to| noted(to, key, text)),
        Event::LevelRaised { to: level } => to.message(18, |to| to.uint(1, level.0.into())),
        Event::LongestTimeoutLowered { server, timeout } => to.message(19, |to| {
            to.name(1, server.0);
            to.uint(2, fields::millis(timeout));
        }),
        Event::FactsReported { .. }
        | Event::TenureAccounted { .. }
        | Event::CopyOpened { .. }
        | Event::CopyProgressed { .. }
        | Event::CopySteered { .. }
        | Event::CopyClosed { .. }
        | Event::MaterialErased { .. } => of_material(to, event),
    }
}

/// Material and its copies. All other events are written above.
fn of_material(to: &mut Writer, event: &Event) {
    if let Event::FactsReported { server, ref facts } = *event {
        to.message(20, |to| {
            to.name(1, server.0);
            to.message(2, |to| copy::write_facts(to, facts));
        });
    } else if let Event::TenureAccounted { recorder, epoch, server, ref account } = *event {
        to.message(26, |to| {
            tenure(to, recorder, epoch);
            to.name(3, server.0);
            to.message(4, |to| account::write(to, account));
        });
    } else if let Event::CopyOpened { copy, recorder, epoch, from, failover } = *event {
        to.message(21, |to| {
            to.uint(1, copy.0);
            to.name(2, recorder.0);
            to.uint(3, epoch.0);
            to.name(4, from.0);
            to.optional_uint(5, failover.map(|failover| failover.0));
        });
    } else if let Event::CopyProgressed { copy, progress, standing } = *event {
        to.message(22, |to| {
            to.uint(1, copy.0);
            to.message(2, |to| copy::write_progress(to, progress));
            to.choice(3, standing);
        });
    } else if let Event::CopySteered { copy, steering } = *event {
        to.message(23, |to| {
            to.uint(1, copy.0);
            to.choice(2, steering);
        });
    } else if let Event::CopyClosed { copy, end, progress } = *event {
        to.message(24, |to| {
            to.uint(1, copy.0);
            to.choice(2, end);
            to.message(3, |to| copy::write_progress(to, progress));
        });
    } else if let Event::MaterialErased { copy, server } = *event {
        to.message(25, |to| {
            to.uint(1, copy.0);
            to.name(2, server.0);
        });
    }
}

fn witnessed(to: &mut Writer, server: ServerId, testimony: &Testimony) {
    to.name(1, server.0);
    to.message(2, |to| {
        to.uint(1, testimony.set.0);
        for (coordinator, &silent) in &testimony.by {
            to.message(2, |to| {
                to.uint(1, coordinator.0);
                to.uint(2, fields::millis(silent));
            });
        }
    });
}

fn pair(to: &mut Writer, recorder: RecorderId, server: ServerId) {
    to.name(1, recorder.0);
    to.name(2, server.0);
}

fn moves(
    to: &mut Writer,
    (recorder, from, next): (RecorderId, ServerId, ServerId),
    epoch: Epoch,
    why: Why,
    failover: FailoverId,
    cause: Cause,
) {
    pair(to, recorder, from);
    to.name(3, next.0);
    to.uint(4, epoch.0);
    to.choice(5, why);
    to.uint(6, failover.0);
    to.choice(7, cause);
}

fn tenure(to: &mut Writer, recorder: RecorderId, epoch: Epoch) {
    to.name(1, recorder.0);
    to.uint(2, epoch.0);
}

fn failed(
    to: &mut Writer,
    recorder: RecorderId,
    epoch: Epoch,
    server: ServerId,
    boot: Option<AgentBoot>,
) {
    tenure(to, recorder, epoch);
    to.name(3, server.0);
    to.optional_fixed(4, boot.map(|boot| boot.0));
}

fn whom(to: &mut Writer, subject: Subject) {
    match subject {
        Subject::Everything => to.set_uint(1, 1),
        Subject::Group(group) => to.name(2, group.0),
        Subject::Server(server) => to.name(3, server.0),
    }
}

/// From field 4 on.
fn numbers(to: &mut Writer, numbers: [u64; 4]) {
    (4..).zip(numbers).for_each(|(field, number)| to.uint(field, number));
}

fn paused(to: &mut Writer, subject: Subject, scope: Scope, until: LogTime) {
    to.message(1, |to| whom(to, subject));
    to.choice(2, scope);
    to.uint(3, until.0);
}

fn noted(to: &mut Writer, key: &str, text: &str) {
    to.bytes(1, key.as_bytes());
    to.bytes(2, text.as_bytes());
}
