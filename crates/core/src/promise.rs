//! What this coordinator owes for its reports: a server called silent is granted nothing until
//! the leader has answered a later report without it. Volatile, and safe to lose (P6). What a
//! report says is put together in `coordinator`; what is granted, in `grants`.
use std::collections::BTreeMap;

use crate::{Answer, Boot, LogIndex, ReportSeq, ServerId, Term};

/// The promises of one coordinator, in one boot.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    boot: Boot,
    /// Of the leader whose answers count; none while no leader has ticked.
    term: Option<Term>,
    seq: ReportSeq,
    /// The newest report that listed each server.
    listed: BTreeMap<ServerId, ReportSeq>,
    /// P6: until the first answer all are listed, the unknown included.
    all: bool,
    /// An answer whose barrier is not applied yet.
    early: Option<Answer>,
}

/// Who may be granted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Freed {
    /// Only these.
    These(Vec<ServerId>),
    /// The first answer came into force: everybody that was not listed since.
    All,
}

impl Promise {
    /// P6: begins bound towards every server, for a restarted coordinator forgot what it promised.
    pub(crate) fn start(boot: Boot) -> Self {
        let (seq, listed) = (ReportSeq::default(), BTreeMap::new());
        Self { boot, term: None, seq, listed, all: true, early: None }
    }

    /// Follows another leader, or none. P5: promises stand, but answers of the last one count no
    /// more.
    pub(crate) fn follow(&mut self, term: Option<Term>) {
        if self.term != term {
            (self.term, self.early) = (term, None);
        }
    }

    /// True once the first answer is in force (P6). Until then we report nobody silent: we may have
    /// come back behind, with an old timeout.
    pub(crate) fn ready(&self) -> bool {
        !self.all
    }

    /// Numbers the next report. P4: it binds before anybody can have read it.
    pub(crate) fn report(&mut self, silent: impl IntoIterator<Item = ServerId>) -> ReportSeq {
        self.seq.0 += 1;
        self.listed.extend(silent.into_iter().map(|server| (server, self.seq)));
        self.seq
    }

    /// Takes an answer; it counts once its barrier is applied.
    pub(crate) fn answer(&mut self, answer: Answer, applied: LogIndex) -> Freed {
        if self.term == Some(answer.term) && self.boot == answer.boot {
            // P5: the older one ripens first, and each report brings another.
            self.early.get_or_insert(answer);
        }
        self.applied(applied)
    }

    /// P5: an answer releases those whom its report left out, not those heard since.
    pub(crate) fn applied(&mut self, applied: LogIndex) -> Freed {
        let Some(answer) = self.early.take_if(|answer| answer.barrier <= applied) else {
            return Freed::These(Vec::new());
        };
        let freed = self.listed.extract_if(.., |_, listed_in| *listed_in < answer.seq);
        let freed = freed.map(|(server, _)| server).collect();
        if std::mem::take(&mut self.all) { Freed::All } else { Freed::These(freed) }
    }

    /// True while `server` is granted nothing. After an expiry the state withholds what the
    /// promise withheld before (P7).
    pub(crate) fn binds(&self, server: ServerId) -> bool {
        self.all || self.listed.contains_key(&server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CoordinatorId;

    fn term(number: u64) -> Term {
        Term { number, leader: CoordinatorId(1), boot: Boot(1) }
    }

    fn server(name: &str) -> ServerId {
        name.parse().unwrap()
    }

    fn bound(promise: &Promise) -> Vec<&'static str> {
        ["s1", "s2"].into_iter().filter(|name| promise.binds(server(name))).collect()
    }

    fn report(promise: &mut Promise, silent: &[&str]) -> ReportSeq {
        promise.report(silent.iter().map(|name| server(name)))
    }

    fn answer(promise: &mut Promise, seq: ReportSeq, barrier: u64) {
        let barrier = LogIndex(barrier);
        promise.answer(Answer { term: term(1), boot: Boot(7), seq, barrier }, LogIndex(4));
    }

    fn answered_once() -> Promise {
        let mut promise = Promise::start(Boot(7));
        promise.follow(Some(term(1)));
        assert_eq!(bound(&promise), ["s1", "s2"]);
        let seq = report(&mut promise, &[]);
        answer(&mut promise, seq, 4);
        assert_eq!(bound(&promise), [""; 0]);
        promise
    }

    /// P4, P5.
    #[test]
    fn an_answer_releases_those_whom_its_report_left_out() {
        let mut promise = answered_once();
        let both = report(&mut promise, &["s1", "s2"]);
        let one = report(&mut promise, &["s2"]);
        answer(&mut promise, both, 4);
        assert_eq!(bound(&promise), ["s1", "s2"]);
        answer(&mut promise, one, 4);
        assert_eq!(bound(&promise), ["s2"]);
    }

    /// P5: the barrier.
    #[test]
    fn an_answer_counts_when_its_barrier_is_applied() {
        let mut promise = answered_once();
        report(&mut promise, &["s1"]);
        let without = report(&mut promise, &[]);
        answer(&mut promise, without, 5);
        assert_eq!(bound(&promise), ["s1"]);
        assert_eq!(promise.applied(LogIndex(5)), Freed::These(vec![server("s1")]));
        assert_eq!(bound(&promise), [""; 0]);
    }

    /// P5: of the answers that wait for their barrier, the oldest is kept.
    #[test]
    fn later_answers_do_not_starve_grants_under_load() {
        let mut promise = answered_once();
        report(&mut promise, &["s1"]);
        for ahead in 0..10 {
            let without = report(&mut promise, &[]);
            answer(&mut promise, without, 5 + ahead);
        }
        promise.applied(LogIndex(5));
        assert_eq!(bound(&promise), [""; 0]);
    }

    /// P5, P6.
    #[test]
    fn an_answer_of_another_term_or_boot_releases_nobody() {
        let mut promise = answered_once();
        report(&mut promise, &["s1"]);
        let without = report(&mut promise, &[]);
        answer(&mut promise, without, 5);
        promise.follow(Some(term(2)));
        promise.applied(LogIndex(5));
        answer(&mut promise, without, 4);
        assert_eq!(bound(&promise), ["s1"]);
        let mut restarted = Promise::start(Boot(8));
        restarted.follow(Some(term(1)));
        answer(&mut restarted, without, 4);
        assert_eq!(bound(&restarted), ["s1", "s2"]);
    }

    /// P6: the first answer counts only behind its barrier, too.
    #[test]
    fn a_restarted_coordinator_is_bound_until_it_has_caught_up() {
        let mut promise = Promise::start(Boot(7));
        promise.follow(Some(term(1)));
        let first = report(&mut promise, &[]);
        answer(&mut promise, first, 9);
        assert!(!promise.ready());
        assert_eq!(promise.applied(LogIndex(8)), Freed::These(vec![]));
        assert_eq!(promise.applied(LogIndex(9)), Freed::All);
        assert!(promise.ready());
    }
}
