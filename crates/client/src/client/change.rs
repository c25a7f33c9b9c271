//! Commands: sent until they are answered, always under one operation id (O1, O4, O5).
use std::time::Duration;

use interrex_core::{Command, OperationId};
use interrex_wire::pb;
use tokio::time::Instant;

use super::link::{Trouble, service, trouble};
use super::{Client, Error};
use crate::views::{API, Changed};

/// Refusals that are never recorded: each speaks for one attempt only (O4).
const NEVER_RECORDED: [&str; 2] = ["rate_limited", "disk_full"];
/// Before an attempt that another one's refusal leads to.
const PATIENCE: Duration = Duration::from_millis(100);

/// A command, and how it is named.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of an act")]
pub struct Wish {
    pub operation: OperationId,
    pub seen: Seen,
    pub reason: String,
    pub ticket: String,
    /// Only tell what would come of it.
    pub dry_run: bool,
    pub command: Command,
}

/// What belongs to an operation id (O1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The id was never sent before: the client reads the number of operations first.
    New,
    /// The id was sent before, with this number.
    Before(u64),
    /// The id was sent before, and its number is lost: it is only asked for, never judged.
    Lost,
}

/// What one attempt came to.
enum Step {
    Done(Changed),
    End(Error),
    /// Surely not judged there.
    Elsewhere(String),
    /// Perhaps judged.
    Silence(String),
    /// Refused this attempt only.
    NotNow(Error),
}

/// A new operation id: a UUID v7.
pub fn new_operation() -> OperationId {
    OperationId(uuid::Uuid::now_v7().as_u128())
}

/// As people and scripts see it.
pub fn shown(operation: OperationId) -> String {
    uuid::Uuid::from_u128(operation.0).to_string()
}

impl Client {
    /// Has one command judged: follows the leader, and repeats with the same id until there is an
    /// answer or the time is over.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] means that it has no effect, ever; [`Error::Unknown`] that it may have
    /// one; [`Error::Unavailable`] that it was not sent.
    pub async fn change(&self, wish: &Wish) -> Result<Changed, Error> {
        let deadline = Instant::now() + self.settings.timeout;
        let seen = match wish.seen {
            Seen::New => Some(self.seen().await?),
            Seen::Before(seen) => Some(seen),
            Seen::Lost => None,
        };
        let request = request(wish, seen);
        let mut walk = self.walk(deadline);
        // O4: whether an earlier attempt may have been judged.
        let mut sent_before = wish.seen != Seen::New;
        loop {
            let Some(address) = walk.next().await else {
                let operation = shown(wish.operation);
                let why = walk.why();
                return Err(if sent_before {
                    Error::Unknown { operation, seen, why }
                } else {
                    walk.unavailable()
                });
            };
            match self.attempt(&address, &request, wish, deadline).await {
                Step::Done(changed) => return Ok(changed),
                Step::End(error) => return Err(error),
                Step::Elsewhere(why) => walk.failed(why),
                Step::Silence(why) if wish.seen == Seen::Lost => {
                    return Err(Error::Unknown { operation: shown(wish.operation), seen, why });
                }
                Step::Silence(why) => {
                    sent_before = true;
                    walk.failed(why);
                }
                Step::NotNow(refused) if !sent_before => return Err(refused),
                Step::NotNow(refused) => {
                    walk.failed(refused.to_string());
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    }

    async fn attempt(
        &self,
        address: &str,
        request: &pb::CommandRequest,
        wish: &Wish,
        deadline: Instant,
    ) -> Step {
        let channel = match self.channel(address).await {
            Ok(channel) => channel,
            Err(found) => return self.step(address, found),
        };
        let mut service = service(channel);
        let answered =
            tokio::time::timeout_at(self.attempt_end(deadline), service.judge(request.clone()));
        match answered.await {
            Ok(Ok(reply)) => {
                self.leads(address);
                self.judged(reply.into_inner(), wish)
            }
            Ok(Err(status)) => self.step(address, trouble(address, &status)),
            Err(_) => {
                self.forget(address);
                Step::Silence(format!("{address}: no answer in time"))
            }
        }
    }

    fn step(&self, address: &str, found: Trouble) -> Step {
        match found {
            Trouble::Final(Error::Refused { code, message, remedy, operation })
                if NEVER_RECORDED.contains(&code.as_str()) =>
            {
                Step::NotNow(Error::Refused { code, message, remedy, operation })
            }
            Trouble::Final(error) | Trouble::Denied(error) => Step::End(error),
            Trouble::NotHere { leader, why } => {
                self.moved(address, leader);
                Step::Elsewhere(why)
            }
            Trouble::Unanswered(why) => {
                self.forget(address);
                Step::Silence(why)
            }
        }
    }

    fn judged(&self, reply: pb::CommandReply, wish: &Wish) -> Step {
        let operation = shown(wish.operation);
        self.note_seen(reply.operations);
        if reply.unknown {
            return Step::Silence("the coordinator does not know what came of it".to_owned());
        }
        let Some(refused) = reply.refused else {
            return Step::Done(Changed {
                api: API,
                revision: reply.revision,
                operations: reply.operations,
                operation,
                events: reply.events,
                failover: reply.failover,
                recorded: reply.recorded,
            });
        };
        let never = NEVER_RECORDED.contains(&refused.code.as_str());
        let pb::Refused { code, message, remedy } = refused;
        let error = Error::Refused { code, message, remedy, operation: Some(operation) };
        if never && !reply.recorded { Step::NotNow(error) } else { Step::End(error) }
    }
}

pub(super) fn request(wish: &Wish, seen: Option<u64>) -> pb::CommandRequest {
    pb::CommandRequest {
        operation: wish.operation.0.to_be_bytes().to_vec(),
        seen,
        reason: wish.reason.clone(),
        ticket: wish.ticket.clone(),
        dry_run: wish.dry_run,
        command: Some((&wish.command).into()),
    }
}
