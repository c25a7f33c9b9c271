//! What a server is for its recorders (A1, A2, A9): which assignment counts, what it acts for and
//! what it has released. How long it may act is in `lease`.
use std::collections::{BTreeMap, BTreeSet};

use super::io::{AgentOutput, Deed, DriverStatus, Wish};
use super::lease::Leases;
use crate::{
    Assignment, AssignmentId, BootTime, ConfigHash, Duty, DutyKind, DutyStatus, ENDED_MAX,
    EndedTenure, Epoch, Phase, RecorderId, ServerId,
};

type Tenure = (RecorderId, Epoch);

/// Obeys the newest assignment, as far as the leases let it.
#[derive(Clone, Debug, Default)]
pub(super) struct Obedience {
    /// A2: in memory only.
    newest: Option<Assignment>,
    /// What the process before us last acted for; used only while `alone`.
    last_good: Vec<Duty>,
    alone: bool,
    /// This process was told to be something: what the one before it was counts no more (A2).
    told: bool,
    acting: BTreeSet<Tenure>,
    /// The newest epoch of each recorder that was released; every older one is over as well.
    released: BTreeMap<RecorderId, Epoch>,
    status: BTreeMap<Tenure, DriverStatus>,
    ended: BTreeMap<Tenure, EndedTenure>,
    wished: Option<Vec<Wish>>,
    remembered: Vec<Duty>,
}

impl Obedience {
    pub(super) fn new(last_good: Vec<Duty>) -> Self {
        Self { remembered: last_good.clone(), last_good, ..Self::default() }
    }

    /// A2: takes `assignment` if it is newer than the one that counts, and returns it.
    pub(super) fn assign(
        &mut self,
        server: ServerId,
        assignment: Assignment,
    ) -> Option<&Assignment> {
        let newest = self.newest.as_ref().map(|newest| newest.id);
        if assignment.server != server || Some(assignment.id) <= newest {
            return None;
        }
        if newest.is_some_and(|newest| newest.generation < assignment.id.generation) {
            self.released.clear(); // M7: epochs of another beginning
        }
        self.told |= !assignment.duties.is_empty();
        self.ended.retain(|tenure, _| assignment.ends_wanted.contains(tenure));
        Some(self.newest.insert(assignment))
    }

    pub(super) fn holds(&self) -> Option<AssignmentId> {
        self.newest.as_ref().map(|newest| newest.id)
    }

    /// The driver's whole state.
    pub(super) fn observe(&mut self, status: Vec<DriverStatus>) {
        self.status = status.into_iter().map(|s| ((s.recorder, s.epoch), s)).collect();
    }

    /// Where tenures ended; those that nobody asked for are not kept.
    pub(super) fn found(&mut self, ended: Vec<EndedTenure>) {
        let wanted = self.newest.as_ref().map(|newest| &newest.ends_wanted);
        for end in ended {
            let tenure = (end.recorder, end.epoch);
            if wanted.is_some_and(|wanted| wanted.contains(&tenure)) {
                self.ended.insert(tenure, end);
            }
        }
    }

    /// Tenures whose end is wanted and not known yet.
    pub(super) fn ends_missing(&self) -> Vec<Tenure> {
        let wanted = self.newest.iter().flat_map(|newest| &newest.ends_wanted);
        wanted.filter(|tenure| !self.ended.contains_key(tenure)).copied().collect()
    }

    /// A9: no majority was reached in time. True if that changes what is recorded.
    pub(super) fn go_alone(&mut self) -> bool {
        self.alone = true;
        !self.told && !self.last_good.is_empty()
    }

    /// A majority was reached: only its word counts from now on.
    pub(super) fn join(&mut self) {
        self.alone = false;
        self.last_good.clear();
    }

    /// A1: the tenures that it acts for at `at`.
    pub(super) fn may_act(&self, leases: &Leases, at: BootTime) -> BTreeSet<Tenure> {
        let duties = self.newest.iter().flat_map(|newest| &newest.duties);
        let acts = |duty: &&Duty| {
            duty.kind == DutyKind::Act
                && !self.is_released(duty.recorder, duty.epoch)
                && leases.end((duty.recorder, duty.epoch)).is_some_and(|end| at < end)
        };
        duties.filter(acts).map(|duty| (duty.recorder, duty.epoch)).collect()
    }

    /// Brings what is done to what may be done, and tells of each difference.
    pub(super) fn obey(&mut self, leases: &Leases, now: BootTime, out: &mut Vec<AgentOutput>) {
        let may = self.may_act(leases, now);
        let did = |deed, (recorder, epoch): Tenure| {
            let lease_end = leases.end((recorder, epoch));
            AgentOutput::Did { deed, recorder, epoch, lease_end }
        };
        for tenure in self.acting.difference(&may) {
            if leases.end(*tenure).is_none_or(|end| end <= now) {
                out.push(did(Deed::LeaseEnds, *tenure));
            }
            out.push(did(Deed::DropsAddresses, *tenure));
        }
        for tenure in self.ordered_to_release() {
            self.released.insert(tenure.0, tenure.1);
            out.push(did(Deed::Releases, tenure));
        }
        for tenure in may.difference(&self.acting) {
            out.push(did(Deed::Acts, *tenure));
        }
        self.acting = may;
        self.remember(out);
        self.wish(leases, out);
    }

    /// What the coordinators are told of each duty, in the order of the assignment.
    pub(super) fn duties(&self) -> Vec<DutyStatus> {
        self.named().iter().map(|duty| self.duty(duty)).collect()
    }

    /// What the coordinators are told of tenures that are over, as many at once as a beat may hold.
    pub(super) fn ended(&self) -> Vec<EndedTenure> {
        self.ended.values().take(ENDED_MAX).cloned().collect()
    }

    /// True if the tenure is named; its lease end is still of interest.
    pub(super) fn names(&self, (recorder, epoch): Tenure) -> bool {
        self.named().iter().any(|duty| (duty.recorder, duty.epoch) == (recorder, epoch))
    }

    /// All that it should be. A2: complete. A9: without a majority, and told nothing, what it was.
    fn named(&self) -> &[Duty] {
        let assigned = self.newest.as_ref().map(|newest| newest.duties.as_slice());
        match assigned.unwrap_or_default() {
            [] if self.alone && !self.told => &self.last_good,
            assigned => assigned,
        }
    }

    fn is_released(&self, recorder: RecorderId, epoch: Epoch) -> bool {
        self.released.get(&recorder).is_some_and(|released| epoch <= *released)
    }

    /// Newly, since the last time that it was asked.
    fn ordered_to_release(&self) -> Vec<Tenure> {
        let duties = self.newest.iter().flat_map(|newest| &newest.duties);
        let newly = |duty: &&Duty| {
            duty.kind == DutyKind::Release && !self.is_released(duty.recorder, duty.epoch)
        };
        duties.filter(newly).map(|duty| (duty.recorder, duty.epoch)).collect()
    }

    /// A9: the last good configuration is what it last acted for, as long as it is still named.
    fn remember(&mut self, out: &mut Vec<AgentOutput>) {
        let Some(newest) = &self.newest else { return };
        let acted = |duty: &&Duty| {
            let before = |kept: &Duty| (kept.recorder, kept.epoch) == (duty.recorder, duty.epoch);
            self.acting.contains(&(duty.recorder, duty.epoch))
                || (duty.kind != DutyKind::Prepare && self.remembered.iter().any(before))
        };
        let good: Vec<Duty> = newest.duties.iter().filter(acted).cloned().collect();
        // An empty word of a few is not yet a reason to forget what we were.
        let sure = self.last_good.is_empty() || !good.is_empty();
        if sure && good != self.remembered {
            out.push(AgentOutput::Remember(good.clone()));
            self.remembered = good;
        }
    }

    fn wish(&mut self, leases: &Leases, out: &mut Vec<AgentOutput>) {
        let wish = |duty: &Duty| {
            let tenure = (duty.recorder, duty.epoch);
            Wish {
                recorder: duty.recorder,
                epoch: duty.epoch,
                channels: duty.channels,
                config: duty.config,
                acting: self.acting.contains(&tenure),
                lease_end: leases.end(tenure),
            }
        };
        let wishes: Vec<Wish> = self.named().iter().map(wish).collect();
        if self.wished.as_ref() != Some(&wishes) {
            out.push(AgentOutput::Wishes(wishes.clone()));
            self.wished = Some(wishes);
        }
    }

    fn duty(&self, duty: &Duty) -> DutyStatus {
        let tenure = (duty.recorder, duty.epoch);
        let status = self.status.get(&tenure);
        let prepared = status.is_some_and(|s| s.prepared && s.config == duty.config);
        let phase = match duty.kind {
            DutyKind::Release => Phase::Released,
            DutyKind::Act if self.acting.contains(&tenure) => Phase::Acting,
            DutyKind::Act | DutyKind::Prepare if prepared => Phase::Prepared,
            DutyKind::Act | DutyKind::Prepare => Phase::Preparing,
        };
        DutyStatus {
            recorder: duty.recorder,
            epoch: duty.epoch,
            phase,
            config: status.map_or_else(ConfigHash::default, |s| s.config),
            recording: status.map_or(0, |s| s.recording),
            channels: status.map_or(duty.channels, |s| s.channels),
            first_ms: status.and_then(|s| s.first_ms),
            last_ms: status.and_then(|s| s.last_ms),
            tick_ms: status.map_or(0, |s| s.tick_ms),
            failed: status.is_some_and(|s| s.failed),
        }
    }
}
