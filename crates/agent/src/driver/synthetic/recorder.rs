//! The synthetic recorder without its threads: what it does with a tick, with wishes, and with what
//! the keeper says. Record-first: it records whatever is wished, with or without a lease.
use std::collections::BTreeMap;
use std::path::PathBuf;

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{Epoch, RecorderId, ServerId};

use super::super::keeper::{Job, Kept, Key};
use super::super::{Answer, TICK_MS};
use super::channel::{Channel, Place};
use crate::clock::Stamp;
use crate::journal::{Entry, Event};

/// Ticks between two batches of syncs: what is 250 ms old is durable.
const SYNC_TICKS: u64 = 12;

#[derive(Debug)]
struct Tenure {
    wish: Wish,
    channels: Vec<Channel>,
}

/// All channels of all tenures on this server.
#[derive(Debug)]
pub(in crate::driver) struct Recorder {
    root: PathBuf,
    server: ServerId,
    tenures: BTreeMap<(RecorderId, Epoch), Tenure>,
    syncing: bool,
    ticks: u64,
}

impl Recorder {
    pub(in crate::driver) fn new(root: PathBuf, server: ServerId) -> Self {
        Self { root, server, tenures: BTreeMap::new(), syncing: false, ticks: 0 }
    }

    /// Records all of `wishes` from the next tick on, and nothing else.
    pub(in crate::driver) fn run(&mut self, wishes: Vec<Wish>, now: Stamp, jobs: &mut Vec<Job>) {
        let wanted = |tenure: &(RecorderId, Epoch)| {
            wishes.iter().any(|wish| (wish.recorder, wish.epoch) == *tenure)
        };
        let over: Vec<_> = self.tenures.keys().filter(|t| !wanted(t)).copied().collect();
        for tenure in over {
            if let Some(tenure) = self.tenures.remove(&tenure) {
                self.end(tenure, now, jobs);
            }
        }
        for wish in wishes {
            let place = Place { root: &self.root, server: self.server, wish: &wish };
            let tenure = self
                .tenures
                .entry((wish.recorder, wish.epoch))
                .or_insert_with(|| Tenure { wish, channels: Vec::new() });
            for number in 1..=wish.channels {
                if !tenure.channels.iter().any(|channel| channel.number() == number) {
                    let channel = Channel::new(number, place);
                    jobs.push(note(Event::Start, &wish, &channel, now));
                    tenure.channels.push(channel);
                }
            }
            while tenure.channels.last().is_some_and(|last| last.number() > wish.channels) {
                let Some(mut channel) = tenure.channels.pop() else { break };
                jobs.extend(channel.close(place).map(Job::Close));
                jobs.push(note(Event::Stop, &wish, &channel, now));
            }
            tenure.wish = wish;
        }
    }

    /// Writes the tick of this moment in every channel.
    pub(in crate::driver) fn tick(&mut self, now: Stamp, jobs: &mut Vec<Job>) {
        for Tenure { wish, channels } in self.tenures.values_mut() {
            let place = Place { root: &self.root, server: self.server, wish };
            for channel in channels {
                let ticked = channel.tick(now, place);
                let (recorder, name) = (wish.recorder, channel.name());
                if let Some(why) = ticked.error {
                    tracing::error!(%recorder, channel = %name, error = %why, "does not record");
                }
                if ticked.mended {
                    tracing::info!(%recorder, channel = %name, "records again");
                }
                jobs.extend(ticked.closing.into_iter().map(Job::Close));
            }
        }
        self.ticks += 1;
        if self.ticks.is_multiple_of(SYNC_TICKS) {
            self.sync(jobs);
        }
    }

    /// Takes the keeper's word.
    pub(in crate::driver) fn kept(&mut self, kept: Kept, now: Stamp, jobs: &mut Vec<Job>) {
        match kept {
            Kept::Durable { key, first_ms, last_ms } => {
                if let Some((channel, _)) = self.channel(key) {
                    channel.durable(first_ms, last_ms, now.boot);
                }
            }
            Kept::Lost { key } => {
                if let Some((channel, place)) = self.channel(key) {
                    jobs.extend(channel.lost(place, now.boot).map(Job::Close));
                }
            }
            Kept::Synced => self.syncing = false,
        }
    }

    /// Asks the keeper for the ends of those that are no longer recorded.
    pub(in crate::driver) fn find_ends(
        &self,
        tenures: Vec<(RecorderId, Epoch)>,
        answer: Answer,
        jobs: &mut Vec<Job>,
    ) {
        let over = |tenure: &(RecorderId, Epoch)| !self.tenures.contains_key(tenure);
        jobs.push(Job::FindEnds(tenures.into_iter().filter(over).collect(), answer));
    }

    /// What is recorded, and how far it is durable.
    pub(in crate::driver) fn status(&self, now: Stamp) -> Vec<DriverStatus> {
        self.tenures.values().map(|tenure| tenure.status(now)).collect()
    }

    fn channel(&mut self, (recorder, epoch, number): Key) -> Option<(&mut Channel, Place<'_>)> {
        let tenure = self.tenures.get_mut(&(recorder, epoch))?;
        let channel = tenure.channels.iter_mut().find(|channel| channel.number() == number)?;
        Some((channel, Place { root: &self.root, server: self.server, wish: &tenure.wish }))
    }

    fn sync(&mut self, jobs: &mut Vec<Job>) {
        if self.syncing {
            return; // the disk is slower than we are; what is not durable is not told
        }
        let mut batch = Vec::new();
        for (&(recorder, epoch), tenure) in &mut self.tenures {
            for channel in &mut tenure.channels {
                let key = (recorder, epoch, channel.number());
                batch.extend(channel.unsynced().map(|syncing| (key, syncing)));
            }
        }
        if !batch.is_empty() {
            self.syncing = true;
            jobs.push(Job::Sync(batch));
        }
    }

    fn end(&self, tenure: Tenure, now: Stamp, jobs: &mut Vec<Job>) {
        let place = Place { root: &self.root, server: self.server, wish: &tenure.wish };
        for mut channel in tenure.channels {
            jobs.extend(channel.close(place).map(Job::Close));
            jobs.push(note(Event::Stop, &tenure.wish, &channel, now));
        }
    }
}

impl Tenure {
    fn status(&self, now: Stamp) -> DriverStatus {
        let channels = || self.channels.iter();
        let able = || channels().filter(|channel| !channel.is_failing());
        let first: Option<Vec<u64>> = able()
            .map(|channel| channel.first_ms().filter(|_| channel.durable_ms().is_some()))
            .collect();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let works = able().next().is_some() || self.channels.is_empty();
        DriverStatus {
            recorder: self.wish.recorder,
            epoch: self.wish.epoch,
            config: self.wish.config,
            recording: count(channels().filter(|channel| channel.is_recording(now.boot)).count()),
            channels: self.wish.channels,
            first_ms: first.and_then(|first| first.into_iter().max()),
            last_ms: channels().filter_map(Channel::durable_ms).min(),
            tick_ms: u32::try_from(TICK_MS).unwrap_or_default(),
            prepared: works && channels().all(Channel::is_tried),
            failed: !works,
        }
    }
}

fn note(event: Event, wish: &Wish, channel: &Channel, at: Stamp) -> Job {
    Job::Note(Entry {
        at,
        recorder: wish.recorder,
        epoch: wish.epoch,
        event,
        channel: Some(channel.name()),
        file: None,
        blake3: None,
        lease_end: wish.lease_end,
        unfenced: None,
    })
}
