//! Connections to coordinators: one task each. A task carries beats out and replies in, and ends at
//! the first failure; when there is another one is the core's to say (A3).
use std::collections::BTreeMap;
use std::time::Duration;

use interrex_client::identity::Connector;
use interrex_core::agent::Connection;
use interrex_wire::limits::AGENT_MESSAGE_MAX;
use interrex_wire::pb;
use interrex_wire::pb::agents_client::AgentsClient;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::transport::Endpoint;

/// An idle connection is asked for a sign of life this often, and given this long for it.
const ALIVE: Duration = Duration::from_secs(1);

/// What a connection tells.
#[derive(Debug)]
pub(crate) enum Word {
    /// It stands.
    Opened(Connection),
    /// A coordinator said something.
    Reply(Connection, Box<pb::Reply>),
    /// It could not be made, or is over.
    Closed(Connection, String),
}

/// All connections of this process.
#[derive(Debug)]
pub(crate) struct Links {
    addresses: Vec<String>,
    connector: Opaque,
    beats: watch::Sender<Option<pb::Beat>>,
    words: mpsc::Sender<Word>,
    tasks: BTreeMap<Connection, JoinHandle<()>>,
}

#[derive(Clone)]
struct Opaque(Connector);

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Links {
    /// Nothing is connected.
    pub(crate) fn new(
        addresses: Vec<String>,
        connector: Connector,
        words: mpsc::Sender<Word>,
    ) -> Self {
        let (beats, _) = watch::channel(None);
        Self { addresses, connector: Opaque(connector), beats, words, tasks: BTreeMap::new() }
    }

    /// The address that a connection leads to, for people.
    pub(crate) fn address(&self, connection: Connection) -> &str {
        let at = usize::try_from(connection.link.0).ok();
        at.and_then(|at| self.addresses.get(at)).map_or("", String::as_str)
    }

    /// Opens a connection; the attempt takes no longer than `timeout` (I3).
    pub(crate) fn connect(&mut self, connection: Connection, timeout: Duration) {
        let task = Attend {
            connection,
            address: self.address(connection).to_owned(),
            connector: self.connector.0.clone(),
            timeout,
            beats: self.beats.subscribe(),
            words: self.words.clone(),
        };
        self.tasks.insert(connection, tokio::spawn(task.run()));
    }

    /// Gives it up; nothing more is heard of it but what is already on its way.
    pub(crate) fn close(&mut self, connection: Connection) {
        if let Some(task) = self.tasks.remove(&connection) {
            task.abort();
        }
    }

    /// Over every connection. One that cannot keep up sends the newest only.
    pub(crate) fn beat(&self, beat: pb::Beat) {
        self.beats.send_replace(Some(beat));
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.tasks.values().for_each(JoinHandle::abort);
    }
}

/// One connection's task.
struct Attend {
    connection: Connection,
    address: String,
    connector: Connector,
    timeout: Duration,
    beats: watch::Receiver<Option<pb::Beat>>,
    words: mpsc::Sender<Word>,
}

impl Attend {
    async fn run(self) {
        let (connection, words) = (self.connection, self.words.clone());
        let why = match self.attend().await {
            Ok(()) => "the coordinator ended it".to_owned(),
            Err(why) => why,
        };
        // A full queue means that the loop is behind, not that it is gone: wait for it.
        let _ = words.send(Word::Closed(connection, why)).await;
    }

    async fn attend(self) -> Result<(), String> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint
            .map_err(|why| root_cause(&why))?
            .connect_timeout(self.timeout)
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE)
            .keep_alive_while_idle(true);
        let connect = endpoint.connect_with_connector(self.connector);
        let channel = match tokio::time::timeout(self.timeout, connect).await {
            Ok(connected) => connected.map_err(|why| root_cause(&why))?,
            Err(_) => return Err(format!("no connection within {:?}", self.timeout)),
        };
        let mut client = AgentsClient::new(channel)
            .max_decoding_message_size(AGENT_MESSAGE_MAX)
            .max_encoding_message_size(AGENT_MESSAGE_MAX);
        let beats = WatchStream::new(self.beats).filter_map(|beat| beat);
        let replies = client.attend(beats).await.map_err(|status| refusal(&status))?;
        let mut replies = replies.into_inner();
        let told = |word| async { self.words.send(word).await.map_err(|gone| gone.to_string()) };
        told(Word::Opened(self.connection)).await?;
        while let Some(reply) = replies.message().await.map_err(|status| refusal(&status))? {
            told(Word::Reply(self.connection, Box::new(reply))).await?;
        }
        Ok(())
    }
}

fn refusal(status: &tonic::Status) -> String {
    format!("{}: {}", status.code(), status.message())
}

/// tonic says "transport error" and keeps the reason behind it.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
