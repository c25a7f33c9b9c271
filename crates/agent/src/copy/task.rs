//! One copy that is fetched here: when its next turn is, and how it stands. Pure but for what it
//! keeps of its folder.
use std::time::Duration;

use interrex_core::fleet::Kinds;
use interrex_core::{Address, CopyDuty, CopyId, CopyKind, CopyStanding, CopyStatus};

use super::line::Line;
use super::place::Place;
use super::session::Ended;
use super::stage::Stage;

/// After an exchange that broke, the next is tried after this long; twice as long each time.
const RETRY: Duration = Duration::from_millis(250);
/// But never longer than this.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Nobody reached for so long is told.
const NO_ROUTE: Duration = Duration::from_secs(5);
/// Segments that failed are tried again after this long.
const RETRY_FAILED: Duration = Duration::from_secs(60);
/// A full disk is looked at so often.
const LOOK: Duration = Duration::from_secs(1);

/// What the assignment says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) from: Option<Address>,
    pub(super) rate: u64,
    pub(super) paused: bool,
    pub(super) kinds: Kinds,
}

/// One copy.
pub(super) struct Task {
    /// Its folder and its place, once it was begun by this process.
    pub(super) opened: Option<(Stage, Place)>,
    /// The source has dialled, and waits to be asked.
    pub(super) line: Option<Line>,
    /// Bytes that lacked room.
    pub(super) full: Option<u64>,
    standing: Option<CopyStanding>,
    /// When its turn is; none: when something changes.
    due: Option<Duration>,
    pause: Duration,
    /// Since when nobody was reached.
    alone: Option<Duration>,
    was_paused: bool,
}

/// What a duty to fetch says.
pub(super) fn fetch(duty: &CopyDuty) -> Option<Fetch> {
    match &duty.kind {
        CopyKind::Fetch { from, rate, paused, kinds } => {
            Some(Fetch { from: from.clone(), rate: *rate, paused: *paused, kinds: *kinds })
        }
        CopyKind::Serve { .. } | CopyKind::Erase => None,
    }
}

impl Task {
    /// Its turn is now.
    pub(super) fn new(now: Duration) -> Self {
        Self {
            opened: None,
            line: None,
            full: None,
            standing: None,
            due: Some(now),
            pause: RETRY,
            alone: None,
            was_paused: false,
        }
    }

    /// When its turn is, unless it waits for a change.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due.filter(|_| !self.was_paused)
    }

    /// As the newest word has it. What goes on after a pause is tried anew, failed or not.
    pub(super) fn obey(&mut self, fetch: &Fetch, now: Duration) {
        if self.was_paused && !fetch.paused {
            self.due = Some(now);
        }
        self.was_paused = fetch.paused;
    }

    /// A source has dialled; a line before this one is of a connection that it gave up.
    pub(super) fn offered(&mut self, line: Line, now: Duration) {
        self.line = Some(line);
        match self.standing {
            None | Some(CopyStanding::Running | CopyStanding::NoRoute) => self.due = Some(now),
            Some(CopyStanding::DiskFull | CopyStanding::Failed | CopyStanding::Durable) => {}
        }
    }

    /// The other end is there.
    pub(super) fn reached(&mut self) {
        (self.alone, self.pause) = (None, RETRY);
        self.standing = Some(CopyStanding::Running);
    }

    /// What follows from how its turn ended; what is worth telling people, it tells.
    pub(super) fn judge(&mut self, copy: CopyId, ended: Ended, now: Duration) {
        let before = self.standing;
        let failed = self.opened.as_ref().map_or(0, |(_, place)| place.failed.len());
        match ended {
            Ended::Over if failed == 0 => {
                (self.standing, self.due) = (Some(CopyStanding::Durable), None);
            }
            Ended::Over => {
                self.standing = Some(CopyStanding::Failed);
                self.due = Some(now + RETRY_FAILED);
            }
            Ended::Full(bytes) => {
                self.full = Some(bytes);
                self.standing = Some(CopyStanding::DiskFull);
                self.due = Some(now + LOOK);
            }
            Ended::CalledOff => self.due = Some(now),
            Ended::Broken(ref why) => {
                let alone = *self.alone.get_or_insert(now);
                if alone == now {
                    tracing::warn!(%copy, %why, "cannot go on with a copy; trying again");
                }
                if now.saturating_sub(alone) >= NO_ROUTE {
                    self.standing = Some(CopyStanding::NoRoute);
                }
                self.due = Some(now + self.pause);
                self.pause = (self.pause * 2).min(RETRY_MAX);
            }
        }
        if self.standing != before && self.standing != Some(CopyStanding::Running) {
            let standing = self.standing.map(CopyStanding::name);
            tracing::info!(%copy, standing, failed, "how a copy stands");
        }
    }

    /// What the coordinators are told; nothing before its first turn.
    pub(super) fn status(&self, copy: CopyId) -> Option<CopyStatus> {
        let standing = self.standing?;
        let progress = self.opened.as_ref().map(|(_, place)| place.progress()).unwrap_or_default();
        Some(CopyStatus { copy, progress, standing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: CopyId = CopyId(1);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn broken() -> Ended {
        Ended::Broken("no".into())
    }

    #[test]
    fn who_is_not_reached_is_tried_ever_more_rarely_and_told_after_a_while() {
        let mut task = Task::new(s(0));
        assert_eq!(task.due(), Some(s(0)));
        let (mut now, mut tries) = (s(0), 0);
        while now < s(60) {
            task.judge(COPY, broken(), now);
            let told = task.status(COPY).map(|status| status.standing);
            assert_eq!(told, (now >= NO_ROUTE).then_some(CopyStanding::NoRoute), "{now:?}");
            now = task.due().unwrap();
            tries += 1;
        }
        assert!((15..=18).contains(&tries), "{tries}");
        task.reached();
        task.judge(COPY, broken(), now);
        assert_eq!(task.due(), Some(now + RETRY), "at once, after it was there");
        assert_eq!(task.status(COPY).unwrap().standing, CopyStanding::Running);
    }

    #[test]
    fn each_end_has_its_standing() {
        let mut task = Task::new(s(0));
        task.judge(COPY, Ended::Full(9), s(1));
        assert_eq!((task.full, task.due()), (Some(9), Some(s(2))));
        assert_eq!(task.status(COPY).unwrap().standing, CopyStanding::DiskFull);
        task.judge(COPY, Ended::CalledOff, s(3));
        assert_eq!(task.due(), Some(s(3)));
        task.judge(COPY, Ended::Over, s(4));
        assert_eq!(task.status(COPY).unwrap().standing, CopyStanding::Durable);
        assert_eq!(task.due(), None);
    }

    #[test]
    fn what_is_paused_has_no_turn_and_then_at_once() {
        let mut task = Task::new(s(0));
        let paused = Fetch { from: None, rate: 0, paused: true, kinds: Kinds::default() };
        task.obey(&paused, s(1));
        assert_eq!(task.due(), None);
        task.judge(COPY, Ended::Over, s(2));
        task.obey(&Fetch { paused: false, ..paused }, s(3));
        assert_eq!(task.due(), Some(s(3)), "also where it had ended");
    }
}
