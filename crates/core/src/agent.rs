//! The agent: leases and obedience, sans IO. It beats, takes what coordinators grant and order, and
//! says what its driver should be doing. Deliberately absent: the driver, sockets, files, clocks.
mod copies;
mod io;
mod lease;
mod links;
mod obedience;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use io::*;

use self::copies::Copies;
use self::lease::{Beats, Leases};
use self::links::{Links, Pace};
use self::obedience::Obedience;
use crate::numbers::{TIMEOUT_MAX, TIMEOUT_MIN};
use crate::{
    Ack, BootTime, CoordinatorId, DutyStatus, EndedTenure, Epoch, Heartbeat, RecorderId, SetId,
    Voters,
};

/// A9, WS-11: how long a starting agent waits for a majority, where nothing is set.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// h until a coordinator says another one: that of the shortest timeout.
const INTERVAL_FIRST: Duration = Duration::from_millis(200);
/// h is never longer (PROTOCOL section 1).
const INTERVAL_MAX: Duration = Duration::from_secs(1);
/// Shortest distance of two beats, however much changes.
const BEAT_MIN: Duration = Duration::from_millis(20);
/// How often the driver is asked again where a tenure ends.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// A coordinator that has not answered for so long has no say in h any longer.
const PACE_AGE_MAX: Duration = Duration::from_secs(60);
/// Coordinators whose h is remembered.
const PACES_MAX: usize = 64;

/// What one coordinator last wanted of our beats.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    at: BootTime,
    interval: Duration,
}

/// One server's agent.
#[derive(Clone, Debug)]
pub struct Agent {
    identity: AgentIdentity,
    started: BootTime,
    beats: Beats,
    leases: Leases,
    links: Links,
    obedience: Obedience,
    copies: Copies,
    paces: BTreeMap<CoordinatorId, Wanted>,
    /// Who has acknowledged a beat of this boot, by set; empty once a majority has.
    acknowledged: BTreeMap<SetId, (Voters, BTreeSet<CoordinatorId>)>,
    ready: bool,
    alone: bool,
    dice: u32,
    beat_at: BootTime,
    beat_last: Option<BootTime>,
    beat_due: bool,
    told: (Vec<DutyStatus>, Vec<EndedTenure>, copies::Telling),
    ask_at: BootTime,
}

impl Agent {
    /// Begins a life of the process. Nothing is connected, assigned or leased yet.
    pub fn start(identity: AgentIdentity, now: AgentMoment) -> Self {
        let now = now.boot;
        Self {
            started: now,
            beats: Beats::default(),
            leases: Leases::default(),
            links: Links::new(identity.links, now),
            obedience: Obedience::new(identity.last_good.clone()),
            copies: Copies::default(),
            paces: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            ready: false,
            alone: false,
            dice: 0,
            beat_at: now,
            beat_last: None,
            beat_due: false,
            told: Default::default(),
            ask_at: now,
            identity,
        }
    }

    /// Takes one input, and says what is to be done about it, in order.
    pub fn handle(&mut self, input: AgentInput, now: AgentMoment) -> Vec<AgentOutput> {
        let mut out = Vec::new();
        // A lease that ended before this input came has ended, even if the input renews it (A1).
        self.obedience.obey(&self.leases, now.boot, &mut out);
        match input {
            AgentInput::Step { dice } => self.step(dice, now.boot, &mut out),
            AgentInput::Opened(_) => self.beat_due = true,
            AgentInput::Closed(connection) => self.links.closed(connection, self.pace(now.boot)),
            AgentInput::Ack { via, ack } => self.hear(via, ack, now.boot, &mut out),
            AgentInput::Status(status) => self.obedience.observe(status),
            AgentInput::Ended(ended) => self.obedience.found(ended),
            AgentInput::Copies(status) => self.copies.observe(status),
            AgentInput::Erased(copies) => self.copies.erase(&copies),
        }
        self.obedience.obey(&self.leases, now.boot, &mut out);
        self.copies.order(&mut out);
        self.find_ends(now.boot, &mut out);
        self.beat(now, &mut out);
        out
    }

    /// A1: the tenures for which it acts at `at`, whether or not a step has come meanwhile.
    pub fn acting(&self, at: BootTime) -> BTreeSet<(RecorderId, Epoch)> {
        self.obedience.may_act(&self.leases, at)
    }

    /// P12: until when the tenure may be acted for, perhaps past; nothing if that is not known.
    pub fn lease_end(&self, recorder: RecorderId, epoch: Epoch) -> Option<BootTime> {
        self.leases.end((recorder, epoch))
    }

    /// I3: how long an attempt to connect may take: h, or the longest h while nobody has said one.
    pub fn connect_timeout(&self) -> Duration {
        if self.paces.is_empty() { INTERVAL_MAX } else { self.interval() }
    }

    /// True once a majority of voters has acknowledged a beat of this boot.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    fn step(&mut self, dice: u32, now: BootTime, out: &mut Vec<AgentOutput>) {
        self.dice = dice;
        self.paces.retain(|_, wanted| now.0.saturating_sub(wanted.at.0) < PACE_AGE_MAX);
        self.leases.forget(now, |tenure| self.obedience.names(tenure));
        // What A3's bound is made of; a coordinator that answers says its own.
        let deaf = self.connect_timeout() * 2 + Duration::from_millis(100);
        self.links.step(self.pace(now), deaf, out);
        let waited = now.0.saturating_sub(self.started.0);
        if !self.ready && !self.alone && waited >= self.identity.connection_timeout {
            self.alone = true; // A9
            if self.obedience.go_alone() {
                out.push(AgentOutput::Alone);
            }
        }
    }

    /// P12: acknowledgements of another boot, and of beats that were never sent, are ignored.
    fn hear(&mut self, via: Connection, ack: Ack, now: BootTime, out: &mut Vec<AgentOutput>) {
        if ack.agent != self.identity.boot || !self.beats.has_sent(ack.seq) {
            return;
        }
        let interval = ack.interval.clamp(INTERVAL_FIRST, INTERVAL_MAX);
        if self.paces.len() < PACES_MAX || self.paces.contains_key(&ack.coordinator) {
            self.paces.insert(ack.coordinator, Wanted { at: now, interval });
        }
        let deaf = ack.deaf.clamp(TIMEOUT_MIN / 2, TIMEOUT_MAX / 2);
        self.links.heard(via, now, deaf, out);
        if let Some(sent) = self.beats.sent(ack.seq) {
            self.leases.grant(&ack, sent);
        }
        self.count(&ack, out);
        if let Some(assignment) = ack.assignment {
            if let Some(newest) = self.obedience.assign(self.identity.server, assignment) {
                self.copies.assign(&newest.copies);
            }
            self.ask_at = now;
        }
    }

    fn count(&mut self, ack: &Ack, out: &mut Vec<AgentOutput>) {
        if self.ready {
            return;
        }
        let (voters, by) = self.acknowledged.entry(ack.set).or_default();
        if *voters != ack.voters {
            (*voters, *by) = (ack.voters.clone(), BTreeSet::new());
        }
        by.insert(ack.coordinator);
        if voters.majority(|voter| by.contains(&voter)) {
            self.ready = true;
            self.obedience.join();
            out.push(AgentOutput::Ready);
        }
        if self.ready || self.acknowledged.len() > PACES_MAX {
            self.acknowledged.clear();
        }
    }

    /// Beats at every h with jitter, and at once when something changed that is worth telling.
    fn beat(&mut self, now: AgentMoment, out: &mut Vec<AgentOutput>) {
        let (duties, ended) = (self.obedience.duties(), self.obedience.ended());
        let timeless = |duty: &DutyStatus| DutyStatus { last_ms: None, ..*duty };
        let copies = self.copies.telling();
        let telling = (duties.iter().map(timeless).collect(), ended.clone(), copies);
        let due = self.beat_due || telling != self.told || now.boot >= self.beat_at;
        let rested = self.beat_last.is_none_or(|last| now.boot.0 >= last.0 + BEAT_MIN);
        if !due || !rested {
            return;
        }
        self.told = telling;
        self.beat_due = false;
        self.beat_last = Some(now.boot);
        self.beat_at = BootTime(now.boot.0 + self.jittered_interval());
        out.push(AgentOutput::Beat(Heartbeat {
            server: self.identity.server,
            boot: self.identity.boot,
            follows: self.identity.follows,
            seq: self.beats.send(now.boot),
            holds: self.obedience.holds(),
            duties,
            ended,
            wall: now.wall,
            facts: self.identity.facts.clone(),
            copies: self.copies.status(),
            erased: self.copies.erased(),
        }));
    }

    fn find_ends(&mut self, now: BootTime, out: &mut Vec<AgentOutput>) {
        if now < self.ask_at {
            return;
        }
        let missing = self.obedience.ends_missing();
        if !missing.is_empty() {
            self.ask_at = BootTime(now.0 + ASK_AGAIN);
            out.push(AgentOutput::FindEnds(missing));
        }
    }

    /// h: the shortest that a coordinator wants, so that one which lags makes no lease too short.
    fn interval(&self) -> Duration {
        self.paces.values().map(|wanted| wanted.interval).min().unwrap_or(INTERVAL_FIRST)
    }

    /// h, 10 % more or less.
    fn jittered_interval(&self) -> Duration {
        let interval = self.interval();
        interval * 9 / 10 + interval / 5 * (self.dice % 1_024) / 1_023
    }

    fn pace(&self, now: BootTime) -> Pace {
        Pace { now, interval: self.interval(), dice: self.dice }
    }
}
