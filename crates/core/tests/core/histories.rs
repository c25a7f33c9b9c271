//! Random histories: whatever reports, agents, operators and Raft do, every property holds after
//! every decision, what is due comes to an end, the log alone gives the state, and a cluster that
//! heals serves every recorder.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{CopyPolicy, Failback, Fleet, Mode};
use interrex_core::views::*;
use interrex_core::*;

use crate::world::*;

/// A small generator: the same seed gives the same history.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }

    /// Mostly all of them, so that something happens.
    fn some(&mut self, of: BTreeSet<CoordinatorId>) -> BTreeSet<CoordinatorId> {
        if self.roll(3) > 0 { of } else { of.into_iter().filter(|_| self.roll(2) == 0).collect() }
    }

    fn world(&mut self) -> World {
        let plan = Plan {
            hosts: 2 + self.roll(2) as u32,
            standbys: 1 + self.roll(2) as u32,
            mode: if self.roll(6) == 0 { Mode::Observe } else { Mode::Auto },
            failback: self.pick(&[Failback::Auto, Failback::Manual]),
            recovery: Duration::from_secs(self.pick(&[0, 60])),
            timeout: Duration::from_secs(2),
            copy: policies(self),
        };
        let mut world = World::of(self.pick(&[3, 5]));
        world.command(Command::ApplyFleet { fleet: Arc::new(plan.fleet()), expect: None });
        world
    }

    fn duration(&mut self) -> Duration {
        Duration::from_millis(self.pick(&[0, 400, 799, 800, 20_000, 31_000, 61_000]))
    }

    /// Something happens that is no command.
    fn happen(&mut self, world: &mut World) {
        let server = self.server(world);
        let by = self.some(world.everybody());
        match self.roll(15) {
            0 | 1 => world.silence(server, &by),
            2..=4 => {
                let long = self.duration();
                world.hear(server, long, &by);
            }
            5 => world.evidence.fresh = by,
            6 => {
                let long = self.duration();
                world.wait(long);
            }
            7 => world.reboot(server),
            8 => {
                world.evidence.late = if self.roll(2) == 0 { [server].into() } else { [].into() };
            }
            9 => {
                for tenure in world.state.roles.tenures().collect::<Vec<_>>() {
                    let by = self.some(world.everybody());
                    world.evidence.clear.insert((tenure.recorder, tenure.epoch), by);
                }
            }
            10 | 11 => self.speak(world, server),
            12 | 13 => self.copy(world),
            14 => {
                let facts =
                    Facts { listen: Some(format!("h:{}", 1 + self.roll(2)).parse().unwrap()) };
                world.evidence.facts.insert(server, facts);
            }
            _ => unreachable!(),
        }
    }

    /// The agent of `server` says something of what it is asked to be.
    fn speak(&mut self, world: &mut World, server: ServerId) {
        let Assignment { duties, ends_wanted, .. } = assignment(&world.state, server);
        for Duty { recorder, epoch, .. } in duties {
            let phase = self.pick(&[Phase::Preparing, Phase::Prepared, Phase::Acting]);
            let first_ms = (self.roll(3) > 0).then(|| self.roll(9_000));
            world.tell(server, says(recorder, epoch, phase, first_ms, self.roll(5) == 0));
        }
        for (recorder, epoch) in ends_wanted {
            let last_ms = (self.roll(4) > 0).then(|| self.roll(9_000));
            world.tell_end(server, ended(recorder, epoch, last_ms));
        }
    }

    /// A home says how far a copy is, or a source what it has removed: some of it wrong.
    fn copy(&mut self, world: &mut World) {
        use CopyStanding::{DiskFull, Durable, Failed, NoRoute, Running};
        let home = |task: &CopyTask| world.state.roles.tenure(task.recorder).map(|held| held.home);
        let tasks: Vec<_> = world.state.copies.iter().map(|task| (task.id, home(task))).collect();
        if tasks.is_empty() {
            return;
        }
        let (copy, home) = self.pick(&tasks);
        if self.roll(3) == 0 {
            world.evidence.erased.insert(copy);
            return;
        }
        let segments_done = self.roll(9);
        let progress = Progress { segments_done, segments_total: 9, ..Progress::default() };
        let standing = self.pick(&[Running, Running, DiskFull, NoRoute, Failed, Durable]);
        let server = home.filter(|_| self.roll(8) > 0).unwrap_or_else(|| self.server(world));
        world.tell_copy(server, CopyStatus { copy, progress, standing });
    }

    fn server(&mut self, world: &World) -> ServerId {
        let servers: Vec<_> = world.state.fleet.document().servers.keys().copied().collect();
        self.pick(&servers)
    }

    fn command(&mut self, world: &World) -> Command {
        let recorders: Vec<_> = world.state.roles.tenures().collect();
        let Tenure { recorder, epoch, .. } = self.pick(&recorders);
        let server = self.server(world);
        let expect = (self.roll(4) == 0).then(|| Epoch(epoch.0 + self.roll(2)));
        let despite = self.roll(3) == 0;
        let subject = self.pick(&[
            Subject::Everything,
            Subject::Group(group("hall-a")),
            Subject::Server(server),
        ]);
        let scope = self.pick(&[Scope::All, Scope::Failback]);
        match self.roll(10) {
            0..=1 => Command::FailOver { recorder, to: None, expect, despite },
            2 => Command::FailOver { recorder, to: Some(server), expect, despite },
            3..=4 => Command::FailBack { recorder, expect, despite },
            5 => Command::Pause { subject, scope, lasts: Duration::from_secs(self.roll(90)) },
            6 => Command::Resume { subject },
            7 => Command::Note { key: "k".into(), text: "t".into(), expect: None },
            8 => Command::ApplyFleet { fleet: Arc::new(self.edit(world)), expect: None },
            9 => {
                use CopyWish::{Discard, GiveUp, Pause, Resume, Retry, Start, Stop};
                let id = CopySubject::Id(CopyId(1 + self.roll(world.state.copies.next_id().0)));
                let subject = self.pick(&[id, CopySubject::Recorder(recorder)]);
                let wish = self.pick(&[Start, Pause, Resume, Retry, Stop, Discard, GiveUp]);
                Command::Copy { subject, wish }
            }
            _ => unreachable!(),
        }
    }

    /// The document with one change, sound or not, allowed or not.
    fn edit(&mut self, world: &World) -> Fleet {
        let mut fleet = Fleet::clone(world.state.fleet.document());
        let server = self.server(world);
        let policy = fleet.groups.get_mut(&group("hall-a")).unwrap();
        match self.roll(7) {
            6 => policy.copy = policies(self),
            0 => policy.mode = self.pick(&[Mode::Auto, Mode::Auto, Mode::Observe]),
            1 => policy.failback = self.pick(&[Failback::Auto, Failback::Manual]),
            2 => {
                policy.timeout =
                    numbers::Timeout::new(Duration::from_secs(1 + self.roll(3))).unwrap()
            }
            3 => {
                for recorder in fleet.recorders.values_mut() {
                    recorder.priority = self.roll(3) as i32;
                }
            }
            4 => {
                fleet.servers.remove(&server);
                fleet.recorders.retain(|_, recorder| recorder.home != server);
            }
            5 => fleet
                .servers
                .extend(Plan { hosts: 3, standbys: 2, ..Plan::default() }.fleet().servers),
            _ => unreachable!(),
        }
        // Somebody must be left to talk about.
        if fleet.recorders.is_empty() { Fleet::clone(world.state.fleet.document()) } else { fleet }
    }

    /// One decision of up to four commands; sometimes lost, doubled, or overtaken by another entry.
    fn decide(&mut self, world: &mut World) {
        let count = self.roll(8).saturating_sub(4);
        let commands: Vec<_> = (0..count).map(|_| self.command(world)).collect();
        let mut requests: Vec<_> = commands.into_iter().map(|c| world.wish(c)).collect();
        // L3: at most one note of a key in a decision.
        let mut notes = 0;
        requests.retain(|request| {
            notes += u32::from(matches!(request.command, Command::Note { .. }));
            !matches!(request.command, Command::Note { .. }) || notes == 1
        });
        let Some(decision) = world.form(&requests) else { return };
        match self.roll(8) {
            0 => {
                world.enter(Entry::Blank);
                assert_eq!(world.commit(&decision), Outcome::Stale, "decided on another state");
            }
            1 => {
                assert_ne!(world.commit(&decision), Outcome::Stale);
                assert_eq!(world.commit(&decision), Outcome::Stale, "a doubled proposal");
            }
            2 => {}
            _ => {
                world.commit(&decision);
            }
        }
    }
}

fn policies(dice: &mut Dice) -> CopyPolicy {
    use CopyPolicy::{Auto, Discard, Manual, Redirect};
    dice.pick(&[Auto, Auto, Auto, Manual, Discard, Redirect])
}

fn says(
    recorder: RecorderId,
    epoch: Epoch,
    phase: Phase,
    first_ms: Option<u64>,
    failed: bool,
) -> DutyStatus {
    let (config, channels, last_ms, tick_ms) = (ConfigHash::default(), 4, None, 20);
    let recording = if first_ms.is_some() { 4 } else { 0 };
    DutyStatus {
        recorder,
        epoch,
        phase,
        config,
        recording,
        channels,
        first_ms,
        last_ms,
        tick_ms,
        failed,
    }
}

fn history(seed: u64, steps: u32) -> World {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = dice.world();
    for _ in 0..steps {
        for _ in 0..=dice.roll(3) {
            dice.happen(&mut world);
        }
        dice.decide(&mut world);
        if dice.roll(4) == 0 {
            world.settle(&[]);
        }
    }
    world
}

/// The log alone gives the live state, and each view alone can be rebuilt from it.
fn replays(world: &World) {
    let mut state = State::default();
    let mut alone = State::default();
    for (index, entry) in &world.log {
        let outcome = state.enter(*index, entry);
        let (Entry::Decision(decision), Some(Outcome::Applied(revision))) = (entry, outcome) else {
            continue;
        };
        for act in &decision.acts {
            let stamp = Stamp { revision, at: state.now, act };
            alone.operations.apply(&stamp);
            act.events().iter().for_each(|event| alone.health.apply(event, &stamp));
            act.events().iter().for_each(|event| alone.withheld.apply(event));
            act.events().iter().for_each(|event| alone.pauses.apply(event));
            act.events().iter().for_each(|event| alone.notes.apply(event, &stamp));
            act.events().iter().for_each(|event| alone.failovers.apply(event, &stamp));
            act.events().iter().for_each(|event| alone.queue.apply(event, &stamp));
            act.events().iter().for_each(|event| alone.handovers.apply(event, &stamp));
            act.events().iter().for_each(|event| alone.roles.apply(event, &stamp));
            act.events().iter().for_each(|event| alone.copies.apply(event, &stamp));
            act.events().iter().for_each(|event| alone.facts.apply(event));
            act.events().iter().for_each(|event| alone.fleet.apply(event, &stamp));
        }
    }
    assert_eq!(state, world.state);
    assert_eq!(lines(&state), lines(&world.state));
    let State { members, level, generation, revision, now, applied, .. } = state.clone();
    let alone = State { members, level, generation, revision, now, applied, ..alone };
    assert_eq!(alone, state);
}

fn lines(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    state.lines(&mut |line| lines.push(line.to_owned()));
    lines
}

/// All that is fetched is durable, all that is to be removed is gone; what waits for an operator is
/// started.
fn bring_home(world: &mut World, server: ServerId, copies: Vec<CopyDuty>) {
    for CopyDuty { copy, kind, .. } in copies {
        match kind {
            CopyKind::Fetch { paused: true, .. } => {
                let wish = CopyWish::Start;
                world.command(Command::Copy { subject: CopySubject::Id(copy), wish });
            }
            CopyKind::Fetch { .. } => {
                let (progress, standing) = (Progress::default(), CopyStanding::Durable);
                world.tell_copy(server, CopyStatus { copy, progress, standing });
            }
            CopyKind::Serve { .. } => {}
            CopyKind::Erase => drop(world.evidence.erased.insert(copy)),
        }
    }
}

/// Everybody is heard, and does what it is asked to: then every recorder is served.
fn heals(mut world: World, seed: u64) {
    let everybody = world.everybody();
    world.evidence.fresh = everybody.clone();
    let mut fleet = Fleet::clone(world.state.fleet.document());
    fleet.groups.values_mut().for_each(|group| group.mode = Mode::Auto);
    world.command(Command::ApplyFleet { fleet: Arc::new(fleet), expect: None });
    world.command(Command::Resume { subject: Subject::Everything });
    for _ in 0..12 {
        world.wait(Duration::from_secs(61));
        world.evidence.duties.clear();
        for server in world.state.fleet.document().servers.keys().copied().collect::<Vec<_>>() {
            world.hear(server, Duration::from_secs(61), &everybody);
            let Assignment { duties, ends_wanted, copies, .. } = assignment(&world.state, server);
            for Duty { recorder, epoch, kind, .. } in duties {
                match kind {
                    DutyKind::Prepare => {
                        world.tell(server, says(recorder, epoch, Phase::Prepared, None, false));
                    }
                    DutyKind::Act => {
                        world.tell(server, says(recorder, epoch, Phase::Acting, Some(1), false));
                    }
                    DutyKind::Release => {
                        world.evidence.clear.insert((recorder, epoch), everybody.clone());
                    }
                }
            }
            for (recorder, epoch) in ends_wanted {
                world.tell_end(server, ended(recorder, epoch, Some(1)));
            }
            bring_home(&mut world, server, copies);
        }
        world.once(&[]);
    }
    let State { roles, queue, handovers, health, .. } = &world.state;
    assert_eq!(health.all_expired().count() + queue.iter().count(), 0, "seed {seed}");
    assert_eq!(handovers.iter().count() + roles.owing().count(), 0, "seed {seed}");
    assert!(roles.tenures().all(|tenure| tenure.taken_over), "seed {seed}");
    let copies = &world.state.copies;
    assert_eq!(
        copies.open().count() + copies.sources().count() + copies.owed().count(),
        0,
        "seed {seed}"
    );
    for tenure in roles.tenures() {
        let policy = world.state.fleet.document().policy(tenure.recorder);
        let mut open = world.state.failovers.open_of(tenure.recorder);
        let stays =
            policy.failback == Failback::Manual || open.any(|entry| entry.cause == Cause::Manual);
        assert!(tenure.is_home() || stays, "seed {seed}: {tenure:?}");
    }
}

#[test]
fn every_property_holds_in_random_histories() {
    for seed in 1..=400 {
        let world = history(seed, 60);
        replays(&world);
        heals(world, seed);
    }
}

/// What the histories above must have met, or they prove little.
#[test]
fn random_histories_reach_the_rare_cases() {
    let mut met = std::collections::BTreeMap::<String, u32>::new();
    for seed in 1..=400 {
        for (_, entry) in history(seed, 60).log {
            let Entry::Decision(decision) = entry else { continue };
            for event in decision.events() {
                *met.entry(event.kind().into()).or_default() += 1;
                if let Event::Moved { why, cause, .. } = event {
                    *met.entry(format!("{why:?} {cause:?}")).or_default() += 1;
                }
            }
            for act in &decision.acts {
                if let Verdict::Refused(refused) = &act.outcome {
                    *met.entry(refused.code.clone()).or_default() += 1;
                }
            }
        }
    }
    let rare = [
        "move_withheld",
        "failover_queued",
        "handover_abandoned",
        "takeover_failed",
        "Return StandbyLost",
        "Return Manual",
        "Failover TakeoverFailed",
        "Failover StandbyLost",
        "Failback Disconnection",
        "Failback Manual",
        "busy",
        "stale_epoch",
        "paused",
        "observe",
        "already_substituted",
        "nobody_substitutes",
        "no_eligible_standby",
        "home_down",
        "in_use",
        "not_protected",
        "not_paused",
        "bad_duration",
    ];
    let missing: Vec<_> = rare.into_iter().filter(|case| !met.contains_key(*case)).collect();
    assert_eq!(missing, [""; 0], "{met:#?}");
}
