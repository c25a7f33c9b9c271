//! What the node task hears of the log, in one order: entries appended, cut and committed. The
//! node task folds them; the log and the state machine only send.
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use interrex_core::{Entry, LogIndex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Committed entries that may wait for the node task. More, and the state machine waits.
pub const WAITING_MAX: usize = 1_024;
/// How long an appended membership entry waits, unacknowledged, for the node task to see it.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// Something that happened to this member's log.
#[derive(Debug)]
pub enum Notice {
    /// The next entry is committed: `Input::Applied`.
    Committed(Committed),
    /// A membership entry was appended: `Input::MembersAppended`. It is not acknowledged before
    /// `seen` is dropped (M2), so drop it once the core has been told.
    MembersAppended {
        /// Where.
        index: LogIndex,
        /// Dropped by the receiver.
        seen: Seen,
    },
    /// Everything after `last_kept` was cut: `Input::Truncated`.
    Truncated {
        /// The last entry that stayed; none if nothing did, not even the founding members.
        last_kept: Option<LogIndex>,
    },
}

/// A committed entry.
#[derive(Debug)]
pub struct Committed {
    /// Where it stands.
    pub index: LogIndex,
    /// Raft's term of it.
    pub term: u64,
    /// What it is.
    pub entry: Entry,
    /// Its place among [`WAITING_MAX`], free again when this is dropped.
    _place: Option<OwnedSemaphorePermit>,
}

/// Dropped when the node task has seen a membership entry.
#[derive(Debug)]
pub struct Seen(#[expect(dead_code, reason = "its drop is the message")] std_mpsc::SyncSender<()>);

/// Waits until the node task has seen a membership entry.
#[derive(Debug)]
pub(crate) struct Unseen(std_mpsc::Receiver<()>);

impl Unseen {
    /// False if it was not seen in time: the entry must not be acknowledged.
    pub(crate) fn wait(&self) -> bool {
        let answer = self.0.recv_timeout(SEEN_WITHIN);
        answer != Err(std_mpsc::RecvTimeoutError::Timeout)
    }
}

/// The sending end.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    to: mpsc::UnboundedSender<Notice>,
    places: Arc<Semaphore>,
}

/// A feed and its receiving end.
pub(crate) fn feed() -> (Feed, mpsc::UnboundedReceiver<Notice>) {
    let (to, notices) = mpsc::unbounded_channel();
    (Feed { to, places: Arc::new(Semaphore::new(WAITING_MAX)) }, notices)
}

impl Feed {
    /// Sends a committed entry; waits while too many wait. Without a receiver nothing happens.
    pub(crate) async fn committed(&self, index: LogIndex, term: u64, entry: Entry) {
        if self.to.is_closed() {
            return;
        }
        let place = self.places.clone().acquire_owned().await.ok();
        let committed = Committed { index, term, entry, _place: place };
        let _ = self.to.send(Notice::Committed(committed));
    }

    /// Tells of a membership entry that was appended.
    pub(crate) fn members_appended(&self, index: LogIndex) -> Unseen {
        let (seen, unseen) = std_mpsc::sync_channel(0);
        let _ = self.to.send(Notice::MembersAppended { index, seen: Seen(seen) });
        Unseen(unseen)
    }

    /// Tells of a cut tail.
    pub(crate) fn truncated(&self, last_kept: Option<LogIndex>) {
        let _ = self.to.send(Notice::Truncated { last_kept });
    }
}
