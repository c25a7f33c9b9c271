//! What monitoring reads at /metrics. A registry of its own for each coordinator: several may live
//! in one process. Nothing is decided by these numbers.
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use interrex_core::{Decision, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::node::Seen;
use crate::raft::Standing;

/// An event's kind, as CONTRACT names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

/// One coordinator's numbers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    pub(crate) heartbeats: Counter,
    pub(crate) stale: Counter,
    pub(crate) elections: Counter,
    /// Connections of agents.
    pub(crate) agents: Arc<AtomicU64>,
    decisions: Counter,
    refusals: Counter,
    events: Family<Kind, Counter>,
    levels: Levels,
}

/// Read off at each scrape.
#[derive(Clone, Default)]
struct Levels {
    agents: Gauge,
    term: Gauge,
    leads: Gauge,
    ready: Gauge,
    revision: Gauge,
    applied: Gauge,
    committed: Gauge,
    last_log: Gauge,
    silent: Gauge,
    queue: Gauge,
    waiting: Gauge,
}

/// For the times of syncs: 50 us to 1.6 s.
pub(crate) fn syncs() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 16))
}

/// What the scrape asked of the node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looked {
    /// Servers silent past their timeout, as heard here.
    pub(crate) silent: usize,
    /// Recorders that wait for a standby.
    pub(crate) queue: usize,
}

impl Metrics {
    /// With the times that the log's and the history's syncs take.
    pub(crate) fn new(log_syncs: Histogram, history_syncs: Histogram) -> Self {
        let mut registry = Registry::with_prefix("interrex");
        let help = "Time to make a batch of the log durable, in seconds";
        registry.register("log_sync_seconds", help, log_syncs);
        let help = "Time to sync a segment of the history, in seconds";
        registry.register("history_sync_seconds", help, history_syncs);
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let heartbeats = counter(&mut registry, "heartbeats", "Heartbeats received");
        let stale = counter(&mut registry, "stale_decisions", "Decisions dropped as stale");
        let elections = counter(&mut registry, "elections", "Changes of the leader seen");
        let decisions = counter(&mut registry, "decisions", "Decisions applied");
        let refusals = counter(&mut registry, "refusals", "Commands refused");
        let events = Family::<Kind, Counter>::default();
        registry.register("events", "Events applied, by kind", events.clone());
        let levels = Levels::default();
        levels.register(&mut registry);
        Self {
            registry: Arc::new(registry),
            heartbeats,
            stale,
            elections,
            agents: Arc::default(),
            decisions,
            refusals,
            events,
            levels,
        }
    }

    /// An applied decision.
    pub(crate) fn decided(&self, decision: &Decision) {
        self.decisions.inc();
        for act in &decision.acts {
            match &act.outcome {
                Verdict::Refused(_) => drop(self.refusals.inc()),
                Verdict::Done(events) => {
                    for event in events {
                        let kind = Kind { kind: event.kind().to_owned() };
                        self.events.get_or_create(&kind).inc();
                    }
                }
            }
        }
    }

    /// Prometheus text.
    pub(crate) fn text(
        &self,
        seen: Seen,
        standing: &Standing,
        own: bool,
        looked: Looked,
    ) -> String {
        let Levels {
            agents,
            term,
            leads,
            ready,
            revision,
            applied,
            committed,
            last_log,
            silent,
            queue,
            waiting,
        } = &self.levels;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        agents.set(number(self.agents.load(std::sync::atomic::Ordering::Relaxed)));
        term.set(number(standing.term));
        leads.set(i64::from(own));
        ready.set(i64::from(seen.ready));
        revision.set(number(seen.revision.0));
        applied.set(number(seen.applied.0));
        committed.set(number(standing.committed));
        last_log.set(number(standing.last_log));
        silent.set(number(looked.silent as u64));
        queue.set(number(looked.queue as u64));
        waiting.set(number(seen.waiting as u64));
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

impl Levels {
    fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            ("agents_connected", "Connections of agents", &self.agents),
            ("term", "Raft's term", &self.term),
            ("leader", "1 if this coordinator leads", &self.leads),
            ("ready", "1 if this coordinator grants and reports", &self.ready),
            ("revision", "Applied decisions", &self.revision),
            ("applied_index", "Newest applied entry of the log", &self.applied),
            ("committed_index", "Newest committed entry known here", &self.committed),
            ("last_log_index", "Newest entry of the log here", &self.last_log),
            ("servers_silent", "Servers silent past their timeout, as heard here", &self.silent),
            ("failover_queue_length", "Recorders that wait for a standby", &self.queue),
            ("commands_waiting", "Commands that wait for their answer", &self.waiting),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }
}
