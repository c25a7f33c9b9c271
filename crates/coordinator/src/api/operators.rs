//! The service of operators and clients: commands, documents, watches, the history, step-down.
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use interrex_client::identity::PeerIdentity;
use interrex_core::Actor;
use interrex_core::coordinator::io::Reply;
use interrex_wire::Malformed;
use interrex_wire::command;
use interrex_wire::pb::operators_server::Operators;
use interrex_wire::pb::{
    CommandReply, CommandRequest, HistoryReply, HistoryRequest, ReadReply, ReadRequest, Refused,
    StepDownReply, StepDownRequest,
};
use tokio::sync::oneshot;
use tonic::{Code, Request, Response, Status, Streaming};

use super::{Shared, access, history, read};
use crate::folder::Room;
use crate::node::Asked;

/// A judgement that takes longer is told as unknown: the caller asks again with the same id.
const JUDGED_WITHIN: Duration = Duration::from_secs(10);
/// Commands of one stream that may be on their way.
const PIPELINE: usize = 256;
/// Commands that may wait for their answer at once; beyond, a caller comes back later.
const WAITING_MAX: usize = 16_384;

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves operators and clients.
pub(crate) struct OperatorService(Arc<Shared>);

impl OperatorService {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

#[tonic::async_trait]
impl Operators for OperatorService {
    async fn judge(
        &self,
        request: Request<CommandRequest>,
    ) -> Result<Response<CommandReply>, Status> {
        let caller = access::allow(&request, WISHERS).map_err(|status| *status)?;
        let reply = judge(&self.0, caller, request.into_inner()).await;
        reply.map(Response::new).map_err(|status| *status)
    }

    type JudgeManyStream = Streamed<CommandReply>;

    async fn judge_many(
        &self,
        request: Request<Streaming<CommandRequest>>,
    ) -> Result<Response<Self::JudgeManyStream>, Status> {
        let caller = access::allow(&request, WISHERS).map_err(|status| *status)?;
        let shared = Arc::clone(&self.0);
        let stop = shared.stop.clone();
        let replies = request.into_inner().map(move |asked| {
            let shared = Arc::clone(&shared);
            async move { judge(&shared, caller, asked?).await.map_err(|status| *status) }
        });
        let replies = replies.buffered(PIPELINE).take_until(stop.cancelled_owned());
        Ok(Response::new(Box::pin(replies)))
    }

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<ReadReply>, Status> {
        access::allow(&request, access::READERS).map_err(|status| *status)?;
        let document = read::read(&self.0, &request.into_inner()).await;
        document.map(Response::new).map_err(|status| *status)
    }

    type WatchStream = Streamed<ReadReply>;

    async fn watch(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        access::allow(&request, access::READERS).map_err(|status| *status)?;
        let stop = self.0.stop.clone();
        let documents = read::watch(Arc::clone(&self.0), request.into_inner());
        Ok(Response::new(Box::pin(documents.take_until(stop.cancelled_owned()))))
    }

    type HistoryStream = Streamed<HistoryReply>;

    async fn history(
        &self,
        request: Request<HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        access::allow(&request, access::READERS).map_err(|status| *status)?;
        let stop = self.0.stop.clone();
        let pages = history::pages(self.0.history.clone(), request.into_inner());
        Ok(Response::new(Box::pin(pages.take_until(stop.cancelled_owned()))))
    }

    async fn step_down(
        &self,
        request: Request<StepDownRequest>,
    ) -> Result<Response<StepDownReply>, Status> {
        access::allow(&request, access::ADMINS).map_err(|status| *status)?;
        if self.0.consensus.standing().leader != Some(self.0.circle.id) {
            return Err(self.0.not_leader().await);
        }
        let consensus = Arc::clone(&self.0.consensus);
        let runtime = consensus.runtime().clone();
        let leader = runtime.spawn(async move { consensus.step_down().await }).await;
        let leader = leader.ok().flatten().ok_or_else(|| {
            let message = "no other voter took the leadership";
            let remedy = "see whether the others are reachable: `interrex member list`";
            super::refused(Code::FailedPrecondition, "would_lose_quorum", message, remedy)
        })?;
        let members = self.0.circle.members();
        let leader = members.get(&leader.0).map(|member| member.name.clone());
        Ok(Response::new(StepDownReply { leader: leader.unwrap_or_default() }))
    }
}

/// Who may wish for anything at all; each command is looked at by itself.
const WISHERS: &[interrex_client::identity::Role] = &[
    interrex_client::identity::Role::Operator,
    interrex_client::identity::Role::Admin,
    interrex_client::identity::Role::Auditor,
];

async fn judge(
    shared: &Shared,
    caller: Option<PeerIdentity>,
    message: CommandRequest,
) -> Result<CommandReply, Box<Status>> {
    let wished = message.command.as_ref();
    let wished = wished.ok_or_else(|| Box::new(Status::invalid_argument("no command")))?;
    let allowed = access::may_wish(wished);
    if let Some(caller) = caller
        && !allowed.contains(&caller.role)
    {
        let roles = allowed.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" or ");
        let why = format!("{caller} may not do this; it takes the role {roles}");
        return Err(Box::new(Status::permission_denied(why)));
    }
    let person = access::person(caller);
    let asked = command::read(message, Actor::Person(person.id));
    let asked = asked.map_err(|bad| Box::new(malformed(&bad)))?;
    let operation = asked.request.operation.key.id;
    let said = |reply: &Reply| {
        let revision = shared.node.seen().borrow().revision;
        command::write_reply(reply, operation, revision)
    };
    if let Some(refused) = no_room(shared) {
        return said(&Reply::NotNow(refused)).ok_or_else(stopping);
    }
    let (reply, answer) = oneshot::channel();
    let asked = Asked { request: asked.request, person, dry_run: asked.dry_run, reply };
    shared.node.ask(asked).await.map_err(|_| stopping())?;
    let reply = match tokio::time::timeout(JUDGED_WITHIN, answer).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) | Err(_) => Reply::Unknown(operation),
    };
    match said(&reply) {
        Some(reply) => Ok(reply),
        None => Err(Box::new(shared.not_leader().await)),
    }
}

/// A field that is too long is told apart (`too_long`).
fn malformed(bad: &Malformed) -> Status {
    if let Malformed::TooLong { .. } = bad {
        return Status::out_of_range(bad.to_string());
    }
    Status::invalid_argument(bad.to_string())
}

/// Refusals that speak for this attempt only (O4): never in the log.
fn no_room(shared: &Shared) -> Option<interrex_core::Refused> {
    let refused = if shared.node.seen().borrow().waiting >= WAITING_MAX {
        Refused {
            code: "rate_limited".into(),
            message: format!("{WAITING_MAX} commands wait for their answer"),
            remedy: "send it again, a little later".into(),
        }
    } else if matches!(shared.room(), Room::Low { .. }) {
        Refused {
            code: "disk_full".into(),
            message: format!("the disk of {} is nearly full", shared.config.name),
            remedy: "make room on the disk of the data folder".into(),
        }
    } else {
        return None;
    };
    interrex_core::Refused::try_from(refused).ok()
}

fn stopping() -> Box<Status> {
    Box::new(Status::unavailable("this coordinator is stopping"))
}
