//! Which role may make which call. A caller without the right is refused before anything is read
//! or judged, so such a refusal is never in the log (O4).
use interrex_client::identity::{Peer, PeerIdentity, Role};
use interrex_wire::pb::command_request::Command;
use tonic::{Request, Status};

use crate::log::types::Person;

/// Who reads documents and streams of the history.
pub(super) const READERS: &[Role] = &[Role::Viewer, Role::Operator, Role::Admin, Role::Auditor];
/// Who changes fleet and members.
pub(super) const ADMINS: &[Role] = &[Role::Admin];
const MOVERS: &[Role] = &[Role::Operator, Role::Admin];
const WRITERS: &[Role] = &[Role::Operator, Role::Admin, Role::Auditor];
const AGENTS: &[Role] = &[Role::Agent];

/// Who is allowed to wish for `command`.
pub(super) fn may_wish(command: &Command) -> &'static [Role] {
    match command {
        Command::ApplyFleet(_) => ADMINS,
        Command::FailOver(_)
        | Command::FailBack(_)
        | Command::Pause(_)
        | Command::Resume(_)
        | Command::Copy(_) => MOVERS,
        Command::Note(_) => WRITERS,
    }
}

/// The caller, if its role is one of `allowed`. None under `--insecure`, where everybody on this
/// machine may do everything.
pub(super) fn allow<R>(
    request: &Request<R>,
    allowed: &[Role],
) -> Result<Option<PeerIdentity>, Box<Status>> {
    let peer = request.extensions().get::<Peer>();
    let peer = peer.ok_or_else(|| Box::new(Status::unauthenticated("no connection")))?;
    match peer.identity {
        None => Ok(None),
        Some(identity) if allowed.contains(&identity.role) => Ok(Some(identity)),
        Some(identity) => Err(Box::new(Status::permission_denied(format!(
            "{identity} may not do this; it takes the role {}",
            allowed.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" or ")
        )))),
    }
}

/// The agent that calls; none under `--insecure`.
pub(super) fn agent<R>(request: &Request<R>) -> Result<Option<PeerIdentity>, Box<Status>> {
    allow(request, AGENTS)
}

/// Who is answerable, as the history will know it.
pub(super) fn person(caller: Option<PeerIdentity>) -> Person {
    match caller {
        Some(identity) => Person::new(identity.role.as_str(), identity.name.as_str()),
        None => Person::new("admin", "insecure"),
    }
}
