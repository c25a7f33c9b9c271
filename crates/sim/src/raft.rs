//! The model log: Raft reduced to its guarantees. Terms, leaders whose log is as new as that of a
//! majority, a blank entry at each election, replication to a majority before commit, conflicting
//! tails cut, old leaders that do not know it yet.
//!
//! Deliberately absent: votes as messages (an election happens in one instant, among those who
//! reach each other), membership changes, snapshots. A member's term and log are its disk.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::Entry;

use crate::clock::At;

/// How often a leader speaks (PROTOCOL section 1).
pub(crate) const BEAT: Duration = Duration::from_millis(50);
/// Entries in one letter.
const BATCH: usize = 64;

/// One entry and the term of the leader who wrote it; both together are its identity.
#[derive(Debug)]
pub(crate) struct LogEntry {
    /// Of the leader that appended it first.
    pub(crate) term: u64,
    /// What the core sees of it.
    pub(crate) entry: Entry,
}

/// Leader to member: append these behind that.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) term: u64,
    pub(crate) leader: usize,
    pub(crate) behind: u64,
    pub(crate) behind_term: u64,
    pub(crate) entries: Vec<Arc<LogEntry>>,
    pub(crate) commit: u64,
}

/// Member to leader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    /// Of the member.
    pub(crate) term: u64,
    /// Who.
    pub(crate) member: usize,
    /// Its log equals the leader's up to here; or, refused, it has no more than this.
    pub(crate) matches: Result<u64, u64>,
}

/// A conflicting tail was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The last entry that stayed.
    pub(crate) last_kept: u64,
    /// There was a decision in it.
    pub(crate) decision: bool,
}

/// One member's part of the log.
#[derive(Debug)]
pub(crate) struct Raft {
    me: usize,
    /// Durable.
    pub(crate) term: u64,
    /// Durable; the position is the index.
    pub(crate) log: Vec<Arc<LogEntry>>,
    /// Known to be committed.
    pub(crate) commit: u64,
    /// Who leads `term`, once known.
    pub(crate) leader: Option<usize>,
    /// Of each member: the next index to send, and the last known to match.
    peers: Vec<(u64, Option<u64>)>,
    /// When a leader was heard last.
    pub(crate) heard: At,
}

impl Raft {
    /// A member as it starts, with the log that the cluster was founded with.
    pub(crate) fn new(me: usize, members: usize, founding: Arc<LogEntry>) -> Self {
        let peers = vec![(0, None); members];
        Self { me, term: 0, log: vec![founding], commit: 0, leader: None, peers, heard: At(0) }
    }

    /// What survives the process: term and log. `known` is what its history held.
    pub(crate) fn restart(&mut self, known: u64, now: At) {
        (self.leader, self.commit, self.heard) = (None, known, now);
    }

    /// This member leads its term.
    pub(crate) fn leads(&self) -> bool {
        self.leader == Some(self.me)
    }

    /// The index of its last entry.
    pub(crate) fn last(&self) -> u64 {
        self.log.len() as u64 - 1
    }

    /// What makes one log newer than another: the last entry's term, then its index.
    pub(crate) fn newness(&self) -> (u64, u64) {
        (self.log.last().map_or(0, |entry| entry.term), self.last())
    }

    /// Goes over to a later term, whose leader is not known yet.
    pub(crate) fn vote(&mut self, term: u64, now: At) {
        (self.term, self.leader, self.heard) = (term, None, now);
    }

    /// Begins to lead its term, with a blank entry. Returns that entry's index.
    pub(crate) fn lead(&mut self) -> u64 {
        self.leader = Some(self.me);
        let next = self.log.len() as u64;
        self.peers.iter_mut().for_each(|peer| *peer = (next, None));
        self.append(Entry::Blank)
    }

    /// The leader writes one more entry. Returns its index.
    pub(crate) fn append(&mut self, entry: Entry) -> u64 {
        self.log.push(Arc::new(LogEntry { term: self.term, entry }));
        self.peers[self.me].1 = Some(self.last());
        self.last()
    }

    /// What the leader says to a member now.
    pub(crate) fn letter(&self, to: usize) -> Append {
        let next = self.peers[to].0.clamp(1, self.last() + 1);
        let from = usize::try_from(next).unwrap_or_default();
        Append {
            term: self.term,
            leader: self.me,
            behind: next - 1,
            behind_term: self.log[from - 1].term,
            entries: self.log[from..].iter().take(BATCH).cloned().collect(),
            commit: self.commit,
        }
    }

    /// A leader's letter came. Returns the answer, and what was cut: the last entry that stayed.
    pub(crate) fn on_append(&mut self, append: &Append, now: At) -> (Appended, Option<Cut>) {
        let answer = |raft: &Self, matches| Appended { term: raft.term, member: raft.me, matches };
        if append.term < self.term {
            return (answer(self, Err(self.last())), None);
        }
        (self.term, self.leader, self.heard) = (append.term, Some(append.leader), now);
        let held = usize::try_from(append.behind).ok().and_then(|at| self.log.get(at));
        if held.is_none_or(|held| held.term != append.behind_term) {
            let less = self.last().min(append.behind.saturating_sub(1));
            return (answer(self, Err(less)), None);
        }
        let mut cut = None;
        let first = usize::try_from(append.behind).unwrap_or_default() + 1;
        for (at, entry) in (first..).zip(&append.entries) {
            match self.log.get(at) {
                Some(held) if held.term == entry.term => {}
                Some(_) => {
                    let mut lost = self.log.drain(at..);
                    let decision = lost.any(|lost| matches!(lost.entry, Entry::Decision(_)));
                    drop(lost);
                    cut = Some(Cut { last_kept: at as u64 - 1, decision });
                    self.log.push(Arc::clone(entry));
                }
                None => self.log.push(Arc::clone(entry)),
            }
        }
        let matches = append.behind + append.entries.len() as u64;
        self.commit = self.commit.max(append.commit.min(matches));
        (answer(self, Ok(matches)), cut)
    }

    /// A member's answer came. True if more is known to be committed than before.
    pub(crate) fn on_appended(&mut self, answer: Appended) -> bool {
        if answer.term > self.term {
            (self.term, self.leader) = (answer.term, None);
        }
        if !self.leads() || answer.term < self.term {
            return false;
        }
        let last = self.last();
        let peer = &mut self.peers[answer.member];
        match answer.matches {
            Ok(matches) => {
                peer.1 = peer.1.max(Some(matches.min(last)));
                peer.0 = peer.1.map_or(1, |matches| matches + 1);
            }
            Err(has) => peer.0 = (has + 1).min(peer.0.saturating_sub(1)).max(1),
        }
        self.advance()
    }

    /// Commits what a majority holds, if it is of this term (the paper, section 5.4.2).
    pub(crate) fn advance(&mut self) -> bool {
        let mut held: Vec<u64> = self.peers.iter().map(|peer| peer.1.unwrap_or_default()).collect();
        held.sort_unstable();
        let majority = held[(held.len() - 1) / 2];
        let ours = self.log[usize::try_from(majority).unwrap_or_default()].term == self.term;
        let more = ours && majority > self.commit;
        if more {
            self.commit = majority;
        }
        more
    }

    /// The member has nothing left to send to `to` but its voice.
    pub(crate) fn is_level(&self, to: usize) -> bool {
        self.peers[to].0 > self.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trio() -> Vec<Raft> {
        let founding = Arc::new(LogEntry { term: 0, entry: Entry::Blank });
        (0..3).map(|me| Raft::new(me, 3, Arc::clone(&founding))).collect()
    }

    fn elect(rafts: &mut [Raft], leader: usize, voters: &[usize], term: u64) -> u64 {
        voters.iter().for_each(|&voter| rafts[voter].vote(term, At(0)));
        rafts[leader].lead()
    }

    fn speak(rafts: &mut [Raft], from: usize, to: usize) -> Option<u64> {
        let letter = rafts[from].letter(to);
        let (answer, cut) = rafts[to].on_append(&letter, At(0));
        rafts[from].on_appended(answer);
        cut.map(|cut| cut.last_kept)
    }

    #[test]
    fn an_entry_is_committed_once_a_majority_holds_it() {
        let mut rafts = trio();
        let blank = elect(&mut rafts, 0, &[0, 1], 1);
        assert_eq!((blank, rafts[0].commit), (1, 0));
        speak(&mut rafts, 0, 1);
        assert_eq!(rafts[0].commit, 1);
        speak(&mut rafts, 0, 2);
        assert_eq!((rafts[2].commit, rafts[2].last()), (1, 1));
    }

    #[test]
    fn a_tail_of_a_lost_leader_is_cut_and_what_is_committed_stays() {
        let mut rafts = trio();
        elect(&mut rafts, 0, &[0, 1, 2], 1);
        speak(&mut rafts, 0, 1);
        let lost = rafts[0].append(Entry::Blank);
        elect(&mut rafts, 1, &[1, 2], 2);
        speak(&mut rafts, 1, 2);
        speak(&mut rafts, 1, 2);
        assert_eq!(rafts[1].commit, 2);
        assert_eq!(speak(&mut rafts, 1, 0), Some(lost - 1), "the old leader's entry is cut");
        assert!(!rafts[0].leads());
        assert_eq!(rafts[0].log[2].term, 2);
    }

    #[test]
    fn an_old_leader_learns_of_the_new_term_from_an_answer() {
        let mut rafts = trio();
        elect(&mut rafts, 0, &[0, 1, 2], 1);
        elect(&mut rafts, 1, &[1, 2], 2);
        assert!(rafts[0].leads() && rafts[1].leads());
        speak(&mut rafts, 0, 2);
        assert!(!rafts[0].leads() && rafts[0].term == 2);
    }
}
