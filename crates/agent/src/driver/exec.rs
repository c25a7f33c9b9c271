//! The driver `exec`: a program of somebody else that knows a recording system, called with one
//! verb at a time and JSON on its standard input (docs/drivers.md). It keeps its own material; we
//! never guess what it did, we ask.
mod board;
pub(crate) mod call;
mod driver;
mod health;
pub(crate) mod protocol;
mod recorder;
pub(crate) mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use std::{fs, io, thread};

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::name::Name;
use interrex_core::{
    Account, BootTime, ChannelAccount, EndedTenure, Epoch, RecorderId, ServerId, Span,
};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

use self::board::Board;
use self::driver::Tenure;
use self::protocol::{Fault, Segment};
use self::recorder::{Recorder, Want};
use self::settings::Settings;
use super::{Answer, Driver};
use crate::clock::Clock;
use crate::journal::{Entry, Event, Journal};
use crate::material;

/// Orders of the core that wait; it sends few, and the newest wishes count.
const ORDERS_MAX: usize = 256;
/// Working directory of the program, in the data folder.
const FOLDER: &str = "driver";
/// What the program was told to record, for the next agent.
const HELD: &str = "driver.json";
/// The agent's end waits so long for calls that are on their way.
const STOP: Duration = Duration::from_secs(1);

enum Order {
    Run(Vec<Wish>),
    FindEnds(Vec<Tenure>, Answer),
    Stop,
}

/// Calls a driver program.
pub(crate) struct Exec {
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<Vec<DriverStatus>>,
    thread: JoinHandle<()>,
}

/// What the tasks of all recorders share.
struct Shared {
    driver: driver::Driver,
    board: Board,
    journal: Arc<Journal>,
    clock: Clock,
    root: PathBuf,
    /// When the program was last found to speak our protocol, as its file was then.
    described: Mutex<Option<SystemTime>>,
}

impl Exec {
    /// Starts the thread that calls; the program is not called yet.
    pub(crate) fn start(
        (root, server): (PathBuf, ServerId),
        settings: Settings,
        (journal, clock): (Arc<Journal>, Clock),
    ) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        let state = root.join(FOLDER);
        fs::create_dir_all(&state)?;
        let (calls, boot) = (AtomicU64::new(0), rand::random());
        let driver = driver::Driver { settings, server, root: root.clone(), state, calls, boot };
        let (board, described) = (Board::new(), Mutex::new(None));
        let status = board.watch();
        let shared = Arc::new(Shared { driver, board, journal, clock, root, described });
        let left = shared.kept();
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || runtime.block_on(work(shared, left, ordered));
        let thread = thread::Builder::new().name("driver".into()).spawn(work)?;
        Ok(Self { orders, status, thread })
    }

    fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            tracing::error!("the driver's thread is gone or far behind");
        }
    }
}

impl Driver for Exec {
    fn run(&self, wishes: Vec<Wish>) {
        self.order(Order::Run(wishes));
    }

    fn status(&self) -> watch::Receiver<Vec<DriverStatus>> {
        self.status.clone()
    }

    fn find_ends(&self, tenures: Vec<Tenure>, answer: Answer) {
        self.order(Order::FindEnds(tenures, answer));
    }

    /// A10: what the program records goes on, if it can without an agent.
    fn stop(self: Box<Self>) {
        self.order(Order::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the driver's thread panicked");
        }
    }
}

async fn work(shared: Arc<Shared>, left: Vec<Tenure>, mut orders: mpsc::Receiver<Order>) {
    let mut wanted: BTreeMap<RecorderId, watch::Sender<Want>> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut begin = |recorder, want, left| {
        let (sender, wanted) = watch::channel(want);
        let task = Recorder { shared: Arc::clone(&shared), recorder, wanted };
        tasks.spawn(task.work(left));
        sender
    };
    let mut left: BTreeMap<RecorderId, Epoch> = left.into_iter().collect();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Run(wishes) => {
                let mut newest: BTreeMap<RecorderId, Wish> = BTreeMap::new();
                for wish in wishes {
                    let known = newest.get(&wish.recorder).is_some_and(|w| w.epoch > wish.epoch);
                    if !known {
                        newest.insert(wish.recorder, wish);
                    }
                }
                for recorder in wanted.keys().chain(left.keys()).copied().collect::<Vec<_>>() {
                    if !newest.contains_key(&recorder) {
                        let open = || begin(recorder, Want::Stop, left.remove(&recorder));
                        wanted.entry(recorder).or_insert_with(open).send_replace(Want::Stop);
                    }
                }
                for (recorder, wish) in newest {
                    let want = Want::Record(wish);
                    let open = || begin(recorder, want, left.remove(&recorder));
                    let sender = wanted.entry(recorder).or_insert_with(open);
                    sender.send_if_modified(|old| std::mem::replace(old, want) != want);
                }
            }
            Order::FindEnds(tenures, answer) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { answer(shared.ends(tenures).await) });
            }
            Order::Stop => break,
        }
    }
    drop(wanted);
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP, all).await;
}

impl Shared {
    /// Asks the program who it is, unless it is known and its file has not changed.
    async fn described(&self) -> Result<(), Fault> {
        let mut described = self.described.lock().await;
        let changed = fs::metadata(&self.driver.settings.program).and_then(|meta| meta.modified());
        let changed = changed.unwrap_or(SystemTime::UNIX_EPOCH);
        if *described == Some(changed) {
            return Ok(());
        }
        let said = self.driver.describe().await?;
        tracing::info!(
            driver = %said.driver,
            version = %said.driver_version,
            precision_us = said.precision_us,
            overlap_us = said.overlap_us,
            reads_open_segments = said.reads_open_segments,
            segments_have_paths = said.segments_have_paths,
            keeps_running_without_agent = said.keeps_running_without_agent,
            "driver program"
        );
        *described = Some(changed);
        Ok(())
    }

    /// Ends of those that are neither recorded nor being stopped.
    async fn ends(&self, tenures: Vec<Tenure>) -> Vec<EndedTenure> {
        let mut ends = Vec::new();
        for tenure in tenures.into_iter().filter(|tenure| !self.board.holds(*tenure)) {
            match self.driver.list(tenure).await {
                Ok(segments) if segments.iter().any(|segment| segment.open) => {
                    tracing::warn!(recorder = %tenure.0, "a segment is still open; asking again");
                }
                Ok(segments) => ends.push(ended(tenure, &segments)),
                Err(fault) => {
                    tracing::error!(recorder = %tenure.0, %fault, "cannot list material");
                }
            }
        }
        ends
    }

    fn note(&self, event: Event, tenure: Tenure, lease_end: Option<BootTime>, channels: u32) {
        for number in 1..=channels {
            self.journal.write(&Entry {
                at: (self.clock)(),
                recorder: tenure.0,
                epoch: tenure.1,
                event,
                channel: Some(material::channel_name(number)),
                file: None,
                blake3: None,
                lease_end,
                unfenced: None,
            });
        }
    }

    /// Keeps what the program was told to record, so that the next agent can stop it.
    fn keep(&self) {
        let held: Vec<(String, u64)> = self
            .board
            .tenures()
            .into_iter()
            .map(|(recorder, epoch)| (recorder.to_string(), epoch.0))
            .collect();
        let (path, new) = (self.root.join(HELD), self.root.join("driver.json.new"));
        let written = serde_json::to_vec(&held).map_err(io::Error::from).and_then(|text| {
            fs::write(&new, text)?;
            fs::File::open(&new)?.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(&self.root)?.sync_all()
        });
        if let Err(why) = written {
            tracing::error!(path = %path.display(), error = %why, "cannot keep what is recorded");
        }
    }

    fn kept(&self) -> Vec<Tenure> {
        let path = self.root.join(HELD);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(why) => {
                tracing::error!(path = %path.display(), error = %why, "cannot read what was recorded");
                return Vec::new();
            }
        };
        let held: Vec<(String, u64)> = serde_json::from_slice(&text).unwrap_or_else(|why| {
            tracing::error!(path = %path.display(), error = %why, "cannot read what was recorded");
            Vec::new()
        });
        let tenure = |(name, epoch): (String, u64)| Some((name.parse().ok()?, Epoch(epoch)));
        let held: Vec<Tenure> = held.into_iter().filter_map(tenure).collect();
        held.iter().for_each(|tenure| self.board.update(*tenure, |_| {}));
        held
    }
}

/// The earliest of its channels' last times, and all that was recorded.
fn ended((recorder, epoch): Tenure, segments: &[Segment]) -> EndedTenure {
    let mut channels: BTreeMap<Name, Vec<Span>> = BTreeMap::new();
    let mut precision_us = 0;
    for segment in segments {
        let Ok(channel) = segment.channel.parse() else { continue };
        precision_us = segment.precision_us.max(precision_us);
        let (from_ms, to_ms) = (segment.from_us / 1_000, segment.to_us.div_ceil(1_000));
        let spans = channels.entry(channel).or_default();
        match spans.last_mut() {
            Some(last) if from_ms <= last.to_ms => last.to_ms = to_ms.max(last.to_ms),
            Some(_) | None => spans.push(Span { from_ms, to_ms }),
        }
    }
    let ends = channels.values().filter_map(|spans| spans.last()).map(|span| span.to_ms);
    let last_ms = ends.min();
    let precision_ms = u32::try_from(precision_us.div_ceil(1_000)).unwrap_or(u32::MAX);
    let of = |(channel, spans)| ChannelAccount { channel, spans };
    let account = Account { precision_ms, channels: channels.into_iter().map(of).collect() };
    EndedTenure { recorder, epoch, last_ms, account: Arc::new(account) }
}
