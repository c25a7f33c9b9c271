//! One call on one connection, and what its failure proves: whether anything was sent, and where
//! to ask next.
use std::time::Duration;

use interrex_wire::limits::REPLY_MAX;
use interrex_wire::pb::operators_client::OperatorsClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::Error;
use crate::identity::Connector;

/// A dead address is left after this.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// A silent connection is known as dead after twice this.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Metadata of an answer that only the leader can give: where it is.
pub const LEADER: &str = "interrex-leader";
/// Metadata of a refusal that is no record: its code and its remedy, as CONTRACT has them.
pub const CODE: &str = "interrex-code";
/// See [`CODE`].
pub const REMEDY: &str = "interrex-remedy";

/// A call that gave no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Surely not judged there. Ask elsewhere: at that address, if one is named.
    NotHere { leader: Option<String>, why: String },
    /// Perhaps judged. Ask again with the same operation id.
    Unanswered(String),
    /// One end does not accept the other. Surely not judged there.
    Denied(Error),
    /// Asking elsewhere would not help.
    Final(Error),
}

/// Connects, and looks who answers.
pub(super) async fn connect(address: &str, connector: Connector) -> Result<Channel, Trouble> {
    let not_here =
        |why: String| Trouble::NotHere { leader: None, why: format!("{address}: {why}") };
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|why| not_here(why.to_string()))?
        .connect_timeout(CONNECT_MAX)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    let connected = tokio::time::timeout(CONNECT_MAX, endpoint.connect_with_connector(connector));
    match connected.await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => {
            let why = chain(&error);
            Err(if is_identity(&why) {
                Trouble::Denied(denied(address, &why))
            } else {
                not_here(why)
            })
        }
        Err(_) => Err(not_here("no connection in time".to_owned())),
    }
}

/// The service on a connection, with room for the longest answer.
pub(super) fn service(channel: Channel) -> OperatorsClient<Channel> {
    OperatorsClient::new(channel).max_decoding_message_size(REPLY_MAX)
}

/// What a failed call proves.
pub(super) fn trouble(address: &str, status: &Status) -> Trouble {
    let metadata = |key: &str| {
        status.metadata().get(key).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let why = format!("{address}: {}", status.message());
    // A status with a source was made on this side: the connection broke.
    if std::error::Error::source(status).is_some() {
        let why = chain(status);
        return if is_identity(&why) {
            Trouble::Denied(denied(address, &why))
        } else if never_connected(status) {
            Trouble::NotHere { leader: None, why: format!("{address}: {why}") }
        } else {
            Trouble::Unanswered(format!("{address}: {why}"))
        };
    }
    let refused = |code: &str| {
        let (told, message) = code_and_words(status.message());
        Trouble::Final(Error::Refused {
            code: metadata(CODE).unwrap_or_else(|| told.unwrap_or(code).to_owned()),
            message: message.to_owned(),
            remedy: metadata(REMEDY).unwrap_or_else(|| remedy(status.code()).to_owned()),
            operation: None,
        })
    };
    match status.code() {
        Code::Unavailable | Code::Aborted => Trouble::NotHere { leader: metadata(LEADER), why },
        Code::Unauthenticated | Code::PermissionDenied => Trouble::Final(Error::Denied {
            message: status.message().to_owned(),
            remedy: metadata(REMEDY)
                .unwrap_or_else(|| "use an identity of another role".to_owned()),
        }),
        Code::InvalidArgument => refused("invalid"),
        Code::NotFound => refused("unknown_name"),
        Code::AlreadyExists | Code::FailedPrecondition => refused("precondition"),
        Code::OutOfRange => refused("too_long"),
        Code::ResourceExhausted => refused("rate_limited"),
        Code::Unimplemented => refused("unimplemented"),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::DataLoss => Trouble::Unanswered(why),
    }
}

/// Where the coordinator names none.
fn remedy(code: Code) -> &'static str {
    let remedies = [
        (Code::OutOfRange, "shorten it"),
        (Code::NotFound, "see `interrex get servers` and `interrex get recorders`"),
        (Code::ResourceExhausted, "wait a second, then try again"),
        (Code::Unimplemented, "use programs of one release"),
    ];
    let found = remedies.iter().find(|(known, _)| *known == code);
    found.map_or("correct what the message names, then try again", |(_, remedy)| remedy)
}

/// `unknown_name: there is no such server` names its code; other messages are words only.
fn code_and_words(message: &str) -> (Option<&str>, &str) {
    let is_code =
        |code: &str| code.contains('_') && code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    match message.split_once(": ") {
        Some((code, words)) if is_code(code) => (Some(code), words),
        Some(_) | None => (None, message),
    }
}

/// An error and all that it came from, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if words.last().is_none_or(|last| !last.contains(&said)) {
            words.push(said);
        }
        source = error.source();
    }
    words.join(": ")
}

/// True if there was no connection to send anything on.
fn never_connected(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// By the words of rustls and of ours: what lies between keeps the words, not the types.
fn is_identity(why: &str) -> bool {
    let words = [
        "invalid peer certificate",
        "received fatal alert",
        "answers as ",
        "is not a loopback address",
    ];
    words.iter().any(|word| why.contains(word))
}

fn denied(address: &str, why: &str) -> Error {
    let own = why.contains("received fatal alert");
    let remedy = if own {
        "use an identity that the cluster's CA issued and that has not expired (--tls DIR, \
         `interrex cert issue`)"
    } else {
        "check the address, and that --tls DIR holds the ca.pem of this cluster"
    };
    Error::Denied { message: format!("{address}: {why}"), remedy: remedy.to_owned() }
}
