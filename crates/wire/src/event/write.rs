//! An event becomes bytes. The number of a kind is its field in `Event`.
use interrex_core::{
    AgentBoot, Cause, Epoch, Event, FailoverId, RecorderId, ServerId, Subject, Testimony, Why,
};

use crate::codec::Writer;
use crate::{fields, fleet};

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
        Event::TookOver { recorder, epoch, server, first_ms, tick_ms, recording, channels } => to
            .message(12, |to| {
                tenure(to, recorder, epoch);
                to.name(3, server.0);
                to.uint(4, first_ms);
                to.uint(5, tick_ms.into());
                to.uint(6, recording.into());
                to.uint(7, channels.into());
            }),
        Event::TenureEnded { recorder, epoch, server, last_ms } => to.message(14, |to| {
            tenure(to, recorder, epoch);
            to.name(3, server.0);
            to.optional_uint(4, last_ms);
        }),
        Event::Paused { subject, scope, until } => to.message(15, |to| {
            to.message(1, |to| whom(to, subject));
            to.choice(2, scope);
            to.uint(3, until.0);
        }),
        Event::Resumed { subject } => to.message(16, |to| to.message(1, |to| whom(to, subject))),
        Event::Noted { ref key, ref text } => to.message(17, |to| noted(to, key, text)),
        Event::LevelRaised { to: level } => to.message(18, |to| to.uint(1, level.0.into())),
        Event::LongestTimeoutLowered { server, timeout } => to.message(19, |to| {
            to.name(1, server.0);
            to.uint(2, fields::millis(timeout));
        }),
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

fn noted(to: &mut Writer, key: &str, text: &str) {
    to.bytes(1, key.as_bytes());
    to.bytes(2, text.as_bytes());
}
