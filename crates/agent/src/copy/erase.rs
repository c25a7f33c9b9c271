//! Removing what the log says is at home (SY-27), or given up: on the server that recorded it.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use interrex_core::{CopyDuty, CopyId, CopyKind};
use tokio::sync::{mpsc, watch};

use super::{Orders, tenure};
use crate::store::Store;

/// A disk that refused is tried again after this long.
const RETRY: Duration = Duration::from_secs(5);

/// Erases what the newest word names, once each, and tells; until there are no more words.
pub(super) async fn run(
    store: Arc<dyn Store>,
    mut orders: watch::Receiver<Orders>,
    told: mpsc::Sender<CopyId>,
) {
    let mut erased = BTreeSet::new();
    loop {
        let newest = orders.borrow_and_update().clone();
        erased.retain(|copy| newest.duty(*copy).is_some());
        let due = |duty: &&CopyDuty| {
            matches!(duty.kind, CopyKind::Erase)
                && !erased.contains(&duty.copy)
                && !newest.open.contains(&(duty.recorder, duty.epoch))
        };
        let Some(duty) = newest.duties.iter().find(due).cloned() else {
            if orders.changed().await.is_err() {
                return;
            }
            continue;
        };
        let (copy, from) = (duty.copy, Arc::clone(&store));
        let done = tokio::task::spawn_blocking(move || from.erase(&tenure(&duty))).await;
        match done {
            Ok(Ok(segments)) => {
                tracing::info!(%copy, segments, "removed what is not needed here any more");
                erased.insert(copy);
                if told.send(copy).await.is_err() {
                    return;
                }
            }
            Ok(Err(why)) => {
                tracing::error!(%copy, error = %why, "cannot remove material; trying again");
                tokio::time::sleep(RETRY).await;
            }
            Err(why) => {
                tracing::error!(%copy, error = %why, "cannot remove material; trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
