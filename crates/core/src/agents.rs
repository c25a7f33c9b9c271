//! Which process speaks for a server, and what it last said (A8). Volatile. How long ago that was
//! is in `detector`; what it may do is in `grants` and, for good, in the state.
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::fleet::SERVERS_MAX;
use crate::{
    AgentBoot, AssignmentId, BeatSeq, CopyId, CopyStanding, CopyStatus, DutyStatus, EndedTenure,
    Epoch, Facts, Grant, Heartbeat, Listened, Phase, RecorderId, ServerId,
};

/// Replaced boots of one server that are remembered, and ignored (A8).
const REPLACED_MAX: usize = 16;
/// Servers whose words are kept. Twice a whole fleet, so that a replaced fleet fits beside the new
/// one; the identities of agents are checked before they get here.
const AGENTS_MAX: usize = 2 * SERVERS_MAX;

/// Counts the heartbeats that this coordinator accepted: what came later has the higher number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival(u64);

/// What this coordinator knows of the processes of one server.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    /// The process that speaks for the server.
    pub(crate) boot: AgentBoot,
    pub(crate) seq: BeatSeq,
    pub(crate) holds: Option<AssignmentId>,
    pub(crate) duties: Vec<DutyStatus>,
    pub(crate) ended: Vec<EndedTenure>,
    pub(crate) facts: Facts,
    pub(crate) copies: Vec<CopyStatus>,
    pub(crate) erased: Vec<CopyId>,
    /// The grants of the newest acknowledgement that answered this boot.
    pub(crate) told: Vec<Grant>,
    arrival: Arrival,
    beat: Listened,
    /// The boot last granted, or one that followed it and was taken at once.
    heir: Option<AgentBoot>,
    /// No grants before this: other boots may still hold leases.
    withheld_until: Listened,
    replaced: VecDeque<AgentBoot>,
    intruder: Option<Intruder>,
    /// The newest grant of each recorder: it counts from the heartbeat that it answered (P8).
    granted: BTreeMap<RecorderId, (Epoch, Arrival)>,
    /// Where this boot last said that it gave up a tenure.
    released: BTreeMap<RecorderId, (Epoch, Arrival)>,
}

/// A replaced boot that beats again.
#[derive(Clone, Copy, Debug)]
struct Intruder {
    boot: AgentBoot,
    first: Listened,
    last: Listened,
}

/// What became of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It counts.
    Accepted {
        /// It says something new, beyond longer times and more progress.
        news: bool,
    },
    /// Of a replaced boot, out of order, doubled, or from one server too many.
    Ignored,
}

/// The agents that this coordinator has heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agents {
    agents: BTreeMap<ServerId, Agent>,
    arrivals: u64,
}

impl Agents {
    /// Takes in a heartbeat. `grant_until` is when the leases of the boots before have ended (P3).
    pub(crate) fn hear(
        &mut self,
        beat: Heartbeat,
        now: Listened,
        grant_until: Listened,
        timeout: Duration,
    ) -> Taken {
        let full = self.agents.len() >= AGENTS_MAX;
        let arrival = Arrival(self.arrivals + 1);
        let taken = match self.agents.get_mut(&beat.server) {
            None if full => Taken::Ignored,
            // A8: a restarted coordinator takes the first one that it hears.
            None => {
                self.agents.insert(beat.server, Agent::first(beat, now, arrival));
                Taken::Accepted { news: true }
            }
            Some(agent) => agent.hear(beat, now, arrival, grant_until, timeout),
        };
        if matches!(taken, Taken::Accepted { .. }) {
            self.arrivals += 1;
        }
        taken
    }

    /// What `server` is and said, if it was heard.
    pub(crate) fn get(&self, server: ServerId) -> Option<&Agent> {
        self.agents.get(&server)
    }

    /// The same, to note a grant.
    pub(crate) fn get_mut(&mut self, server: ServerId) -> Option<&mut Agent> {
        self.agents.get_mut(&server)
    }

    /// Everybody heard, in id order.
    pub(crate) fn servers(&self) -> impl Iterator<Item = ServerId> {
        self.agents.keys().copied()
    }

    /// A8: two processes speak for these servers.
    pub(crate) fn duplicates(
        &self,
        now: Listened,
        timeout: impl Fn(ServerId) -> Duration,
    ) -> impl Iterator<Item = (ServerId, [AgentBoot; 2])> {
        self.agents.iter().filter_map(move |(&server, agent)| {
            let intruder = agent.duplicate(now, timeout(server))?;
            Some((server, [intruder, agent.boot]))
        })
    }
}

impl Agent {
    fn first(beat: Heartbeat, now: Listened, arrival: Arrival) -> Self {
        let mut agent = Self {
            boot: beat.boot,
            seq: beat.seq,
            holds: None,
            duties: Vec::new(),
            ended: Vec::new(),
            facts: Facts::default(),
            copies: Vec::new(),
            erased: Vec::new(),
            told: Vec::new(),
            arrival,
            beat: now,
            heir: None,
            withheld_until: Listened::default(),
            replaced: VecDeque::new(),
            intruder: None,
            granted: BTreeMap::new(),
            released: BTreeMap::new(),
        };
        agent.take(beat, now, arrival);
        agent
    }

    fn hear(
        &mut self,
        beat: Heartbeat,
        now: Listened,
        arrival: Arrival,
        grant_until: Listened,
        timeout: Duration,
    ) -> Taken {
        if beat.boot == self.boot {
            // A8: doubled, or overtaken by a newer one.
            if beat.seq <= self.seq {
                return Taken::Ignored;
            }
        } else if self.replaced.contains(&beat.boot) {
            if !self.returns(beat.boot, now, timeout) {
                return Taken::Ignored;
            }
            self.replace(&beat, grant_until);
        } else {
            self.replace(&beat, grant_until);
        }
        let news = (&self.duties, &self.ended) != (&beat.duties, &beat.ended)
            || (&self.facts, &self.erased) != (&beat.facts, &beat.erased)
            || !standings(&self.copies).eq(standings(&beat.copies));
        self.take(beat, now, arrival);
        Taken::Accepted { news }
    }

    /// A8: a replaced boot speaks. It counts only when the one that replaced it has been silent for
    /// the timeout while it went on for longer than that.
    fn returns(&mut self, boot: AgentBoot, now: Listened, timeout: Duration) -> bool {
        let same = |old: &Intruder| old.boot == boot && now.0 - old.last.0 < timeout;
        let first = self.intruder.filter(same).map_or(now, |old| old.first);
        self.intruder = Some(Intruder { boot, first, last: now });
        now.0 - first.0 > timeout && now.0 - self.beat.0 >= timeout
    }

    /// A8: another process speaks from now on; without grants at first, unless it follows the one
    /// that was granted.
    fn replace(&mut self, beat: &Heartbeat, grant_until: Listened) {
        self.replaced.retain(|boot| *boot != beat.boot);
        self.replaced.push_back(self.boot);
        if self.replaced.len() > REPLACED_MAX {
            self.replaced.pop_front();
        }
        let followed = self.heir.or(Some(self.boot));
        if beat.follows.is_some() && beat.follows == followed {
            self.heir = Some(beat.boot);
        } else {
            self.withheld_until = self.withheld_until.max(grant_until);
        }
        self.intruder = None;
        self.released.clear();
    }

    fn take(&mut self, beat: Heartbeat, now: Listened, arrival: Arrival) {
        (self.boot, self.seq, self.beat, self.arrival) = (beat.boot, beat.seq, now, arrival);
        (self.holds, self.duties, self.ended) = (beat.holds, beat.duties, beat.ended);
        (self.facts, self.copies, self.erased) = (beat.facts, beat.copies, beat.erased);
        for duty in self.duties.iter().filter(|duty| duty.phase == Phase::Released) {
            self.released.insert(duty.recorder, (duty.epoch, arrival));
        }
    }

    /// A8: whether this process may be granted anything.
    pub(crate) fn may_be_granted(&self, now: Listened, timeout: Duration) -> bool {
        now >= self.withheld_until && self.duplicate(now, timeout).is_none()
    }

    /// The other process that speaks for this server, while both do.
    fn duplicate(&self, now: Listened, timeout: Duration) -> Option<AgentBoot> {
        let intruder = self.intruder?;
        let both = now.0 - intruder.last.0 < timeout && now.0 - self.beat.0 < timeout;
        (both && intruder.last.0 - intruder.first.0 > timeout).then_some(intruder.boot)
    }

    /// How long ago the newest heartbeat came.
    pub(crate) fn silent(&self, now: Listened) -> Duration {
        now.0.saturating_sub(self.beat.0)
    }

    /// Notes what the newest heartbeat was answered with.
    pub(crate) fn grant(&mut self, grants: &[Grant]) {
        for grant in grants {
            self.heir = Some(self.boot);
            self.granted.insert(grant.recorder, (grant.epoch, self.arrival));
        }
        self.told = grants.to_vec();
    }

    /// P8: this boot said that it gave up the tenure, later than the newest heartbeat that we
    /// answered with a grant of it. It cannot speak for another process that may still hold a lease.
    pub(crate) fn released(&self, recorder: RecorderId, epoch: Epoch, now: Listened) -> bool {
        let at = |told: Option<&(Epoch, Arrival)>| {
            told.filter(|(of, _)| *of == epoch).map(|(_, arrival)| *arrival)
        };
        let released = at(self.released.get(&recorder));
        now >= self.withheld_until
            && released.is_some()
            && released > at(self.granted.get(&recorder))
    }
}

fn standings(copies: &[CopyStatus]) -> impl Iterator<Item = (CopyId, CopyStanding)> {
    copies.iter().map(|status| (status.copy, status.standing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigHash, Facts, Wall};

    const F: Duration = Duration::from_secs(2);

    fn s1() -> ServerId {
        "s1".parse().unwrap()
    }

    fn r1() -> RecorderId {
        "r1".parse().unwrap()
    }

    fn at(ms: u64) -> Listened {
        Listened(Duration::from_millis(ms))
    }

    fn beat(boot: u64, follows: Option<u64>, seq: u64) -> Heartbeat {
        Heartbeat {
            server: s1(),
            boot: AgentBoot(boot),
            follows: follows.map(AgentBoot),
            seq: BeatSeq(seq),
            holds: None,
            duties: vec![],
            ended: vec![],
            wall: Wall(0),
            facts: Facts::default(),
            copies: vec![],
            erased: vec![],
        }
    }

    fn released(seq: u64) -> Heartbeat {
        let duty = DutyStatus {
            recorder: r1(),
            epoch: Epoch(1),
            phase: Phase::Released,
            config: ConfigHash::default(),
            recording: 0,
            channels: 1,
            first_ms: None,
            last_ms: None,
            tick_ms: 20,
            failed: false,
        };
        Heartbeat { duties: vec![duty], ..beat(1, None, seq) }
    }

    fn hear(agents: &mut Agents, beat: Heartbeat, ms: u64) -> bool {
        matches!(agents.hear(beat, at(ms), at(5_000), F), Taken::Accepted { .. })
    }

    fn may(agents: &Agents, ms: u64) -> bool {
        agents.get(s1()).unwrap().may_be_granted(at(ms), F)
    }

    fn grant(agents: &mut Agents) {
        let grant = Grant { recorder: r1(), epoch: Epoch(1), lease: F };
        agents.get_mut(s1()).unwrap().grant(&[grant]);
    }

    fn granted() -> Agents {
        let mut agents = Agents::default();
        assert!(hear(&mut agents, beat(1, None, 1), 0));
        assert!(may(&agents, 0), "the first one heard is taken");
        grant(&mut agents);
        agents
    }

    /// A8.
    #[test]
    fn doubled_and_overtaken_heartbeats_are_ignored() {
        let mut agents = granted();
        assert!(!hear(&mut agents, beat(1, None, 1), 10));
        assert!(hear(&mut agents, beat(1, None, 3), 10));
        assert!(!hear(&mut agents, beat(1, None, 2), 10));
    }

    /// A8.
    #[test]
    fn a_process_that_follows_the_granted_one_is_granted_at_once() {
        let mut agents = granted();
        assert!(hear(&mut agents, beat(2, Some(1), 1), 100));
        assert!(may(&agents, 100));
        assert!(!hear(&mut agents, beat(1, None, 9), 110), "replaced");
        assert!(hear(&mut agents, beat(3, Some(2), 1), 200), "restarted again before any grant");
        assert!(may(&agents, 200));
    }

    /// A8: disk lost, restored, or a copy of a machine.
    #[test]
    fn a_process_that_follows_nobody_known_waits_for_the_leases_before_it() {
        for follows in [None, Some(7)] {
            let mut agents = granted();
            assert!(hear(&mut agents, beat(2, follows, 1), 100));
            assert!(!may(&agents, 4_990));
            assert!(may(&agents, 5_000));
        }
    }

    /// A8: duplicate identity.
    #[test]
    fn two_processes_of_one_server_get_nothing_until_one_is_silent() {
        let mut agents = granted();
        let mut seq = 1;
        hear(&mut agents, beat(2, Some(1), 1), 0);
        let timeout = |_| F;
        for ms in (100..=2_300).step_by(200) {
            seq += 1;
            assert!(!hear(&mut agents, beat(1, None, seq), ms));
            assert!(hear(&mut agents, beat(2, Some(1), seq), ms));
            let alarm = agents.duplicates(at(ms), timeout).next();
            assert_eq!(alarm.is_some(), ms > 2_100, "longer than F, at {ms}");
            assert_eq!(may(&agents, ms), ms <= 2_100);
        }
        assert!(hear(&mut agents, beat(2, Some(1), 90), 4_300));
        assert!(may(&agents, 4_300), "the replaced one has been silent for F");
        assert_eq!(agents.duplicates(at(4_300), timeout).count(), 0);
    }

    /// A8: if it is the newer one that falls silent, the older one speaks again.
    #[test]
    fn the_process_that_goes_on_is_heard_in_the_end() {
        let mut agents = granted();
        hear(&mut agents, beat(2, Some(1), 1), 0);
        let taken = (0..30).find(|n| hear(&mut agents, beat(1, None, 2 + n), 100 + 200 * n));
        assert_eq!(taken, Some(11), "longer than F after its first beat");
        assert!(!may(&agents, 4_990), "the other one may still hold a lease");
        assert!(may(&agents, 5_000));
    }

    /// P8: released must be said later than the newest grant, by the boot that speaks now.
    #[test]
    fn a_release_counts_only_after_the_newest_grant_and_of_the_current_boot() {
        let mut agents = granted();
        let is_released =
            |agents: &Agents| agents.get(s1()).unwrap().released(r1(), Epoch(1), at(40));
        assert!(!is_released(&agents));
        hear(&mut agents, released(2), 10);
        assert!(is_released(&agents));
        grant(&mut agents);
        assert!(!is_released(&agents), "granted again, in answer to that very heartbeat");
        hear(&mut agents, released(3), 20);
        assert!(is_released(&agents));
        hear(&mut agents, beat(2, Some(1), 1), 30);
        assert!(!is_released(&agents), "a new process has said nothing yet");
    }

    #[test]
    fn a_seventeenth_replaced_process_is_forgotten() {
        let mut agents = granted();
        (2..=18).for_each(|boot| assert!(hear(&mut agents, beat(boot, Some(boot - 1), 1), 0)));
        assert!(!hear(&mut agents, beat(2, None, 9), 10), "the sixteenth");
        assert!(hear(&mut agents, beat(1, None, 9), 10));
    }
}
