//! `interrex verify`: chain, replay, every invariant; offline of one folder, or live of each
//! coordinator that answers.
use std::path::{Path, PathBuf};

use clap::Args;
use interrex_client::Client;
use interrex_client::history::{BadHistory, LiveChain, Verifier, read_folder};
use interrex_client::views::{Status, Verification, Violation};
use interrex_wire::pb::View;
use serde::Serialize;

use crate::args::Global;
use crate::failure::{Failure, NO};
use crate::output;

#[derive(Args)]
pub(crate) struct Verify {
    /// Folder of a stopped coordinator
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Of several coordinators: the longest, and each.
#[derive(Serialize)]
struct Live {
    #[serde(flatten)]
    whole: Verification,
    coordinators: Vec<One>,
}

#[derive(Serialize)]
struct One {
    coordinator: String,
    #[serde(flatten)]
    found: Verification,
}

impl Verify {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let ok = match &self.data {
            Some(data) => {
                let found = offline(data)?;
                print(global, &found, &found)?;
                found.ok
            }
            None => {
                let live = live(&global.client()?, global).await?;
                print(global, &live, &live.whole)?;
                live.whole.ok
            }
        };
        Ok(if ok { 0 } else { NO })
    }
}

fn print(global: &Global, document: &impl Serialize, found: &Verification) -> Result<(), Failure> {
    if global.output.is_json() {
        return output::document(document);
    }
    let verdict = if found.ok { "ok" } else { "NOT OK" };
    let Verification { events, revision, chain, state, .. } = found;
    output::line(&format!("{verdict}: {events} events, revision {revision}"))?;
    output::line(&format!("chain {chain}\nstate {state}"))?;
    for Violation { invariant, revision, detail } in &found.violations {
        output::line(&format!("violated at revision {revision}: {invariant} ({detail})"))?;
    }
    Ok(())
}

fn offline(data: &Path) -> Result<Verification, Failure> {
    let mut verifier = Verifier::default();
    match read_folder(data, |frame| verifier.enter(frame)) {
        Ok(_) => {}
        Err(bad @ BadHistory::Unreadable(_)) => return Err(bad.into()),
        Err(broken @ (BadHistory::Damaged(_) | BadHistory::Broken { .. })) => {
            let revision = verifier.revision();
            verifier.add("chain", revision, broken.to_string());
        }
    }
    Ok(verifier.finish())
}

/// Each coordinator's history from the beginning up to one revision that all of them have or get.
async fn live(client: &Client, global: &Global) -> Result<Live, Failure> {
    let status: Status = client.read(&global.read(View::Status, "")).await?;
    let cluster = uuid::Uuid::parse_str(&status.cluster).map_err(|why| {
        Failure::refused("unreadable_answer", why.to_string(), "use programs of one release")
    })?;
    let mut addresses: Vec<(String, String)> = status
        .coordinators
        .iter()
        .filter_map(|c| Some((c.name.clone(), c.address.clone()?)))
        .collect();
    if addresses.is_empty() {
        let given = client.endpoints().iter();
        addresses = given.map(|address| (address.clone(), address.clone())).collect();
    }
    let mut coordinators = Vec::new();
    for (coordinator, address) in addresses {
        match one(client, address, cluster.as_bytes(), status.revision).await {
            Ok(found) => coordinators.push(One { coordinator, found }),
            Err(failure) if failure.exit == 4 => {
                output::aside(&format!("{coordinator} does not answer: {}", failure.message));
            }
            Err(failure) => return Err(failure),
        }
    }
    let longest = coordinators.iter().max_by_key(|one| one.found.revision);
    let Some(mut whole) = longest.map(|one| one.found.clone()) else {
        return Err(interrex_client::Error::Unavailable {
            why: "nobody showed a history".to_owned(),
            asked: client.endpoints().join(","),
        }
        .into());
    };
    whole.violations = coordinators.iter().flat_map(|one| one.found.violations.clone()).collect();
    for (place, one) in coordinators.iter().enumerate() {
        for other in coordinators.iter().skip(place + 1) {
            let (left, right) = (&one.found, &other.found);
            let same = (&left.chain, &left.state) == (&right.chain, &right.state);
            if left.revision == right.revision && !same {
                whole.violations.push(Violation {
                    invariant: "coordinators_agree".to_owned(),
                    revision: left.revision,
                    detail: format!("{} and {} differ", one.coordinator, other.coordinator),
                });
            }
        }
    }
    whole.ok = whole.violations.is_empty();
    Ok(Live { whole, coordinators })
}

async fn one(
    client: &Client,
    address: String,
    cluster: &[u8; 16],
    to: u64,
) -> Result<Verification, Failure> {
    let mut verifier = Verifier::default();
    let mut chain = LiveChain::from_genesis(cluster);
    let mut frames = client.history(1, to, false, Some(address));
    while let Some(reply) = frames.next().await? {
        for frame in &reply.frames {
            if let Err(broken) = chain.enter(frame, |_, frame| verifier.enter(frame)) {
                let revision = verifier.revision();
                verifier.add("chain", revision, broken.to_string());
                return Ok(verifier.finish());
            }
        }
    }
    Ok(verifier.finish())
}
