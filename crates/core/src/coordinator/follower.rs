//! What every coordinator does: it hears agents, acknowledges, reports to the leader, and takes
//! its answers. The leader does the same for itself, through its own table.
use super::Coordinator;
use crate::agents::Taken;
use crate::coordinator::io::Output;
use crate::detector::Missed;
use crate::grants::grants;
use crate::promise::Freed;
use crate::{
    Ack, Answer, Assignment, CoordinatorId, ENDED_MAX, Heartbeat, Moment, Report, ServerDuties,
    ServerId, Tick,
};

impl Coordinator {
    /// An agent spoke: it is heard, and answered at once.
    pub(super) fn heartbeat(&mut self, beat: Heartbeat, at: Moment, out: &mut Vec<Output>) {
        let (server, bounds) = (beat.server, self.bounds(beat.server));
        let (now, timeout) = (self.detector.listened(), bounds.timeout.silence());
        let grant_until = self.detector.grant_until(server, bounds.longest);
        let Taken::Accepted { news } = self.agents.hear(beat, now, grant_until, timeout) else {
            return;
        };
        self.detector.hear(server, bounds, at.mono);
        if !self.assignments.contains_key(&server) {
            self.assignments.insert(server, crate::assignment(&self.state, server));
            self.look_if_seen(server);
        }
        self.look_if_telling(server);
        self.news |= news && (self.waited.contains(&server) || self.telling.contains(&server));
        self.acknowledge(server, out);
    }

    /// A5: tells `server` anew what it may and must, if that has changed since it was last told.
    /// Only while the word can still reach a living lease.
    pub(super) fn push(&mut self, server: ServerId, out: &mut Vec<Output>) {
        let Some(agent) = self.agents.get(server) else { return };
        let recent = agent.silent(self.detector.listened()) < self.bounds(server).timeout.silence();
        if recent && (self.grants(server) != agent.told || self.unheld(server).is_some()) {
            self.acknowledge(server, out);
        }
    }

    /// A5: the same for everybody heard.
    pub(super) fn push_all(&mut self, out: &mut Vec<Output>) {
        let servers: Vec<ServerId> = self.agents.servers().collect();
        servers.into_iter().for_each(|server| self.push(server, out));
    }

    /// Answers the newest heartbeat of `server`.
    fn acknowledge(&mut self, server: ServerId, out: &mut Vec<Output>) {
        let (grants, assignment) = (self.grants(server), self.unheld(server).cloned());
        let timeout = self.state.fleet.document().timeout(server);
        let Some(agent) = self.agents.get_mut(server) else { return };
        agent.grant(&grants);
        let (boot, seq) = (agent.boot, agent.seq);
        if !grants.is_empty() {
            self.detector.grant(server, timeout);
        }
        let ack = Ack {
            coordinator: self.identity.id,
            boot: self.identity.boot,
            agent: boot,
            seq,
            set: self.state.members.set,
            voters: self.state.members.voters.clone(),
            applied: self.state.applied,
            grants,
            interval: timeout.interval(),
            deaf: timeout.deaf(),
            assignment,
        };
        out.push(Output::Ack { to: server, ack });
    }

    /// P7: what `server` is granted at this moment.
    fn grants(&self, server: ServerId) -> Vec<crate::Grant> {
        let timeout = self.bounds(server).timeout.silence();
        let now = self.detector.listened();
        let sound = self.agents.get(server).is_some_and(|agent| agent.may_be_granted(now, timeout));
        // P4, P5, P6: the promise. A8: a doubtful boot.
        if !sound || self.promise.binds(server) {
            return Vec::new();
        }
        grants(&self.state, self.identity.id, !self.open_members.is_empty(), server)
    }

    /// The assignment of `server`, unless it holds it, or a newer one (A2).
    fn unheld(&self, server: ServerId) -> Option<&Assignment> {
        let holds = self.agents.get(server)?.holds;
        self.assignments.get(&server).filter(|newest| holds.is_none_or(|held| held < newest.id))
    }

    /// The leader ticks: P10, only if our Raft names it.
    pub(super) fn ticked(&mut self, tick: Tick, now: Moment, out: &mut Vec<Output>) {
        if tick.term.leader != self.identity.id && self.standing.tick(tick) {
            self.promise.follow(self.standing.term());
            self.report(now, out);
        }
    }

    /// The leader answered one of our reports.
    pub(super) fn answered(&mut self, answer: Answer, out: &mut Vec<Output>) {
        let freed = self.promise.answer(answer, self.state.applied);
        self.free(freed, out);
    }

    /// Whoever is bound no more may be granted at once.
    pub(super) fn free(&mut self, freed: Freed, out: &mut Vec<Output>) {
        match freed {
            Freed::These(servers) => servers.into_iter().for_each(|server| self.push(server, out)),
            Freed::All => {
                self.news = true;
                self.push_all(out);
            }
        }
    }

    /// Says all that we see to the leader. At most once between two steps: what comes on top of
    /// that waits for the next one.
    pub(super) fn report(&mut self, now: Moment, out: &mut Vec<Output>) {
        let Some(term) = self.standing.term() else { return };
        self.news = self.said;
        if std::mem::replace(&mut self.said, true) {
            return;
        }
        let report = self.make_report(term, now);
        if term.leader == self.identity.id {
            self.reported(report);
        } else {
            out.push(Output::Report { to: term.leader, report });
        }
    }

    fn make_report(&mut self, term: crate::Term, now: Moment) -> Report {
        let (mut silent, mut quiet, mut late) = (Vec::new(), Vec::new(), Vec::new());
        for (server, missed, long) in self.detector.missed() {
            late.push(server);
            if missed >= Missed::Quiet && !self.state.health.is_expired(server) {
                quiet.push(server);
            }
            // P6: before the first answer is in force we call nobody silent.
            if missed == Missed::Silent && self.promise.ready() {
                silent.push((server, long));
            }
        }
        // P4: the promise holds before the report is sent.
        let seq = self.promise.report(silent.iter().map(|(server, _)| *server));
        Report {
            from: self.identity.id,
            term,
            boot: self.identity.boot,
            seq,
            echo: self.standing.echo(),
            set: self.state.members.set,
            applied: self.state.applied,
            revision: self.state.revision,
            wall: now.wall,
            reads: self.identity.reads,
            version: self.identity.version.clone(),
            address: self.identity.address.clone(),
            silent,
            heard: self.heard(),
            clear: self.clear.clone(),
            quiet,
            late,
            duties: self.duties(),
            facts: self.facts(),
            copies: self.copies(),
            erased: self.erased(),
        }
    }

    /// Of those whose being heard matters: never seen, expired, or home away from its recorder.
    fn heard(&self) -> Vec<(ServerId, std::time::Duration)> {
        let away = self.state.roles.away().map(|tenure| tenure.home);
        let mut matter: Vec<ServerId> = self
            .state
            .health
            .all_expired()
            .chain(away)
            .chain(self.unseen.iter().copied())
            .collect();
        matter.sort_unstable();
        matter.dedup();
        let heard = |server| Some((server, self.detector.heard_for(server)?));
        matter.into_iter().filter_map(heard).collect()
    }

    /// What those last said of whom an open step waits to hear.
    fn duties(&self) -> Vec<ServerDuties> {
        let said = |&server: &ServerId| {
            let agent = self.agents.get(server)?;
            let lacking = |(recorder, epoch)| self.state.roles.lacks_end(server, recorder, epoch);
            let ended = agent.ended.iter().filter(|end| lacking((end.recorder, end.epoch)));
            Some(ServerDuties {
                server,
                boot: agent.boot,
                seq: agent.seq,
                duties: agent.duties.clone(),
                ended: ended.take(ENDED_MAX).cloned().collect(),
            })
        };
        self.waited.iter().filter_map(said).collect()
    }

    /// P8. Not before the first answer is in force: the leases of our last life are forgotten.
    pub(super) fn look_who_is_clear(&mut self) {
        let clear = if self.promise.ready() {
            crate::clear::clear(&self.state, &self.agents, &self.detector)
        } else {
            Vec::new()
        };
        self.news |= clear != self.clear;
        self.clear = clear;
    }

    /// Raft says who leads.
    pub(super) fn follows(
        &mut self,
        term: u64,
        leader: Option<CoordinatorId>,
        out: &mut Vec<Output>,
    ) {
        let resigned = self.leader.as_ref().is_some_and(|own| !own.is_of(term, leader));
        if self.standing.follow(term, leader) {
            self.promise.follow(None);
            if resigned {
                self.resign(term, out);
            }
        }
    }
}
