//! What agents say beside their duties, as far as the log lacks it: of themselves, of the copies
//! that they fetch, and of the material that they have removed.
use super::Coordinator;
use crate::agents::Agent;
use crate::{CopyId, CopyStatus, Facts, ServerId};

impl Coordinator {
    /// How far the home of an open copy last said that it is, as heard here.
    pub fn copy_status(&self, copy: CopyId) -> Option<CopyStatus> {
        let task = self.state.copies.get(copy)?;
        let agent = self.agents.get(self.state.roles.tenure(task.recorder)?.home)?;
        agent.copies.iter().find(|status| status.copy == copy).copied()
    }

    /// Looked at anew with each beat of `server`, and with each entry that is about it: so a report
    /// need not ask everybody.
    pub(super) fn look_if_telling(&mut self, server: ServerId) {
        let agent = self.agents.get(server);
        let tells = agent.is_some_and(|agent| {
            self.other_facts(server, agent).is_some()
                || self.open_copies(server, agent).next().is_some()
                || self.newly_erased(server, agent).next().is_some()
        });
        if tells {
            self.telling.insert(server);
        } else {
            self.telling.remove(&server);
        }
    }

    pub(super) fn facts(&self) -> Vec<(ServerId, Facts)> {
        let facts = |(server, agent)| Some((server, self.other_facts(server, agent)?.clone()));
        self.tellers().filter_map(facts).collect()
    }

    pub(super) fn copies(&self) -> Vec<(ServerId, Vec<CopyStatus>)> {
        let copies = |(server, agent)| (server, self.open_copies(server, agent).collect());
        let said = self.tellers().map(copies);
        said.filter(|(_, copies): &(ServerId, Vec<_>)| !copies.is_empty()).collect()
    }

    pub(super) fn erased(&self) -> Vec<CopyId> {
        self.tellers().flat_map(|(server, agent)| self.newly_erased(server, agent)).collect()
    }

    fn tellers(&self) -> impl Iterator<Item = (ServerId, &Agent)> {
        self.telling.iter().filter_map(|server| Some((*server, self.agents.get(*server)?)))
    }

    fn other_facts<'a>(&self, server: ServerId, agent: &'a Agent) -> Option<&'a Facts> {
        let member = self.state.fleet.document().servers.contains_key(&server);
        Some(&agent.facts).filter(|facts| member && !self.state.facts.agrees(server, facts))
    }

    /// C2: of the recorders whose home it is.
    fn open_copies<'a>(
        &'a self,
        server: ServerId,
        agent: &'a Agent,
    ) -> impl Iterator<Item = CopyStatus> + 'a {
        let is_ours = move |status: &&CopyStatus| {
            let task = self.state.copies.get(status.copy).filter(|task| task.is_open());
            let home = task.and_then(|task| self.state.roles.tenure(task.recorder));
            home.is_some_and(|tenure| tenure.home == server)
        };
        agent.copies.iter().filter(is_ours).copied()
    }

    fn newly_erased<'a>(
        &'a self,
        server: ServerId,
        agent: &'a Agent,
    ) -> impl Iterator<Item = CopyId> + 'a {
        let is_new = move |copy: &&CopyId| {
            let task = self.state.copies.get(**copy);
            task.is_some_and(|task| task.from == server && task.is_to_erase())
        };
        agent.erased.iter().filter(is_new).copied()
    }
}
