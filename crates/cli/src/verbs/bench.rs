//! `interrex bench`: `note` in a closed loop, or one behind the other on streams.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use interrex_client::Client;
use interrex_client::client::{Seen, Wish, new_operation};
use interrex_core::Command;
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde_json::json;
use tokio::task::JoinSet;

use crate::args::Global;
use crate::failure::Failure;
use crate::output;

/// Outside of the window.
const WARM_UP: Duration = Duration::from_millis(1_500);
/// Connections at most; clients share them.
const CONNECTIONS: usize = 16;

#[derive(Args)]
pub(crate) struct Bench {
    /// How many write at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Length of the window
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Bytes of a note
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Pipelined on one stream a connection
    #[arg(long)]
    stream: bool,
}

/// What one client saw within the window.
#[derive(Default)]
struct Seconds {
    took_us: Vec<u64>,
    errors: u64,
}

/// When the window is open, and what is written.
struct Plan {
    opens: Instant,
    closes: Instant,
    size: usize,
    notes: AtomicU64,
}

impl Bench {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let clients = self.clients as usize;
        let connections = clients.min(CONNECTIONS);
        let mut pool = Vec::new();
        for _ in 0..connections {
            let client = global.client()?;
            client.seen().await?;
            pool.push(Arc::new(client));
        }
        let opens = Instant::now() + WARM_UP;
        let plan = Arc::new(Plan {
            opens,
            closes: opens + Duration::from_secs(self.seconds),
            size: self.size,
            notes: AtomicU64::new(0),
        });
        let mut running = JoinSet::new();
        if self.stream {
            for (place, client) in pool.iter().enumerate() {
                let share = clients / connections + usize::from(place < clients % connections);
                running.spawn(pipelined(client.clone(), plan.clone(), share));
            }
        } else {
            for client in pool.iter().cycle().take(clients) {
                running.spawn(closed_loop(client.clone(), plan.clone()));
            }
        }
        let mut all = Seconds::default();
        while let Some(part) = running.join_next().await {
            let part = part.unwrap_or_default();
            all.took_us.extend(part.took_us);
            all.errors += part.errors;
        }
        self.print(global, all)?;
        Ok(0)
    }

    fn print(&self, global: &Global, mut all: Seconds) -> Result<(), Failure> {
        all.took_us.sort_unstable();
        let n = all.took_us.len();
        let at = |percent: usize| all.took_us.get((n * percent / 100).min(n.saturating_sub(1)));
        let at = |percent| at(percent).copied().unwrap_or_default();
        let per_s = n as u64 / self.seconds.max(1);
        let stream = if self.stream { ".stream" } else { "" };
        let figure = format!("put.c{}{stream}", self.clients);
        let (p50, p99, max) = (at(50), at(99), at(100));
        if global.output.is_json() {
            return output::document(&json!({
                "figure": figure, "n": n, "p50_us": p50, "p99_us": p99, "max_us": max,
                "per_s": per_s, "errors": all.errors,
            }));
        }
        output::line(&format!(
            "{figure}: {per_s}/s, p50 {p50} us, p99 {p99} us, max {max} us, n {n}, errors {}",
            all.errors
        ))
    }
}

impl Plan {
    /// The next note, of a key of its own: letters and digits by chance, so that they do not
    /// compress to nothing.
    fn wish(&self) -> Wish {
        let key = format!("bench/{}", self.notes.fetch_add(1, Ordering::Relaxed));
        let text = rand::rng().sample_iter(Alphanumeric).take(self.size).map(char::from).collect();
        Wish {
            operation: new_operation(),
            seen: Seen::New,
            reason: String::new(),
            ticket: String::new(),
            dry_run: false,
            command: Command::Note { key, text, expect: None },
        }
    }
}

impl Seconds {
    fn count(&mut self, plan: &Plan, began: Instant, ok: bool) {
        let ended = Instant::now();
        if ended < plan.opens || ended > plan.closes {
            return;
        }
        if ok {
            let took = ended.saturating_duration_since(began).as_micros();
            self.took_us.push(u64::try_from(took).unwrap_or(u64::MAX));
        } else {
            self.errors += 1;
        }
    }
}

async fn closed_loop(client: Arc<Client>, plan: Arc<Plan>) -> Seconds {
    let mut seen = Seconds::default();
    while Instant::now() < plan.closes {
        let wish = plan.wish();
        let began = Instant::now();
        let ok = client.change(&wish).await.is_ok();
        seen.count(&plan, began, ok);
    }
    seen
}

/// Keeps `share` requests on their way.
async fn pipelined(client: Arc<Client>, plan: Arc<Plan>, share: usize) -> Seconds {
    let mut seen = Seconds::default();
    let mut operations = client.seen().await.unwrap_or_default();
    // A first one by itself finds the leader.
    let _ = client.change(&plan.wish()).await;
    let Ok(mut pipeline) = client.pipeline().await else {
        return Seconds { errors: 1, ..seen };
    };
    let mut on_the_way = std::collections::VecDeque::new();
    for _ in 0..share {
        if pipeline.send(&plan.wish(), operations).await.is_ok() {
            on_the_way.push_back(Instant::now());
        }
    }
    while let Some(began) = on_the_way.pop_front() {
        let Ok(reply) = pipeline.next().await else {
            seen.errors += 1 + on_the_way.len() as u64;
            return seen;
        };
        operations = operations.max(reply.operations);
        seen.count(&plan, began, reply.recorded && reply.refused.is_none());
        if Instant::now() < plan.closes && pipeline.send(&plan.wish(), operations).await.is_ok() {
            on_the_way.push_back(Instant::now());
        }
    }
    seen
}
