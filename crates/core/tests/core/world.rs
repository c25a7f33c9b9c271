//! A small cluster whose coordinators agree on what the test says: a state, the evidence of the
//! moment, and a leader that forms decisions as the proposer does (L3).
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::*;
use interrex_core::invariants::{Step, violated, violated_anywhere};
use interrex_core::numbers::Timeout;
use interrex_core::*;

/// More rounds than any evidence can keep busy: each step of a hand-over takes one.
const ROUNDS_MAX: usize = 12;

/// One cluster.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) evidence: Evidence,
    /// The leader's clock.
    pub(crate) clock: Duration,
    begun: BTreeMap<(OpenStep, Revision), Duration>,
    /// Applied and stale ones, with their indices.
    pub(crate) log: Vec<(LogIndex, Entry)>,
    operations: u128,
    boots: u128,
}

impl World {
    /// That many coordinators, all voters; nothing decided.
    pub(crate) fn of(voters: u64) -> Self {
        let mut world = Self {
            state: State::default(),
            evidence: Evidence::default(),
            clock: Duration::ZERO,
            begun: BTreeMap::new(),
            log: Vec::new(),
            operations: 0,
            boots: 0,
        };
        let voters = Voters(vec![(1..=voters).map(CoordinatorId).collect()]);
        let set = SetId(1);
        let members = Members { set, voters: voters.clone(), nodes: BTreeMap::new() };
        world.enter(Entry::Members(members));
        world.evidence.set = set;
        world.evidence.fresh = voters.iter().collect();
        world.evidence.voters = voters;
        world
    }

    pub(crate) fn enter(&mut self, entry: Entry) -> Option<Outcome> {
        let index = LogIndex(self.state.applied.0 + 1);
        let outcome = self.state.enter(index, &entry);
        self.log.push((index, entry));
        outcome
    }

    /// All of the evidence's own voters.
    pub(crate) fn everybody(&self) -> BTreeSet<CoordinatorId> {
        self.evidence.voters.iter().collect()
    }

    /// From now on the given coordinators miss `server`, past its timeout.
    pub(crate) fn silence(&mut self, server: ServerId, by: &BTreeSet<CoordinatorId>) {
        let timeout = self.state.fleet.document().timeout(server).silence();
        self.evidence.heard.remove(&server);
        self.evidence.silent.insert(server, by.iter().map(|c| (*c, timeout)).collect());
    }

    /// From now on the given coordinators hear `server`, and have for so long.
    pub(crate) fn hear(&mut self, server: ServerId, long: Duration, by: &BTreeSet<CoordinatorId>) {
        self.evidence.silent.remove(&server);
        self.evidence.heard.insert(server, by.iter().map(|c| (*c, long)).collect());
    }

    /// The agent of `server` says this about one duty, beside what it said before.
    pub(crate) fn tell(&mut self, server: ServerId, duty: DutyStatus) {
        let said = self.said(server);
        said.duties.retain(|old| (old.recorder, old.epoch) != (duty.recorder, duty.epoch));
        said.duties.push(duty);
    }

    /// The agent of `server` says where a tenure ended.
    pub(crate) fn tell_end(&mut self, server: ServerId, end: EndedTenure) {
        self.said(server).ended.push(end);
    }

    /// `server` says how far a copy is that it fetches.
    pub(crate) fn tell_copy(&mut self, server: ServerId, status: CopyStatus) {
        let said = self.evidence.copies.entry(server).or_default();
        said.retain(|old| old.copy != status.copy);
        said.push(status);
    }

    /// Another process speaks for `server`, and says nothing yet.
    pub(crate) fn reboot(&mut self, server: ServerId) {
        self.evidence.duties.remove(&server);
        self.said(server);
    }

    fn said(&mut self, server: ServerId) -> &mut ServerDuties {
        let boots = &mut self.boots;
        self.evidence.duties.entry(server).or_insert_with(|| {
            *boots += 1;
            let boot = AgentBoot(u64::try_from(*boots).unwrap());
            ServerDuties { server, boot, seq: BeatSeq(1), duties: vec![], ended: vec![] }
        })
    }

    /// The leader's clock goes on.
    pub(crate) fn wait(&mut self, long: Duration) {
        self.look_at_ages();
        self.clock += long;
        self.look_at_ages();
    }

    fn look_at_ages(&mut self) {
        let steps = self.state.handovers.open_steps();
        let open: Vec<_> = steps.chain(self.state.copies.open_steps()).collect();
        self.begun.retain(|step, _| open.contains(step));
        for step in &open {
            self.begun.entry(*step).or_insert(self.clock);
        }
        let age = |(step, _): &_, begun: &Duration| (*step, self.clock - *begun);
        self.evidence.ages = self.begun.iter().map(|(step, begun)| age(step, begun)).collect();
    }

    /// Now, in log time: the clock after some fixed day.
    pub(crate) fn now(&self) -> LogTime {
        let ms = u64::try_from(self.clock.as_millis()).unwrap();
        LogTime(1_800_000_000_000 + ms)
    }

    /// What the leader would decide now: what is due, then the commands, each on a scratch state.
    pub(crate) fn form(&mut self, requests: &[Request]) -> Option<Decision> {
        self.look_at_ages();
        let (at, mut scratch, mut acts) = (self.now(), self.state.clone(), Vec::new());
        scratch.open(at);
        for act in due::facts(&scratch, &self.evidence) {
            scratch.apply(&act);
            acts.push(act);
        }
        for act in due::moves(&scratch, &self.evidence, at) {
            scratch.apply(&act);
            acts.push(act);
        }
        for act in due::copies(&scratch, &self.evidence) {
            scratch.apply(&act);
            acts.push(act);
        }
        for request in requests {
            let outcome = match decide(&scratch, &request.command, &self.evidence, at) {
                Ok(events) => Verdict::Done(events),
                Err(refusal) => Verdict::Refused(refusal.into()),
            };
            let Request { actor, operation, reason, ticket, .. } = request.clone();
            let act = Act { actor, operation: Some(operation.key), reason, ticket, outcome };
            scratch.apply(&act);
            acts.push(act);
        }
        let basis = self.state.applied;
        (!acts.is_empty()).then_some(Decision { basis, at, level: LEVEL, acts })
    }

    /// Commits `decision` and checks every property.
    pub(crate) fn commit(&mut self, decision: &Decision) -> Outcome {
        let before = self.state.clone();
        let outcome = self.enter(Entry::Decision(decision.clone())).unwrap();
        let applied = self.state.applied;
        match outcome {
            Outcome::Applied(_) => {
                let step = Step { before: &before, decision, after: &self.state };
                for broken in [violated(step), violated_anywhere(step)] {
                    let told: Vec<_> = decision.events().map(crate::brief::brief).collect();
                    assert!(broken.is_empty(), "{broken:?} by {told:#?} at {applied}");
                }
            }
            Outcome::Stale => assert_eq!(self.state, State { applied, ..before }),
        }
        outcome
    }

    /// One decision, if anything is due or wished.
    pub(crate) fn once(&mut self, requests: &[Request]) -> Option<Decision> {
        let decision = self.form(requests)?;
        assert_ne!(self.commit(&decision), Outcome::Stale);
        Some(decision)
    }

    /// Decisions until nothing more is due on the same evidence. It always comes to that.
    pub(crate) fn settle(&mut self, requests: &[Request]) -> Vec<Decision> {
        let mut decisions: Vec<_> = self.once(requests).into_iter().collect();
        while let Some(decision) = self.once(&[]) {
            decisions.push(decision);
            assert!(decisions.len() < ROUNDS_MAX, "no fixed point: {decisions:#?}");
        }
        decisions
    }

    /// A command of an operator, with an operation id of its own.
    pub(crate) fn wish(&mut self, command: Command) -> Request {
        self.operations += 1;
        let key = OperationKey { id: OperationId(self.operations), command: 1 };
        let seen = Some(self.state.operations.applied());
        Request {
            actor: Actor::Person(PersonId(7)),
            operation: Operation { key, seen },
            reason: "drill".into(),
            ticket: String::new(),
            command,
        }
    }

    /// Lets an operator wish for something, and everything settle.
    pub(crate) fn command(&mut self, command: Command) -> Vec<Decision> {
        let request = self.wish(command);
        self.settle(&[request])
    }
}

/// A fleet of recorder hosts `srv-1`.. with recorders `rec-1`.., and standbys behind them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) hosts: u32,
    pub(crate) standbys: u32,
    pub(crate) mode: Mode,
    pub(crate) failback: Failback,
    pub(crate) recovery: Duration,
    pub(crate) timeout: Duration,
    pub(crate) copy: CopyPolicy,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            hosts: 2,
            standbys: 1,
            mode: Mode::Auto,
            failback: Failback::Manual,
            recovery: Duration::ZERO,
            timeout: Duration::from_secs(2),
            copy: CopyPolicy::Auto,
        }
    }
}

impl Plan {
    pub(crate) fn fleet(self) -> Fleet {
        let timeout = Timeout::new(self.timeout).unwrap();
        let Self { mode, failback, recovery, copy, .. } = self;
        let policy = Group { mode, timeout, failback, recovery, copy, ..Group::default() };
        let mut fleet = Fleet::default();
        fleet.groups.insert(group("hall-a"), policy);
        for n in 1..=self.hosts + self.standbys {
            let role = if n <= self.hosts { Role::RecorderHost } else { Role::Standby };
            let document = Server { group: group("hall-a"), role, timeout: None };
            fleet.servers.insert(server(&format!("srv-{n}")), document);
            if role == Role::RecorderHost {
                let home = server(&format!("srv-{n}"));
                let document = Recorder {
                    home,
                    priority: 100,
                    channels: 4,
                    config: ConfigHash::default(),
                    own: Overrides::default(),
                    addresses: Arc::default(),
                };
                fleet.recorders.insert(recorder(&format!("rec-{n}")), document);
            }
        }
        fleet
    }

    /// A cluster of three with that fleet, every server of it heard.
    pub(crate) fn world(self) -> World {
        let mut world = World::of(3);
        world.command(Command::ApplyFleet { fleet: Arc::new(self.fleet()), expect: None });
        let everybody = world.everybody();
        let servers: Vec<_> = world.state.fleet.document().servers.keys().copied().collect();
        for server in servers {
            world.hear(server, Duration::ZERO, &everybody);
        }
        world.settle(&[]);
        world
    }
}

pub(crate) fn server(name: &str) -> ServerId {
    name.parse().unwrap()
}

pub(crate) fn recorder(name: &str) -> RecorderId {
    name.parse().unwrap()
}

pub(crate) fn group(name: &str) -> GroupId {
    name.parse().unwrap()
}

/// The end of a tenure, with nothing accounted.
pub(crate) fn ended(recorder: RecorderId, epoch: Epoch, last_ms: Option<u64>) -> EndedTenure {
    EndedTenure { recorder, epoch, last_ms, account: Arc::default() }
}
