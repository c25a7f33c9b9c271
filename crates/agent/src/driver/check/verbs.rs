//! Each verb, twice: what was done already is done, and nothing that only looks changes anything.
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::bench::{Bench, DEADLINE, HASH, Whom, told};
use crate::driver::exec::call::End;
use crate::driver::exec::protocol::{
    ChannelState, Description, Fault, Health, Page, fields, is_segment_id,
};

const HEALTH_DEADLINE: Duration = Duration::from_secs(1);
/// A busy machine may make one call slow, not all of them.
const TRIES: usize = 4;
/// What is imported, and its SHA-256.
const MATERIAL: &[u8] = b"Interrex checks a driver with this.\n";
const SHA256: &str = "c52063e2e306e4e39a080051a0a12bccfda8304ec53a39db85b2d9fed298003a";
const FROM_US: u64 = 1_700_000_000_000_000;

fn typed<T: serde::de::DeserializeOwned>(answer: Map<String, Value>) -> Result<T, String> {
    fields(answer).map_err(|fault| told(&fault))
}

/// The same request, but for one field.
pub(super) fn with(mut request: Value, key: &str, value: Value) -> Value {
    if let Some(fields) = request.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
    request
}

/// The verbs that it offers.
pub(super) async fn described(bench: &Bench) -> Result<Vec<String>, String> {
    let before = (listing(&bench.state), listing(&bench.root));
    let ask = || bench.yes("describe", Whom("none", 0), json!({}));
    let (mut first, mut second) = (ask().await?, ask().await?);
    first.remove("request_id");
    second.remove("request_id");
    if first != second {
        return Err("the second answer differs from the first".to_owned());
    }
    if (listing(&bench.state), listing(&bench.root)) != before {
        return Err("it left something in its folders".to_owned());
    }
    let description: Description = typed(first)?;
    if !description.is_compatible() {
        return Err(format!("protocols {:?}, none of which is 1.0", description.protocols));
    }
    if description.kinds.is_empty() {
        return Err("it names no kinds".to_owned());
    }
    Ok(description.verbs)
}

pub(super) async fn apply(bench: &Bench) -> Result<(), String> {
    for _ in 0..2 {
        let answer = bench.yes("apply", Whom("apply", 1), bench.configuration(HASH)).await?;
        let applied = answer.get("applied").and_then(Value::as_str);
        if applied != Some(HASH) {
            return Err(format!("applied is {applied:?}, not the config_hash"));
        }
    }
    let twice = json!([{"id": "ch-1", "source": "a"}, {"id": "ch-1", "source": "b"}]);
    let bad = with(bench.configuration("bad"), "channels", twice);
    bench.no("apply", Whom("apply", 1), bad, &[2, 6]).await.map(drop)
}

pub(super) async fn start(bench: &Bench) -> Result<(), String> {
    let whom = Whom("start", 1);
    bench.apply(whom).await?;
    for _ in 0..2 {
        let answer = bench.yes("start", whom, json!({"config_hash": HASH})).await?;
        if !answer.get("started").is_some_and(Value::is_array)
            || !answer.get("already").is_some_and(Value::is_array)
        {
            return Err("started or already is no list".to_owned());
        }
    }
    Ok(())
}

pub(super) async fn health(bench: &Bench) -> Result<(), String> {
    for _ in 0..2 {
        health_of(bench, Whom("start", 1)).await?;
    }
    Ok(())
}

/// Within a second.
pub(super) async fn health_of(bench: &Bench, whom: Whom) -> Result<Health, String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match bench.ask("health", whom, json!({"stall_ms": 3_000}), HEALTH_DEADLINE).await {
            Ok(answer) => return typed(answer),
            Err(fault) if fault.kind == "timeout" => last = "not within a second".to_owned(),
            Err(fault) => return Err(format!("health: {}", told(&fault))),
        }
    }
    Err(format!("health: {last}, {TRIES} times"))
}

pub(super) async fn list(bench: &Bench) -> Result<(), String> {
    for limit in [1_000, 1] {
        list_of(bench, limit).await?;
    }
    let cursor = json!({"from_us": 0, "to_us": 1, "cursor": "none of yours"});
    let answer = bench.ask("list-material", Whom("start", 1), cursor, DEADLINE).await;
    match answer {
        Err(fault) if fault.exit != Some(2) => Err(format!("a foreign cursor: {}", told(&fault))),
        Ok(_) | Err(_) => Ok(()),
    }
}

async fn list_of(bench: &Bench, limit: usize) -> Result<Page, String> {
    let more = json!({"from_us": 0, "to_us": (1_u64 << 53) - 1, "limit": limit});
    let answer = bench.yes("list-material", Whom("start", 1), more).await?;
    let page = typed::<Page>(answer)?.check().map_err(|fault| told(&fault))?;
    if page.segments.len() > limit {
        return Err(format!("{} segments, where at most {limit} were wanted", page.segments.len()));
    }
    Ok(page)
}

pub(super) async fn read_config(bench: &Bench) -> Result<(), String> {
    for _ in 0..2 {
        let answer = bench.yes("read-config", Whom("start", 1), json!({"want": []})).await?;
        if !answer.get("sections").is_some_and(Value::is_object) {
            return Err("sections is no object".to_owned());
        }
    }
    Ok(())
}

pub(super) async fn stop(bench: &Bench) -> Result<(), String> {
    ended(bench, "stop", Whom("stop", 1), json!({"grace_ms": 500})).await
}

pub(super) async fn fence(bench: &Bench) -> Result<(), String> {
    ended(bench, "fence", Whom("fence", 1), json!({})).await
}

async fn ended(bench: &Bench, verb: &'static str, whom: Whom, more: Value) -> Result<(), String> {
    bench.apply(whom).await?;
    bench.yes("start", whom, json!({"config_hash": HASH})).await?;
    for _ in 0..2 {
        bench.yes(verb, whom, more.clone()).await?;
        let health = health_of(bench, whom).await?;
        let runs = |state| match state {
            ChannelState::Starting | ChannelState::Recording | ChannelState::Stalled => true,
            ChannelState::Dead | ChannelState::Stopped | ChannelState::Disabled => false,
        };
        if let Some(channel) = health.channels.iter().find(|channel| runs(channel.state)) {
            return Err(format!("after it, {} is {:?}", channel.channel, channel.state));
        }
    }
    Ok(())
}

pub(super) async fn import(bench: &Bench) -> Result<(), String> {
    let first = imported(bench).await?;
    let second = imported(bench).await?;
    if first != second {
        return Err(format!("the same material is {first}, then {second}"));
    }
    let path = bench.root.join("incoming");
    fs::write(&path, "something else").map_err(|why| why.to_string())?;
    let more = import_of(&path, "import-2");
    bench.no("import-material", Whom("start", 1), more, &[1, 2, 5]).await.map(drop)
}

fn import_of(path: &Path, id: &str) -> Value {
    json!({
        "id": id, "path": path, "channel": "ch-1", "kind": "video",
        "from_us": FROM_US, "to_us": FROM_US + 1_000_000, "sha256": SHA256,
    })
}

/// The id under which it is known from now on.
async fn imported(bench: &Bench) -> Result<String, String> {
    let path = bench.root.join("incoming");
    fs::write(&path, MATERIAL).map_err(|why| why.to_string())?;
    let more = import_of(&path, "import-1");
    let answer = bench.yes("import-material", Whom("start", 1), more).await?;
    let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
    if !is_segment_id(id) {
        return Err(format!("its id {id:?} is none"));
    }
    Ok(id.to_owned())
}

pub(super) async fn read(bench: &Bench) -> Result<(), String> {
    let whom = Whom("start", 1);
    let missing = json!({"id": "no/such-segment", "offset": 0, "length": 10});
    bench.no("read-material", whom, missing, &[5]).await?;
    let (id, length, known) = match imported(bench).await {
        Ok(id) => (id, MATERIAL.len() as u64, Some(MATERIAL)),
        Err(_) => {
            let page = list_of(bench, 1_000).await?;
            match page.segments.into_iter().find(|segment| !segment.open) {
                Some(segment) => (segment.id, segment.bytes, None),
                None => return Ok(()), // there is nothing that could be read
            }
        }
    };
    let whole = bytes(bench, whom, &id, 0, 1 << 20).await?;
    if whole.len() as u64 != length.min(1 << 20) || known.is_some_and(|known| known != whole) {
        return Err(format!("{} bytes of {length} came, or others", whole.len()));
    }
    let part = bytes(bench, whom, &id, 3, 4).await?;
    if whole.get(3..7) != Some(part.as_slice()) {
        return Err("offset and length are not heeded".to_owned());
    }
    let beyond = bytes(bench, whom, &id, length + 5, 4).await?;
    if beyond.is_empty() { Ok(()) } else { Err("bytes from beyond the end".to_owned()) }
}

async fn bytes(
    bench: &Bench,
    whom: Whom,
    id: &str,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, String> {
    let more = json!({"id": id, "offset": offset, "length": length});
    let request = bench.request("read-material", whom, &bench.id(), more);
    let raw = bench.raw("read-material", &request, DEADLINE).await?;
    match raw.end {
        End::Code(0) => Ok(raw.stdout),
        end @ (End::Code(_) | End::Signal(_) | End::Timeout | End::TooLong) => {
            Err(format!("{id} from {offset}: {end:?}"))
        }
    }
}

pub(super) async fn delete(bench: &Bench) -> Result<(), String> {
    let whom = Whom("start", 1);
    let id = imported(bench).await.unwrap_or_else(|_| "no/such-segment".to_owned());
    let listed = |answer: &Map<String, Value>, key: &str| {
        let ids = answer.get(key).and_then(Value::as_array);
        ids.is_some_and(|ids| ids.iter().any(|known| known.as_str() == Some(&id)))
    };
    let first = bench.yes("delete-material", whom, json!({"ids": [id]})).await?;
    if !listed(&first, "deleted") && !listed(&first, "missing") {
        return Err("the id is neither among deleted nor among missing".to_owned());
    }
    let second = bench.yes("delete-material", whom, json!({"ids": [id]})).await?;
    if !listed(&second, "missing") {
        return Err("what was deleted is not missing".to_owned());
    }
    let read = json!({"id": id, "offset": 0, "length": 1});
    let gone: Result<Fault, String> = bench.no("read-material", whom, read, &[3, 5]).await;
    gone.map(drop)
}

/// Names of all that lies in a folder.
fn listing(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
