//! What the usable reports of one moment say together (P9, P11). Made by `table`, read by `due`
//! and `decide`; never kept.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{
    AgentBoot, CoordinatorId, CopyId, CopyStatus, DutyStatus, EndedTenure, Epoch, Facts,
    RecorderId, ServerDuties, ServerId, SetId, Testimony, Voters,
};

/// The newest reports, turned around: by server and recorder instead of by coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The leader's applied set, under which all of this was reported.
    pub set: SetId,
    /// The voters of that set.
    pub voters: Voters,
    /// Whose report is usable.
    pub fresh: BTreeSet<CoordinatorId>,
    /// Who has missed a server past its timeout, and for how long.
    pub silent: BTreeMap<ServerId, BTreeMap<CoordinatorId, Duration>>,
    /// Who hears a server, of those whose being heard matters, and since when.
    pub heard: BTreeMap<ServerId, BTreeMap<CoordinatorId, Duration>>,
    /// Who is clear of a tenure (P8).
    pub clear: BTreeMap<(RecorderId, Epoch), BTreeSet<CoordinatorId>>,
    /// Who has missed a server for half its timeout (D7).
    pub quiet: BTreeMap<ServerId, BTreeSet<CoordinatorId>>,
    /// Whom the leader itself has not heard for two intervals (D6).
    pub late: BTreeSet<ServerId>,
    /// What servers last said of their duties, whoever of the voters heard it.
    pub duties: BTreeMap<ServerId, ServerDuties>,
    /// What servers say of themselves, where the applied state has it otherwise.
    pub facts: BTreeMap<ServerId, Facts>,
    /// How far the copies are that servers fetch, as they last said.
    pub copies: BTreeMap<ServerId, Vec<CopyStatus>>,
    /// Copies whose sources say that they have removed the material.
    pub erased: BTreeSet<CopyId>,
    /// For how long the leader has seen each open step: in listened time since it applied it.
    pub ages: BTreeMap<OpenStep, Duration>,
}

/// Something that is waited for, and whose age matters (D8, D11a). Volatile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenStep {
    /// The recorder's hand-over, or its takeover, in its present step.
    Handover(RecorderId),
    /// The server is unfit for the recorder.
    Unfit(RecorderId, ServerId),
    /// Progress of the copy was last logged (C4).
    Copy(CopyId),
}

impl Evidence {
    /// D1: those who have missed `server` past its timeout, if they are a majority.
    pub fn missed(&self, server: ServerId) -> Option<Testimony> {
        self.testimony(self.silent.get(&server)?, |_| true)
    }

    /// D1: the same, if those of the majority have missed it for at least `long` each.
    pub fn missed_for(&self, server: ServerId, long: Duration) -> Option<Testimony> {
        self.testimony(self.silent.get(&server)?, |missed| missed >= long)
    }

    /// D2: those who have heard `server` for at least `long`, if they are a majority.
    pub fn heard_for(&self, server: ServerId, long: Duration) -> Option<Testimony> {
        self.testimony(self.heard.get(&server)?, |heard| heard >= long)
    }

    /// P11: not silent in the usable reports of a majority.
    pub fn is_heard(&self, server: ServerId) -> bool {
        let silent = self.silent.get(&server);
        let misses = |c| silent.is_some_and(|by| by.contains_key(&c));
        self.voters.majority(|c| self.fresh.contains(&c) && !misses(c))
    }

    /// D3 (b): a majority is clear of the tenure, or misses its holder.
    pub fn may_leave(&self, recorder: RecorderId, epoch: Epoch, holder: ServerId) -> bool {
        let (clear, silent) = (self.clear.get(&(recorder, epoch)), self.silent.get(&holder));
        let is_clear = |c| clear.is_some_and(|by| by.contains(&c));
        self.voters.majority(is_clear)
            || self.voters.majority(|c| silent.is_some_and(|by| by.contains_key(&c)))
    }

    /// What `server` last said of its duty for one tenure.
    pub fn duty(&self, server: ServerId, recorder: RecorderId, epoch: Epoch) -> Option<DutyStatus> {
        let duties = &self.duties.get(&server)?.duties;
        duties.iter().find(|duty| (duty.recorder, duty.epoch) == (recorder, epoch)).copied()
    }

    /// Where a tenure that is over ended on `server`'s disk, as it last said.
    pub fn ended(
        &self,
        server: ServerId,
        recorder: RecorderId,
        epoch: Epoch,
    ) -> Option<EndedTenure> {
        let ended = &self.duties.get(&server)?.ended;
        ended.iter().find(|end| (end.recorder, end.epoch) == (recorder, epoch)).cloned()
    }

    /// The process that spoke last for `server`.
    pub fn boot(&self, server: ServerId) -> Option<AgentBoot> {
        self.duties.get(&server).map(|duties| duties.boot)
    }

    /// For how long `step` has been open; nothing where the leader has just begun.
    pub fn age(&self, step: OpenStep) -> Duration {
        self.ages.get(&step).copied().unwrap_or_default()
    }

    fn testimony(
        &self,
        by: &BTreeMap<CoordinatorId, Duration>,
        counts: impl Fn(Duration) -> bool,
    ) -> Option<Testimony> {
        let agrees = |c| by.get(&c).is_some_and(|long| counts(*long));
        // Whole milliseconds, as the log has them: what is proposed is what is applied.
        let finer =
            |long: &Duration| Duration::from_nanos((long.subsec_nanos() % 1_000_000).into());
        let whole = |long: &Duration| *long - finer(long);
        let by = || by.iter().map(|(coordinator, long)| (*coordinator, whole(long))).collect();
        self.voters.majority(agrees).then(|| Testimony { set: self.set, by: by() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decision that came back from the log finer or coarser than it was proposed would never be
    /// known as one's own: the leader would wait for it until it stalls.
    #[test]
    fn testimony_is_as_fine_as_the_log() {
        let server: ServerId = "srv-1".parse().unwrap();
        let me = CoordinatorId(1);
        let silent = Duration::new(2, 3_999_999);
        let evidence = Evidence {
            voters: Voters(vec![[me].into()]),
            fresh: [me].into(),
            silent: [(server, [(me, silent)].into())].into(),
            ..Evidence::default()
        };
        let by = evidence.missed(server).unwrap().by;
        assert_eq!(by[&me], Duration::from_millis(2_003));
    }
}
