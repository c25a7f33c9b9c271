//! Nobody acts for a tenure that is over. Judged with true time against what agents do, counting
//! the next tenure as begun with its commit: stronger than "no two act" (PROTOCOL section 5, a).
use std::collections::BTreeMap;
use std::time::Duration;

use interrex_core::agent::{Deed, Wish};
use interrex_core::{Ack, BootTime, DutyKind, Epoch, RecorderId, ServerId};

use crate::clock::At;
use crate::reach::Situation;
use crate::setup::{self, SERVERS};
use crate::world::World;

/// d of the shortest timeout: so much after a lease's end its holder has stopped, whoever sleeps.
const STOPPING: Duration = Duration::from_millis(200);

/// Every committed move, and what agents have released.
#[derive(Debug, Default)]
pub(crate) struct Tenures {
    moved: BTreeMap<(RecorderId, Epoch), ServerId>,
    /// By server and life.
    released: BTreeMap<(usize, u64, RecorderId), Epoch>,
}

impl World {
    /// A move is committed: whoever held the recorder before has stopped.
    pub(crate) fn judge_move(&mut self, recorder: RecorderId, to: ServerId, epoch: Epoch) {
        let now = self.now;
        self.checker.tenures.moved.insert((recorder, epoch), to);
        for at in (0..SERVERS).filter(|at| setup::server(*at) != to) {
            let host = &self.hosts[at];
            let mut over = host.acts.iter().filter(|((r, e), until)| {
                *r == recorder && *e < epoch && **until + STOPPING > now && **until > At(0)
            });
            if let Some(((_, e), until)) = over.next() {
                let left = until.since(now);
                let what = format!(
                    "{recorder} {epoch} moved to {to} while {} acts in {e}, its lease runs {left:?} more",
                    setup::server(at)
                );
                self.checker.blame("fencing", what);
            }
        }
    }

    /// An agent says what its driver should be doing.
    pub(crate) fn check_wishes(&mut self, at: usize, wishes: &[Wish]) {
        self.checker.tick(self.now);
        let server = setup::server(at);
        for wish in wishes.iter().filter(|wish| wish.acting) {
            self.check_acting(at, wish);
        }
        let host = &self.hosts[at];
        let Some(newest) = &host.newest else { return };
        let lost = newest.duties.iter().find(|duty| {
            !wishes.iter().any(|wish| (wish.recorder, wish.epoch) == (duty.recorder, duty.epoch))
        });
        if let Some(duty) = lost {
            let what = format!(
                "{server} was assigned {} {} and does not record it",
                duty.recorder, duty.epoch
            );
            self.checker.blame("record-first: assigned is recorded", what);
        }
        let more = wishes.iter().find(|wish| {
            !newest
                .duties
                .iter()
                .any(|duty| (wish.recorder, wish.epoch) == (duty.recorder, duty.epoch))
        });
        if let Some(wish) = more.filter(|_| !self.hosts[at].alone) {
            let what =
                format!("{server} records {} {} without being assigned", wish.recorder, wish.epoch);
            self.checker.blame("an assignment is complete", what);
        }
    }

    fn check_acting(&mut self, at: usize, wish: &Wish) {
        let (server, host) = (setup::server(at), &self.hosts[at]);
        let (recorder, epoch) = (wish.recorder, wish.epoch);
        let until = wish.lease_end.map_or(At(0), |end| host.clock.when(end.0));
        if until < self.now {
            let what = format!("{server} acts for {recorder} {epoch} without a lease");
            return self.checker.blame("to act takes a lease", what);
        }
        let assigned =
            host.newest.iter().flat_map(|newest| &newest.duties).any(|duty| {
                (duty.recorder, duty.epoch, duty.kind) == (recorder, epoch, DutyKind::Act)
            });
        if !assigned {
            let what = format!("{server} acts for {recorder} {epoch} without being told");
            return self.checker.blame("to act takes an assignment", what);
        }
        let tenure = self.checker.oracle.state.roles.tenure(recorder);
        if tenure.is_none_or(|tenure| epoch > tenure.epoch) {
            let what = format!("{server} acts for {recorder} {epoch}, which was never committed");
            return self.checker.blame("fencing", what);
        }
        let over = self.checker.tenures.moved.range((recorder, Epoch(epoch.0 + 1))..);
        let mut over = over.take_while(|((r, _), _)| *r == recorder);
        if let Some(((_, e), to)) = over.find(|(_, to)| **to != server) {
            let what = format!("{server} acts for {recorder} {epoch} though {to} has it in {e}");
            self.checker.blame("fencing", what);
        }
    }

    /// An agent tells of a deed.
    pub(crate) fn check_deed(
        &mut self,
        at: usize,
        deed: Deed,
        recorder: RecorderId,
        epoch: Epoch,
        lease_end: Option<BootTime>,
    ) {
        self.checker.tick(self.now);
        let life = self.hosts[at].life;
        let key = (at, life, recorder);
        match deed {
            Deed::Releases => {
                self.checker.tenures.released.insert(key, epoch);
                self.hosts[at].acts.remove(&(recorder, epoch));
            }
            Deed::Acts => {
                let released = self.checker.tenures.released.get(&key);
                if released.is_some_and(|released| epoch <= *released) {
                    let what = format!("{} acts for {recorder} {epoch} again", setup::server(at));
                    self.checker.blame("released is released", what);
                }
            }
            Deed::LeaseEnds => {
                let local = self.hosts[at].clock.local(self.now);
                if lease_end.is_some_and(|end| end.0 > local) {
                    let what = format!("{} {recorder} {epoch}", setup::server(at));
                    self.checker.blame("a lease ends when it ends", what);
                }
            }
            Deed::DropsAddresses => {}
        }
    }

    /// A coordinator acknowledges a beat: it may withhold what its state would grant (P4).
    pub(crate) fn check_ack(&mut self, at: usize, host: usize, ack: &Ack) {
        let Some(core) = &self.nodes[at].core else { return };
        let (state, server) = (core.state(), setup::server(host));
        let holds = state.roles.held_by(server).any(|tenure| !tenure.release_ordered);
        if holds && ack.grants.is_empty() && core.ready() && !state.health.is_expired(server) {
            self.reach.count(Situation::PromiseWithheld);
        }
    }
}
