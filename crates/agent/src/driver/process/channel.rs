//! One channel: its command, whether it runs, when it is started again, and what it has written.
//! Health is the age of what was written, never that a process is there.
use std::time::Duration;

use interrex_core::BootTime;

use super::files::{Files, Place};
use super::settings::{Settings, Target};
use crate::clock::Stamp;
use crate::driver::keeper::Job;
use crate::guard::{Child, Ended, Exit, Key, SpawnError, Spawner};
use crate::material;

/// After the first restart, which comes at once.
const BACK_OFF_MIN: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// A command that wrote for so long has proved itself: its next restart is a first one.
const PROVED: Duration = Duration::from_secs(10);
/// Asked again, where the guard said nothing of the end.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A program that cannot be executed ends so.
const NO_PROGRAM: i32 = 127;
/// Starts without a frame, until nobody waits for the first one any longer.
const DARK: u32 = 2;

#[derive(Debug)]
enum Run {
    /// Until then.
    Down(BootTime),
    Up {
        child: Child,
        since: BootTime,
        wrote: Option<BootTime>,
    },
    /// Was asked or made to end, then.
    Ending {
        at: BootTime,
    },
}

/// What the channels of a driver share.
pub(super) struct Means<'a> {
    pub(super) settings: &'a Settings,
    pub(super) spawner: &'a dyn Spawner,
    pub(super) now: Stamp,
}

/// One channel in one tenure.
#[derive(Debug)]
pub(super) struct Channel {
    place: Place,
    files: Files,
    run: Run,
    wished: bool,
    /// The journal tells of its start.
    noted: bool,
    /// What runs was taken up, and may be something else than what should.
    unchecked: bool,
    /// Starts since it last proved itself.
    starts: u32,
    /// Why it cannot work, told once.
    failing: Option<String>,
    first_ms: Option<u64>,
    durable_ms: Option<u64>,
    durable_at: BootTime,
}

impl Channel {
    /// With the command that an earlier agent started, if there is one.
    pub(super) fn take_up(place: Place, child: Option<Child>, now: Stamp) -> Self {
        let dir = place.root.join(place.dir());
        let first_ms = material::first_ms(&dir, place.epoch, place.server);
        let up = |child| Run::Up { child, since: now.boot, wrote: None };
        let mut files = Files::new(place.clone());
        let left = files.take_up();
        let mut channel = Self {
            files,
            place,
            unchecked: child.is_some(),
            run: child.map_or(Run::Down(now.boot), up),
            wished: false,
            noted: false,
            starts: 0,
            failing: None,
            first_ms,
            durable_ms: None,
            durable_at: BootTime::default(),
        };
        if let Err(why) = left {
            channel.fail(format!("what an earlier agent left: {why}"));
        }
        channel
    }

    pub(super) fn name(&self) -> String {
        material::channel_name(self.place.number)
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether it should record from now on.
    pub(super) fn wish(&mut self, wished: bool) {
        self.wished = wished;
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted
    }

    pub(super) fn note(&mut self, noted: bool) {
        self.noted = noted;
    }

    pub(super) fn is_up(&self) -> bool {
        !matches!(self.run, Run::Down(_))
    }

    /// Leaves nothing of an ended channel but its segments, and what was set aside.
    pub(super) fn clear(&self) {
        let work = self.place.work();
        // Folders that still hold something stay.
        let _ = std::fs::remove_file(work.with_extension("log"));
        let emptied = std::fs::remove_dir(&work)
            .and_then(|()| std::fs::remove_dir(self.place.tenure()))
            .and_then(|()| std::fs::remove_dir(self.place.tenure().parent().unwrap_or(&work)));
        tracing::trace!(?emptied, "cleared");
    }

    /// Not wished, and nothing writes any more.
    pub(super) fn is_over(&self) -> bool {
        !self.wished && matches!(self.run, Run::Down(_))
    }

    /// Brings what runs to what is wished, and takes note of what was written.
    pub(super) fn step(&mut self, means: &Means<'_>, lease_end: Option<BootTime>) -> Vec<Job> {
        let now = means.now.boot;
        let grown = match self.files.look(means.now, lease_end) {
            Ok(grown) => grown,
            Err(why) => {
                self.fail(format!("its files: {why}"));
                false
            }
        };
        if let Run::Up { wrote, .. } = &mut self.run
            && grown
        {
            *wrote = Some(now);
        }
        match &self.run {
            Run::Down(_) => {
                let closings = self.files.all();
                if matches!(self.run, Run::Down(at) if self.wished && at <= now) {
                    self.start(means);
                }
                return closings.into_iter().map(Job::Close).collect();
            }
            Run::Up { .. } => self.watch(means),
            Run::Ending { at } if now.0.saturating_sub(at.0) >= ASK_AGAIN => {
                self.end(means, Duration::ZERO);
            }
            Run::Ending { .. } => {}
        }
        self.files.full().into_iter().map(Job::Close).collect()
    }

    /// Its command is over.
    pub(super) fn ended(&mut self, ended: Option<&Ended>, now: Stamp) {
        self.count();
        self.run = Run::Down(BootTime(now.boot.0 + back_off(self.starts)));
        let (recorder, channel) = (self.place.recorder, self.name());
        match ended.map(|ended| (ended.exit, ended.stopping)) {
            Some((Exit::Code(NO_PROGRAM), None)) => {
                self.fail("its program cannot be executed".to_owned());
            }
            Some((exit, None)) => {
                let said = super::said::last_line(&self.place.work().with_extension("log"));
                tracing::warn!(%recorder, %channel, ?exit, %said, "a command ended; starting it again");
            }
            Some((exit, Some(why))) => {
                tracing::debug!(%recorder, %channel, ?exit, ?why, "a command was ended");
            }
            None => tracing::warn!(%recorder, %channel, "a command was lost with the guard"),
        }
    }

    /// What is not durable yet.
    pub(super) fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    /// The distance of two frames, as last seen.
    pub(super) fn distance_ms(&self) -> Option<u64> {
        self.files.distance_ms()
    }

    /// All up to `last_ms` is durable.
    pub(super) fn durable(&mut self, first_ms: u64, last_ms: u64, now: BootTime) {
        self.first_ms.get_or_insert(first_ms);
        self.durable_ms = Some(self.durable_ms.map_or(last_ms, |known| known.max(last_ms)));
        self.durable_at = now;
        if self.failing.take().is_some() {
            tracing::info!(recorder = %self.place.recorder, channel = %self.name(), "records again");
        }
    }

    /// It could not be made durable.
    pub(super) fn lost(&mut self) {
        self.fail("its files cannot be made durable".to_owned());
    }

    pub(super) fn is_recording(&self, now: BootTime, stall: Duration) -> bool {
        let age = now.0.saturating_sub(self.durable_at.0);
        self.failing.is_none() && self.durable_ms.is_some() && age < stall + BACK_OFF_MIN
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// It was started more than once and never gave a frame: its camera is gone, perhaps.
    pub(super) fn is_dark(&self) -> bool {
        self.durable_ms.is_none() && self.starts > DARK
    }

    pub(super) fn first_ms(&self) -> Option<u64> {
        self.first_ms.filter(|_| self.durable_ms.is_some())
    }

    pub(super) fn durable_ms(&self) -> Option<u64> {
        self.durable_ms
    }

    /// What it runs, if that is something else than what it should.
    fn watch(&mut self, means: &Means<'_>) {
        let Run::Up { child, since, wrote } = &self.run else { return };
        let age = means.now.boot.0.saturating_sub(wrote.unwrap_or(*since).0);
        let patience = if wrote.is_some() { means.settings.stall } else { means.settings.start };
        let other = self.unchecked && self.wished && {
            let wanted = means.settings.launch(self.target(&self.place.work()), 0);
            wanted.is_ok_and(|wanted| wanted.tag != child.tag)
        };
        self.unchecked &= !self.wished;
        if !self.wished || other {
            self.end(means, means.settings.grace);
        } else if age >= patience {
            let (recorder, channel) = (self.place.recorder, self.name());
            tracing::warn!(%recorder, %channel, ms = age.as_millis(), "nothing was written; starting it anew");
            self.end(means, Duration::ZERO);
        }
    }

    fn start(&mut self, means: &Means<'_>) {
        let (work, now) = (self.place.work(), means.now.boot);
        let later = BootTime(now.0 + back_off(self.starts + 1).max(BACK_OFF_MIN));
        self.run = Run::Down(later);
        let launch = match means.settings.launch(self.target(&work), means.now.wall_ms()) {
            Ok(launch) => launch,
            Err(why) => return self.fail(why),
        };
        if let Err(why) = std::fs::create_dir_all(&work).and_then(|()| super::said::bound(&work)) {
            return self.fail(format!("{}: {why}", work.display()));
        }
        match means.spawner.spawn(self.key(), launch) {
            Ok(child) | Err(SpawnError::Runs(child)) => {
                self.unchecked = true;
                self.starts += 1;
                self.run = Run::Up { child, since: now, wrote: None };
            }
            // The guard has said why, or the core will.
            Err(SpawnError::Fenced | SpawnError::Gone) => {}
            Err(SpawnError::Failed(why)) => {
                self.starts += 1;
                self.fail(why);
            }
        }
    }

    fn end(&mut self, means: &Means<'_>, grace: Duration) {
        let key = self.key();
        let told = match grace.is_zero() {
            true => means.spawner.kill(&key),
            false => means.spawner.stop(&key, grace),
        };
        if let Err(why) = told {
            let (recorder, channel) = (self.place.recorder, self.name());
            tracing::error!(%recorder, %channel, %why, "cannot end a command; trying again");
        }
        self.count();
        self.run = Run::Ending { at: means.now.boot };
    }

    /// A command that has proved itself is over: the next start counts as a first one.
    fn count(&mut self) {
        if let Run::Up { since, wrote: Some(wrote), .. } = &self.run
            && wrote.0.saturating_sub(since.0) >= PROVED
        {
            self.starts = 1;
        }
    }

    fn fail(&mut self, why: String) {
        if self.failing.as_ref() != Some(&why) {
            let (recorder, channel) = (self.place.recorder, self.name());
            tracing::error!(%recorder, %channel, %why, "does not record");
            self.failing = Some(why);
        }
    }

    fn target<'a>(&self, dir: &'a std::path::Path) -> Target<'a> {
        let Place { recorder, epoch, number, server, .. } = self.place;
        Target { recorder, epoch, number, server, dir }
    }

    fn key(&self) -> Key {
        Key { recorder: self.place.recorder, epoch: self.place.epoch, unit: self.name() }
    }
}

/// How long the next start waits, after so many.
fn back_off(starts: u32) -> Duration {
    match starts.checked_sub(2) {
        None => Duration::ZERO,
        Some(more) => (BACK_OFF_MIN * 2_u32.saturating_pow(more)).min(BACK_OFF_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_comes_at_once_and_the_others_ever_later() {
        let ms: Vec<_> = (0..9).map(|starts| back_off(starts).as_millis()).collect();
        assert_eq!(ms, [0, 0, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(back_off(u32::MAX), BACK_OFF_MAX);
    }
}
