//! The source dials, because nobody can dial it (SY-30): one connection for each copy that it
//! serves, over which the target asks when that copy's turn has come.
use std::collections::BTreeMap;
use std::time::Duration;

use interrex_core::{Address, CopyDuty, CopyId, CopyKind, ServerId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::dial::Call;
use super::line::ANSWERS_MAX;
use super::{Orders, Setup};
use crate::serve::answer::Answering;

/// After a connection that could not be made, or is over, the next is tried after this long.
const RETRY: Duration = Duration::from_secs(1);

/// Keeps a connection for each copy that needs one, until there are no more words.
pub(super) async fn run(setup: Setup, mut orders: watch::Receiver<Orders>) {
    let mut offering: BTreeMap<CopyId, (CopyDuty, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let newest = orders.borrow_and_update().clone();
        offering.retain(|copy, (duty, task)| {
            let stays = newest.duty(*copy) == Some(duty) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for duty in newest.duties.iter().filter(|_| !setup.listens) {
            let Some((to, at)) = target(duty) else { continue };
            let start = || {
                let offer = offer(setup.clone(), orders.clone(), duty.clone(), to, at);
                (duty.clone(), tokio::spawn(offer))
            };
            offering.entry(duty.copy).or_insert_with(start);
        }
        if orders.changed().await.is_err() {
            offering.values().for_each(|(_, task)| task.abort());
            return;
        }
    }
}

/// Whom to dial, and where.
fn target(duty: &CopyDuty) -> Option<(ServerId, Address)> {
    match &duty.kind {
        CopyKind::Serve { to, at: Some(at) } => Some((*to, at.clone())),
        CopyKind::Serve { at: None, .. } | CopyKind::Fetch { .. } | CopyKind::Erase => None,
    }
}

/// Dials until the copy is served there no longer.
async fn offer(
    setup: Setup,
    orders: watch::Receiver<Orders>,
    duty: CopyDuty,
    other: ServerId,
    address: Address,
) {
    let mut silent = false;
    loop {
        let (copy, cluster) = (duty.copy, orders.borrow().cluster);
        let same = orders.borrow().duty(copy).is_some_and(|now| *now == duty);
        let (Some(cluster), true) = (cluster, same) else { return };
        let (address, server) = (address.clone(), setup.server);
        let call = Call { address, other, cluster, server, copy, room: ANSWERS_MAX };
        let why = match call.dial(&setup.security).await {
            Ok(line) => {
                silent = false;
                let answering = Answering::new(&setup, &duty, orders.clone(), line);
                answering.spawn(()).await.unwrap_or_else(|why| why.to_string())
            }
            Err(why) => why,
        };
        if !silent {
            tracing::info!(%copy, %other, %why, "the home does not ask over our connection; trying again");
            silent = true;
        }
        tokio::time::sleep(RETRY).await;
    }
}
