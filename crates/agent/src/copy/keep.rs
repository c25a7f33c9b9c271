//! The thread that waits for the disk while segments come in: makes them durable, and keeps the
//! place.
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use interrex_core::RecorderId;
use tokio::sync::mpsc;

use super::place::Place;
use crate::store::{Fetched, Store, StoreError};

/// What waits for the disk.
pub(super) enum Job {
    Sync(Arc<File>),
    TakeIn(Vec<Fetched>),
    Save(Place),
}

/// What is done.
pub(super) enum Kept {
    TakenIn(Vec<Fetched>, Result<(), StoreError>),
    Saved(Result<(), String>),
}

/// Works until the exchange is over.
pub(super) fn keep(
    store: &dyn Store,
    recorder: RecorderId,
    dir: &Path,
    todo: &Receiver<Job>,
    tell: &mpsc::UnboundedSender<Kept>,
) {
    for job in todo {
        let kept = match job {
            Job::Sync(file) => {
                if let Err(why) = file.sync_data() {
                    tracing::warn!(error = %why, "what is fetched is not durable yet");
                }
                continue;
            }
            Job::TakeIn(batch) => {
                let done = store.take_in(recorder, &batch);
                Kept::TakenIn(batch, done)
            }
            Job::Save(place) => Kept::Saved(place.save(dir).map_err(|why| why.to_string())),
        };
        if tell.send(kept).is_err() {
            return;
        }
    }
}
