//! Whom this coordinator follows: the leader that its own Raft names, in the boot that ticks (P10).
use crate::{CoordinatorId, Term, Tick, TickSeq};

/// The leader of the newest term that our Raft knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    number: u64,
    leader: Option<CoordinatorId>,
    /// Known with the leader's boot, from its first tick on.
    term: Option<Term>,
    tick: TickSeq,
}

impl Standing {
    /// Raft says who leads. False if that is nothing new, or of an older term.
    pub(super) fn follow(&mut self, number: u64, leader: Option<CoordinatorId>) -> bool {
        let new = number > self.number || number == self.number && leader != self.leader;
        if new {
            *self = Self { number, leader, ..Self::default() };
        }
        new
    }

    /// True if our Raft knows a newer term.
    pub(super) fn is_past(&self, number: u64) -> bool {
        number < self.number
    }

    /// We lead that term ourselves.
    pub(super) fn lead(&mut self, term: Term) {
        let Term { number, leader, .. } = term;
        *self = Self { number, leader: Some(leader), term: Some(term), ..Self::default() };
    }

    /// Takes a tick in. P10: only of the leader that our Raft names, in its term, and of its newest
    /// boot. False if it is not, or not the newest.
    pub(super) fn tick(&mut self, tick: Tick) -> bool {
        let ours = (tick.term.number, Some(tick.term.leader)) == (self.number, self.leader);
        let newer =
            self.term.is_none_or(|term| (tick.term.boot, tick.seq) > (term.boot, self.tick));
        if ours && newer {
            (self.term, self.tick) = (Some(tick.term), tick.seq);
        }
        ours && newer
    }

    /// To whom reports go, if it is known.
    pub(super) fn term(&self) -> Option<Term> {
        self.term
    }

    /// The newest tick of that term.
    pub(super) fn echo(&self) -> TickSeq {
        self.tick
    }

    /// Who leads, as Raft last said.
    pub(super) fn leader(&self) -> Option<CoordinatorId> {
        self.leader
    }
}
