//! What the agent's core is shown of all recorders of a driver program.
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use interrex_core::agent::DriverStatus;
use interrex_core::{ConfigHash, Epoch, RecorderId};
use tokio::sync::watch;

use super::driver::Tenure;

/// Written by the tasks of all recorders, read by the core.
#[derive(Debug)]
pub(super) struct Board {
    shown: watch::Sender<Vec<DriverStatus>>,
    held: Mutex<BTreeMap<Tenure, DriverStatus>>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { shown: watch::Sender::new(Vec::new()), held: Mutex::new(BTreeMap::new()) }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Vec<DriverStatus>> {
        self.shown.subscribe()
    }

    /// Changes what is shown of one tenure.
    pub(super) fn update(&self, tenure: Tenure, change: impl FnOnce(&mut DriverStatus)) {
        let mut held = self.lock();
        change(held.entry(tenure).or_insert_with(|| nothing(tenure)));
        self.show(&held);
    }

    /// It is over, and nothing writes any more.
    pub(super) fn remove(&self, tenure: Tenure) {
        let mut held = self.lock();
        held.remove(&tenure);
        self.show(&held);
    }

    /// True while it is recorded, or being stopped.
    pub(super) fn holds(&self, tenure: Tenure) -> bool {
        self.lock().contains_key(&tenure)
    }

    /// All that is held.
    pub(super) fn tenures(&self) -> Vec<Tenure> {
        self.lock().keys().copied().collect()
    }

    fn show(&self, held: &BTreeMap<Tenure, DriverStatus>) {
        self.shown.send_if_modified(|shown| {
            let now: Vec<_> = held.values().copied().collect();
            let changed = *shown != now;
            *shown = now;
            changed
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tenure, DriverStatus>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nothing((recorder, epoch): (RecorderId, Epoch)) -> DriverStatus {
    DriverStatus {
        recorder,
        epoch,
        config: ConfigHash::default(),
        recording: 0,
        channels: 0,
        first_ms: None,
        last_ms: None,
        tick_ms: 0,
        prepared: false,
        failed: false,
    }
}
