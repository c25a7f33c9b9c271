//! Who is silent, as this coordinator hears it, in listened time. Volatile: never in the log.
//! What follows from silence is not here: see `promise` for what it binds us to, and `due` for
//! what the leader makes of it. Which process speaks for a server is in `agents`.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::numbers::{STEP_MAX, Timeout};
use crate::{Listened, Mono, ServerId};

/// The smallest step of time: what separates "for longer than" from "for".
const INSTANT: Duration = Duration::from_nanos(1);

/// How far the silence of a watched server has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Missed {
    /// For two heartbeat intervals (D6).
    Late,
    /// For more than half the timeout (D7).
    Quiet,
    /// Past the timeout, and every lease that we granted has ended (P3).
    Silent,
}

/// The two timeouts of a server, as the applied state has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// F, as it is set now.
    pub(crate) timeout: Timeout,
    /// The longest F under which a lease may still run (P3).
    pub(crate) longest: Duration,
}

/// Remembers when each server was last heard.
#[derive(Clone, Debug)]
pub(crate) struct Detector {
    listened: Listened,
    stepped: Mono,
    servers: BTreeMap<ServerId, Heard>,
    /// When a watched server must be looked at again: never later than its next threshold. A beat
    /// leaves the old time standing, so that beats cost one look-up and steps only what is due.
    wheel: BTreeSet<(Listened, ServerId)>,
    missed: BTreeMap<ServerId, Missed>,
    changed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    /// P2. Where silence is counted from.
    since: Listened,
    /// When the newest beat came, if any did.
    beat: Option<Listened>,
    /// When the first beat after the last silence of F came.
    heard_since: Listened,
    /// P3, of the grants of this life.
    granted_until: Listened,
    bounds: Bounds,
    /// The state calls it seen: its silence counts.
    watched: bool,
    /// Its place in the wheel.
    wake: Option<Listened>,
}

impl Detector {
    /// Has listened to nobody yet.
    pub(crate) fn start(now: Mono) -> Self {
        Self {
            listened: Listened::default(),
            stepped: now,
            servers: BTreeMap::new(),
            wheel: BTreeSet::new(),
            missed: BTreeMap::new(),
            changed: false,
        }
    }

    /// Time spent listening so far.
    pub(crate) fn listened(&self) -> Listened {
        self.listened
    }

    /// Lets time pass, once all input that is ready has been handled.
    ///
    /// P1: time in which we did not run proves nothing, so a late step adds nothing.
    pub(crate) fn step(&mut self, now: Mono) {
        let elapsed = now.0.saturating_sub(self.stepped.0);
        if elapsed <= STEP_MAX {
            self.listened.0 += elapsed;
        }
        self.stepped = now.max(self.stepped);
        while let Some(&(wake, server)) = self.wheel.first()
            && wake <= self.listened
        {
            self.wheel.pop_first();
            if let Some(heard) = self.servers.get_mut(&server) {
                heard.wake = None;
            }
            self.look_at(server);
        }
    }

    /// The silence of `server` counts from now on; P2: if we never heard it, from this moment.
    pub(crate) fn watch(&mut self, server: ServerId, bounds: Bounds) {
        let heard = self.servers.entry(server).or_insert(Heard::first(self.listened, bounds));
        (heard.watched, heard.bounds) = (true, bounds);
        self.reschedule(server);
    }

    /// The silence of `server` counts no more. What we granted it is remembered.
    pub(crate) fn unwatch(&mut self, server: ServerId, bounds: Bounds) {
        if let Some(heard) = self.servers.get_mut(&server) {
            (heard.watched, heard.bounds) = (false, bounds);
            self.reschedule(server);
        }
    }

    /// The listened time of this very moment. Listened time itself grows by steps only: what comes
    /// between two is dated no earlier than it came, however late the next step is (P1, P3).
    fn arrival(&self, now: Mono) -> Listened {
        let elapsed = now.0.saturating_sub(self.stepped.0);
        let counts = if elapsed <= STEP_MAX { elapsed } else { Duration::ZERO };
        Listened(self.listened.0 + counts)
    }

    /// Records a heartbeat that comes now.
    pub(crate) fn hear(&mut self, server: ServerId, bounds: Bounds, now: Mono) {
        let now = self.arrival(now);
        let heard = self.servers.entry(server).or_insert(Heard::first(now, bounds));
        let last = heard.beat.replace(now);
        if last.is_none_or(|last| now.0.saturating_sub(last.0) >= bounds.timeout.silence()) {
            heard.heard_since = now;
            self.changed = true;
        }
        (heard.since, heard.bounds) = (now, bounds);
        if self.missed.remove(&server).is_some() {
            self.changed = true;
        }
        if heard.watched && heard.wake.is_none() {
            self.reschedule(server);
        }
    }

    /// Remembers a lease granted to `server` under `timeout`, in answer to its newest heartbeat.
    ///
    /// P3: a shorter one never takes back a longer one, for its acknowledgement may be lost.
    pub(crate) fn grant(&mut self, server: ServerId, timeout: Timeout) {
        if let Some(heard) = self.servers.get_mut(&server)
            && let Some(beat) = heard.beat
        {
            let until = Listened(beat.0 + timeout.silence());
            heard.granted_until = heard.granted_until.max(until);
            if self.missed.contains_key(&server) {
                self.reschedule(server);
            }
        }
    }

    /// M1: the voters changed, so all silence begins anew.
    pub(crate) fn restart(&mut self, now: Mono) {
        let now = self.arrival(now);
        self.servers.values_mut().for_each(|heard| heard.since = now);
        let servers: Vec<ServerId> = self.servers.keys().copied().collect();
        servers.into_iter().for_each(|server| self.reschedule(server));
    }

    /// P3: when the last lease that `server` may have of us has surely ended. Leases granted before
    /// our start are forgotten, so until then they count as granted under the longest timeout.
    pub(crate) fn grant_until(&self, server: ServerId, longest: Duration) -> Listened {
        let granted = self.servers.get(&server).map(|heard| heard.granted_until);
        granted.unwrap_or_default().max(Listened(longest))
    }

    /// Watched servers that are missed, in id order, how far it has gone, and for how long.
    pub(crate) fn missed(&self) -> impl Iterator<Item = (ServerId, Missed, Duration)> {
        self.missed.iter().map(|(&server, &missed)| (server, missed, self.silence_of(server)))
    }

    /// D2: for how long `server` has been heard, up to its newest beat; nothing once that beat is
    /// two intervals old.
    pub(crate) fn heard_for(&self, server: ServerId) -> Option<Duration> {
        let heard = self.servers.get(&server)?;
        let beat = heard.beat?;
        let fresh = self.listened.0.saturating_sub(beat.0) < heard.bounds.timeout.interval() * 2;
        fresh.then(|| beat.0.saturating_sub(heard.heard_since.0))
    }

    /// Every watched server, and for how long it has been silent.
    pub(crate) fn silence(&self) -> impl Iterator<Item = (ServerId, Duration)> {
        let watched = self.servers.iter().filter(|(_, heard)| heard.watched);
        watched.map(|(&server, heard)| (server, self.listened.0.saturating_sub(heard.since.0)))
    }

    /// Everybody heard or watched so far, in id order.
    pub(crate) fn known(&self) -> impl Iterator<Item = ServerId> {
        self.servers.keys().copied()
    }

    /// True once after somebody was missed further, or was heard again.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn silence_of(&self, server: ServerId) -> Duration {
        let since = self.servers.get(&server).map_or(self.listened, |heard| heard.since);
        self.listened.0.saturating_sub(since.0)
    }

    /// Forgets when to look at `server`, and looks at once.
    fn reschedule(&mut self, server: ServerId) {
        if let Some(heard) = self.servers.get_mut(&server)
            && let Some(wake) = heard.wake.take()
        {
            self.wheel.remove(&(wake, server));
        }
        self.look_at(server);
    }

    fn look_at(&mut self, server: ServerId) {
        let Some(heard) = self.servers.get_mut(&server) else { return };
        let (missed, next) = heard.missed(self.listened);
        heard.wake = next;
        self.wheel.extend(next.map(|next| (next, server)));
        let before = match missed {
            Some(missed) => self.missed.insert(server, missed),
            None => self.missed.remove(&server),
        };
        self.changed |= before != missed;
    }
}

impl Heard {
    fn first(now: Listened, bounds: Bounds) -> Self {
        Self {
            since: now,
            beat: None,
            heard_since: now,
            granted_until: Listened::default(),
            bounds,
            watched: false,
            wake: None,
        }
    }

    /// How far the silence has gone, and when that changes next.
    fn missed(&self, now: Listened) -> (Option<Missed>, Option<Listened>) {
        if !self.watched {
            return (None, None);
        }
        let Bounds { timeout, longest } = self.bounds;
        let after = |long: Duration| Listened(self.since.0 + long);
        let late = after(timeout.interval() * 2);
        let quiet = after(timeout.half() + INSTANT);
        // P3: every lease, also one granted under an older timeout, must have ended.
        let silent = after(timeout.silence()).max(self.granted_until).max(Listened(longest));
        if now >= silent {
            (Some(Missed::Silent), None)
        } else if now >= quiet {
            (Some(Missed::Quiet), Some(silent))
        } else if now >= late {
            (Some(Missed::Late), Some(quiet))
        } else {
            (None, Some(late))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn bounds(timeout: u64, longest: u64) -> Bounds {
        Bounds { timeout: Timeout::new(secs(timeout)).unwrap(), longest: secs(longest) }
    }

    fn s1() -> ServerId {
        "s1".parse().unwrap()
    }

    fn listen(detector: &mut Detector, from: u64, to: u64) {
        (from * 10 + 1..=to * 10).for_each(|n| detector.step(Mono(STEP_MAX * n as u32)));
    }

    fn silent(detector: &Detector) -> bool {
        detector.missed().any(|(server, missed, _)| server == s1() && missed == Missed::Silent)
    }

    fn heard_at_7(timeout: u64) -> Detector {
        let mut detector = Detector::start(Mono::default());
        listen(&mut detector, 0, 7);
        detector.hear(s1(), bounds(timeout, timeout), Mono(secs(7)));
        detector
    }

    /// P1.
    #[test]
    fn time_in_which_we_did_not_run_proves_nothing() {
        let mut detector = heard_at_7(2);
        detector.watch(s1(), bounds(2, 2));
        detector.step(Mono(secs(100)));
        listen(&mut detector, 100, 101);
        assert!(!silent(&detector));
        listen(&mut detector, 101, 102);
        assert!(silent(&detector));
        detector.hear(s1(), bounds(2, 2), Mono(secs(102)));
        assert!(!silent(&detector));
    }

    /// P1, P3: the grant that answers a beat is counted from the beat, not from the step before it.
    #[test]
    fn a_beat_between_two_steps_is_not_dated_back() {
        let mut detector = Detector::start(Mono::default());
        detector.watch(s1(), bounds(2, 2));
        listen(&mut detector, 0, 7);
        let ms = |ms| Mono(Duration::from_millis(ms));
        detector.hear(s1(), bounds(2, 2), ms(7_090));
        detector.grant(s1(), bounds(2, 2).timeout);
        (1..=19).for_each(|n| detector.step(ms(7_000 + 100 * n)));
        detector.step(ms(9_000));
        assert!(!silent(&detector), "1,910 ms after the beat");
        detector.step(ms(9_080));
        assert!(!silent(&detector));
        detector.step(ms(9_090));
        assert!(silent(&detector));
        let late = ms(9_300);
        detector.hear(s1(), bounds(2, 2), late);
        detector.step(ms(9_301));
        assert_eq!(
            detector.silence().next(),
            Some((s1(), Duration::ZERO)),
            "a late step adds none"
        );
    }

    /// P2: also one that never connects is missed; P3: leases from before our start end first.
    #[test]
    fn a_server_that_dies_while_we_restart_is_missed_after_the_longest_timeout() {
        let mut detector = Detector::start(Mono::default());
        detector.watch(s1(), bounds(2, 3));
        listen(&mut detector, 0, 2);
        assert!(!silent(&detector), "a lease granted before our start may run");
        listen(&mut detector, 2, 3);
        assert!(silent(&detector));
    }

    /// P2: a server not seen is not watched, and silence before it was heard proves nothing.
    #[test]
    fn a_server_never_seen_is_not_missed() {
        let mut detector = heard_at_7(2);
        listen(&mut detector, 7, 20);
        assert!(!silent(&detector));
        let other: ServerId = "s2".parse().unwrap();
        detector.watch(other, bounds(2, 2));
        listen(&mut detector, 20, 21);
        assert_eq!(detector.missed().count(), 1);
        assert!(!detector.missed().any(|(_, missed, _)| missed == Missed::Silent));
    }

    /// P3: the maximum, not the newest.
    #[test]
    fn a_lease_granted_under_a_longer_timeout_ends_first() {
        let mut detector = heard_at_7(5);
        detector.grant(s1(), bounds(5, 5).timeout);
        detector.grant(s1(), bounds(2, 5).timeout);
        detector.watch(s1(), bounds(2, 5));
        listen(&mut detector, 7, 11);
        assert!(!silent(&detector));
        listen(&mut detector, 11, 12);
        assert!(silent(&detector));
    }

    /// M1.
    #[test]
    fn new_voters_begin_to_listen_anew() {
        let mut detector = heard_at_7(2);
        detector.watch(s1(), bounds(2, 2));
        listen(&mut detector, 7, 8);
        detector.restart(Mono(secs(8)));
        listen(&mut detector, 8, 9);
        assert!(!silent(&detector));
        listen(&mut detector, 9, 10);
        assert!(silent(&detector));
    }

    /// D6, D7: late after two intervals, quiet after more than half the timeout; each is told once.
    #[test]
    fn silence_grows_from_late_to_quiet_to_silent() {
        let mut detector = heard_at_7(10);
        detector.watch(s1(), bounds(10, 1));
        let mut told = Vec::new();
        detector.take_changed();
        for n in 71..=180 {
            detector.step(Mono(STEP_MAX * n));
            if detector.take_changed() {
                told.extend(detector.missed().map(|(_, missed, long)| (missed, long)));
            }
        }
        let ms = Duration::from_millis;
        let expected =
            [(Missed::Late, ms(2000)), (Missed::Quiet, ms(5100)), (Missed::Silent, ms(10_000))];
        assert_eq!(told, expected);
    }

    /// A lowered timeout is looked at again, though an earlier beat had set a later time.
    #[test]
    fn a_lowered_timeout_counts_at_once() {
        let mut detector = heard_at_7(20);
        detector.watch(s1(), bounds(20, 1));
        listen(&mut detector, 7, 10);
        detector.watch(s1(), bounds(2, 1));
        assert!(silent(&detector));
    }

    /// D2: heard for = from the first beat after a silence of F to the newest beat.
    #[test]
    fn being_heard_begins_again_after_a_silence() {
        let mut detector = heard_at_7(2);
        listen(&mut detector, 7, 8);
        detector.hear(s1(), bounds(2, 2), Mono(secs(8)));
        assert_eq!(detector.heard_for(s1()), Some(secs(1)));
        listen(&mut detector, 8, 9);
        assert_eq!(detector.heard_for(s1()), None, "two intervals of 400 ms ago");
        listen(&mut detector, 9, 10);
        detector.hear(s1(), bounds(2, 2), Mono(secs(10)));
        assert_eq!(detector.heard_for(s1()), Some(secs(0)));
    }
}
