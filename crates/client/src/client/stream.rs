//! Commands one behind the other on one stream: for bulk and for benchmarks. Answers come in the
//! order of the requests; a broken stream leaves what was not answered unknown.
use interrex_wire::pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::link::{service, trouble};
use super::{Client, Error, Trouble, Wish, change, shown};

/// Requests on their way at once.
const DEPTH: usize = 256;

/// An open stream to the leader.
pub struct Pipeline {
    address: String,
    requests: mpsc::Sender<pb::CommandRequest>,
    replies: Streaming<pb::CommandReply>,
}

impl Client {
    /// Opens a stream to the leader, if it is where this client last found it.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it is not; [`Error::Denied`].
    pub async fn pipeline(&self) -> Result<Pipeline, Error> {
        let address = self.someone(0);
        let unavailable = |why: String| Error::Unavailable { why, asked: address.clone() };
        let settled = |found: Trouble| match found {
            Trouble::Final(error) | Trouble::Denied(error) => error,
            Trouble::NotHere { why, .. } | Trouble::Unanswered(why) => unavailable(why),
        };
        let channel = self.channel(&address).await.map_err(settled)?;
        let (requests, queue) = mpsc::channel(DEPTH);
        let opened = service(channel).judge_many(ReceiverStream::new(queue)).await;
        let replies = opened.map_err(|status| settled(trouble(&address, &status)))?.into_inner();
        Ok(Pipeline { address, requests, replies })
    }
}

impl Pipeline {
    /// Sends one more; waits while too many are on their way.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`]: the stream is broken.
    pub async fn send(&self, wish: &Wish, seen: u64) -> Result<(), Error> {
        let request = change::request(wish, Some(seen));
        self.requests.send(request).await.map_err(|_| Error::Unknown {
            operation: shown(wish.operation),
            seen: Some(seen),
            why: format!("the stream to {} is broken", self.address),
        })
    }

    /// The answer to the oldest request that has none yet.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]: the stream is broken, and what was sent is unknown.
    pub async fn next(&mut self) -> Result<pb::CommandReply, Error> {
        let broken = |why: String| Error::Unavailable { why, asked: self.address.clone() };
        match self.replies.message().await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(broken("the stream ended".to_owned())),
            Err(status) => Err(broken(status.message().to_owned())),
        }
    }
}
