//! What this member knows of the others' disks (M6), so that one which was replaced by an older
//! copy of itself is refused: which start it has met, and up to where that one's log surely
//! reached. Pure: nothing is sent or written here. A copy that lacks nothing that anybody here
//! remembers cannot be told from the original (ARCHITECTURE.md).
use std::fmt;

use interrex_core::Boot;
use interrex_wire::pb;
use serde::{Deserialize, Serialize};

/// One start of a member. No two starts of one disk share a boot; two copies of it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) boot: Boot,
    /// Drawn at the start.
    pub(crate) token: u64,
}

/// How far a log is known to reach on its member's disk. Nothing below is ever taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    /// Of the newest vote.
    pub(crate) term: u64,
    /// Entries, in that term: a leader of a later one may take some of them back.
    pub(crate) length: u64,
    /// Entries that are committed as well: nobody takes these back.
    pub(crate) committed: u64,
}

impl Held {
    /// Both are true.
    fn and(self, other: Self) -> Self {
        let (term, length) = (self.term, self.length).max((other.term, other.length));
        Self { term, length, committed: self.committed.max(other.committed) }
    }

    /// A log that stands so has lost what it is known to have held. Votes are durable before any
    /// entry of their term, so a log within the same term only grows.
    fn lacks(self, known: Self) -> bool {
        self.term < known.term
            || self.term == known.term && self.length < known.length
            || self.length < known.committed
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries in term {}", self.length.max(self.committed), self.term)
    }
}

impl From<Held> for pb::Held {
    fn from(held: Held) -> Self {
        Self { term: held.term, length: held.length, committed: held.committed }
    }
}

impl From<pb::Held> for Held {
    fn from(held: pb::Held) -> Self {
        Self { term: held.term, length: held.length, committed: held.committed }
    }
}

/// What a member says of itself when it greets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) start: Start,
    /// When this start opened its log: the same in each greeting.
    pub(crate) opened: Held,
    /// Now.
    pub(crate) holds: Held,
}

/// What is remembered of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) start: Start,
    /// In that start.
    pub(crate) now: Held,
    /// In the starts before it.
    pub(crate) before: Held,
}

/// It lacks what it once had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reverted {
    pub(crate) came: Introduction,
    pub(crate) seen: Boot,
    pub(crate) held: Held,
}

impl fmt::Display for Reverted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { came, seen, held } = self;
        write!(
            f,
            "it comes as boot {} with {}, and was seen as boot {} with {held}",
            came.start.boot.0, came.opened, seen.0
        )
    }
}

impl Mark {
    /// Of a member that is met for the first time.
    pub(crate) fn new(came: Introduction) -> Self {
        Self { start: came.start, now: came.holds.and(came.opened), before: Held::default() }
    }

    /// M6: what is known after this greeting, unless it comes from an older copy.
    pub(crate) fn met(self, came: Introduction) -> Result<Self, Reverted> {
        let same = came.start == self.start;
        let known = if same { self.before } else { self.before.and(self.now) };
        // An equal boot of another start is another copy's: the one that has it all is sound, so that
        // the right disk can be put back after a copy of it was tried.
        if came.start.boot < self.start.boot || came.opened.lacks(known) {
            return Err(Reverted { came, seen: self.start.boot, held: known });
        }
        let now = came.holds.and(came.opened);
        let now = if same { self.now.and(now) } else { now };
        Ok(Self { start: came.start, now, before: known })
    }

    /// In its present start it has acknowledged this.
    pub(crate) fn acknowledged(&mut self, held: Held) {
        self.now = self.now.and(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(term: u64, length: u64, committed: u64) -> Held {
        Held { term, length, committed }
    }

    fn came(boot: u64, token: u64, opened: Held) -> Introduction {
        Introduction { start: Start { boot: Boot(boot), token }, opened, holds: Held::default() }
    }

    /// Seen as boot 3, which began with 10 entries and has acknowledged 20 in term 5, 18 of them
    /// committed.
    fn mark() -> Mark {
        let mut mark = Mark::new(came(3, 30, held(4, 10, 0)));
        mark.acknowledged(held(5, 20, 18));
        mark
    }

    // M6, and what a boot alone does not tell.
    #[test]
    fn an_older_copy_is_told_from_a_restart() {
        let rows: [(&str, Introduction, bool); 12] = [
            ("greets again", came(3, 30, held(4, 10, 0)), true),
            ("a restart", came(4, 40, held(5, 20, 0)), true),
            ("a restart with more than was acknowledged", came(4, 40, held(5, 23, 0)), true),
            ("a tail cut by a later leader", came(4, 40, held(6, 18, 0)), true),
            ("five restarts", came(8, 40, held(5, 20, 0)), true),
            ("a lower boot", came(2, 40, held(5, 20, 0)), false),
            ("a copy of the same boot that lacks nothing", came(3, 31, held(5, 20, 0)), true),
            ("a copy of the same boot that lacks an entry", came(3, 31, held(5, 19, 0)), false),
            ("a copy of the same boot, of an older term", came(4, 40, held(4, 20, 0)), false),
            ("a copy of the same boot, shorter", came(4, 40, held(5, 19, 0)), false),
            ("a later term without what was committed", came(4, 40, held(6, 17, 0)), false),
            ("an empty log", came(4, 40, held(0, 0, 0)), false),
        ];
        for (what, came, sound) in rows {
            assert_eq!(mark().met(came).is_ok(), sound, "{what}");
        }
    }

    #[test]
    fn what_was_known_of_older_starts_is_kept() {
        let restarted = mark().met(came(4, 40, held(6, 18, 0))).unwrap();
        assert_eq!(restarted.before, held(5, 20, 18));
        let refused = restarted.met(came(5, 50, held(6, 17, 0))).unwrap_err();
        let words = refused.to_string();
        assert!(words.contains("boot 5") && words.contains("boot 4"), "{words}");
        // It says the same of its opening in every greeting: what it wrote since is not counted
        // against it.
        let mut again = restarted.met(came(4, 40, held(6, 18, 0))).unwrap();
        again.acknowledged(held(6, 90, 90));
        assert!(again.met(came(4, 40, held(6, 18, 0))).is_ok());
        assert!(again.met(came(5, 50, held(6, 89, 0))).is_err());
    }
}
