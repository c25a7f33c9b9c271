//! What operators wish, and what they are told. Twin of `interrex_core::{Command, Reply}` and of
//! `CommandRequest` and `CommandReply`.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::coordinator::io::{Judged, Reply};
use interrex_core::fleet::Fleet;
use interrex_core::{
    Actor, Command, ConfigHash, CopyId, CopySubject, Epoch, Operation, OperationId, OperationKey,
    REASON_MAX, Request, Revision,
};
use pb::command_request::Command as Wished;
use prost::Message;

use crate::limits::REQUEST_MAX;
use crate::{Malformed, choice, decision, fields, fleet, members, pb};

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What, and who.
    pub request: Request,
    /// Only tell what would come of it.
    pub dry_run: bool,
}

/// The request that `message` is, of `actor`: the one whose certificate it came with.
///
/// The length of a note is left to the judge, who refuses it in CONTRACT's words; the recorders'
/// hashes are computed here (an empty one is filled in, another one than ours is refused).
///
/// # Errors
///
/// The message says nothing that could be judged.
pub fn read(message: pb::CommandRequest, actor: Actor) -> Result<Asked, Malformed> {
    let id = decision::operation_id(&message.operation)?;
    let reason = fields::text("reason", message.reason, REASON_MAX)?;
    let ticket = fields::text("ticket", message.ticket, REASON_MAX)?;
    let command = read_command(fields::present("command", message.command)?)?;
    let key = OperationKey { id, command: hash(&command) };
    let operation = Operation { key, seen: message.seen };
    let request = Request { actor, operation, reason, ticket, command };
    Ok(Asked { request, dry_run: message.dry_run })
}

/// By which the same command is known again: the first eight bytes, least significant first, of
/// BLAKE3 over a `CommandRequest` with nothing in it but the command.
pub fn hash(command: &Command) -> u64 {
    let alone = pb::CommandRequest { command: Some(command.into()), ..Default::default() };
    members::first_eight(&blake3::hash(&alone.encode_to_vec()))
}

impl From<&Command> for Wished {
    fn from(command: &Command) -> Self {
        match command {
            Command::ApplyFleet { fleet, expect } => Self::ApplyFleet(pb::ApplyFleet {
                fleet: Some(fleet.as_ref().into()),
                expect_revision: expect.map(|revision| revision.0),
            }),
            Command::FailOver { recorder, to, expect, despite } => Self::FailOver(pb::FailOver {
                recorder: recorder.to_string(),
                to: to.map(|server| server.to_string()).unwrap_or_default(),
                expect_epoch: expect.map(|epoch| epoch.0),
                despite: *despite,
            }),
            Command::FailBack { recorder, expect, despite } => Self::FailBack(pb::FailBack {
                recorder: recorder.to_string(),
                expect_epoch: expect.map(|epoch| epoch.0),
                despite: *despite,
            }),
            Command::Pause { subject, scope, lasts } => Self::Pause(pb::Pause {
                subject: Some(subject.into()),
                scope: choice::number(*scope),
                lasts_ms: fields::millis(*lasts),
            }),
            Command::Resume { subject } => {
                Self::Resume(pb::Resume { subject: Some(subject.into()) })
            }
            Command::Note { key, text, expect } => Self::Note(pb::Note {
                key: key.clone(),
                text: text.clone(),
                expect: expect.map(|revision| revision.0),
            }),
            Command::Copy { subject, wish } => Self::Copy(pb::Copy {
                subject: Some(match subject {
                    CopySubject::Id(copy) => pb::copy::Subject::Id(copy.0),
                    CopySubject::Recorder(recorder) => {
                        pb::copy::Subject::Recorder(recorder.to_string())
                    }
                }),
                wish: choice::number(*wish),
            }),
        }
    }
}

fn read_command(command: Wished) -> Result<Command, Malformed> {
    Ok(match command {
        Wished::ApplyFleet(apply) => Command::ApplyFleet {
            fleet: Arc::new(read_fleet(fields::present("fleet", apply.fleet)?)?),
            expect: apply.expect_revision.map(Revision),
        },
        Wished::FailOver(wish) => Command::FailOver {
            recorder: fields::name("recorder", &wish.recorder)?,
            to: fields::optional_name("to", &wish.to)?,
            expect: wish.expect_epoch.map(Epoch),
            despite: wish.despite,
        },
        Wished::FailBack(wish) => Command::FailBack {
            recorder: fields::name("recorder", &wish.recorder)?,
            expect: wish.expect_epoch.map(Epoch),
            despite: wish.despite,
        },
        Wished::Pause(pause) => Command::Pause {
            subject: fields::present("subject", pause.subject)?.try_into()?,
            scope: choice::read(pause.scope)?,
            lasts: Duration::from_millis(pause.lasts_ms),
        },
        Wished::Resume(resume) => {
            Command::Resume { subject: fields::present("subject", resume.subject)?.try_into()? }
        }
        Wished::Note(note) => Command::Note {
            key: fields::text("key", note.key, REQUEST_MAX)?,
            text: fields::text("text", note.text, REQUEST_MAX)?,
            expect: note.expect.map(Revision),
        },
        Wished::Copy(copy) => Command::Copy {
            subject: match fields::present("subject", copy.subject)? {
                pb::copy::Subject::Id(id) => CopySubject::Id(CopyId(id)),
                pb::copy::Subject::Recorder(name) => {
                    CopySubject::Recorder(fields::name("recorder", &name)?)
                }
            },
            wish: choice::read(copy.wish)?,
        },
    })
}

fn read_fleet(mut document: pb::Fleet) -> Result<Fleet, Malformed> {
    for recorder in &mut document.recorders {
        let ConfigHash(ours) = fleet::config_hash(recorder.channels);
        if recorder.config.is_empty() {
            recorder.config = ours.to_vec();
        } else if recorder.config != ours {
            return Err(Malformed::WrongHash("recorder config"));
        }
    }
    document.try_into()
}

/// The message that tells `reply`; none if another coordinator must be asked. `operation` is the
/// one that was asked about, `revision` the applied one, both for replies that stand in no log.
pub fn write_reply(
    reply: &Reply,
    operation: OperationId,
    revision: Revision,
) -> Option<pb::CommandReply> {
    let (outcome, recorded, unknown) = match reply {
        Reply::Judged(judged) => return Some(judged.into()),
        Reply::NotLeader(_) => return None,
        Reply::WouldBe(outcome) => (outcome.clone(), false, false),
        Reply::NotNow(refused) => (Err(refused.clone()), false, false),
        Reply::Unknown(_) => (Ok(Vec::new()), false, true),
    };
    let operation = operation.0.to_be_bytes().to_vec();
    let said = pb::CommandReply { revision: revision.0, operation, ..Default::default() };
    Some(with_outcome(pb::CommandReply { recorded, unknown, ..said }, &outcome))
}

impl From<&Judged> for pb::CommandReply {
    fn from(judged: &Judged) -> Self {
        let said = Self {
            revision: judged.revision.0,
            operations: judged.operations,
            operation: judged.operation.0.to_be_bytes().to_vec(),
            failover: judged.failover.map(|failover| failover.0),
            recorded: true,
            ..Default::default()
        };
        with_outcome(said, &judged.outcome)
    }
}

fn with_outcome(
    mut reply: pb::CommandReply,
    outcome: &Result<Vec<&'static str>, interrex_core::Refused>,
) -> pb::CommandReply {
    match outcome {
        Ok(kinds) => reply.events = kinds.iter().map(ToString::to_string).collect(),
        Err(refused) => reply.refused = Some(refused.into()),
    }
    reply
}
