//! A lazily dialled connection to one member for one purpose, and a fresh one after failures: a
//! channel may stay stuck after a partition (RAFT.md section 3).
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interrex_wire::pb::peers_client::PeersClient;
use interrex_wire::pb::{FoundReply, FoundRequest};
use interrex_wire::peer;
use tonic::Status;
use tonic::transport::Channel;

use super::dial::Dialer;

/// Failures in a row after which a channel is given up.
const FAILURES_MAX: u32 = 3;
/// Messages between members; a decision of 4 MiB and its envelope.
pub(super) const MESSAGE_MAX: usize = 9 << 20;
/// A question of the founding is asked again after this.
const FOUND_MAX: Duration = Duration::from_secs(1);
/// The first and the longest wait before a stream is opened again.
pub(super) const BACKOFF: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_millis(500));

/// One purpose's way to one member. Cheap to clone.
#[derive(Clone)]
pub(super) struct Line(Arc<Inner>);

struct Inner {
    dialer: Dialer,
    name: String,
    address: String,
    channel: Mutex<Option<Channel>>,
    failures: AtomicU32,
}

impl Line {
    /// To the member `name` at `address`.
    pub(super) fn new(dialer: &Dialer, name: &str, address: &str) -> Self {
        Self(Arc::new(Inner {
            dialer: dialer.clone(),
            name: name.to_owned(),
            address: address.to_owned(),
            channel: Mutex::new(None),
            failures: AtomicU32::new(0),
        }))
    }

    /// A client on the present channel; dials when it is first used.
    pub(super) fn client(&self) -> PeersClient<Channel> {
        let mut channel = self.0.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { dialer, name, address, .. } = &*self.0;
        let channel = channel.get_or_insert_with(|| dialer.channel(name, address));
        PeersClient::new(channel.clone())
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX)
    }

    /// An answer came.
    pub(super) fn worked(&self) {
        self.0.failures.store(0, Ordering::Relaxed);
    }

    /// None came. After some of these in a row the next call dials anew.
    pub(super) fn failed(&self) {
        if self.0.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_MAX {
            self.renew();
        }
    }

    /// The next call dials anew.
    pub(super) fn renew(&self) {
        self.0.failures.store(0, Ordering::Relaxed);
        *self.0.channel.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Asks the member `name` at `address` about the founding.
///
/// # Errors
///
/// Nobody answers there, or refuses.
pub(crate) async fn ask_founder(
    dialer: &Dialer,
    name: &str,
    address: &str,
    request: FoundRequest,
) -> Result<FoundReply, Box<Status>> {
    let mut client = PeersClient::new(dialer.channel(name, address));
    match tokio::time::timeout(FOUND_MAX, client.found(request)).await {
        Ok(answer) => peer::read_found(answer?.into_inner())
            .map_err(|bad| Box::new(Status::invalid_argument(bad.to_string()))),
        Err(_) => Err(Box::new(Status::deadline_exceeded("no answer"))),
    }
}
