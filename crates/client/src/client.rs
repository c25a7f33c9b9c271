//! A client that finds the leader, follows it, repeats safely, and watches.
//!
//! A command that was sent and not answered is *unknown*, never "failed": see [`Error`].
//! Deliberately absent: reading arguments and printing (cli).
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interrex_wire::pb::{self, View};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::identity::{Connector, Role, Security};
use crate::views::Status;
use link::{Trouble, service, trouble};

mod change;
mod error;
mod link;
mod stream;
mod walk;
mod watch;

pub use change::{Seen, Wish, new_operation, shown};
pub use error::Error;
pub use link::{CODE, LEADER, REMEDY};
pub use stream::Pipeline;
pub use watch::{Frames, Watch};

/// An attempt without answer is given up after this, and another coordinator asked.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// Whom to ask, as whom, and for how long.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port` of some coordinators.
    pub endpoints: Vec<String>,
    /// Own identity.
    pub security: Security,
    /// For each call, all attempts together.
    pub timeout: Duration,
}

/// What to read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Which document.
    pub view: View,
    /// One item of it; all if empty.
    pub name: String,
    /// What whichever coordinator answers has, without asking a majority.
    pub stale: bool,
}

/// A client of one cluster. Connections are made when needed and kept.
pub struct Client {
    settings: Settings,
    connector: Connector,
    known: Mutex<Known>,
    /// Where rounds begin, so that many clients do not all ask the first.
    first: usize,
}

#[derive(Default)]
struct Known {
    channels: BTreeMap<String, Channel>,
    leader: Option<String>,
    seen: Option<u64>,
}

impl Read {
    /// All items of a view, linearizable.
    pub fn all(view: View) -> Self {
        Self { view, name: String::new(), stale: false }
    }

    fn request(&self) -> pb::ReadRequest {
        pb::ReadRequest { view: self.view.into(), name: self.name.clone(), stale: self.stale }
    }
}

impl Client {
    /// Makes a client. Connects to nobody yet.
    ///
    /// # Errors
    ///
    /// No endpoints, or an unusable identity.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        if settings.endpoints.is_empty() {
            let why = "no endpoints: give --endpoints H:P,.. or set INTERREX_ENDPOINTS".to_owned();
            return Err(crate::identity::BadIdentity::Argument(why).into());
        }
        let connector = Connector::new(&settings.security, Role::Coordinator, None)?;
        Ok(Self { settings, connector, known: Mutex::default(), first: 0 })
    }

    /// The same, beginning each round with another endpoint.
    #[must_use]
    pub fn beginning_with(mut self, first: usize) -> Self {
        self.first = first;
        self
    }

    /// The addresses that it was given.
    pub fn endpoints(&self) -> &[String] {
        &self.settings.endpoints
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with code `unknown_name`, [`Error::Denied`], [`Error::Unavailable`].
    pub async fn read<T: DeserializeOwned>(&self, read: &Read) -> Result<T, Error> {
        let (address, json) = self.read_json(read).await?;
        decode(&address, &json)
    }

    /// Reads a document as it was written, and who wrote it.
    ///
    /// # Errors
    ///
    /// As [`Client::read`].
    pub async fn read_json(&self, read: &Read) -> Result<(String, Vec<u8>), Error> {
        let deadline = Instant::now() + self.settings.timeout;
        let mut walk = self.walk(deadline);
        while let Some(address) = walk.next().await {
            match self.read_from(&address, read, deadline).await {
                Ok(json) => return Ok((address, json)),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Denied(error)) => {
                    self.moved(&address, None);
                    if walk.is_round() {
                        return Err(error);
                    }
                    walk.failed(error.to_string());
                }
                Err(Trouble::NotHere { leader, why }) => {
                    self.moved(&address, leader);
                    walk.failed(why);
                }
                Err(Trouble::Unanswered(why)) => {
                    self.forget(&address);
                    walk.failed(why);
                }
            }
        }
        Err(walk.unavailable())
    }

    async fn read_from(
        &self,
        address: &str,
        read: &Read,
        deadline: Instant,
    ) -> Result<Vec<u8>, Trouble> {
        let mut service = service(self.channel(address).await?);
        let answered =
            tokio::time::timeout_at(self.attempt_end(deadline), service.read(read.request()));
        match answered.await {
            Ok(Ok(reply)) => Ok(reply.into_inner().json.to_vec()),
            Ok(Err(status)) => Err(trouble(address, &status)),
            Err(_) => Err(Trouble::Unanswered(format!("{address}: no answer in time"))),
        }
    }

    /// Has the leader hand leadership over; answers who leads now, if that is known in time.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]; [`Error::Refused`] if nobody can take it.
    pub async fn step_down(&self) -> Result<Option<String>, Error> {
        let deadline = Instant::now() + self.settings.timeout;
        let mut walk = self.walk(deadline);
        while let Some(address) = walk.next().await {
            let found = match self.channel(&address).await {
                Ok(channel) => match service(channel).step_down(pb::StepDownRequest {}).await {
                    Ok(reply) => {
                        self.moved(&address, None);
                        let leader = reply.into_inner().leader;
                        return Ok((!leader.is_empty()).then_some(leader));
                    }
                    Err(status) => trouble(&address, &status),
                },
                Err(found) => found,
            };
            self.settle(&address, found)?;
            walk.failed(format!("{address} does not lead"));
        }
        Err(walk.unavailable())
    }

    /// O1: operations applied, as this client last read it.
    ///
    /// # Errors
    ///
    /// As [`Client::read`].
    pub async fn seen(&self) -> Result<u64, Error> {
        if let Some(seen) = self.known().seen {
            return Ok(seen);
        }
        // An older number is as good: what is judged late is refused earlier, never twice.
        let read = Read { stale: true, ..Read::all(View::Status) };
        let status: Status = self.read(&read).await?;
        self.note_seen(status.operations);
        Ok(status.operations)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leader(&self) -> Option<String> {
        self.known().leader.clone()
    }

    /// Who is asked in a turn of a stream: the leader first.
    fn someone(&self, turn: usize) -> String {
        let leader = if turn == 0 { self.leader() } else { None };
        let endpoints = &self.settings.endpoints;
        let at = (turn + self.first).checked_rem(endpoints.len()).unwrap_or(0);
        leader.or_else(|| endpoints.get(at).cloned()).unwrap_or_default()
    }

    fn note_seen(&self, operations: u64) {
        let mut known = self.known();
        known.seen = known.seen.max(Some(operations).filter(|seen| *seen > 0));
    }

    fn leads(&self, address: &str) {
        let mut known = self.known();
        if known.leader.as_deref() != Some(address) {
            known.leader = Some(address.to_owned());
        }
    }

    /// `address` said that another one leads, or it cannot be reached.
    fn moved(&self, address: &str, leader: Option<String>) {
        let mut known = self.known();
        known.leader = leader.filter(|leader| leader != address);
    }

    /// The connection to `address` proved useless.
    fn forget(&self, address: &str) {
        let mut known = self.known();
        known.channels.remove(address);
        known.leader.take_if(|leader| leader == address);
    }

    fn attempt_end(&self, deadline: Instant) -> Instant {
        deadline.min(Instant::now() + ATTEMPT_MAX)
    }

    /// For calls that may be repeated as they are.
    fn settle(&self, address: &str, found: Trouble) -> Result<(), Error> {
        match found {
            Trouble::Final(error) | Trouble::Denied(error) => Err(error),
            Trouble::NotHere { leader, .. } => {
                self.moved(address, leader);
                Ok(())
            }
            Trouble::Unanswered(_) => {
                self.forget(address);
                Ok(())
            }
        }
    }

    async fn channel(&self, address: &str) -> Result<Channel, Trouble> {
        let kept = self.known().channels.get(address).cloned();
        if let Some(channel) = kept {
            return Ok(channel);
        }
        let channel = link::connect(address, self.connector.clone()).await?;
        self.known().channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}

fn decode<T: DeserializeOwned>(address: &str, json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json)
        .map_err(|why| Error::Unreadable { address: address.to_owned(), why: why.to_string() })
}
