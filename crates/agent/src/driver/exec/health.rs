//! What a recorder of a driver program does, asked for once a second.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::RecorderId;
use interrex_core::agent::Wish;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::Shared;
use super::driver::Tenure;
use super::protocol::{ChannelState, Fault, Health};
use super::recorder::Want;

const PAUSE: Duration = Duration::from_secs(1);
/// Asked for a first frame so often, then every so many times.
const PATIENCE: u32 = 10;

/// Asks, and calls for a new start when a channel has fallen. Ends when nobody wants anything.
pub(super) async fn watch(
    shared: Arc<Shared>,
    recorder: RecorderId,
    mut wanted: watch::Receiver<Want>,
    fallen: Arc<Notify>,
) {
    let mut asked: (Option<Tenure>, u32) = (None, 0);
    let mut failing = false;
    loop {
        let want = *wanted.borrow_and_update();
        let Want::Record(wish) = want else {
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        };
        let tenure = (recorder, wish.epoch);
        if asked.0 != Some(tenure) {
            asked = (Some(tenure), 0);
        }
        asked.1 = asked.1.saturating_add(1);
        match shared.driver.health(tenure).await {
            Ok(health) => {
                failing = false;
                show(&shared, wish, &health);
                if is_fallen(&health) {
                    fallen.notify_one();
                }
                first(&shared, tenure, asked.1).await;
            }
            Err(fault) => {
                if !failing {
                    tracing::warn!(%recorder, %fault, "the driver program does not say its health");
                }
                failing = true;
                shared.board.update(tenure, |status| status.recording = 0);
            }
        }
        sleep(PAUSE).await;
    }
}

fn show(shared: &Shared, wish: Wish, health: &Health) {
    if !shared.board.holds((wish.recorder, wish.epoch)) || health.epoch != Some(wish.epoch.0) {
        return; // of another epoch, or before it was started
    }
    let enabled = || health.channels.iter().filter(|c| c.state != ChannelState::Disabled);
    let records = |state: ChannelState| state == ChannelState::Recording;
    let recording = enabled().filter(|channel| records(channel.state)).count();
    let written = enabled().filter(|channel| records(channel.state));
    let last_us = written.filter_map(|channel| channel.last_written_us).min();
    let begun = enabled().all(|channel| channel.state != ChannelState::Starting);
    for channel in enabled().filter(|channel| !records(channel.state)) {
        let (recorder, name, state) = (wish.recorder, &channel.channel, channel.state);
        let why = channel.message.as_deref().unwrap_or_default();
        tracing::debug!(%recorder, channel = %name, ?state, %why, "does not record");
    }
    shared.board.update((wish.recorder, wish.epoch), |status| {
        status.recording = u32::try_from(recording).unwrap_or(u32::MAX);
        status.last_ms = last_us.map(|us| us / 1_000).max(status.last_ms);
        status.prepared = status.config == wish.config && begun;
    });
}

/// Something should record that does not, and will not by itself.
fn is_fallen(health: &Health) -> bool {
    let over = |state| match state {
        ChannelState::Dead | ChannelState::Stopped | ChannelState::Stalled => true,
        ChannelState::Starting | ChannelState::Recording | ChannelState::Disabled => false,
    };
    health.channels.iter().any(|channel| over(channel.state))
}

/// Where the tenure's material begins: once known, it stays.
async fn first(shared: &Shared, tenure: Tenure, asked: u32) {
    let mut unknown = false;
    if !shared.board.holds(tenure) {
        return;
    }
    shared.board.update(tenure, |status| {
        unknown = status.first_ms.is_none() && status.recording > 0;
    });
    if !unknown || (asked > PATIENCE && !asked.is_multiple_of(PATIENCE)) {
        return;
    }
    match begins(shared, tenure).await {
        Ok(first_ms) => shared.board.update(tenure, |status| status.first_ms = first_ms),
        Err(fault) => tracing::warn!(recorder = %tenure.0, %fault, "cannot list material"),
    }
}

/// The latest of the channels' first times.
async fn begins(shared: &Shared, tenure: Tenure) -> Result<Option<u64>, Fault> {
    let mut first = std::collections::BTreeMap::new();
    for segment in shared.driver.list(tenure).await? {
        let known = first.entry(segment.channel).or_insert(segment.from_us);
        *known = segment.from_us.min(*known);
    }
    Ok(first.into_values().max().map(|us| us.div_ceil(1_000)))
}
