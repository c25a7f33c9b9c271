//! Bringing material home, and letting the other end have it: what the assignment says of copies is
//! done here, beside the agent's loop. Fetching is one thread, one copy at a time; answering is a
//! thread for each exchange; both speak over a [`line::Line`], whoever dialled.
//!
//! Deliberately absent: which copies there are, and when one is over; the log has that.
mod bucket;
mod copier;
mod dial;
mod erase;
mod keep;
pub(crate) mod line;
mod offer;
mod place;
mod plan;
mod session;
mod stage;
mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::{io, thread};

use interrex_client::identity::{Acceptor, Security};
use interrex_core::{CopyDuty, CopyId, CopyStatus, Epoch, RecorderId, ServerId};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::serve;
use crate::store::{Store, Tenure};

use self::copier::Copier;
use self::line::Line;

/// Offers of connections that wait to be taken.
const OFFERS_MAX: usize = 64;
/// Erased copies that wait to be told.
const ERASED_MAX: usize = 64;

/// The newest word on copies. Whoever waits for a change of it and finds the sender gone, ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    /// Exchanges with another cluster are refused.
    pub(crate) cluster: Option<[u8; 16]>,
    /// An assignment has come: what it does not name is over.
    pub(crate) told: bool,
    /// Of the newest assignment, in id order.
    pub(crate) duties: Arc<[CopyDuty]>,
    /// Tenures that are recorded here at this moment: they are not copied yet.
    pub(crate) open: Arc<BTreeSet<(RecorderId, Epoch)>>,
}

/// A source that cannot be dialled has dialled us, to be asked about that copy (SY-30).
pub(crate) struct Offer {
    pub(crate) copy: CopyId,
    pub(crate) line: Line,
}

/// What copying needs to know of this agent.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) root: PathBuf,
    pub(crate) server: ServerId,
    pub(crate) security: Security,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    /// Others can dial us, so we need not dial them to be asked.
    pub(crate) listens: bool,
}

/// The service of `--listen`, as long as this is held.
#[derive(Debug)]
pub(crate) struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// All copying of this process, as its loop sees it.
pub(crate) struct Copying {
    orders: Option<watch::Sender<Orders>>,
    /// How each copy stands that is fetched here.
    pub(crate) status: watch::Receiver<Vec<CopyStatus>>,
    /// Copies whose material has been removed here.
    pub(crate) erased: mpsc::Receiver<CopyId>,
    /// Where the service of `--listen` puts connections that sources dialled.
    offers: mpsc::Sender<Offer>,
    thread: Option<thread::JoinHandle<()>>,
    tasks: [AbortHandle; 2],
}

impl Orders {
    /// What is to be done for one copy.
    pub(crate) fn duty(&self, copy: CopyId) -> Option<&CopyDuty> {
        self.duties.iter().find(|duty| duty.copy == copy)
    }
}

/// The tenure that a copy is about.
pub(crate) fn tenure(duty: &CopyDuty) -> Tenure {
    Tenure { recorder: duty.recorder, epoch: duty.epoch, server: duty.source }
}

impl Copying {
    /// Nothing is to be copied yet. Must be called within a tokio runtime.
    pub(crate) fn start(setup: &Setup) -> io::Result<Self> {
        let (orders, ordered) = watch::channel(Orders::default());
        let (shown, status) = watch::channel(Vec::new());
        let (offers, offered) = mpsc::channel(OFFERS_MAX);
        let (told, erased) = mpsc::channel(ERASED_MAX);
        let copier = Copier::new(setup.clone(), ordered.clone(), offered, shown);
        let thread = thread::Builder::new().name("copier".into()).spawn(move || copier.run())?;
        let erasing = tokio::spawn(erase::run(Arc::clone(&setup.store), ordered.clone(), told));
        let offering = tokio::spawn(offer::run(setup.clone(), ordered));
        let tasks = [erasing.abort_handle(), offering.abort_handle()];
        Ok(Self { orders: Some(orders), status, erased, offers, thread: Some(thread), tasks })
    }

    /// Answers other agents at `acceptor`.
    pub(crate) fn serve(&self, acceptor: Acceptor, setup: Setup) -> Option<Serving> {
        let orders = self.orders.as_ref()?.subscribe();
        let served = serve::serve(acceptor, setup, orders, self.offers.clone());
        let task = tokio::spawn(async {
            if let Err(why) = served.await {
                tracing::error!(error = %why, "other agents are not answered any more");
            }
        });
        Some(Serving(task.abort_handle()))
    }

    /// The cluster that this agent belongs to, as far as it is known.
    pub(crate) fn belongs(&self, cluster: Option<[u8; 16]>) {
        self.order(|orders| std::mem::replace(&mut orders.cluster, cluster) != cluster);
    }

    /// All that is to be done for copies.
    pub(crate) fn assign(&self, duties: Vec<CopyDuty>) {
        self.order(|orders| {
            (orders.told, orders.duties) = (true, duties.into());
            true
        });
    }

    /// The tenures that are recorded here now.
    pub(crate) fn recording(&self, open: BTreeSet<(RecorderId, Epoch)>) {
        self.order(|orders| {
            let changed = *orders.open != open;
            if changed {
                orders.open = Arc::new(open);
            }
            changed
        });
    }

    fn order(&self, change: impl FnOnce(&mut Orders) -> bool) {
        if let Some(orders) = &self.orders {
            orders.send_if_modified(change);
        }
    }
}

impl Drop for Copying {
    /// Ends every exchange; what was fetched is kept durably first.
    fn drop(&mut self) {
        self.orders = None;
        self.tasks.iter().for_each(AbortHandle::abort);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the copier's thread panicked");
        }
    }
}
