//! Reading one view: linearizable by a read index (never by a lease), or stale with its age.
//! What a view looks like is in `render`.
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use interrex_core::{LogIndex, ServerId};
use interrex_wire::pb::{ReadReply, ReadRequest, View};
use tonic::{Code, Status};

use super::Shared;
use super::render::{self, Context, Seer};

/// How long a reader waits until what it asked for is applied here.
const APPLY_MAX: Duration = Duration::from_secs(3);
/// Documents that change without a revision (silence, reachability) are looked at this often.
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// A watcher that cannot be answered is told so after this many tries.
const WATCH_TRIES: u32 = 20;
/// Longest name that is looked up.
const NAME_MAX: usize = 256;

/// One document.
pub(super) async fn read(
    shared: &Arc<Shared>,
    request: &ReadRequest,
) -> Result<ReadReply, Box<Status>> {
    if request.name.len() > NAME_MAX {
        return Err(Box::new(Status::invalid_argument("the name is too long")));
    }
    let view = request.view();
    let leads = shared.consensus.standing().leader == Some(shared.circle.id);
    let by_leader = matches!(view, View::Status | View::Servers | View::Members);
    if !request.stale {
        if by_leader && !leads {
            return Err(Box::new(shared.not_leader().await));
        }
        let index = read_index(shared, leads).await?;
        let applied = tokio::time::timeout(APPLY_MAX, shared.node.applied(index)).await;
        if !matches!(applied, Ok(Ok(()))) {
            return Err(Box::new(Status::unavailable("this member is behind")));
        }
    }
    let context = context(shared, view, request.stale).await;
    let name = request.name.clone();
    let document = shared.node.query(move |inside| render::document(view, &name, &context, inside));
    let document =
        document.await.map_err(|gone| Box::new(Status::unavailable(gone.to_string())))?;
    let document = document.map_err(Box::new)?;
    let json = serde_json::to_vec(&document.body);
    let json = json.map_err(|error| Box::new(Status::internal(error.to_string())))?;
    let (revision, age_ms) = (document.revision, document.age_ms);
    Ok(ReadReply { json: json.into(), revision, age_ms })
}

async fn read_index(shared: &Shared, leads: bool) -> Result<LogIndex, Box<Status>> {
    if leads {
        let index = shared.consensus.own_read_index().await;
        return index.map_err(|why| Box::new(Status::unavailable(why.to_string())));
    }
    let index = match shared.consensus.standing().leader {
        Some(leader) => shared.asker.read_index(leader).await,
        None => None,
    };
    match index {
        Some(index) => Ok(index),
        None => Err(Box::new(shared.not_leader().await)),
    }
}

/// What the core does not know: Raft's standing, the other members' own observations.
async fn context(shared: &Arc<Shared>, view: View, stale: bool) -> Context {
    let standing = shared.consensus.standing();
    let asks = !stale && matches!(view, View::Status | View::Servers | View::Members);
    let members = shared.circle.members();
    let others = members.keys().copied().map(interrex_core::CoordinatorId);
    let others = others.filter(|id| asks && *id != shared.circle.id);
    let asked = others.map(|id| async move { (id, shared.asker.observe(id).await) });
    let mut seers: Vec<Seer> = Vec::new();
    // Whoever remembers most refuses: that need not be this member.
    let mut refused = shared.circle.door.turned_away();
    for (id, observed) in futures::future::join_all(asked).await {
        for (of, why) in observed.iter().flat_map(|observed| &observed.refused) {
            refused.entry(*of).or_insert_with(|| why.clone());
        }
        let silent = observed.map(|observed| observed.silent);
        seers.push(Seer { id, silent });
    }
    Context {
        id: shared.circle.id,
        cluster: shared.circle.cluster,
        standing,
        stale,
        address: shared.config.advertise.clone(),
        head: *shared.history.head().borrow(),
        people: shared.history.clone(),
        now: shared.clock.mono(),
        certificate: shared.certificate_left(),
        seers,
        refused,
    }
}

/// The document now, and again whenever it has changed.
pub(super) fn watch(
    shared: Arc<Shared>,
    request: ReadRequest,
) -> impl Stream<Item = Result<ReadReply, Status>> + Send {
    let seen = shared.node.seen();
    let start = (shared, request, seen, None, false);
    futures::stream::unfold(start, |(shared, request, mut seen, mut last, ended)| async move {
        if ended {
            return None;
        }
        let mut failed = 0;
        loop {
            if last.is_some() || failed > 0 {
                // A change of the state, or the time to look at what no revision shows.
                let _ = tokio::time::timeout(WATCH_EVERY, seen.changed()).await;
            }
            match read(&shared, &request).await {
                Ok(reply) => {
                    let shown = comparable(&reply.json);
                    if last.as_ref() != Some(&shown) {
                        last = Some(shown);
                        return Some((Ok(reply), (shared, request, seen, last, false)));
                    }
                    failed = 0;
                }
                // Another member may answer: the client follows the hint.
                Err(status) if status.code() != Code::Unavailable || failed >= WATCH_TRIES => {
                    return Some((Err(*status), (shared, request, seen, last, true)));
                }
                Err(_) => failed += 1,
            }
        }
    })
}

/// The items of a document: revision and age alone are no change.
fn comparable(json: &[u8]) -> serde_json::Value {
    let mut document: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    if let Some(fields) = document.as_object_mut() {
        for volatile in ["revision", "age_ms", "chain", "operations", "coordinators"] {
            fields.remove(volatile);
        }
        let items = fields.get_mut("items").and_then(serde_json::Value::as_array_mut);
        for item in items.into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
            item.remove("silent_ms");
            item.remove("applied_revision");
        }
    }
    document
}

/// A server's silence, in whole milliseconds.
pub(super) fn silent_ms(
    silent: &std::collections::BTreeMap<ServerId, Duration>,
    server: ServerId,
) -> Option<u64> {
    silent.get(&server).map(|silence| u64::try_from(silence.as_millis()).unwrap_or(u64::MAX))
}
