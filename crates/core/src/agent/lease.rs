//! The agent's end of the leases (P12): how long each tenure may be acted for. What is done with
//! that is in `obedience`.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::numbers::TIMEOUT_MAX;
use crate::{Ack, BeatSeq, BootTime, CoordinatorId, Epoch, RecorderId, SetId, Voters};

/// Beats whose sending is remembered; later acknowledgements renew nothing. At the shortest
/// distance of two beats (20 ms) more than a minute, at h = 1 s more than an hour.
const BEATS_MAX: usize = 4_096;
/// Sets of voters that are told apart for one tenure; the newest are kept. Members change one
/// entry at a time, and the leases of older sets have long ended.
const SETS_MAX: usize = 4;
/// L of the longest timeout that may be set; nobody may grant more.
const LEASE_MAX: Duration = Duration::from_secs(TIMEOUT_MAX.as_secs() * 3 / 4);
/// Tenures with a running lease; a server holds few.
const TENURES_MAX: usize = 1_024;

/// When each beat of this boot was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Beats {
    newest: BeatSeq,
    /// The newest ones; consecutive, the last is `newest`.
    sent: VecDeque<BootTime>,
}

impl Beats {
    /// Numbers a beat that is sent at `now`.
    pub(super) fn send(&mut self, now: BootTime) -> BeatSeq {
        self.newest.0 += 1;
        self.sent.push_back(now);
        if self.sent.len() > BEATS_MAX {
            self.sent.pop_front();
        }
        self.newest
    }

    /// True if a beat of this boot has that number.
    pub(super) fn has_sent(&self, seq: BeatSeq) -> bool {
        seq.0 >= 1 && seq <= self.newest
    }

    /// When `seq` was sent; nothing if that is forgotten, or was never done.
    pub(super) fn sent(&self, seq: BeatSeq) -> Option<BootTime> {
        let back = usize::try_from(self.newest.0.checked_sub(seq.0)?).ok()?;
        self.sent.get(self.sent.len().checked_sub(back + 1)?).copied()
    }
}

/// The lease ends granted by each voter of one set.
#[derive(Clone, Debug, Default)]
struct Granted {
    voters: Voters,
    ends: BTreeMap<CoordinatorId, BootTime>,
}

impl Granted {
    /// The majority-th largest end, in both halves while joint.
    fn end(&self) -> Option<BootTime> {
        self.voters.0.iter().map(|half| self.end_in(half)).min()?
    }

    fn end_in(&self, half: &BTreeSet<CoordinatorId>) -> Option<BootTime> {
        let mut ends: Vec<_> = half.iter().filter_map(|voter| self.ends.get(voter)).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        ends.get(half.len() / 2).map(|end| **end)
    }
}

/// Lease ends of all tenures.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(BTreeMap<(RecorderId, Epoch), BTreeMap<SetId, Granted>>);

impl Leases {
    /// Takes the grants of an acknowledgement of a beat that was sent at `sent`.
    ///
    /// P12: the lease counts from the sending, so a late or doubled acknowledgement cannot lengthen
    /// it; and an end is never taken back, so a reordered one cannot shorten it.
    pub(super) fn grant(&mut self, ack: &Ack, sent: BootTime) {
        for grant in &ack.grants {
            let tenure = (grant.recorder, grant.epoch);
            if self.0.len() >= TENURES_MAX && !self.0.contains_key(&tenure) {
                continue;
            }
            let sets = self.0.entry(tenure).or_default();
            let granted = sets.entry(ack.set).or_default();
            if granted.voters != ack.voters {
                // The index of a membership entry names one set only; two sets never add up.
                *granted = Granted { voters: ack.voters.clone(), ends: BTreeMap::new() };
            }
            let end = BootTime(sent.0.saturating_add(grant.lease.min(LEASE_MAX)));
            let known = granted.ends.entry(ack.coordinator).or_insert(end);
            *known = end.max(*known);
            if sets.len() > SETS_MAX {
                sets.pop_first();
            }
        }
    }

    /// Until when the tenure may be acted for, perhaps past: the best of all sets (M3).
    pub(super) fn end(&self, tenure: (RecorderId, Epoch)) -> Option<BootTime> {
        self.0.get(&tenure)?.values().filter_map(Granted::end).max()
    }

    /// Forgets what no coordinator grants any longer, unless `kept` still wants to know its end.
    pub(super) fn forget(&mut self, now: BootTime, kept: impl Fn((RecorderId, Epoch)) -> bool) {
        let runs = |granted: &Granted| granted.ends.values().any(|end| *end > now);
        self.0.retain(|tenure, sets| kept(*tenure) || sets.values().any(runs));
    }
}
