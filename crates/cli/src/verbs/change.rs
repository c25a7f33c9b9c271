//! What all verbs that change something do alike: send, print, and on an unknown outcome print the
//! command that asks again.
use interrex_client::Client;
use interrex_client::client::Wish;
use interrex_client::views::Changed;

use crate::args::{Global, Output};
use crate::failure::Failure;
use crate::output;

/// Sends; `fixed` are arguments that were not given and must be in a repetition.
pub(crate) async fn send(
    client: &Client,
    wish: &Wish,
    fixed: &[String],
) -> Result<Changed, Failure> {
    client.change(wish).await.map_err(|error| {
        let mut failure = Failure::from(error);
        if failure.exit == 6 {
            let again = again(&failure, fixed);
            failure.remedy = format!("ask again, it is never done twice: {again}");
        }
        failure
    })
}

/// Prints the answer.
pub(crate) fn print(global: &Global, changed: &Changed) -> Result<(), Failure> {
    match global.output {
        Output::Json | Output::Jsonl => output::document(changed),
        Output::Table | Output::Wide => {
            let (done, events) =
                (if changed.recorded { "done" } else { "would do" }, &changed.events);
            let number = changed.failover.map_or(String::new(), |id| format!(", failover {id}"));
            let events = if events.is_empty() { "nothing".to_owned() } else { events.join(", ") };
            let (revision, operation) = (changed.revision, &changed.operation);
            output::line(&format!(
                "{done}: {events} (revision {revision}{number}, operation {operation})"
            ))
        }
    }
}

/// Sends and prints.
pub(crate) async fn run(global: &Global, wish: &Wish, fixed: &[String]) -> Result<u8, Failure> {
    let changed = send(&global.client()?, wish, fixed).await?;
    print(global, &changed)?;
    Ok(0)
}

/// This command line, with what belongs to the operation.
fn again(failure: &Failure, fixed: &[String]) -> String {
    let mut words: Vec<String> = std::env::args().collect();
    let mut add = |flag: &str, value: String| {
        let joined = format!("{flag}=");
        if !words.iter().any(|word| word == flag || word.starts_with(&joined)) {
            words.extend([flag.to_owned(), value]);
        }
    };
    for pair in fixed.chunks_exact(2) {
        if let [flag, value] = pair {
            add(flag, value.clone());
        }
    }
    add("--operation-id", failure.operation.clone().unwrap_or_default());
    if let Some(seen) = failure.seen {
        add("--seen", seen.to_string());
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// For a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
