//! What an applied entry changes for this coordinator: whose silence counts, what each server must
//! be, whom it may tell at once, and what its leader side was waiting for.
use super::Coordinator;
use super::touched::{Touched, touched};
use crate::coordinator::io::Output;
use crate::{Assignment, Decision, Entry, Event, LogIndex, Moment, ServerId};

impl Coordinator {
    /// The next entry is committed.
    pub(super) fn applied(
        &mut self,
        index: LogIndex,
        entry: &Entry,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        let before = touched(&self.state, events(index, entry));
        if let Entry::Members(members) = entry
            && members.voters != self.state.members.voters
        {
            // M1: whatever was silent under the old set is not evidence under the new one.
            self.detector.restart(now.mono);
        }
        let outcome = self.state.enter(index, entry);
        self.open_members.retain(|open| *open > index);
        let touched = before.and(touched(&self.state, events(index, entry)));
        self.look_at(&touched);
        let freed = self.promise.applied(index);
        self.tell(&touched, out);
        self.free(freed, out);
        if let Some(leader) = &mut self.leader {
            let idle = matches!(&touched, Touched::These(servers) if servers.is_empty());
            // A brake that lets go touches no server, and may make moves of any due (D5).
            let brakes = events(index, entry).any(is_about_brakes);
            leader.applied(&self.state, index, entry, outcome, !idle || brakes, now, out);
        }
    }

    /// Looks at everybody anew: after a start, or another fleet document.
    pub(super) fn rewatch(&mut self) {
        let document = self.state.fleet.document().clone();
        let known: Vec<ServerId> = self.detector.known().collect();
        for server in document.servers.keys().copied().chain(known) {
            self.look_if_seen(server);
            self.look_if_telling(server);
        }
        self.look_who_is_awaited();
    }

    /// P2: whoever the state calls seen is watched; whoever it does not is only listened for.
    pub(super) fn look_if_seen(&mut self, server: ServerId) {
        let bounds = self.bounds(server);
        let member = self.state.fleet.document().servers.contains_key(&server);
        if member && self.state.health.seen(server) {
            self.detector.watch(server, bounds);
            self.unseen.remove(&server);
            return;
        }
        self.detector.unwatch(server, bounds);
        if member && self.agents.get(server).is_some() {
            self.news |= self.unseen.insert(server);
        } else {
            self.unseen.remove(&server);
        }
    }

    fn look_at(&mut self, touched: &Touched) {
        match touched {
            Touched::All => {
                self.rewatch();
                let heard: Vec<ServerId> = self.assignments.keys().copied().collect();
                heard.into_iter().for_each(|server| self.reassign(server));
            }
            Touched::These(servers) => {
                for server in servers {
                    self.look_if_seen(*server);
                    self.look_if_telling(*server);
                    self.reassign(*server);
                }
                if !servers.is_empty() {
                    self.look_who_is_awaited();
                }
            }
        }
    }

    /// A2: another content, another id: the index from which on it is true here. Every coordinator
    /// labels what it knows to be so at that index, so the highest label is right whoever gave it;
    /// an unchanged assignment keeps its label, so nobody sends it again.
    fn reassign(&mut self, server: ServerId) {
        if let Some(known) = self.assignments.get_mut(&server) {
            let new = crate::assignment(&self.state, server);
            let relabelled = Assignment { id: new.id, ..known.clone() };
            if new != relabelled || new.id.generation != known.id.generation {
                *known = new;
            }
        }
    }

    fn look_who_is_awaited(&mut self) {
        let receivers = self.state.handovers.awaited();
        self.waited = receivers.chain(self.state.roles.owing()).collect();
    }

    fn tell(&mut self, touched: &Touched, out: &mut Vec<Output>) {
        match touched {
            Touched::All => self.push_all(out),
            Touched::These(servers) => servers.iter().for_each(|server| self.push(*server, out)),
        }
    }
}

/// The facts that the entry at `index` adds; none if it is stale.
fn events(index: LogIndex, entry: &Entry) -> impl Iterator<Item = &Event> {
    let decision = match entry {
        Entry::Decision(decision) => Some(decision).filter(|decision| decision.stands(index)),
        Entry::Blank | Entry::Members(_) => None,
    };
    decision.into_iter().flat_map(Decision::events)
}

fn is_about_brakes(event: &Event) -> bool {
    matches!(event, Event::Paused { .. } | Event::Resumed { .. })
}
