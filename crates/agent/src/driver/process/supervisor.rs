//! All commands of this server, without threads: what is done with wishes, with what the guard
//! tells, with what the keeper says, and with time that passes.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interrex_core::agent::{DriverStatus, Wish};
use interrex_core::{ConfigHash, Epoch, RecorderId, ServerId};

use super::channel::{Channel, Means};
use super::files::Place;
use super::settings::Settings;
use crate::clock::Stamp;
use crate::driver::Answer;
use crate::driver::keeper::{Job, Kept, Key};
use crate::guard::{Child, Spawner, Told};
use crate::journal::{self, Event};
use crate::material;

/// One tenure.
#[derive(Debug, Default)]
struct Tenure {
    /// The newest; nothing if an earlier agent had it, and nobody told this one yet.
    wish: Option<Wish>,
    wished: bool,
    channels: BTreeMap<u32, Channel>,
}

/// All channels of all tenures on this server.
pub(super) struct Supervisor {
    root: PathBuf,
    server: ServerId,
    settings: Settings,
    spawner: Arc<dyn Spawner>,
    tenures: BTreeMap<(RecorderId, Epoch), Tenure>,
    syncing: bool,
}

impl Supervisor {
    /// Takes up what an earlier agent left: commands that run, files that are open.
    pub(super) fn take_up(
        (root, server): (PathBuf, ServerId),
        settings: Settings,
        spawner: Arc<dyn Spawner>,
        now: Stamp,
    ) -> io::Result<Self> {
        let runs = spawner.list().unwrap_or_else(|why| {
            tracing::error!(%why, "cannot ask which recorders run");
            Vec::new()
        });
        let tenures = BTreeMap::new();
        let mut supervisor = Self { root, server, settings, spawner, tenures, syncing: false };
        for child in runs {
            if let Some(number) = material::channel_number(&child.key.unit) {
                let tenure = (child.key.recorder, child.key.epoch);
                supervisor.take_up_channel(tenure, number, Some(child), now);
            }
        }
        for (tenure, number) in left_open(&supervisor.root, server)? {
            supervisor.take_up_channel(tenure, number, None, now);
        }
        Ok(supervisor)
    }

    fn take_up_channel(
        &mut self,
        (recorder, epoch): (RecorderId, Epoch),
        number: u32,
        child: Option<Child>,
        now: Stamp,
    ) {
        let place = Place { root: self.root.clone(), server: self.server, recorder, epoch, number };
        let tenure = self.tenures.entry((recorder, epoch)).or_default();
        if let Entry::Vacant(free) = tenure.channels.entry(number) {
            let runs = child.as_ref().map(|child| child.pid);
            tracing::info!(%recorder, %epoch, number, ?runs, "takes up a channel");
            let channel = free.insert(Channel::take_up(place, child, now));
            channel.wish(runs.is_some()); // until it is said what should run (A10)
        }
    }

    /// Records all of `wishes` from now on, and nothing else.
    pub(super) fn run(&mut self, wishes: Vec<Wish>, now: Stamp, jobs: &mut Vec<Job>) {
        for tenure in self.tenures.values_mut() {
            tenure.wished = false;
            tenure.channels.values_mut().for_each(|channel| channel.wish(false));
        }
        for wish in wishes {
            let (recorder, epoch) = (wish.recorder, wish.epoch);
            let tenure = self.tenures.entry((recorder, epoch)).or_default();
            for number in 1..=wish.channels {
                let (root, server) = (self.root.clone(), self.server);
                let place = Place { root, server, recorder, epoch, number };
                let new = || Channel::take_up(place, None, now);
                let channel = tenure.channels.entry(number).or_insert_with(new);
                if !channel.is_noted() {
                    jobs.push(note(Event::Start, Some(&wish), channel, now));
                }
                channel.wish(true);
            }
            (tenure.wish, tenure.wished) = (Some(wish), true);
        }
    }

    /// Brings everything a step further.
    pub(super) fn step(&mut self, now: Stamp, jobs: &mut Vec<Job>) {
        let means = Means { settings: &self.settings, spawner: &*self.spawner, now };
        for tenure in self.tenures.values_mut() {
            let lease_end = tenure.wish.as_ref().and_then(|wish| wish.lease_end);
            for channel in tenure.channels.values_mut() {
                jobs.extend(channel.step(&means, lease_end));
            }
            tenure.channels.retain(|_, channel| {
                let over = channel.is_over();
                if over && channel.is_noted() {
                    jobs.push(note(Event::Stop, tenure.wish.as_ref(), channel, now));
                }
                if over {
                    channel.clear();
                }
                !over
            });
        }
        self.tenures.retain(|_, tenure| tenure.wished || !tenure.channels.is_empty());
    }

    /// Takes the guard's word.
    pub(super) fn told(&mut self, told: &Told, now: Stamp) {
        match told {
            Told::Ended(ended) => {
                let key = &ended.child.key;
                let tenure = self.tenures.get_mut(&(key.recorder, key.epoch));
                let number = material::channel_number(&key.unit);
                let channel =
                    tenure.zip(number).and_then(|(t, number)| t.channels.get_mut(&number));
                if let Some(channel) = channel.filter(|channel| channel.is_up()) {
                    channel.ended(Some(ended), now);
                }
            }
            Told::Lost => {
                for tenure in self.tenures.values_mut() {
                    let runs = tenure.channels.values_mut().filter(|channel| channel.is_up());
                    runs.for_each(|channel| channel.ended(None, now));
                }
            }
            Told::Fresh => tracing::info!("another guard is there"),
        }
    }

    /// Takes the keeper's word.
    pub(super) fn kept(&mut self, kept: Kept, now: Stamp) {
        match kept {
            Kept::Durable { key, first_ms, last_ms } => {
                if let Some(channel) = self.channel(key) {
                    channel.durable(first_ms, last_ms, now.boot);
                }
            }
            Kept::Lost { key } => self.channel(key).into_iter().for_each(Channel::lost),
            Kept::Synced => self.syncing = false,
        }
    }

    fn channel(&mut self, (recorder, epoch, number): Key) -> Option<&mut Channel> {
        self.tenures.get_mut(&(recorder, epoch))?.channels.get_mut(&number)
    }

    /// Asks the keeper to make durable what is not, unless it is still at it.
    pub(super) fn sync(&mut self, jobs: &mut Vec<Job>) {
        if self.syncing {
            return; // the disk is slower than we are; what is not durable is not told
        }
        let mut batch = Vec::new();
        for (&(recorder, epoch), tenure) in &mut self.tenures {
            for (&number, channel) in &mut tenure.channels {
                let key: Key = (recorder, epoch, number);
                batch.extend(channel.files().unsynced().into_iter().map(|syncing| (key, syncing)));
            }
        }
        if !batch.is_empty() {
            self.syncing = true;
            jobs.push(Job::Sync(batch));
        }
    }

    /// Asks the keeper for the ends of those that nothing writes any more.
    pub(super) fn find_ends(
        &self,
        tenures: Vec<(RecorderId, Epoch)>,
        answer: Answer,
        jobs: &mut Vec<Job>,
    ) {
        let over = |tenure: &(RecorderId, Epoch)| !self.tenures.contains_key(tenure);
        jobs.push(Job::FindEnds(tenures.into_iter().filter(over).collect(), answer));
    }

    /// What is recorded, and how far it is durable. Also what is being stopped.
    pub(super) fn status(&self, now: Stamp) -> Vec<DriverStatus> {
        let of = |(&(recorder, epoch), tenure): (&(RecorderId, Epoch), &Tenure)| {
            self.one(recorder, epoch, tenure, now)
        };
        self.tenures.iter().map(of).collect()
    }

    fn one(&self, recorder: RecorderId, epoch: Epoch, tenure: &Tenure, now: Stamp) -> DriverStatus {
        let channels = || tenure.channels.values();
        let able = || channels().filter(|channel| !channel.is_failing());
        let lit = || able().filter(|channel| !channel.is_dark());
        let first: Option<Vec<u64>> = lit().map(Channel::first_ms).collect();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let recording = channels().filter(|c| c.is_recording(now.boot, self.settings.stall));
        let works = able().next().is_some() || tenure.channels.is_empty();
        let tick = channels().filter_map(Channel::distance_ms).max().unwrap_or_default();
        let asked = tenure.wish.as_ref().map(|wish| wish.channels);
        DriverStatus {
            recorder,
            epoch,
            config: tenure.wish.as_ref().map_or_else(ConfigHash::default, |wish| wish.config),
            recording: count(recording.count()),
            channels: asked.unwrap_or_else(|| count(tenure.channels.len())),
            first_ms: first.and_then(|first| first.into_iter().max()),
            last_ms: lit().filter_map(Channel::durable_ms).min(),
            tick_ms: u32::try_from(tick).unwrap_or_default(),
            prepared: works && lit().all(|channel| channel.first_ms().is_some()),
            failed: !works,
        }
    }
}

/// Channels of this server with files that are not closed.
fn left_open(root: &Path, server: ServerId) -> io::Result<Vec<((RecorderId, Epoch), u32)>> {
    let mut found = Vec::new();
    let last = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    for recorder_dir in material::list(&root.join("material"))? {
        let Some(recorder) = last(&recorder_dir).and_then(|name| name.parse().ok()) else {
            continue;
        };
        for dir in material::list(&recorder_dir)? {
            let Some(number) = last(&dir).and_then(|name| material::channel_number(&name)) else {
                continue;
            };
            let growing = material::growing(&dir)?;
            let ours = growing.into_iter().filter(|(name, _)| name.server == server);
            found.extend(ours.map(|(name, _)| ((recorder, name.epoch), number)));
        }
    }
    for recorder_dir in material::list(&root.join(super::FOLDER))? {
        let Some(recorder) = last(&recorder_dir).and_then(|name| name.parse().ok()) else {
            continue;
        };
        for epoch_dir in material::list(&recorder_dir)? {
            let epoch = last(&epoch_dir).and_then(|name| name.parse().ok());
            let Some(epoch) = epoch.map(Epoch) else { continue };
            let names = material::list(&epoch_dir)?.into_iter().filter(|path| path.is_dir());
            let numbers = names.filter_map(|path| material::channel_number(&last(&path)?));
            found.extend(numbers.map(|number| ((recorder, epoch), number)));
        }
    }
    Ok(found)
}

fn note(event: Event, wish: Option<&Wish>, channel: &mut Channel, at: Stamp) -> Job {
    channel.note(event == Event::Start);
    Job::Note(journal::Entry {
        at,
        recorder: channel.place().recorder,
        epoch: channel.place().epoch,
        event,
        channel: Some(channel.name()),
        file: None,
        blake3: None,
        lease_end: wish.and_then(|wish| wish.lease_end),
        unfenced: None,
    })
}
