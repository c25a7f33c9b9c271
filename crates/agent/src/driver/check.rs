//! The conformance suite of driver programs (`interrex driver check`): each verb twice, epochs that
//! are over, requests that are none, ids that lead elsewhere, a kill in the middle. It works in two
//! folders of its own, which it removes.
mod abuse;
mod bench;
mod verbs;

use std::path::{Path, PathBuf};

use interrex_client::program::Failure;

use self::bench::Bench;

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As the protocol says.
    Passed,
    /// Not offered by this program: needs that verb.
    NotOffered(&'static str),
    /// What it did instead.
    Failed(String),
}

/// One line of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, which stays.
    pub check: &'static str,
    /// What became of it.
    pub outcome: Outcome,
}

/// What is checked, and with what.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The program.
    pub program: PathBuf,
    /// Source of the channels that it is told to record. Nothing need be there: a driver answers
    /// all the same.
    pub source: String,
    /// Settings, as an agent's driver file has them.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// Runs all checks, in order.
///
/// # Errors
///
/// The program cannot be executed, or there is no room for the folders.
pub async fn check(checked: &Checked) -> Result<Vec<Finding>, Failure> {
    let program = std::fs::canonicalize(&checked.program).map_err(|why| {
        Failure::config(format!("{}: {why}", checked.program.display()), "name a driver program")
    })?;
    let folder =
        std::env::temp_dir().join(format!("interrex-check-{:016x}", rand::random::<u64>()));
    let bench =
        Bench::make(program, &folder, checked).map_err(|why| Failure::disk(&folder, &why))?;
    let mut findings = Vec::new();
    let described = verbs::described(&bench).await;
    let offered = described.as_ref().cloned().unwrap_or_default();
    let mut tell = |check, outcome: Result<(), String>| {
        let outcome = outcome.map_or_else(Outcome::Failed, |()| Outcome::Passed);
        findings.push(Finding { check, outcome });
    };
    tell("describe twice", described.map(drop));
    for (name, needs, work) in all() {
        let missing = needs.iter().find(|verb| !offered.iter().any(|known| known == **verb));
        match missing {
            Some(verb) => {
                findings.push(Finding { check: name, outcome: Outcome::NotOffered(verb) });
            }
            None => {
                let outcome = work(&bench).await;
                let outcome = outcome.map_or_else(Outcome::Failed, |()| Outcome::Passed);
                findings.push(Finding { check: name, outcome });
            }
        }
    }
    bench.clear().await;
    remove(&folder);
    Ok(findings)
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;
type Check = (&'static str, &'static [&'static str], for<'a> fn(&'a Bench) -> Work<'a>);

/// The suite.
fn all() -> [Check; 19] {
    [
        ("apply twice", &["apply"], |b| Box::pin(verbs::apply(b))),
        ("start twice", &["apply", "start"], |b| Box::pin(verbs::start(b))),
        ("health twice", &["health"], |b| Box::pin(verbs::health(b))),
        ("list-material twice", &["list-material"], |b| Box::pin(verbs::list(b))),
        ("read-config twice", &["read-config"], |b| Box::pin(verbs::read_config(b))),
        ("stop twice", &["apply", "start", "stop", "health"], |b| Box::pin(verbs::stop(b))),
        ("fence twice", &["apply", "start", "fence", "health"], |b| Box::pin(verbs::fence(b))),
        ("import-material twice", &["import-material"], |b| Box::pin(verbs::import(b))),
        ("read-material twice", &["read-material"], |b| Box::pin(verbs::read(b))),
        ("delete-material twice", &["delete-material"], |b| Box::pin(verbs::delete(b))),
        ("an epoch that is over", &["apply"], |b| Box::pin(abuse::stale_epoch(b))),
        ("a fence of an old epoch", &["apply", "fence"], |b| Box::pin(abuse::old_fence(b))),
        ("an unknown verb", &[], |b| Box::pin(abuse::unknown_verb(b))),
        ("requests that are none", &["health"], |b| Box::pin(abuse::bad_requests(b))),
        ("another protocol", &["health"], |b| Box::pin(abuse::other_protocol(b))),
        ("unknown fields, long requests", &["health"], |b| Box::pin(abuse::long_request(b))),
        ("ids that lead elsewhere, read", &["read-material"], |b| Box::pin(abuse::escape_read(b))),
        ("ids that lead elsewhere, delete", &["delete-material"], |b| {
            Box::pin(abuse::escape_delete(b))
        }),
        ("killed in the middle", &["apply", "health"], |b| Box::pin(abuse::killed(b))),
    ]
}

fn remove(folder: &Path) {
    if let Err(why) = std::fs::remove_dir_all(folder) {
        tracing::warn!(path = %folder.display(), error = %why, "cannot remove");
    }
}
