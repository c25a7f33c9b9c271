//! The leader's table of reports, and what they say together (P9 to P11, T1). What follows from it
//! is in `due`; whom the leader answers, and when, is in `coordinator/leader`.
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::numbers::{REPORT_AGE_MAX, SKEW_ALARM};
use crate::{
    Answer, Boot, CoordinatorId, CopyId, CopyStanding, Evidence, LogIndex, LogTime, Members, Mono,
    Report, ReportSeq, ServerDuties, ServerId, SetId, Term, TickSeq, Voters, Wall,
};

/// The reports of one term.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    term: Term,
    /// When the newest ticks were sent, by the leader's clock, oldest first.
    ticks: VecDeque<(TickSeq, Mono)>,
    tick: TickSeq,
    rows: BTreeMap<CoordinatorId, Row>,
}

#[derive(Clone, Debug)]
struct Row {
    /// The highest of this term: nothing older ever counts again (P9, L6).
    newest: (Boot, ReportSeq),
    /// None once it was dropped (L6).
    report: Option<Report>,
    answered: bool,
}

/// The wall clocks of one moment (T1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clocks(Vec<(Wall, CoordinatorId)>);

impl Table {
    /// Nothing reported yet.
    pub(crate) fn of(term: Term) -> Self {
        let (ticks, rows) = (VecDeque::new(), BTreeMap::new());
        Self { term, ticks, tick: TickSeq::default(), rows }
    }

    /// Numbers a tick, and remembers when it was sent.
    pub(crate) fn tick(&mut self, now: Mono) -> TickSeq {
        self.tick.0 += 1;
        self.ticks.retain(|(_, sent)| now.0 - sent.0 <= REPORT_AGE_MAX);
        self.ticks.push_back((self.tick, now));
        self.tick
    }

    /// Takes a report in, unless it is of another term, or not the newest one (P9). True if it
    /// says something else than the one before, beyond longer times.
    pub(crate) fn insert(&mut self, report: Report) -> bool {
        let newest = (report.boot, report.seq);
        let row = self.rows.get(&report.from);
        if report.term != self.term || row.is_some_and(|row| newest <= row.newest) {
            return false;
        }
        let last = row.and_then(|row| row.report.as_ref());
        let news = last.is_none_or(|last| !says_the_same(last, &report));
        self.rows.insert(report.from, Row { newest, report: Some(report), answered: false });
        news
    }

    /// L6: drops every report; what was answered or dropped never counts again in this term.
    pub(crate) fn drop_reports(&mut self) {
        self.rows.values_mut().for_each(|row| row.report = None);
    }

    /// P10: an answer to the newest report of each coordinator that has none yet. The caller is
    /// settled, has nothing in flight, and has applied `barrier`.
    pub(crate) fn answers(&mut self, barrier: LogIndex) -> Vec<(CoordinatorId, Answer)> {
        let term = self.term;
        let unanswered =
            self.rows.iter_mut().filter(|(_, row)| row.report.is_some() && !row.answered);
        unanswered
            .map(|(&to, row)| {
                row.answered = true;
                let (boot, seq) = row.newest;
                (to, Answer { term, boot, seq, barrier })
            })
            .collect()
    }

    /// P9: reports of the applied set that echo a tick sent at most 250 ms ago.
    pub(crate) fn usable(&self, set: SetId, now: Mono) -> impl Iterator<Item = &Report> {
        let recent = move |report: &&Report| {
            let old = |sent: Mono| now.0.saturating_sub(sent.0) > REPORT_AGE_MAX;
            report.set == set && self.sent(report.echo).is_some_and(|sent| !old(sent))
        };
        self.newest().filter(recent)
    }

    /// Until when all that is usable now stays so (P9).
    pub(crate) fn usable_until(&self, set: SetId, now: Mono) -> Mono {
        let sent = self.usable(set, now).filter_map(|report| self.sent(report.echo));
        sent.min().map_or(now, |sent| Mono(sent.0 + REPORT_AGE_MAX))
    }

    fn sent(&self, echo: TickSeq) -> Option<Mono> {
        self.ticks.iter().find(|(tick, _)| *tick == echo).map(|(_, sent)| *sent)
    }

    /// P11: whether usable reports of a majority are there.
    pub(crate) fn has_majority(&self, members: &Members, now: Mono) -> bool {
        let fresh: Vec<CoordinatorId> =
            self.usable(members.set, now).map(|report| report.from).collect();
        members.voters.majority(|voter| fresh.contains(&voter))
    }

    /// The newest report of each member, usable or not, for people.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Report> {
        self.rows.values().filter_map(|row| row.report.as_ref())
    }

    /// Turns the usable reports around. Only voters count (P11). `ages` are left empty.
    pub(crate) fn evidence(&self, me: CoordinatorId, members: &Members, now: Mono) -> Evidence {
        let Members { set, voters, .. } = members;
        let mut evidence = Evidence { set: *set, voters: voters.clone(), ..Evidence::default() };
        for report in self.usable(*set, now).filter(|report| voters.contains(report.from)) {
            count(&mut evidence, report);
            if report.from == me {
                evidence.late = report.late.iter().copied().collect();
            }
        }
        evidence.duties = self.duties(members, now);
        self.count_copies(&mut evidence, members, now);
        evidence
    }

    /// What each server last said, whoever of the voters heard it: the word of one who still hears
    /// it goes before that of one who does not, and of one process the later word.
    fn duties(&self, members: &Members, now: Mono) -> BTreeMap<ServerId, ServerDuties> {
        let mut newest: BTreeMap<_, (bool, &ServerDuties)> = BTreeMap::new();
        let usable = self.usable(members.set, now);
        for report in usable.filter(|report| members.voters.contains(report.from)) {
            for duties in &report.duties {
                let heard = report.late.binary_search(&duties.server).is_err();
                let rank = |(heard, said): &(bool, &ServerDuties)| (*heard, said.boot, said.seq);
                let said = (heard, duties);
                let kept = newest.entry(duties.server).or_insert(said);
                if rank(kept) < rank(&said) {
                    *kept = said;
                }
            }
        }
        newest.into_iter().map(|(server, (_, said))| (server, said.clone())).collect()
    }

    /// What servers say of themselves and of copies: the word of one who hears the server goes before
    /// that of one who does not; of several the one with the lowest id.
    fn count_copies(&self, evidence: &mut Evidence, members: &Members, now: Mono) {
        let voters = |report: &&Report| members.voters.contains(report.from);
        let reports: Vec<&Report> = self.usable(members.set, now).filter(voters).collect();
        for late in [false, true] {
            for report in &reports {
                let counts = |server: &ServerId| report.late.binary_search(server).is_ok() == late;
                for (server, facts) in report.facts.iter().filter(|(server, _)| counts(server)) {
                    evidence.facts.entry(*server).or_insert_with(|| facts.clone());
                }
                for (server, said) in report.copies.iter().filter(|(server, _)| counts(server)) {
                    evidence.copies.entry(*server).or_insert_with(|| said.clone());
                }
                evidence.erased.extend(&report.erased);
            }
        }
    }

    /// T1: the wall clocks of the voters, by their usable reports and, for `me`, by `wall`.
    pub(crate) fn clocks(
        &self,
        me: CoordinatorId,
        wall: Wall,
        members: &Members,
        now: Mono,
    ) -> Clocks {
        let others = self.usable(members.set, now).filter(|report| report.from != me);
        let all = others.map(|report| (report.wall, report.from)).chain([(wall, me)]);
        let mut clocks: Vec<_> = all.filter(|(_, of)| members.voters.contains(*of)).collect();
        clocks.sort_unstable();
        Clocks(clocks)
    }
}

impl Clocks {
    /// T1: the lower median where these are a majority of `voters`; otherwise `last` again, never
    /// one clock alone.
    pub(crate) fn at(&self, voters: &Voters, last: LogTime) -> LogTime {
        let told = |voter| self.0.iter().any(|(_, of)| *of == voter);
        let median = self.median().filter(|_| voters.majority(told));
        median.map_or(last, |wall| LogTime(wall.0).not_before(last))
    }

    /// T1: whose clock is a second or more off the median, and by how much.
    pub(crate) fn skewed(&self) -> impl Iterator<Item = (CoordinatorId, Duration)> {
        let median = self.median().unwrap_or_default();
        let off = move |&(wall, of): &(Wall, CoordinatorId)| {
            (of, Duration::from_millis(wall.0.abs_diff(median.0)))
        };
        self.0.iter().map(off).filter(|(_, off)| *off >= SKEW_ALARM)
    }

    fn median(&self) -> Option<Wall> {
        let lower = self.0.len().checked_sub(1)? / 2;
        self.0.get(lower).map(|(wall, _)| *wall)
    }
}

fn count(evidence: &mut Evidence, report: &Report) {
    let from = report.from;
    evidence.fresh.insert(from);
    for &(server, long) in &report.silent {
        evidence.silent.entry(server).or_default().insert(from, long);
    }
    for &(server, long) in &report.heard {
        evidence.heard.entry(server).or_default().insert(from, long);
    }
    for &tenure in &report.clear {
        evidence.clear.entry(tenure).or_default().insert(from);
    }
    for &server in &report.quiet {
        evidence.quiet.entry(server).or_default().insert(from);
    }
}

/// How far a copy is, is no news: it is looked at with every tick.
fn standings(report: &Report) -> impl Iterator<Item = (ServerId, CopyId, CopyStanding)> {
    report.copies.iter().flat_map(|(server, said)| {
        said.iter().map(|status| (*server, status.copy, status.standing))
    })
}

fn says_the_same(one: &Report, other: &Report) -> bool {
    let names = |list: &[(ServerId, Duration)], with: &[(ServerId, Duration)]| {
        list.iter().map(|(server, _)| server).eq(with.iter().map(|(server, _)| server))
    };
    names(&one.silent, &other.silent)
        && names(&one.heard, &other.heard)
        && (one.set, &one.clear, &one.quiet) == (other.set, &other.clear, &other.quiet)
        && (&one.late, &one.duties) == (&other.late, &other.duties)
        && (&one.facts, &one.erased) == (&other.facts, &other.erased)
        && standings(one).eq(standings(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Level, Revision};

    const ME: CoordinatorId = CoordinatorId(1);
    const TERM: Term = Term { number: 3, leader: ME, boot: Boot(1) };

    fn at(ms: u64) -> Mono {
        Mono(Duration::from_millis(ms))
    }

    fn s1() -> ServerId {
        "s1".parse().unwrap()
    }

    fn members(halves: &[&[u64]]) -> Members {
        let half = |half: &&[u64]| half.iter().map(|id| CoordinatorId(*id)).collect();
        Members {
            set: SetId(1),
            voters: Voters(halves.iter().map(half).collect()),
            nodes: BTreeMap::new(),
        }
    }

    fn report(from: u64, seq: u64, echo: TickSeq) -> Report {
        Report {
            from: CoordinatorId(from),
            term: TERM,
            boot: Boot(1),
            seq: ReportSeq(seq),
            echo,
            set: SetId(1),
            applied: LogIndex(9),
            revision: Revision(4),
            wall: Wall(1_000),
            reads: Level(1),
            version: String::new(),
            address: String::new(),
            silent: vec![(s1(), Duration::from_secs(2))],
            heard: vec![],
            clear: vec![],
            quiet: vec![],
            late: vec![],
            duties: vec![],
            facts: vec![],
            copies: vec![],
            erased: vec![],
        }
    }

    fn missed(table: &Table, members: &Members, now: u64) -> bool {
        table.evidence(ME, members, at(now)).missed(s1()).is_some()
    }

    /// P11: one is no majority of three; two are.
    #[test]
    fn a_majority_of_usable_reports_is_evidence() {
        let (mut table, three) = (Table::of(TERM), members(&[&[1, 2, 3]]));
        let tick = table.tick(at(0));
        table.insert(report(1, 1, tick));
        assert!(!missed(&table, &three, 10));
        table.insert(report(4, 1, tick));
        assert!(!missed(&table, &three, 10), "a learner counts for nothing");
        table.insert(report(2, 1, tick));
        assert!(missed(&table, &three, 10));
        assert!(!missed(&table, &members(&[&[1, 2, 3], &[3, 4, 5]]), 10), "both halves (P11)");
        assert!(missed(&table, &members(&[&[1, 2, 3], &[1, 2, 4]]), 10));
    }

    /// P9: too old by the tick that it echoes, of another set, of another term.
    #[test]
    fn a_report_counts_for_a_quarter_second_in_its_set_and_term() {
        let (mut table, three) = (Table::of(TERM), members(&[&[1, 2, 3]]));
        let tick = table.tick(at(0));
        table.insert(report(1, 1, tick));
        table.insert(report(2, 1, tick));
        assert!(missed(&table, &three, 250));
        assert_eq!(table.usable_until(SetId(1), at(10)), at(250));
        assert!(!missed(&table, &three, 251));
        let tick = table.tick(at(1_000));
        table.insert(report(1, 2, tick));
        table.insert(report(2, 2, TickSeq(1)));
        assert!(!missed(&table, &three, 1_000), "a new report that echoes an old tick");
        table.insert(Report { set: SetId(0), ..report(2, 3, tick) });
        assert!(!missed(&table, &three, 1_000), "M4: another set");
        table.insert(Report { term: Term { number: 2, ..TERM }, ..report(3, 1, tick) });
        assert!(!missed(&table, &three, 1_000), "another term");
        table.insert(report(2, 4, tick));
        assert!(missed(&table, &three, 1_000));
    }

    /// P9, L6: what is older than the newest never counts, though the newest was dropped.
    #[test]
    fn an_older_report_never_counts_again() {
        let (mut table, three) = (Table::of(TERM), members(&[&[1, 2, 3]]));
        let tick = table.tick(at(0));
        table.insert(report(1, 1, tick));
        table.insert(Report { silent: vec![], ..report(2, 5, tick) });
        table.insert(report(2, 4, tick));
        assert!(!missed(&table, &three, 10));
        table.drop_reports();
        assert!(!table.has_majority(&three, at(10)));
        table.insert(report(1, 2, tick));
        table.insert(report(2, 5, tick));
        assert!(!missed(&table, &three, 10));
        table.insert(Report { boot: Boot(2), ..report(2, 1, tick) });
        assert!(missed(&table, &three, 10), "a restarted coordinator counts anew");
    }

    /// P10: each report is answered once, and only the newest.
    #[test]
    fn the_newest_report_of_each_is_answered_once() {
        let mut table = Table::of(TERM);
        let tick = table.tick(at(0));
        assert!(table.insert(report(1, 1, tick)));
        assert!(!table.insert(report(1, 2, tick)), "says the same");
        table.insert(report(2, 7, tick));
        let seqs = |table: &mut Table| -> Vec<_> {
            table.answers(LogIndex(9)).iter().map(|(to, answer)| (to.0, answer.seq.0)).collect()
        };
        assert_eq!(seqs(&mut table), [(1, 2), (2, 7)]);
        assert_eq!(seqs(&mut table), []);
        table.insert(report(2, 8, tick));
        assert_eq!(seqs(&mut table), [(2, 8)]);
    }

    /// T1: the lower median of a majority; never one clock alone; never back.
    #[test]
    fn log_time_is_the_lower_median_of_a_majority() {
        let (mut table, three) = (Table::of(TERM), members(&[&[1, 2, 3]]));
        let tick = table.tick(at(0));
        let clocks = |table: &Table, wall| table.clocks(ME, Wall(wall), &three, at(10));
        assert_eq!(clocks(&table, 9_000).at(&three.voters, LogTime(5)), LogTime(5));
        table.insert(report(2, 1, tick));
        assert_eq!(clocks(&table, 9_000).at(&three.voters, LogTime(5)), LogTime(1_000));
        assert_eq!(clocks(&table, 9_000).at(&three.voters, LogTime(2_000)), LogTime(2_000));
        table.insert(Report { wall: Wall(1_300), ..report(3, 1, tick) });
        assert_eq!(clocks(&table, 9_000).at(&three.voters, LogTime(5)), LogTime(1_300));
        let skewed: Vec<_> = clocks(&table, 9_000).skewed().collect();
        assert_eq!(skewed, [(ME, Duration::from_millis(7_700))]);
    }
}
