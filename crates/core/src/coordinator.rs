//! The coordinator: follower and leader in one, sans IO. Here is what it is made of, and where each
//! input goes; what it does for agents and for its leader is in `coordinator/follower`, what an
//! applied entry changes in `coordinator/fold`, and leading in `coordinator/leader`.
//!
//! Deliberately absent: the queue and the judging of commands (`proposer`), every rule of the
//! domain (`due`, `decide`, `assignment`), clocks, network, disk.
mod fold;
mod follower;
pub mod io;
mod leader;
mod standing;
mod telling;
mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::agents::Agents;
use crate::coordinator::io::{Alarm, Identity, Input, Output, Reply};
use crate::detector::{Bounds, Detector};
use crate::promise::Promise;
use crate::{
    Assignment, CoordinatorId, Epoch, LogIndex, Moment, RecorderId, Report, ServerId, State,
};

use leader::Leader;
use standing::Standing;

/// One coordinator, in one life of its process.
///
/// The shell gives it each input, with the moment at which it is handled, and carries out what
/// comes back, in order. Before each [`Input::Step`] it hands in all heartbeats that have arrived.
#[derive(Clone, Debug)]
pub struct Coordinator {
    identity: Identity,
    state: State,
    standing: Standing,
    promise: Promise,
    detector: Detector,
    agents: Agents,
    /// Membership entries in our log that are not applied yet (M2).
    open_members: BTreeSet<LogIndex>,
    /// What each server that was heard must be, since which index.
    assignments: BTreeMap<ServerId, Assignment>,
    /// Heard, in the fleet, and not yet seen by the state.
    unseen: BTreeSet<ServerId>,
    /// Servers of whom an open step waits to hear.
    waited: BTreeSet<ServerId>,
    /// Servers that say of themselves or of copies what the log lacks.
    telling: BTreeSet<ServerId>,
    /// P8, as last looked at.
    clear: Vec<(RecorderId, Epoch)>,
    /// Something that the newest report does not say yet.
    news: bool,
    /// A report went out since the last step.
    said: bool,
    leader: Option<Leader>,
}

impl Coordinator {
    /// Begins to listen, with all that its log held applied to `state`. Follows nobody yet, grants
    /// nothing and calls nobody silent until a leader has answered its first report (P6).
    pub fn start(identity: Identity, state: State, now: Moment) -> Self {
        let mut coordinator = Self {
            standing: Standing::default(),
            promise: Promise::start(identity.boot),
            detector: Detector::start(now.mono),
            agents: Agents::default(),
            open_members: BTreeSet::new(),
            assignments: BTreeMap::new(),
            unseen: BTreeSet::new(),
            waited: BTreeSet::new(),
            telling: BTreeSet::new(),
            clear: Vec::new(),
            news: false,
            said: false,
            leader: None,
            identity,
            state,
        };
        coordinator.rewatch();
        coordinator
    }

    /// Takes one input in, and tells what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Moment) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Heartbeat(beat) => self.heartbeat(beat, now, &mut out),
            Input::Step => self.step(now, &mut out),
            Input::Follows { term, leader } => self.follows(term, leader, &mut out),
            Input::Leads { term, last } => self.leads_from(term, last, now, &mut out),
            Input::MembersAppended(index) if index > self.state.applied => {
                self.open_members.insert(index);
            }
            Input::MembersAppended(_) => {}
            Input::Truncated { last_kept } => {
                self.open_members.retain(|index| Some(*index) <= last_kept)
            }
            Input::Applied { index, entry } => self.applied(index, &entry, now, &mut out),
            Input::Report(report) => self.reported(report),
            Input::Tick(tick) => self.ticked(tick, now, &mut out),
            Input::Answer(answer) => self.answered(answer, &mut out),
            Input::Request { ticket, request, dry_run } => match &mut self.leader {
                Some(leader) if leader.accepts() => {
                    leader.proposer.ask(ticket, request, dry_run, &mut out);
                }
                Some(_) | None => {
                    let other = self.leader().filter(|leader| *leader != self.identity.id);
                    out.push(Output::Reply { ticket, reply: Reply::NotLeader(other) });
                }
            },
            Input::NotAppended { term } => {
                if let Some(leader) = &mut self.leader {
                    leader.not_appended(term);
                }
            }
        }
        self.turn(now, &mut out);
        out
    }

    /// All that the log implied when it was last applied.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How long each server that is watched has been silent, as heard here, in listened time.
    pub fn silence(&self) -> impl Iterator<Item = (ServerId, Duration)> {
        self.detector.silence()
    }

    /// True while this coordinator leads, settled or not.
    pub fn leads(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::leads)
    }

    /// Who leads, as Raft last said.
    pub fn leader(&self) -> Option<CoordinatorId> {
        self.standing.leader()
    }

    /// P6: the first answer of a leader is in force: this coordinator grants and reports.
    pub fn ready(&self) -> bool {
        self.promise.ready()
    }

    /// The newest report of each member to this leader; empty where another one leads.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.leader.iter().filter(|leader| leader.leads()).flat_map(|leader| leader.table.newest())
    }

    /// What people should look at. What only a leader can know, only the leader tells.
    pub fn alarms(&self) -> Vec<Alarm> {
        let timeout = |server| self.bounds(server).timeout.silence();
        let duplicates = self.agents.duplicates(self.detector.listened(), timeout);
        let mut alarms: Vec<_> =
            duplicates.map(|(server, boots)| Alarm::DuplicateIdentity { server, boots }).collect();
        if let Some(leader) = self.leader.as_ref().filter(|leader| leader.leads()) {
            leader.alarms(&self.state, self.detector.listened(), &mut alarms);
        }
        alarms
    }

    fn bounds(&self, server: ServerId) -> Bounds {
        let timeout = self.state.fleet.document().timeout(server);
        Bounds { timeout, longest: self.state.fleet.longest_timeout(server) }
    }

    fn step(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.detector.step(now.mono);
        self.news |= self.detector.take_changed();
        self.look_who_is_clear();
        self.said = false;
        self.lead_step(now, out);
        if self.news {
            self.report(now, out);
        }
    }
}
