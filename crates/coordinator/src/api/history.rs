//! The stream of the history: frames as they stand on this member's disk, and the names of those
//! who act in them. Reads on a blocking thread, page by page, at the reader's pace.
use std::collections::BTreeSet;

use futures::Stream;
use interrex_core::{Actor, PersonId, Revision};
use interrex_wire::pb::history_frame::Body as Sent;
use interrex_wire::pb::{HistoryFrame, HistoryReply, HistoryRequest, Person};
use interrex_wire::{decision, pb};
use tokio::sync::watch;
use tonic::Status;

use crate::history::{Body, Cursor, Frame, Head, History};

/// Bytes of decisions in one message.
const PAGE: usize = 256 << 10;

/// One reader.
struct Reader {
    history: History,
    head: watch::Receiver<Head>,
    cursor: Option<Cursor>,
    /// Last revision that is wanted; none: to the newest.
    to: Option<u64>,
    follow: bool,
    told: BTreeSet<PersonId>,
    ended: bool,
}

/// Pages of the history, from the beginning or from a revision.
pub(super) fn pages(
    history: History,
    request: HistoryRequest,
) -> impl Stream<Item = Result<HistoryReply, Status>> + Send {
    let head = history.head();
    let follow = request.follow && request.to_revision == 0;
    // Without `follow` the end is where the history stands now.
    let to = match (request.to_revision, follow) {
        (0, true) => None,
        (0, false) => Some(head.borrow().revision.0),
        (to, _) => Some(to),
    };
    let cursor = Some(history.read(Revision(request.from_revision)));
    let reader = Reader { history, head, cursor, to, follow, told: BTreeSet::new(), ended: false };
    futures::stream::unfold(reader, |mut reader| async {
        let page = reader.next().await?;
        Some((page, reader))
    })
}

impl Reader {
    async fn next(&mut self) -> Option<Result<HistoryReply, Status>> {
        loop {
            if self.ended {
                return None;
            }
            match self.page().await {
                Ok(frames) if !frames.is_empty() => return Some(Ok(self.reply(frames))),
                Ok(_) if self.follow && !self.ended => {
                    if self.head.changed().await.is_err() {
                        return None;
                    }
                }
                Ok(_) => return None,
                Err(status) => {
                    self.ended = true;
                    return Some(Err(status));
                }
            }
        }
    }

    async fn page(&mut self) -> Result<Vec<Frame>, Status> {
        let Some(mut cursor) = self.cursor.take() else { return Ok(Vec::new()) };
        self.head.mark_unchanged();
        let read = tokio::task::spawn_blocking(move || {
            let frames = cursor.next(PAGE);
            (cursor, frames)
        });
        let (cursor, frames) = read.await.map_err(|error| Status::internal(error.to_string()))?;
        self.cursor = Some(cursor);
        let mut frames = frames.map_err(|error| Status::data_loss(error.to_string()))?;
        if let Some(to) = self.to {
            let whole = frames.len();
            frames.retain(|frame| revision(frame) <= to);
            // A revision beyond, or the last one that is wanted.
            self.ended = frames.len() < whole || frames.iter().any(|frame| revision(frame) == to);
        }
        Ok(frames)
    }

    fn reply(&mut self, frames: Vec<Frame>) -> HistoryReply {
        let mut people = Vec::new();
        for frame in &frames {
            let Body::Decision { bytes, .. } = &frame.body else { continue };
            let acts = decision::decode(bytes).map(|decision| decision.acts).unwrap_or_default();
            for act in acts {
                if let Actor::Person(id) = act.actor
                    && self.told.insert(id)
                    && let Some(person) = self.history.person(id)
                {
                    people.push(Person { id: id.0, role: person.role, name: person.name });
                }
            }
        }
        HistoryReply { frames: frames.into_iter().map(sent).collect(), people }
    }
}

/// Of a decision that stood; 0 otherwise.
fn revision(frame: &Frame) -> u64 {
    match &frame.body {
        Body::Decision { revision, .. } => revision.0,
        Body::Stale(_) | Body::Blank | Body::Members(_) => 0,
    }
}

fn sent(frame: Frame) -> HistoryFrame {
    let (index, term, revision) = (frame.index.0, frame.term, revision(&frame));
    let (body, hash) = match frame.body {
        Body::Decision { bytes, hash, .. } => {
            (Sent::Decision(bytes::Bytes::copy_from_slice(&bytes)), hash.to_vec())
        }
        Body::Stale(_) => (Sent::Stale(true), Vec::new()),
        Body::Blank => (Sent::Blank(true), Vec::new()),
        Body::Members(members) => (Sent::Members(pb::MembersEntry::from(&members)), Vec::new()),
    };
    HistoryFrame { index, term, revision, hash: hash.into(), body: Some(body) }
}
