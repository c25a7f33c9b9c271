//! Operators: clients that wish something, ask again with the same id until they are answered, and
//! write down what they saw.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::coordinator::io::{Judged, Reply};
use interrex_core::fleet::Fleet;
use interrex_core::{
    Actor, Command, Operation, OperationId, OperationKey, PersonId, Refused, Request, Scope,
    Subject,
};

use crate::clock::At;
use crate::network::Place;
use crate::nodes;
use crate::reach::Situation;
use crate::rng::Rng;
use crate::setup::{self, HOMES, SERVERS};
use crate::world::{Happening, Letter, World};

/// So often an operator asks before giving up.
const ATTEMPTS: u32 = 14;
/// So long it waits for one answer.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What an operation came to, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No answer yet, or never.
    Info,
    /// Done, and this was the answer.
    Ok(Judged),
    /// Refused by a judgement that stands in the log.
    Fail(Judged),
    /// Refused without a judgement, at the first attempt.
    NotNow(Refused),
}

/// One line of the operators' history.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: OperationId,
    pub(crate) command: Command,
    pub(crate) invoked: At,
    pub(crate) ended: Option<At>,
    pub(crate) seen: Seen,
}

/// One operator.
#[derive(Debug, Default)]
pub(crate) struct Client {
    open: Option<Open>,
    turn: u64,
    attempt: u64,
}

#[derive(Debug)]
struct Open {
    record: usize,
    request: Request,
    target: usize,
    attempts: u32,
    /// An attempt may have been judged though its answer did not come.
    sent_before: bool,
    dry_run: bool,
}

impl World {
    /// An operator wishes something, or asks again.
    pub(crate) fn client_turn(&mut self, at: usize, turn: u64) {
        if self.clients[at].turn != turn {
            return;
        }
        let late = match &mut self.clients[at].open {
            None => {
                self.wish_something(at);
                self.clients[at].open.is_some()
            }
            Some(open) => {
                open.sent_before = true;
                open.target = self.dice.people.index(self.nodes.len());
                true
            }
        };
        if late { self.ask(at) } else { self.rest(at) }
    }

    fn rest(&mut self, at: usize) {
        let leisure_ms = self.setup.leisure_ms;
        let after = Duration::from_millis(self.dice.people.within(200..2 * leisure_ms));
        self.turn_after(at, after);
    }

    fn turn_after(&mut self, at: usize, after: Duration) {
        self.clients[at].turn += 1;
        let turn = self.clients[at].turn;
        self.later(after, Happening::ClientTurn { client: at, turn });
    }

    fn ask(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let Some(open) = &mut client.open else { return };
        if open.attempts >= ATTEMPTS {
            self.reach.count(Situation::OutcomeUnknown);
            client.open = None;
            return self.rest(at);
        }
        open.attempts += 1;
        client.attempt += 1;
        let (attempt, to) = (client.attempt, Place::Coordinator(open.target));
        let mut request = open.request.clone();
        if open.sent_before && open.attempts + 2 > ATTEMPTS {
            // O1: without `seen` it only asks.
            request.operation.seen = None;
        }
        let dry_run = open.dry_run;
        self.send(Place::Client(at), to, Letter::Request { attempt, request, dry_run });
        self.turn_after(at, PATIENCE);
    }

    /// An answer comes to an operator.
    pub(crate) fn deliver_to_client(&mut self, at: usize, from: Place, letter: Letter) {
        let Letter::Reply { attempt, reply } = letter else { return };
        let now_attempt = self.clients[at].attempt;
        let Some(open) = &mut self.clients[at].open else { return };
        if attempt != now_attempt {
            return;
        }
        match reply {
            Reply::Judged(judged) => {
                if open.sent_before {
                    self.reach.count(Situation::AnsweredAgain);
                }
                let ok = judged.outcome.is_ok();
                self.end(at, if ok { Seen::Ok(judged) } else { Seen::Fail(judged) });
            }
            Reply::WouldBe(_) => self.end(at, Seen::Info),
            Reply::NotNow(refused) if !open.sent_before => self.end(at, Seen::NotNow(refused)),
            Reply::NotNow(_) => self.turn_after(at, Duration::from_millis(300)),
            Reply::NotLeader(hint) => {
                // Surely not judged there; not even sent, if it was the first.
                let (before, Place::Coordinator(asked)) = (open.sent_before, from) else { return };
                let other = (asked + 1) % self.nodes.len();
                let target = hint.map(nodes::place).filter(|hint| *hint != asked);
                open.target = target.unwrap_or(other);
                open.sent_before = before;
                let wait = if target.is_some() { 1 } else { 120 };
                self.ask_after(at, Duration::from_millis(wait));
            }
            Reply::Unknown(_) => {
                open.sent_before = true;
                self.ask_after(at, Duration::from_millis(100));
            }
        }
    }

    /// Asks the target that was just chosen, after a while; unlike a time-out, nothing was lost.
    fn ask_after(&mut self, at: usize, after: Duration) {
        if after < Duration::from_millis(50) {
            return self.ask(at);
        }
        let Some(open) = &mut self.clients[at].open else { return };
        // The turn that follows is a time-out; what is in doubt stays in doubt.
        open.sent_before = open.sent_before || after >= Duration::from_millis(100);
        self.turn_after(at, after);
    }

    fn end(&mut self, at: usize, seen: Seen) {
        let Some(open) = self.clients[at].open.take() else { return };
        self.check_answer(open.record, &seen);
        let record = &mut self.checker.operations.records[open.record];
        (record.ended, record.seen) = (Some(self.now), seen);
        self.rest(at);
    }

    fn wish_something(&mut self, at: usize) {
        let target = self.dice.people.index(self.nodes.len());
        let Some(core) = &self.nodes[target].core else { return };
        // What this operator reads before; perhaps from a coordinator that is behind.
        let seen = core.state().operations.applied();
        let command = self.wish(at);
        let id = OperationId(
            u128::from(self.dice.people.draw()) << 64 | u128::from(self.dice.people.draw()),
        );
        let hash = blake3::hash(format!("{command:?}").as_bytes());
        let bytes = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        let key = OperationKey { id, command: u64::from_le_bytes(bytes) };
        let request = Request {
            actor: Actor::Person(PersonId(at as u64 + 1)),
            operation: Operation { key, seen: Some(seen) },
            reason: String::new(),
            ticket: String::new(),
            command: command.clone(),
        };
        let record = Record { id, command, invoked: self.now, ended: None, seen: Seen::Info };
        self.checker.operations.records.push(record);
        let record = self.checker.operations.records.len() - 1;
        let dry_run = self.dice.people.chance(30);
        let (attempts, sent_before) = (0, false);
        self.clients[at].open =
            Some(Open { record, request, target, attempts, sent_before, dry_run });
    }

    fn wish(&mut self, at: usize) -> Command {
        if self.healed {
            return self.tidy_up(at);
        }
        let state = &self.checker.oracle.state;
        let dice = &mut self.dice.people;
        let recorder = setup::recorder(dice.index(HOMES));
        let epoch = state.roles.tenure(recorder).map(|tenure| tenure.epoch);
        // Now and then what was read is already old.
        let expect = epoch.filter(|_| dice.chance(800));
        let expect = expect.map(|epoch| if dice.chance(100) { old(epoch) } else { epoch });
        let despite = dice.chance(150);
        let subject = match dice.below(3) {
            0 => Subject::Everything,
            1 => Subject::Group(setup::group_of(dice.pick(&[0, 2, 4]))),
            _ => Subject::Server(setup::server(dice.index(SERVERS))),
        };
        match dice.below(100) {
            0..40 => note(dice, state),
            40..60 => {
                let to = dice.chance(300).then(|| setup::server(dice.index(SERVERS)));
                Command::FailOver { recorder, to, expect, despite }
            }
            60..80 => Command::FailBack { recorder, expect, despite },
            80..86 => {
                let scope = if dice.chance(600) { Scope::All } else { Scope::Failback };
                let lasts = Duration::from_secs(dice.within(2..25));
                Command::Pause { subject, scope, lasts }
            }
            86..90 => Command::Resume { subject },
            _ => self.another_fleet(),
        }
    }

    /// Faults are over: pauses, too.
    fn tidy_up(&mut self, at: usize) -> Command {
        let dice = &mut self.dice.people;
        if at == 0 {
            return Command::Resume { subject: Subject::Everything };
        }
        note(dice, &self.checker.oracle.state)
    }

    /// The fleet with other timeouts, as operators change them.
    pub(crate) fn another_fleet(&mut self) -> Command {
        let state = &self.checker.oracle.state;
        let (current, dice) = (state.fleet.document(), &mut self.dice.people);
        if current.servers.is_empty() {
            return Command::ApplyFleet { fleet: Arc::clone(&self.setup.fleet), expect: None };
        }
        let mut fleet = Fleet::clone(current);
        let group = setup::group_of(dice.pick(&[0, 2, 4]));
        if let Some(group) = fleet.groups.get_mut(&group) {
            group.timeout = setup::timeout(dice);
        }
        if let Some(server) = fleet.servers.get_mut(&setup::server(dice.index(SERVERS))) {
            server.timeout = dice.chance(500).then(|| setup::timeout(dice));
        }
        let expect = dice.chance(500).then(|| state.fleet.revision());
        Command::ApplyFleet { fleet: Arc::new(fleet), expect }
    }
}

fn old(epoch: interrex_core::Epoch) -> interrex_core::Epoch {
    interrex_core::Epoch(epoch.0.saturating_sub(1))
}

fn note(dice: &mut Rng, state: &interrex_core::State) -> Command {
    let key = format!("key-{}", dice.below(4));
    let held = state.notes.get(&key).map_or_else(Default::default, |note| note.revision);
    let expect = dice.chance(400).then_some(held);
    Command::Note { key, text: format!("{:x}", dice.draw()), expect }
}
