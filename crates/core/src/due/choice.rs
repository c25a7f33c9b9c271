//! D6: who takes a recorder. Home first, then the idle standbys of its group, those that the leader
//! has just missed last; ties by id. Which of them are taken is remembered for one decision.
use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::Role;
use crate::picture::gives_back;
use crate::views::Tenure;
use crate::{Evidence, GroupId, OpenStep, PassedOver, RecorderId, ServerId, State};

/// The candidates of one decision.
#[derive(Debug)]
pub(crate) struct Choice<'a> {
    state: &'a State,
    evidence: &'a Evidence,
    /// Idle, connected standbys, in order; looked up when first asked for, for that is one pass
    /// over the fleet.
    idle: Option<BTreeMap<GroupId, BTreeSet<(Late, ServerId)>>>,
    /// SY-07: idle but for material that they give back, by the one recorder that they may retake.
    giving: BTreeMap<RecorderId, BTreeSet<(Late, ServerId)>>,
}

/// Not heard by the leader for two heartbeat intervals.
type Late = bool;

impl<'a> Choice<'a> {
    pub(crate) fn new(state: &'a State, evidence: &'a Evidence) -> Self {
        Self { state, evidence, idle: None, giving: BTreeMap::new() }
    }

    /// The best server for a recorder that must leave its holder.
    pub(crate) fn best(&mut self, tenure: &Tenure) -> Option<ServerId> {
        let is_fit = |server| server != tenure.holder && self.is_fit(tenure.recorder, server);
        if is_fit(tenure.home) && self.connected(tenure.home).is_ok() {
            return Some(tenure.home);
        }
        let (state, evidence) = (self.state, self.evidence);
        let group = state.fleet.document().servers.get(&tenure.home)?.group;
        self.idle();
        // C3: a standby may always retake the same recorder, whatever it still gives back of it.
        let same = self.giving.get(&tenure.recorder).into_iter().flatten();
        let same = same.filter(|(_, server)| group_of(state, *server) == Some(group));
        let idle = self.idle.iter().filter_map(|idle| idle.get(&group)).flatten();
        let mut candidates = idle.chain(same).map(|(_, server)| *server);
        candidates.find(|server| Choice::new(state, evidence).is_fit(tenure.recorder, *server))
    }

    /// It has its recorder for this decision.
    pub(crate) fn take(&mut self, server: ServerId) {
        let late = self.evidence.late.contains(&server);
        self.idle();
        for giving in self.giving.values_mut() {
            giving.remove(&(late, server));
        }
        if let Some(document) = self.state.fleet.document().servers.get(&server)
            && let Some(idle) = self.idle().get_mut(&document.group)
        {
            idle.remove(&(late, server));
            if idle.is_empty() {
                self.idle().remove(&document.group);
            }
        }
    }

    /// True if no standby of any group is left, for anybody or for `recorder`.
    pub(crate) fn has_nobody_for(&mut self, recorder: RecorderId) -> bool {
        self.idle().is_empty() && self.giving.get(&recorder).is_none_or(BTreeSet::is_empty)
    }

    /// Why `server` may not take that recorder as a standby, if it may not.
    pub(crate) fn standby(&self, tenure: &Tenure, server: ServerId) -> Result<(), PassedOver> {
        let servers = &self.state.fleet.document().servers;
        let document = servers.get(&server).filter(|document| document.role == Role::Standby);
        let document = document.ok_or(PassedOver::NoStandby)?;
        if servers.get(&tenure.home).map(|home| home.group) != Some(document.group) {
            return Err(PassedOver::OtherGroup);
        }
        self.connected(server)?;
        self.unoccupied(server)?;
        if let Some(other) = gives_back(self.state, server).find(|of| *of != tenure.recorder) {
            return Err(PassedOver::Copying(other));
        }
        if !self.is_fit(tenure.recorder, server) {
            return Err(PassedOver::Unfit);
        }
        Ok(())
    }

    /// Heard by a majority, and not expired.
    pub(crate) fn connected(&self, server: ServerId) -> Result<(), PassedOver> {
        if !self.state.health.seen(server) {
            return Err(PassedOver::NeverHeard);
        }
        if self.state.health.is_expired(server) {
            return Err(PassedOver::Expired);
        }
        if !self.evidence.is_heard(server) {
            return Err(PassedOver::NotHeard);
        }
        Ok(())
    }

    /// D11a: it has not failed to take that recorder in this boot and this long.
    pub(crate) fn is_fit(&self, recorder: RecorderId, server: ServerId) -> bool {
        let Some(mark) = self.state.handovers.unfit(recorder, server) else { return true };
        let rebooted = match (mark.boot, self.evidence.boot(server)) {
            (Some(failed), Some(now)) => failed != now,
            (None, _) | (_, None) => false,
        };
        let fleet = self.state.fleet.document();
        let patience = fleet.timeout(server).patience().max(fleet.policy(recorder).recovery);
        rebooted || self.evidence.age(OpenStep::Unfit(recorder, server)) >= patience
    }

    /// SY-06, D11: it holds nothing, and nothing is on its way to it.
    fn unoccupied(&self, server: ServerId) -> Result<(), PassedOver> {
        if let Some(held) = self.state.roles.held_by(server).next() {
            return Err(PassedOver::Holds(held.recorder));
        }
        match self.state.handovers.towards(server) {
            Some(handover) => Err(PassedOver::Promised(handover.recorder)),
            None => Ok(()),
        }
    }

    fn idle(&mut self) -> &mut BTreeMap<GroupId, BTreeSet<(Late, ServerId)>> {
        if self.idle.is_none() {
            let mut idle: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
            for (&server, document) in &self.state.fleet.document().servers {
                if document.role == Role::Standby
                    && self.connected(server).is_ok()
                    && self.unoccupied(server).is_ok()
                {
                    let late = self.evidence.late.contains(&server);
                    let given: BTreeSet<_> = gives_back(self.state, server).collect();
                    match (given.first(), given.len()) {
                        (None, _) => {
                            idle.entry(document.group).or_default().insert((late, server));
                        }
                        (Some(recorder), 1) => {
                            self.giving.entry(*recorder).or_default().insert((late, server));
                        }
                        (Some(_), _) => {}
                    }
                }
            }
            self.idle = Some(idle);
        }
        self.idle.get_or_insert_default()
    }
}

fn group_of(state: &State, server: ServerId) -> Option<GroupId> {
    state.fleet.document().servers.get(&server).map(|server| server.group)
}
