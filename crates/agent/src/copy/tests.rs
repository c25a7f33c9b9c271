//! Two agents' copying against each other, over real connections on loopback: the target and the
//! source are whole, what the coordinators say is played.
mod breaks;
mod proxy;
mod strangers;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use interrex_client::identity::{Acceptor, Callers};
use interrex_core::fleet::Kinds;
use interrex_core::{Address, CopyKind, CopyStanding};
use tokio::net::TcpListener;

use super::*;
use crate::clock;
use crate::store::files::Files;

const CLUSTER: [u8; 16] = [5; 16];

/// One agent: its folder, its copying, and where it listens.
struct End {
    temp: tempfile::TempDir,
    copying: Copying,
    address: Option<Address>,
    serving: Option<Serving>,
}

impl End {
    async fn start(
        server: &str,
        temp: tempfile::TempDir,
        listens: bool,
        security: Security,
    ) -> Self {
        let root = temp.path().to_owned();
        let setup = Setup {
            store: Arc::new(Files::new(root.clone())),
            root,
            server: server.parse().unwrap(),
            security: security.clone(),
            clock: clock::machine,
            listens,
        };
        let copying = Copying::start(&setup).unwrap();
        let (mut address, mut serving) = (None, None);
        if listens {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            address = Some(listener.local_addr().unwrap().to_string().parse().unwrap());
            let (callers, limits) = (Callers::MustBeKnown, serve::LIMITS);
            let acceptor = Acceptor::start(listener, &security, callers, limits).unwrap();
            serving = copying.serve(acceptor, setup);
        }
        Self { temp, copying, address, serving }
    }

    async fn new(server: &str, listens: bool) -> Self {
        Self::start(server, tempfile::tempdir().unwrap(), listens, Security::Insecure).await
    }

    fn root(&self) -> &Path {
        self.temp.path()
    }

    fn order(&self, duties: &[CopyDuty]) {
        self.copying.belongs(Some(CLUSTER));
        self.copying.assign(duties.to_vec());
    }

    fn standing(&self) -> Option<(CopyStanding, interrex_core::Progress)> {
        let status = self.copying.status.borrow();
        status.first().map(|status| (status.standing, status.progress))
    }

    async fn until(&mut self, standing: CopyStanding) -> interrex_core::Progress {
        let begun = Instant::now();
        loop {
            match self.standing() {
                Some((is, progress)) if is == standing => return progress,
                other => assert!(begun.elapsed() < Duration::from_secs(30), "it is {other:?}"),
            }
            let changed = self.copying.status.changed();
            let _ = tokio::time::timeout(Duration::from_secs(1), changed).await;
        }
    }

    /// Ends it, in whatever it is doing, and returns its disk.
    fn stop(self) -> tempfile::TempDir {
        drop(self.serving);
        drop(self.copying);
        self.temp
    }
}

fn duty(copy: u64, kind: CopyKind) -> CopyDuty {
    CopyDuty {
        copy: CopyId(copy),
        recorder: "rec-1".parse().unwrap(),
        epoch: Epoch(3),
        source: "srv-3".parse().unwrap(),
        kind,
    }
}

fn fetch(from: Option<&Address>) -> CopyKind {
    fetch_at(from, 0, false)
}

fn fetch_at(from: Option<&Address>, rate: u64, paused: bool) -> CopyKind {
    CopyKind::Fetch { from: from.cloned(), rate, paused, kinds: Kinds::default() }
}

fn serve_to(at: Option<&Address>) -> CopyKind {
    CopyKind::Serve { to: "srv-1".parse().unwrap(), at: at.cloned() }
}

/// Writes the segments of a tenure of `srv-3`: for each channel, a length each.
fn record(root: &Path, channels: &[&[usize]]) {
    let mut journal = String::new();
    for (number, lengths) in channels.iter().enumerate() {
        let dir = format!("material/rec-1/ch-{}", number + 1);
        fs::create_dir_all(root.join(&dir)).unwrap();
        for (at, length) in lengths.iter().enumerate() {
            let file = format!("{dir}/{}-{}-3-srv-3.seg", 1_000 + at, 1_001 + at);
            let content: Vec<u8> =
                (0..*length).map(|byte| (byte * 7 + at + number) as u8).collect();
            fs::write(root.join(&file), &content).unwrap();
            let blake3 = blake3::hash(&content).to_hex();
            // Every third was recorded by who writes no hashes down.
            if at % 3 != 2 {
                journal += &format!(
                    "{{\"event\":\"segment\",\"epoch\":3,\"file\":\"{file}\",\"blake3\":\"{blake3}\"}}\n"
                );
            }
        }
    }
    fs::write(root.join("journal.jsonl"), journal).unwrap();
}

/// Every file of `rec-1`, and its content.
fn material(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for channel in crate::material::list(&root.join("material/rec-1")).unwrap() {
        for file in crate::material::list(&channel).unwrap() {
            let name = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.insert(name, fs::read(file).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_target_pulls_everything_and_the_source_is_emptied_when_told() {
    let (mut home, mut spare) = (End::new("srv-1", false).await, End::new("srv-3", true).await);
    record(spare.root(), &[&[0, 1, 300_000, 262_144, 5, 524_288], &[10; 700]]);
    let recorded = material(spare.root());
    spare.order(&[duty(4, serve_to(None))]);
    home.order(&[duty(4, fetch(spare.address.as_ref()))]);
    let progress = home.until(CopyStanding::Durable).await;
    let bytes: usize = recorded.values().map(Vec::len).sum();
    assert_eq!((progress.segments_done, progress.segments_total), (706, 706));
    assert_eq!((progress.bytes_done, progress.bytes_total), (bytes as u64, bytes as u64));
    assert_eq!(material(home.root()), recorded);
    spare.order(&[duty(4, CopyKind::Erase)]);
    assert_eq!(spare.copying.erased.recv().await, Some(CopyId(4)));
    assert!(material(spare.root()).is_empty());
    // Closed: nothing is left of the copy.
    home.order(&[]);
    let begun = Instant::now();
    while home.root().join("copies/4").exists() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    assert_eq!(material(home.root()), recorded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_cannot_be_dialled_dials() {
    let (mut home, spare) = (End::new("srv-1", true).await, End::new("srv-3", false).await);
    record(spare.root(), &[&[1_000; 50]]);
    home.order(&[duty(4, fetch(None))]);
    home.until(CopyStanding::NoRoute).await;
    spare.order(&[duty(4, serve_to(home.address.as_ref()))]);
    home.until(CopyStanding::Durable).await;
    assert_eq!(material(home.root()), material(spare.root()));
}
