//! One recorder of a driver program: one changing verb at a time brings it to what is wished, and
//! beside it `health` says what it does. A fence goes before everything.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use interrex_core::agent::Wish;
use interrex_core::{ConfigHash, Epoch, RecorderId};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::Shared;
use super::driver::Tenure;
use super::health;
use super::protocol::{Class, Fault, STALE_EPOCH};
use crate::journal::Event;

/// After a soft fault; doubles up to the longest.
const BACK_OFF_MIN: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// Stops that fail, until all is killed instead.
const STOPS_MAX: u32 = 3;

/// What should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Record(Wish),
    /// Nothing; what writes may come to its end.
    Stop,
    /// Nothing, at once.
    Fence,
}

/// What the program was last told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    epoch: Epoch,
    /// Applied and started; nothing if an earlier agent did it.
    config: Option<(ConfigHash, u32)>,
}

/// One recorder of one program.
pub(super) struct Recorder {
    pub(super) shared: Arc<Shared>,
    pub(super) recorder: RecorderId,
    pub(super) wanted: watch::Receiver<Want>,
}

impl Recorder {
    /// Works until the driver is dropped. `left` is what an earlier agent had it record.
    pub(super) async fn work(mut self, left: Option<Epoch>) {
        let mut held = left.map(|epoch| Held { epoch, config: None });
        let fallen = Arc::new(Notify::new());
        let watched = health::watch(
            Arc::clone(&self.shared),
            self.recorder,
            self.wanted.clone(),
            Arc::clone(&fallen),
        );
        let changes = async {
            let mut faults = 0;
            loop {
                let want = *self.wanted.borrow_and_update();
                let outcome = self.bring(want, &mut held, faults).await;
                match outcome {
                    Ok(Done::Changed) => faults = 0,
                    Ok(Done::AsWanted) => {
                        faults = 0;
                        let restart = tokio::select! {
                            changed = self.wanted.changed() => {
                                if changed.is_err() { return; }
                                false
                            }
                            () = fallen.notified() => true,
                        };
                        if restart && let Some(held) = &mut held {
                            held.config = None;
                        }
                    }
                    Err(fault) => {
                        faults += 1;
                        self.tell(want, &fault, faults);
                        let wait = fault.retry_after.unwrap_or_else(|| back_off(faults));
                        tokio::select! {
                            () = sleep(wait) => {}
                            changed = self.wanted.changed() => if changed.is_err() { return; },
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = changes => {}
            () = watched => {}
        }
    }

    /// One step from what is held to what is wanted.
    async fn bring(&self, want: Want, held: &mut Option<Held>, faults: u32) -> Result<Done, Fault> {
        let driver = &self.shared.driver;
        match (want, *held) {
            (Want::Fence, Some(Held { epoch, .. })) => {
                driver.fence((self.recorder, epoch)).await?;
                self.over(epoch, held);
                Ok(Done::Changed)
            }
            (Want::Record(wish), Some(was)) if was.epoch == wish.epoch => {
                if was.config == Some((wish.config, wish.channels)) {
                    return Ok(Done::AsWanted);
                }
                self.unless_fenced(self.start(wish)).await?;
                *held =
                    Some(Held { epoch: wish.epoch, config: Some((wish.config, wish.channels)) });
                Ok(Done::Changed)
            }
            (Want::Stop | Want::Record(_), Some(Held { epoch, .. })) => {
                let tenure = (self.recorder, epoch);
                if faults >= STOPS_MAX {
                    driver.fence(tenure).await?;
                } else {
                    match self.unless_fenced(driver.stop(tenure)).await {
                        Err(fault) if fault.exit == Some(STALE_EPOCH) => {
                            tracing::info!(recorder = %tenure.0, epoch = %tenure.1, newest = fault.newest_epoch, "is recorded under a newer epoch");
                        }
                        other => other?,
                    }
                }
                self.over(epoch, held);
                Ok(Done::Changed)
            }
            (Want::Record(wish), None) => {
                let tenure = (self.recorder, wish.epoch);
                self.shared.board.update(tenure, |status| status.channels = wish.channels);
                // Before it records, so that the next agent knows of it, whatever happens.
                self.shared.keep();
                self.shared.note(Event::Start, tenure, wish.lease_end, wish.channels);
                *held = Some(Held { epoch: wish.epoch, config: None });
                Ok(Done::Changed)
            }
            (Want::Stop | Want::Fence, None) => Ok(Done::AsWanted),
        }
    }

    async fn start(&self, wish: Wish) -> Result<(), Fault> {
        let (driver, tenure) = (&self.shared.driver, (self.recorder, wish.epoch));
        self.shared.described().await?;
        driver.apply(tenure, wish.channels, wish.config).await?;
        self.shared.board.update(tenure, |status| {
            (status.config, status.channels) = (wish.config, wish.channels);
        });
        driver.start(tenure, wish.config).await?;
        self.shared.board.update(tenure, |status| status.failed = false);
        Ok(())
    }

    /// A fence goes before what runs: that is killed.
    async fn unless_fenced(
        &self,
        work: impl Future<Output = Result<(), Fault>>,
    ) -> Result<(), Fault> {
        let mut wanted = self.wanted.clone();
        tokio::select! {
            done = work => done,
            fenced = wanted.wait_for(|want| *want == Want::Fence) => {
                drop(fenced);
                Err(Fault::new("fenced", Class::Soft, "a fence went before it"))
            }
        }
    }

    fn over(&self, epoch: Epoch, held: &mut Option<Held>) {
        let tenure: Tenure = (self.recorder, epoch);
        let channels = held.and_then(|held| held.config).map_or(0, |(_, channels)| channels);
        *held = None;
        self.shared.note(Event::Stop, tenure, None, channels);
        self.shared.board.remove(tenure);
        self.shared.keep();
    }

    fn tell(&self, want: Want, fault: &Fault, faults: u32) {
        let recorder = self.recorder;
        let lasting = fault.class != Class::Soft && fault.exit != Some(STALE_EPOCH);
        if let Want::Record(wish) = want {
            self.shared.board.update((recorder, wish.epoch), |status| status.failed = lasting);
        }
        if want == Want::Fence {
            tracing::error!(%recorder, %fault, "cannot fence what records: it may still write");
        } else if faults == 1 || lasting {
            tracing::error!(%recorder, %fault, faults, "the driver program fails; trying again");
        } else {
            tracing::warn!(%recorder, %fault, faults, "the driver program fails; trying again");
        }
    }
}

enum Done {
    Changed,
    AsWanted,
}

fn back_off(faults: u32) -> Duration {
    (BACK_OFF_MIN * 2_u32.saturating_pow(faults.saturating_sub(1))).min(BACK_OFF_MAX)
}
