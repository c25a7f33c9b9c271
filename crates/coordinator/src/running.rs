//! One coordinator in this process, from its folder to its ports, and back. Three runtimes: Raft
//! and the members' calls have one of their own, so that no load of operators or agents delays a
//! heartbeat between members; the node task has its thread (`node`).
mod start;

use std::sync::Arc;
use std::time::Duration;

use interrex_client::identity::install_crypto_provider;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::Shared;
use crate::config::Config;
use crate::failure::{self, Failure};
use crate::raft::Consensus;
use start::Parts;
pub(crate) use start::secure;

/// SIGTERM: what was begun is finished within this, so that all ends within 15 s.
const FINISH_MAX: Duration = Duration::from_secs(8);
/// Handing leadership over takes milliseconds; this is for a cluster in trouble.
const HAND_OVER_MAX: Duration = Duration::from_secs(4);

/// A coordinator that runs. Dropping it ends it at once.
pub struct Running {
    serving: Option<Serving>,
    runtimes: Option<(Runtime, Runtime)>,
    stop: CancellationToken,
    ready: watch::Receiver<bool>,
    failed: watch::Receiver<Option<Failure>>,
}

/// What ends one after the other.
struct Serving {
    consensus: Arc<Consensus>,
    shared: Arc<Shared>,
    api: JoinHandle<()>,
    http: JoinHandle<()>,
    /// Ends the service of `peers` and the node task, last.
    last: CancellationToken,
}

impl Running {
    /// Starts one, and waits until it has its place in a cluster and its log. It may be not ready
    /// for longer: see [`Self::ready`].
    ///
    /// # Errors
    ///
    /// It cannot run: exit code, code, message and remedy.
    pub fn start(config: Config, stop: CancellationToken) -> Result<Self, Failure> {
        install_crypto_provider();
        let (failed, failed_seen) = watch::channel(None);
        let (ready, ready_seen) = watch::channel(false);
        let (parts, sockets) = Parts::new(config, stop.clone(), ready, failed)?;
        let raft = runtime("raft")?;
        let api = runtime("api")?;
        let last = parts.last();
        let serving = raft.block_on(parts.start(sockets, api.handle()));
        if serving.is_err() {
            last.cancel();
        }
        let serving = Some(serving?);
        let runtimes = Some((raft, api));
        Ok(Self { serving, runtimes, stop, ready: ready_seen, failed: failed_seen })
    }

    /// True once it grants and reports (P6).
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    /// Why the process must end, as soon as there is a reason.
    pub fn failed(&self) -> watch::Receiver<Option<Failure>> {
        self.failed.clone()
    }

    /// Cancelled when it is asked to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Hands leadership over, finishes what was begun, and ends. Blocks for at most 15 s.
    pub fn stop(mut self) {
        self.stop.cancel();
        let (Some(serving), Some((raft, api))) = (self.serving.take(), self.runtimes.take()) else {
            return;
        };
        raft.block_on(serving.stop());
        api.shutdown_timeout(Duration::from_millis(500));
        raft.shutdown_timeout(Duration::from_millis(500));
    }
}

impl Drop for Running {
    /// As a crash would: nothing is handed over, nothing is answered any more.
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            serving.last.cancel();
        }
        if let Some((raft, api)) = self.runtimes.take() {
            api.shutdown_background();
            raft.shutdown_background();
        }
    }
}

impl Serving {
    async fn stop(self) {
        // Leadership first: until then the cluster has no other.
        let handed = tokio::time::timeout(HAND_OVER_MAX, self.consensus.step_down()).await;
        if let Ok(Some(leader)) = handed {
            tracing::info!(leader = leader.0, "handed leadership over");
        }
        self.shared.stop.cancel();
        let finish = async {
            let _ = self.api.await;
            let _ = self.http.await;
        };
        if tokio::time::timeout(FINISH_MAX, finish).await.is_err() {
            tracing::warn!("some callers did not take their answers in time");
        }
        self.consensus.stop().await;
        if let Err(error) = self.shared.circle.door.save() {
            tracing::warn!(%error, "what is known of the other members is not kept");
        }
        // Last: what was committed is written and its bound noted, so that damage is told from a torn
        // tail at the next start.
        self.shared.history.close();
        self.last.cancel();
    }
}

fn runtime(name: &str) -> Result<Runtime, Failure> {
    let built =
        Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build();
    built.map_err(failure::disk)
}
