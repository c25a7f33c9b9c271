//! Bytes become an event. Names and lengths are checked here; what they mean is the fold's matter.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use interrex_core::{
    AgentBoot, Cause, CoordinatorId, CopyId, Epoch, Event, FailoverId, GroupId, KEY_MAX, Level,
    LogTime, NOTE_MAX, RecorderId, ServerId, SetId, Subject, Testimony, Why,
};

use crate::codec::Reader;
use crate::limits::MEMBERS_MAX;
use crate::{Malformed, account, copy, fleet};

type Read = fn(&mut Reader<'_>) -> Result<Event, Malformed>;

/// By number, from 1.
const KINDS: [(&str, Read); 26] = [
    ("FleetApplied", fleet_applied),
    ("ServerSeen", |from| Ok(Event::ServerSeen { server: server(from, 1)? })),
    ("HeartbeatExpired", heartbeat_expired),
    ("HeartbeatRestored", heartbeat_restored),
    ("MoveWithheld", move_withheld),
    ("FailoverQueued", failover_queued),
    ("HandoverPlanned", handover_planned),
    ("HandoverReady", handover_ready),
    ("HandoverAbandoned", handover_abandoned),
    ("ReleaseOrdered", release_ordered),
    ("Moved", moved),
    ("TookOver", took_over),
    ("TakeoverFailed", takeover_failed),
    ("TenureEnded", tenure_ended),
    ("Paused", paused),
    ("Resumed", |from| Ok(Event::Resumed { subject: subject(from)? })),
    ("Noted", noted),
    ("LevelRaised", |from| Ok(Event::LevelRaised { to: Level(from.uint32(1, "to")?) })),
    ("LongestTimeoutLowered", longest_timeout_lowered),
    ("FactsReported", facts_reported),
    ("CopyOpened", copy_opened),
    ("CopyProgressed", copy_progressed),
    ("CopySteered", copy_steered),
    ("CopyClosed", copy_closed),
    ("MaterialErased", material_erased),
    ("TenureAccounted", tenure_accounted),
];

/// The event that is the body of an `Event` message.
pub(crate) fn read(bytes: &[u8]) -> Result<Event, Malformed> {
    let mut outer = Reader::new("Event", bytes);
    let kind = outer.peek()?.unwrap_or_default();
    let unknown = Malformed::UnknownField { message: "Event", field: kind };
    let known = KINDS.get((kind as usize).wrapping_sub(1));
    let Some(&(name, read)) = known else { return Err(unknown) };
    let mut body = Reader::new(name, outer.optional_bytes(kind)?.ok_or(unknown)?);
    outer.end()?;
    let event = read(&mut body)?;
    body.end()?;
    Ok(event)
}

fn fleet_applied(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::FleetApplied { fleet: Arc::new(fleet::read(from.message(1, "Fleet")?)?) })
}

fn heartbeat_expired(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::HeartbeatExpired { server: server(from, 1)?, testimony: testimony(from)? })
}

fn heartbeat_restored(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::HeartbeatRestored { server: server(from, 1)?, testimony: testimony(from)? })
}

fn move_withheld(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::MoveWithheld {
        recorder: recorder(from)?,
        holder: server(from, 2)?,
        by: from.choice(3)?,
        to: from.optional_name(4, "server")?.map(ServerId),
    })
}

fn failover_queued(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::FailoverQueued {
        recorder: recorder(from)?,
        holder: server(from, 2)?,
        failover: FailoverId(from.uint(3)?),
        cause: from.choice(4)?,
    })
}

fn handover_planned(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    let Move { recorder, from, to, epoch, why, failover, cause } = Move::read(from)?;
    Ok(Event::HandoverPlanned { recorder, from, to, epoch, why, failover, cause })
}

fn handover_ready(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::HandoverReady { recorder: recorder(from)?, epoch: epoch(from)? })
}

fn handover_abandoned(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::HandoverAbandoned {
        recorder: recorder(from)?,
        epoch: epoch(from)?,
        to: server(from, 3)?,
        boot: from.optional_fixed(4)?.map(AgentBoot),
    })
}

fn release_ordered(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::ReleaseOrdered { recorder: recorder(from)?, epoch: epoch(from)? })
}

fn moved(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    let Move { recorder, from, to, epoch, why, failover, cause } = Move::read(from)?;
    Ok(Event::Moved { recorder, from, to, epoch, why, failover, cause })
}

fn took_over(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::TookOver {
        recorder: recorder(from)?,
        epoch: epoch(from)?,
        server: server(from, 3)?,
        first_ms: from.uint(4)?,
        tick_ms: from.uint32(5, "tick_ms")?,
        recording: from.uint32(6, "recording")?,
        channels: from.uint32(7, "channels")?,
    })
}

fn takeover_failed(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::TakeoverFailed {
        recorder: recorder(from)?,
        epoch: epoch(from)?,
        server: server(from, 3)?,
        boot: from.optional_fixed(4)?.map(AgentBoot),
    })
}

fn tenure_ended(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::TenureEnded {
        recorder: recorder(from)?,
        epoch: epoch(from)?,
        server: server(from, 3)?,
        last_ms: from.optional_uint(4)?,
    })
}

fn paused(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::Paused {
        subject: subject(from)?,
        scope: from.choice(2)?,
        until: LogTime(from.uint(3)?),
    })
}

fn noted(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::Noted {
        key: from.text(1, "key", KEY_MAX)?.to_owned(),
        text: from.text(2, "text", NOTE_MAX)?.to_owned(),
    })
}

fn longest_timeout_lowered(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    let server = server(from, 1)?;
    Ok(Event::LongestTimeoutLowered { server, timeout: Duration::from_millis(from.uint(2)?) })
}

fn facts_reported(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    let server = server(from, 1)?;
    Ok(Event::FactsReported { server, facts: copy::read_facts(from.message(2, "Facts")?)? })
}

fn copy_opened(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::CopyOpened {
        copy: copy_id(from)?,
        recorder: from.name(2, "recorder").map(RecorderId)?,
        epoch: Epoch(from.uint(3)?),
        from: server(from, 4)?,
        failover: from.optional_uint(5)?.map(FailoverId),
    })
}

fn copy_progressed(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::CopyProgressed {
        copy: copy_id(from)?,
        progress: copy::read_progress(from.message(2, "Progress")?)?,
        standing: from.choice(3)?,
    })
}

fn copy_steered(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::CopySteered { copy: copy_id(from)?, steering: from.choice(2)? })
}

fn copy_closed(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::CopyClosed {
        copy: copy_id(from)?,
        end: from.choice(2)?,
        progress: copy::read_progress(from.message(3, "Progress")?)?,
    })
}

fn material_erased(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::MaterialErased { copy: copy_id(from)?, server: server(from, 2)? })
}

fn tenure_accounted(from: &mut Reader<'_>) -> Result<Event, Malformed> {
    Ok(Event::TenureAccounted {
        recorder: recorder(from)?,
        epoch: epoch(from)?,
        server: server(from, 3)?,
        account: Arc::new(account::read(from.message(4, "Account")?)?),
    })
}

/// What a plan and a move say alike.
struct Move {
    recorder: RecorderId,
    from: ServerId,
    to: ServerId,
    epoch: Epoch,
    why: Why,
    failover: FailoverId,
    cause: Cause,
}

impl Move {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            recorder: recorder(from)?,
            from: server(from, 2)?,
            to: server(from, 3)?,
            epoch: Epoch(from.uint(4)?),
            why: from.choice(5)?,
            failover: FailoverId(from.uint(6)?),
            cause: from.choice(7)?,
        })
    }
}

fn recorder(from: &mut Reader<'_>) -> Result<RecorderId, Malformed> {
    from.name(1, "recorder").map(RecorderId)
}

fn server(from: &mut Reader<'_>, field: u32) -> Result<ServerId, Malformed> {
    from.name(field, "server").map(ServerId)
}

fn copy_id(from: &mut Reader<'_>) -> Result<CopyId, Malformed> {
    from.uint(1).map(CopyId)
}

fn epoch(from: &mut Reader<'_>) -> Result<Epoch, Malformed> {
    from.uint(2).map(Epoch)
}

fn subject(from: &mut Reader<'_>) -> Result<Subject, Malformed> {
    let mut from = from.message(1, "Subject")?;
    let subject = match from.peek()? {
        Some(1) => match from.uint(1)? {
            1 => Subject::Everything,
            _ => return Err(from.not_canonical()),
        },
        Some(2) => Subject::Group(GroupId(from.name(2, "group")?)),
        Some(3) => Subject::Server(ServerId(from.name(3, "server")?)),
        Some(field) => return Err(Malformed::UnknownField { message: "Subject", field }),
        None => return Err(Malformed::Missing("subject")),
    };
    from.end()?;
    Ok(subject)
}

fn testimony(from: &mut Reader<'_>) -> Result<Testimony, Malformed> {
    let mut from = from.message(2, "Testimony")?;
    let set = SetId(from.uint(1)?);
    let mut by = BTreeMap::new();
    while let Some(bytes) = from.optional_bytes(2)? {
        let mut witness = Reader::new("Witness", bytes);
        let coordinator = CoordinatorId(witness.uint(1)?);
        let silent = Duration::from_millis(witness.uint(2)?);
        witness.end()?;
        if by.last_key_value().is_some_and(|(last, _)| *last >= coordinator) {
            return Err(Malformed::NotAscending("Testimony.by"));
        }
        by.insert(coordinator, silent);
        if by.len() > MEMBERS_MAX {
            let count = by.len();
            return Err(Malformed::TooMany { field: "Testimony.by", count, max: MEMBERS_MAX });
        }
    }
    from.end()?;
    Ok(Testimony { set, by })
}
