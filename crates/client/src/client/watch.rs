//! Streams that outlive their connections: views whenever they change, and the history.
use std::time::Duration;

use interrex_wire::pb;
use serde::de::DeserializeOwned;
use tonic::Streaming;

use super::link::{Trouble, service, trouble};
use super::{Client, Error, Read};

/// Before a stream is opened again.
const AGAIN: Duration = Duration::from_millis(100);

/// A view now, and again whenever it has changed.
pub struct Watch<'a> {
    client: &'a Client,
    read: Read,
    stream: Option<(String, Streaming<pb::ReadReply>)>,
}

/// Frames of the history, from one coordinator after another.
pub struct Frames<'a> {
    client: &'a Client,
    request: pb::HistoryRequest,
    /// Only this coordinator is asked, and a broken stream is an error.
    only: Option<String>,
    stream: Option<(String, Streaming<pb::HistoryReply>)>,
}

impl Client {
    /// Watches a view. Reconnects by itself.
    pub fn watch(&self, read: Read) -> Watch<'_> {
        Watch { client: self, read, stream: None }
    }

    /// Reads the history from one revision to another (0: the newest), and goes on with what
    /// comes if it `follows`. `only` asks that one coordinator.
    pub fn history(&self, from: u64, to: u64, follow: bool, only: Option<String>) -> Frames<'_> {
        let request = pb::HistoryRequest { from_revision: from, to_revision: to, follow };
        Frames { client: self, request, only, stream: None }
    }
}

impl Watch<'_> {
    /// The next document, read. Waits for as long as it takes.
    ///
    /// # Errors
    ///
    /// Only what does not mend itself: denied, refused, unreadable.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        loop {
            let (address, mut stream) = match self.stream.take() {
                Some(open) => open,
                None => self.open().await?,
            };
            match stream.message().await {
                Ok(Some(reply)) => {
                    let read = super::decode(&address, &reply.json);
                    self.stream = Some((address, stream));
                    return read;
                }
                Ok(None) => {}
                Err(status) => self.client.settle(&address, trouble(&address, &status))?,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn open(&self) -> Result<(String, Streaming<pb::ReadReply>), Error> {
        let mut turn = 0;
        loop {
            let address = self.client.someone(turn);
            turn += 1;
            let opened = match self.client.channel(&address).await {
                Ok(channel) => service(channel)
                    .watch(self.read.request())
                    .await
                    .map_err(|status| trouble(&address, &status)),
                Err(found) => Err(found),
            };
            match opened {
                Ok(stream) => return Ok((address, stream.into_inner())),
                Err(found) => self.client.settle(&address, found)?,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

impl Frames<'_> {
    /// The next frames, and the names of persons in them; None at the end.
    ///
    /// # Errors
    ///
    /// What does not mend itself; a broken stream, if one coordinator alone is asked.
    pub async fn next(&mut self) -> Result<Option<pb::HistoryReply>, Error> {
        loop {
            let (address, mut stream) = match self.stream.take() {
                Some(open) => open,
                None => self.open().await?,
            };
            match stream.message().await {
                Ok(Some(reply)) => {
                    let newest = reply.frames.iter().map(|frame| frame.revision).max();
                    let next = newest.map_or(0, |newest| newest + 1);
                    self.request.from_revision = self.request.from_revision.max(next);
                    self.stream = Some((address, stream));
                    return Ok(Some(reply));
                }
                Ok(None) if !self.request.follow => return Ok(None),
                Ok(None) => {}
                Err(status) => self.settle(&address, trouble(&address, &status))?,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn open(&self) -> Result<(String, Streaming<pb::HistoryReply>), Error> {
        let deadline = tokio::time::Instant::now() + self.client.settings.timeout;
        let mut turn = 0;
        loop {
            let address = self.only.clone().unwrap_or_else(|| self.client.someone(turn));
            turn += 1;
            let opened = match self.client.channel(&address).await {
                Ok(channel) => service(channel)
                    .history(self.request)
                    .await
                    .map_err(|status| trouble(&address, &status)),
                Err(found) => Err(found),
            };
            match opened {
                Ok(stream) => return Ok((address, stream.into_inner())),
                Err(found) => self.settle(&address, found)?,
            }
            if tokio::time::Instant::now() >= deadline && !self.request.follow {
                let asked = self.client.settings.endpoints.join(",");
                return Err(Error::Unavailable { why: "no history in time".to_owned(), asked });
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn settle(&self, address: &str, found: Trouble) -> Result<(), Error> {
        let broken = |why: String| Error::Unavailable { why, asked: address.to_owned() };
        if let (Some(_), Trouble::NotHere { why, .. } | Trouble::Unanswered(why)) =
            (&self.only, &found)
        {
            return Err(broken(why.clone()));
        }
        self.client.settle(address, found)
    }
}
