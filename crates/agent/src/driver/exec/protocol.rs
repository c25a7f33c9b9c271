//! Protocol 1 between the agent and a driver program (docs/drivers.md): what is asked, and what an
//! answer or an exit code means. Nothing is believed that was not checked.
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::call::{End, MESSAGE_MAX, Raw};

/// The major version that is spoken, and its highest minor.
pub(crate) const MAJOR: u64 = 1;
pub(crate) const MINOR: u64 = 0;
/// Segments in one answer.
pub(crate) const PAGE_MAX: usize = 1_000;
/// Larger numbers are not exact in every JSON reader.
const NUMBER_MAX: u64 = 1 << 53;
/// Of a retry that a driver asks for.
const RETRY_MAX: Duration = Duration::from_secs(600);

/// What is in every request.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) server: String,
    pub(crate) recorder: String,
    pub(crate) epoch: u64,
    pub(crate) root: String,
    pub(crate) minor: u64,
}

impl Envelope {
    /// The request as bytes, with what the verb adds.
    pub(crate) fn request(&self, verb: &str, id: &str, deadline: Duration, more: Value) -> Vec<u8> {
        let mut request = json!({
            "protocol": {"major": MAJOR, "minor": self.minor},
            "verb": verb,
            "request_id": id,
            "server": self.server,
            "recorder": self.recorder,
            "epoch": self.epoch,
            "revision": 0,
            "deadline_ms": u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            "root": self.root,
        });
        if let (Value::Object(request), Value::Object(more)) = (&mut request, more) {
            request.extend(more);
        }
        request.to_string().into_bytes()
    }
}

/// Where it helps to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Here, after a while.
    Soft,
    /// On another server.
    Hard,
    /// Nowhere: it would be the same on every server.
    Fatal,
}

/// Why a call did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub(crate) struct Fault {
    pub(crate) kind: String,
    pub(crate) class: Class,
    /// Nothing if it was killed.
    pub(crate) exit: Option<i32>,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
    /// With [`STALE_EPOCH`]: the newest epoch that the driver has seen.
    pub(crate) newest_epoch: Option<u64>,
}

/// The answer to a changing verb of an epoch that is over.
pub(crate) const STALE_EPOCH: i32 = 4;
/// The verb is not known.
pub(crate) const UNKNOWN_VERB: i32 = 3;
/// Done, but for some channels.
const PARTIAL: i32 = 8;

#[derive(Deserialize)]
struct Error {
    kind: String,
    message: String,
    retry_after_ms: Option<u64>,
    #[serde(default)]
    detail: Map<String, Value>,
}

impl Fault {
    pub(crate) fn new(kind: &str, class: Class, message: impl Into<String>) -> Self {
        let (kind, message) = (kind.to_owned(), message.into());
        Self { kind, class, exit: None, message, retry_after: None, newest_epoch: None }
    }

    /// It said something that is not of the protocol.
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new("protocol-error", Class::Fatal, message)
    }
}

/// What the agent does about an exit code. Nothing: the code is not for an error.
pub(crate) fn class_of(exit: i32) -> Option<Class> {
    match exit {
        0 | PARTIAL => None,
        1 | 124.. => Some(Class::Soft),
        2 | UNKNOWN_VERB | STALE_EPOCH | 6 => Some(Class::Fatal),
        5 | 7 | 9 => Some(Class::Hard),
        _ => Some(Class::Soft), // reserved, or the driver's own
    }
}

/// The object that a call answered with, or why there is none.
pub(crate) fn understand(raw: &Raw, id: &str) -> Result<Map<String, Value>, Fault> {
    let exit = match raw.end {
        End::Code(code) if code >= 124 => return Err(killed(raw, &format!("exit {code}"))),
        End::Code(code) => code,
        End::Signal(signal) => return Err(killed(raw, &format!("signal {signal}"))),
        End::Timeout => {
            return Err(Fault::new("timeout", Class::Soft, "no answer before the deadline"));
        }
        End::TooLong => {
            return Err(Fault::protocol(format!("an answer of more than {MESSAGE_MAX} bytes")));
        }
    };
    let text = std::str::from_utf8(&raw.stdout).map_err(|_| Fault::protocol("not UTF-8"))?;
    let answer: Map<String, Value> = serde_json::from_str(text)
        .map_err(|why| Fault::protocol(format!("exit {exit} without one JSON object: {why}")))?;
    if let Some(large) = answer.values().find_map(too_large) {
        return Err(Fault::protocol(format!("the number {large} is not below 2^53")));
    }
    let is_ok = answer.get("ok").and_then(Value::as_bool);
    let Some(is_ok) = is_ok else { return Err(Fault::protocol("no ok, true or false")) };
    match class_of(exit) {
        None if is_ok => {
            let said = answer.get("request_id").and_then(Value::as_str);
            let major = answer.get("protocol").and_then(|p| p.get("major")).and_then(Value::as_u64);
            if said != Some(id) {
                return Err(Fault::protocol(format!("answers request {said:?}, not {id}")));
            }
            if major != Some(MAJOR) {
                return Err(Fault::protocol(format!("answers in protocol {major:?}, not {MAJOR}")));
            }
            Ok(answer)
        }
        None => Err(Fault::protocol(format!("exit {exit} with ok:false"))),
        Some(_) if is_ok => Err(Fault::protocol(format!("exit {exit} with ok:true"))),
        Some(class) => Err(told(exit, class, answer)),
    }
}

/// The fields of an answer that the verb promises.
pub(crate) fn fields<T: DeserializeOwned>(answer: Map<String, Value>) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(answer)).map_err(|why| Fault::protocol(why.to_string()))
}

fn told(exit: i32, class: Class, mut answer: Map<String, Value>) -> Fault {
    let error = answer.remove("error").unwrap_or_default();
    let Error { kind, message, retry_after_ms, detail } = match serde_json::from_value(error) {
        Ok(error) => error,
        Err(why) => return Fault::protocol(format!("exit {exit}, its error: {why}")),
    };
    Fault {
        kind,
        class,
        exit: Some(exit),
        message,
        retry_after: retry_after_ms.map(|ms| Duration::from_millis(ms).min(RETRY_MAX)),
        newest_epoch: detail.get("epoch").and_then(Value::as_u64),
    }
}

fn killed(raw: &Raw, how: &str) -> Fault {
    let said = raw.stderr.lines().next_back().unwrap_or_default();
    Fault::new("killed", Class::Soft, format!("{how}; it said: {said}"))
}

fn too_large(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().filter(|number| *number >= NUMBER_MAX),
        Value::Array(items) => items.iter().find_map(too_large),
        Value::Object(fields) => fields.values().find_map(too_large),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// A name of a channel, a kind, a cursor's owner.
pub(crate) fn is_id(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(sound)
}

/// A name of a segment: ids, parted by slashes, none of which leads upwards.
pub(crate) fn is_segment_id(text: &str) -> bool {
    text.len() <= 1_024 && text.split('/').all(|part| is_id(part) && !part.starts_with(".."))
}

/// The answer to `describe`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Description {
    pub(crate) driver: String,
    pub(crate) driver_version: String,
    pub(crate) protocols: Vec<(u64, u64)>,
    pub(crate) verbs: Vec<String>,
    pub(crate) kinds: Vec<String>,
    pub(crate) reads_open_segments: bool,
    pub(crate) segments_have_paths: bool,
    pub(crate) precision_us: u64,
    pub(crate) overlap_us: u64,
    pub(crate) keeps_running_without_agent: bool,
}

impl Description {
    /// It speaks our major. A minor only adds, so whoever speaks a later one speaks ours.
    pub(crate) fn is_compatible(&self) -> bool {
        self.protocols.iter().any(|(major, _)| *major == MAJOR)
    }
}

/// What a channel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChannelState {
    Starting,
    Recording,
    Stalled,
    Dead,
    Stopped,
    Disabled,
}

/// One channel in the answer to `health`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ChannelHealth {
    pub(crate) channel: String,
    pub(crate) state: ChannelState,
    pub(crate) last_written_us: Option<u64>,
    #[serde(default)]
    pub(crate) message: Option<String>,
}

/// The answer to `health`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Health {
    pub(crate) channels: Vec<ChannelHealth>,
    pub(crate) config_hash: Option<String>,
    pub(crate) epoch: Option<u64>,
}

/// One segment in the answer to `list-material`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Segment {
    pub(crate) id: String,
    pub(crate) channel: String,
    pub(crate) kind: String,
    pub(crate) from_us: u64,
    pub(crate) to_us: u64,
    pub(crate) bytes: u64,
    pub(crate) open: bool,
    pub(crate) durable_to_us: Option<u64>,
    pub(crate) precision_us: u64,
    pub(crate) sha256: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) epoch: u64,
}

/// The answer to `list-material`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) segments: Vec<Segment>,
    pub(crate) next_cursor: Option<String>,
}

impl Page {
    /// Its bounds, ids and order, as the protocol has them.
    pub(crate) fn check(self) -> Result<Self, Fault> {
        if self.segments.len() > PAGE_MAX {
            return Err(Fault::protocol(format!("a page of {}", self.segments.len())));
        }
        for segment in &self.segments {
            if !is_segment_id(&segment.id) || !is_id(&segment.channel) || !is_id(&segment.kind) {
                return Err(Fault::protocol(format!("a segment named {:?}", segment.id)));
            }
            if segment.to_us <= segment.from_us {
                return Err(Fault::protocol(format!("{} ends before it begins", segment.id)));
            }
        }
        let order = |segment: &Segment| (segment.channel.clone(), segment.from_us);
        if !self.segments.is_sorted_by_key(order) {
            return Err(Fault::protocol("segments are not in the order of channel and from_us"));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(exit: i32, stdout: &str) -> Raw {
        Raw { end: End::Code(exit), stdout: stdout.into(), stderr: "why\n".into() }
    }

    const DONE: &str = r#"{"ok":true,"protocol":{"major":1,"minor":0},"request_id":"a"}"#;
    const NOT: &str =
        r#"{"ok":false,"error":{"kind":"busy","message":"wait","retry_after_ms":70}}"#;

    #[test]
    fn only_what_the_protocol_says_is_an_answer() {
        assert!(understand(&raw(0, DONE), "a").is_ok());
        assert!(understand(&raw(8, DONE), "a").is_ok());
        let odd = [
            (0, "", "without one JSON object"),
            (0, "{} {}", "without one JSON object"),
            (0, "[]", "without one JSON object"),
            (1, "oh no", "exit 1 without one JSON object"),
            (0, "{}", "no ok"),
            (0, NOT, "exit 0 with ok:false"),
            (1, DONE, "exit 1 with ok:true"),
            (0, r#"{"ok":true,"protocol":{"major":1},"request_id":"b"}"#, "answers request"),
            (0, r#"{"ok":true,"protocol":{"major":2},"request_id":"a"}"#, "in protocol Some(2)"),
            (0, r#"{"ok":true,"n":[9007199254740992]}"#, "not below 2^53"),
            (7, r#"{"ok":false,"error":{}}"#, "exit 7, its error"),
        ];
        for (exit, stdout, expect) in odd {
            let fault = understand(&raw(exit, stdout), "a").unwrap_err();
            assert_eq!(fault.kind, "protocol-error", "{stdout}");
            assert!(fault.message.contains(expect), "{} for {stdout}", fault.message);
        }
    }

    #[test]
    fn an_exit_code_says_where_to_try_again() {
        let fault = understand(&raw(1, NOT), "a").unwrap_err();
        assert_eq!((fault.class, fault.exit), (Class::Soft, Some(1)));
        assert_eq!(fault.retry_after, Some(Duration::from_millis(70)));
        let classes: Vec<_> = (1..10).filter_map(class_of).collect();
        let expect = {
            use Class::{Fatal, Hard, Soft};
            [Soft, Fatal, Fatal, Fatal, Hard, Fatal, Hard, Hard]
        };
        assert_eq!(classes, expect);
        for end in [End::Code(137), End::Signal(9)] {
            let fault = understand(&Raw { end, ..raw(0, DONE) }, "a").unwrap_err();
            assert_eq!((fault.kind.as_str(), fault.class), ("killed", Class::Soft));
        }
    }

    #[test]
    fn ids_lead_nowhere_else() {
        assert!(is_segment_id("ch-1/7/a.mkv"));
        for bad in ["", "/etc", "a//b", "../a", "a/../b", "a/..", "a b", "a\n"] {
            assert!(!is_segment_id(bad), "{bad}");
        }
    }
}
