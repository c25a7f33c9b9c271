//! One decision out of all that is due and all that waits (L3). Judges on a state that is ahead of
//! the log by what is in flight. Sends nothing, knows no Raft; when it may judge is the leader's
//! business (`coordinator/leader`), what is allowed is the domain's (`due`, `decide`).
mod draft;
mod rates;

use std::collections::VecDeque;

use crate::coordinator::io::{Judged, Output, Reply, Ticket};
use crate::numbers::GRID;
use crate::views::{Answered, Known};
use crate::{
    Act, Decision, Entry, Evidence, LogIndex, LogTime, Mono, Outcome, Refused, Request, State,
    Verdict, decide, due,
};

use draft::Draft;
use rates::Rates;

/// Requests that wait to be judged. Beyond that a caller is turned away at once (`overloaded`):
/// some seconds of work, and no more memory than a few decisions.
pub(crate) const WAITING_MAX: usize = 10_000;
/// So many who are answered at once are a crowd, which asks again at once ([`Proposer::wants`]).
const CROWD: usize = 8;

/// The queue of one leader, and its one decision in flight.
#[derive(Clone, Debug)]
pub(crate) struct Proposer {
    term: u64,
    /// The applied state, and on top of it what is in flight. None if it must be copied.
    ahead: Option<State>,
    flight: Option<Flight>,
    waiting: VecDeque<Waiting>,
    rates: Rates,
    /// How many our last decision answered, and when.
    answered: (usize, Mono),
}

#[derive(Clone, Debug)]
struct Waiting {
    ticket: Ticket,
    request: Request,
    dry_run: bool,
}

#[derive(Clone, Debug)]
struct Flight {
    decision: Decision,
    /// Whom to answer when it is applied (O5).
    askers: Vec<Waiting>,
    /// Nobody was left for the next one.
    whole: bool,
}

/// What became of one request.
enum Judgement {
    /// It is answered.
    Done,
    /// It will be, with the decision that is formed now.
    Rides(Waiting),
    /// It must wait for the next decision.
    Later(Waiting),
}

impl Proposer {
    /// Nothing waits, nothing is in flight.
    pub(crate) fn of(term: u64) -> Self {
        let (waiting, rates) = (VecDeque::new(), Rates::default());
        Self { term, ahead: None, flight: None, waiting, rates, answered: (0, Mono::default()) }
    }

    /// True while an entry of ours may still be applied.
    pub(crate) fn in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// True if requests wait that should be judged now. Where many were just answered, the first of
    /// them to come back waits, for at most one step of the grid, until half of them are there: else
    /// it flies alone, and all others wait for that flight. Only requests wait, nothing that is due.
    pub(crate) fn wants(&self, now: Mono) -> bool {
        let ((crowd, at), waiting) = (self.answered, self.waiting.len());
        waiting > 0 && (crowd < CROWD || waiting * 2 >= crowd || now.0 >= at.0 + GRID)
    }

    /// Takes a request into the queue, if there is room.
    pub(crate) fn ask(
        &mut self,
        ticket: Ticket,
        request: Request,
        dry_run: bool,
        out: &mut Vec<Output>,
    ) {
        if self.waiting.len() >= WAITING_MAX {
            out.push(Output::Reply { ticket, reply: Reply::NotNow(overloaded()) });
        } else {
            self.waiting.push_back(Waiting { ticket, request, dry_run });
        }
    }

    /// L3: what is due first, facts before moves, then requests in the order in which they came.
    /// `state` is the applied one; nothing is in flight.
    pub(crate) fn form(
        &mut self,
        state: &State,
        evidence: &Evidence,
        at: LogTime,
        look_what_is_due: bool,
        now: Mono,
        out: &mut Vec<Output>,
    ) {
        let ahead = self.ahead.get_or_insert_with(|| state.clone());
        let mut draft = Draft::on(ahead, at);
        if look_what_is_due && draft.add_all(due::facts(draft.state(), evidence)) {
            let moves = due::moves(draft.state(), evidence, at);
            if draft.add_all(moves) {
                let copies = due::copies(draft.state(), evidence);
                draft.add_all(copies);
            }
        }
        let (mut askers, mut whole) = (Vec::new(), true);
        while let Some(next) = self.waiting.pop_front() {
            match judge(next, state, &mut draft, evidence, &mut self.rates, now, out) {
                Judgement::Done => {}
                Judgement::Rides(asker) => askers.push(asker),
                Judgement::Later(first) => {
                    self.waiting.push_front(first);
                    whole = false;
                    break;
                }
            }
        }
        if let Some(decision) = draft.finish() {
            self.flight = Some(Flight { decision: decision.clone(), askers, whole });
            out.push(Output::Propose { decision, term: self.term });
        }
    }

    /// An entry was applied, and `state` is what came of it. If it is our flight, those who wait for
    /// it are answered, or, where it is stale, judged again (L2, L3).
    pub(crate) fn applied(
        &mut self,
        state: &State,
        index: LogIndex,
        entry: &Entry,
        outcome: Option<Outcome>,
        now: Mono,
        out: &mut Vec<Output>,
    ) {
        let is_ours = |flight: &mut Flight| match entry {
            Entry::Decision(decision) => *decision == flight.decision,
            Entry::Blank | Entry::Members(_) => false,
        };
        match (self.flight.take_if(is_ours), outcome) {
            (Some(flight), Some(Outcome::Applied(_))) => {
                self.answered = (if flight.whole { flight.askers.len() } else { 0 }, now);
                out.extend(flight.askers.iter().map(|asker| asker.answer(state)));
            }
            (Some(flight), Some(Outcome::Stale) | None) => self.judge_again(flight),
            (None, _) if self.flight.is_some() => self.ahead = None,
            (None, _) => {
                if let Some(ahead) = &mut self.ahead {
                    ahead.enter(index, entry);
                }
            }
        }
    }

    /// The flight is surely in no log. True if there was one.
    pub(crate) fn not_appended(&mut self, term: u64) -> bool {
        let flight = self.flight.take_if(|_| term == self.term);
        let lost = flight.is_some();
        flight.into_iter().for_each(|flight| self.judge_again(flight));
        lost
    }

    /// L6: everybody who waits is told that the outcome is unknown. The flight stays: until its
    /// entry is applied or surely refused nothing else is proposed.
    pub(crate) fn give_up(&mut self, out: &mut Vec<Output>) {
        let flying = self.flight.iter_mut().flat_map(|flight| flight.askers.drain(..));
        for asker in flying.chain(self.waiting.drain(..)) {
            let reply = if asker.dry_run {
                Reply::NotLeader(None)
            } else {
                Reply::Unknown(asker.request.operation.key.id)
            };
            out.push(Output::Reply { ticket: asker.ticket, reply });
        }
    }

    fn judge_again(&mut self, flight: Flight) {
        self.ahead = None;
        flight.askers.into_iter().rev().for_each(|asker| self.waiting.push_front(asker));
    }
}

impl Waiting {
    /// O1, O5: the recorded answer, once it is applied.
    fn answer(&self, state: &State) -> Output {
        let reply = match state.operations.known(self.request.operation) {
            Known::Answered(answered) => Reply::Judged(judged(answered)),
            Known::Reused(_) => Reply::NotNow(reused()),
            Known::New | Known::Unheard | Known::TooOld => {
                Reply::Unknown(self.request.operation.key.id)
            }
        };
        Output::Reply { ticket: self.ticket, reply }
    }
}

/// Judges one request on the state that those before it leave behind.
fn judge(
    waiting: Waiting,
    state: &State,
    draft: &mut Draft<'_>,
    evidence: &Evidence,
    rates: &mut Rates,
    now: Mono,
    out: &mut Vec<Output>,
) -> Judgement {
    let Waiting { ticket, ref request, dry_run } = waiting;
    match draft.state().operations.known(request.operation) {
        _ if dry_run => {
            out.push(Output::Reply { ticket, reply: would_be(request, draft, evidence) });
            return Judgement::Done;
        }
        Known::New => {}
        // O2: judged in this very decision; otherwise at once.
        Known::Answered(answered) if answered.revision > state.revision => {
            return Judgement::Rides(waiting);
        }
        Known::Answered(_) | Known::Reused(_) | Known::Unheard | Known::TooOld => {
            out.push(waiting.answer(draft.state()));
            return Judgement::Done;
        }
    }
    if draft.has_note(&request.command) {
        return Judgement::Later(waiting);
    }
    let verdict = match decide(draft.state(), &request.command, evidence, draft.at()) {
        Ok(events) => Verdict::Done(events),
        Err(refusal) => Verdict::Refused(refusal.into()),
    };
    let act = act(request, verdict);
    if !draft.fits(&act) {
        return Judgement::Later(waiting);
    }
    let limit = draft.state().fleet.document().limits.commands_per_second;
    if !rates.admit(request.actor, limit, now) {
        out.push(Output::Reply { ticket, reply: Reply::NotNow(rate_limited(limit)) });
        return Judgement::Done;
    }
    draft.note(&request.command);
    draft.add(act);
    Judgement::Rides(waiting)
}

/// A dry run is judged like any other command, but is neither in the log nor in the state ahead.
fn would_be(request: &Request, draft: &Draft<'_>, evidence: &Evidence) -> Reply {
    let events = decide(draft.state(), &request.command, evidence, draft.at());
    let kinds = events.map(|events| events.iter().map(crate::Event::kind).collect());
    Reply::WouldBe(kinds.map_err(Refused::from))
}

fn act(request: &Request, outcome: Verdict) -> Act {
    Act {
        actor: request.actor,
        operation: Some(request.operation.key),
        reason: request.reason.clone(),
        ticket: request.ticket.clone(),
        outcome,
    }
}

fn judged(answered: &Answered) -> Judged {
    Judged {
        operation: answered.key.id,
        revision: answered.revision,
        operations: answered.operations,
        outcome: answered.outcome.clone(),
        failover: answered.failover,
    }
}

fn refused(code: &str, message: String, remedy: &str) -> Refused {
    Refused { code: code.into(), message, remedy: remedy.into() }
}

/// O1.
fn reused() -> Refused {
    let message = "this operation id was used for another command".into();
    refused("operation_id_reused", message, "repeat the same command, or choose a new id")
}

/// O4.
fn rate_limited(limit: u32) -> Refused {
    let message = format!("more than {limit} commands in one second from this identity");
    refused("rate_limited", message, "wait a second, or raise [limits] commands_per_second")
}

fn overloaded() -> Refused {
    let message = format!("{WAITING_MAX} commands wait to be judged already");
    refused("overloaded", message, "wait a second, then try again")
}
