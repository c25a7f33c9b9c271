//! The judge. It knows true time, everybody's disk and the one committed log, and folds that log
//! itself (the oracle); none of this is known to those who are judged.
mod ending;
mod evidence;
mod fencing;
mod log;
mod operations;

use interrex_core::{
    AgentBoot, BeatSeq, CoordinatorId, Entry, Heartbeat, LogIndex, Member, Members, SetId, Voters,
};

pub(crate) use self::fencing::Tenures;
pub(crate) use self::log::Oracle;
pub(crate) use self::operations::Operations;
use crate::clock::At;
use crate::nodes;
use crate::raft::LogEntry;
use crate::setup::SERVERS;

/// Something that must not be, and was.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which property.
    pub invariant: String,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// What was seen.
    pub detail: String,
}

/// When one coordinator heard one server, in true time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hearing {
    /// The last beat, or the start of the process.
    pub(crate) last: At,
    /// The newest beat: what was overtaken or doubled, or of an earlier process, does not count.
    newest: (AgentBoot, BeatSeq),
    /// The newest long silences, and when they ended.
    pub(crate) silences: Vec<(std::time::Duration, At)>,
}

/// What is known, and what was found.
pub(crate) struct Checker {
    /// Found so far. The run ends at the first.
    pub(crate) violations: Vec<Violation>,
    /// The committed log and its fold.
    pub(crate) oracle: Oracle,
    /// What operators asked, and what became of it.
    pub(crate) operations: Operations,
    /// Every committed move.
    pub(crate) tenures: Tenures,
    /// By coordinator and server.
    pub(crate) hearing: Vec<Vec<Hearing>>,
    /// Of the newest change of leaders: since when nobody led, and until when.
    pub(crate) leaderless: (At, At),
    now: At,
}

/// The entry that the cluster was founded with.
pub(crate) fn founding(members: usize) -> LogEntry {
    let voters = Voters(vec![(0..members).map(nodes::id).collect()]);
    let member = |at: usize| -> (CoordinatorId, Member) {
        let name = format!("c{}", at + 1).parse().expect("a name");
        (nodes::id(at), Member { name, peer_address: format!("c{}:7402", at + 1) })
    };
    let nodes = (0..members).map(member).collect();
    LogEntry { term: 0, entry: Entry::Members(Members { set: SetId(0), voters, nodes }) }
}

impl Checker {
    /// Nothing seen yet but the founding.
    pub(crate) fn new(members: usize) -> Self {
        Self {
            violations: Vec::new(),
            oracle: Oracle::new(members),
            operations: Operations::default(),
            tenures: Tenures::default(),
            hearing: vec![vec![Hearing::default(); SERVERS]; members],
            leaderless: (At(0), At(0)),
            now: At(0),
        }
    }

    /// True time, for what is blamed next.
    pub(crate) fn tick(&mut self, now: At) {
        self.now = now;
    }

    /// This must not be.
    pub(crate) fn blame(&mut self, invariant: &str, detail: String) {
        let invariant = invariant.to_string();
        self.violations.push(Violation { invariant, at_ms: self.now.ms(), detail });
    }

    /// A coordinator takes a beat in.
    pub(crate) fn heard(&mut self, node: usize, host: usize, beat: &Heartbeat, now: At) {
        let hearing = &mut self.hearing[node][host];
        if beat.boot != hearing.newest.0 || beat.seq > hearing.newest.1 {
            hearing.newest = (beat.boot, beat.seq);
            hearing.end_silence(now);
        }
    }

    /// A coordinator begins to listen: what was silent before proves nothing (P2).
    pub(crate) fn listener_started(&mut self, node: usize, now: At) {
        self.hearing[node].iter_mut().for_each(|hearing| hearing.end_silence(now));
    }

    /// The index of the newest committed entry.
    pub(crate) fn committed(&self) -> LogIndex {
        LogIndex(self.oracle.log.len() as u64 - 1)
    }
}

impl Hearing {
    fn end_silence(&mut self, now: At) {
        let silence = now.since(self.last);
        if silence.as_millis() > 500 {
            self.silences.push((silence, now));
            if self.silences.len() > 64 {
                self.silences.remove(0);
            }
        }
        self.last = now;
    }
}
