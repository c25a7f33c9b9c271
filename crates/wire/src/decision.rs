//! Decisions as bytes, and back. Twin of `interrex_core::Decision` and of `decision.proto`.
use interrex_core::{
    Act, Actor, Decision, EVENTS_MAX, Event, LEVEL, Level, LogIndex, LogTime, OperationId,
    OperationKey, PersonId, REASON_MAX, Refused, Verdict,
};

use crate::codec::{Reader, Writer};
use crate::limits::{ACTS_MAX, CODE_MAX, DECISION_MAX, WORDS_MAX};
use crate::{Malformed, event, pb};

/// The bytes that are proposed, logged and chained. The same decision has the same bytes.
pub fn encode(decision: &Decision) -> Vec<u8> {
    let mut to = Writer::with_capacity(64 + 192 * decision.acts.len());
    to.uint(1, decision.basis.0);
    to.uint(2, decision.at.0);
    to.uint(3, decision.level.0.into());
    for act in &decision.acts {
        to.message(4, |to| write_act(to, act));
    }
    to.into_bytes()
}

/// The decision that `bytes` are. Writing it again gives the same bytes.
///
/// # Errors
///
/// [`Malformed::LevelAbove`] and [`Malformed::UnknownEvent`]: this program is too old for the
/// history. Everything else: these are not the bytes of a decision.
pub fn decode(bytes: &[u8]) -> Result<Decision, Malformed> {
    if bytes.len() > DECISION_MAX {
        let (field, length) = ("Decision", bytes.len());
        return Err(Malformed::TooLong { field, length, max: DECISION_MAX });
    }
    let mut from = Reader::new("Decision", bytes);
    let basis = LogIndex(from.uint(1)?);
    let at = LogTime(from.uint(2)?);
    let level = Level(from.uint32(3, "level")?);
    if level == Level(0) {
        return Err(Malformed::Missing("level"));
    }
    if level > LEVEL {
        return Err(Malformed::LevelAbove { reads: LEVEL, found: level });
    }
    let acts = read_acts(from).map_err(|error| error.in_history(level, LEVEL))?;
    Ok(Decision { basis, at, level, acts })
}

/// Basis and log time alone, without reading the acts.
pub(crate) fn stamp(bytes: &[u8]) -> Result<(LogIndex, LogTime), Malformed> {
    let mut from = Reader::new("Decision", bytes);
    Ok((LogIndex(from.uint(1)?), LogTime(from.uint(2)?)))
}

fn read_acts(mut from: Reader<'_>) -> Result<Vec<Act>, Malformed> {
    let (mut acts, mut events) = (Vec::with_capacity(1), 0);
    while let Some(bytes) = from.optional_bytes(4)? {
        acts.push(read_act(Reader::new("Act", bytes))?);
        events += acts.last().map_or(0, |act| act.events().len());
        within("acts", acts.len(), ACTS_MAX)?;
        within("events", events, EVENTS_MAX)?;
    }
    from.end()?;
    Ok(acts)
}

fn within(field: &'static str, count: usize, max: usize) -> Result<(), Malformed> {
    if count > max { Err(Malformed::TooMany { field, count, max }) } else { Ok(()) }
}

fn write_act(to: &mut Writer, act: &Act) {
    to.optional_fixed(
        1,
        match act.actor {
            Actor::Automaton => None,
            Actor::Person(PersonId(id)) => Some(id),
        },
    );
    if let Some(OperationKey { id, command }) = act.operation {
        to.message(2, |to| {
            to.bytes(1, &id.0.to_be_bytes());
            to.fixed(2, command);
        });
    }
    to.bytes(3, act.reason.as_bytes());
    to.bytes(4, act.ticket.as_bytes());
    match &act.outcome {
        Verdict::Done(events) => {
            for event in events {
                to.message(5, |to| event::write(to, event));
            }
        }
        Verdict::Refused(refused) => to.message(6, |to| {
            to.bytes(1, refused.code.as_bytes());
            to.bytes(2, refused.message.as_bytes());
            to.bytes(3, refused.remedy.as_bytes());
        }),
    }
}

fn read_act(mut from: Reader<'_>) -> Result<Act, Malformed> {
    let person = from.optional_fixed(1)?;
    let actor = person.map_or(Actor::Automaton, |id| Actor::Person(PersonId(id)));
    let key = from.optional_bytes(2)?.map(|bytes| read_key(Reader::new("OperationKey", bytes)));
    let operation = key.transpose()?;
    let reason = from.text(3, "reason", REASON_MAX)?.to_owned();
    let ticket = from.text(4, "ticket", REASON_MAX)?.to_owned();
    let outcome = if from.peek()? == Some(6) {
        Verdict::Refused(read_refused(from.message(6, "Refused")?)?)
    } else {
        Verdict::Done(read_events(&mut from)?)
    };
    from.end()?;
    Ok(Act { actor, operation, reason, ticket, outcome })
}

fn read_key(mut from: Reader<'_>) -> Result<OperationKey, Malformed> {
    let id = operation_id(from.optional_bytes(1)?.unwrap_or_default())?;
    let command = from.fixed(2)?;
    from.end()?;
    Ok(OperationKey { id, command })
}

/// A UUID of sixteen bytes.
pub(crate) fn operation_id(bytes: &[u8]) -> Result<OperationId, Malformed> {
    crate::fields::array("operation", bytes).map(|id| OperationId(u128::from_be_bytes(id)))
}

fn read_events(from: &mut Reader<'_>) -> Result<Vec<Event>, Malformed> {
    let mut events = Vec::with_capacity(1);
    while let Some(bytes) = from.optional_bytes(5)? {
        events.push(event::read(bytes)?);
        within("events", events.len(), EVENTS_MAX)?;
    }
    if events.is_empty() {
        // Either another field comes, which `end` would name, or there is no outcome at all.
        return Err(match from.peek()? {
            Some(field) => Malformed::UnknownField { message: "Act", field },
            None => Malformed::Missing("events"),
        });
    }
    Ok(events)
}

fn read_refused(mut from: Reader<'_>) -> Result<Refused, Malformed> {
    let code = from.text(1, "code", CODE_MAX)?.to_owned();
    let message = from.text(2, "message", WORDS_MAX)?.to_owned();
    let remedy = from.text(3, "remedy", WORDS_MAX)?.to_owned();
    from.end()?;
    Ok(Refused { code, message, remedy })
}

impl From<&Refused> for pb::Refused {
    fn from(refused: &Refused) -> Self {
        let Refused { code, message, remedy } = refused.clone();
        Self { code, message, remedy }
    }
}

impl TryFrom<pb::Refused> for Refused {
    type Error = Malformed;

    fn try_from(refused: pb::Refused) -> Result<Self, Malformed> {
        Ok(Self {
            code: crate::fields::text("code", refused.code, CODE_MAX)?,
            message: crate::fields::text("message", refused.message, WORDS_MAX)?,
            remedy: crate::fields::text("remedy", refused.remedy, WORDS_MAX)?,
        })
    }
}
