//! Agents bring material home, in virtual time: volumes are counts of segments. What is durable at
//! home, and what was removed where it was recorded, is judged here: no event shows it.
use std::time::Duration;

use interrex_core::agent::AgentInput;
use interrex_core::{
    CopyDuty, CopyEnd, CopyId, CopyKind, CopyStanding, CopyStatus, Epoch, Progress, RecorderId,
};

use crate::clock::At;
use crate::network::Place;
use crate::reach::Situation;
use crate::setup;
use crate::world::World;

/// How often a home looks after its copies.
const TURN: Duration = Duration::from_millis(500);
/// Segments that it takes in with each look, of all its copies together.
const PER_TURN: u64 = 4;

/// What one server has to do with copies.
#[derive(Debug, Default)]
pub(crate) struct Copying {
    /// Of the present process.
    duties: Vec<CopyDuty>,
    /// Durable: segments at home, of each copy that it ever fetched.
    pub(crate) done: std::collections::BTreeMap<CopyId, u64>,
    status: Vec<CopyStatus>,
    looked: At,
}

impl Copying {
    /// The process is dead; what is durable stays, unless the disk goes with it.
    pub(crate) fn die(&mut self, disk_too: bool) {
        (self.duties, self.status) = (Vec::new(), Vec::new());
        if disk_too {
            self.done.clear();
        }
    }
}

impl World {
    /// All that this agent has to do for copies. What is to be removed is removed at once.
    pub(crate) fn copies_ordered(&mut self, at: usize, duties: Vec<CopyDuty>) {
        let erase = duties.iter().filter(|duty| duty.kind == CopyKind::Erase);
        let erased: Vec<CopyId> = erase.map(|duty| duty.copy).collect();
        self.hosts[at].copying.duties = duties;
        for copy in &erased {
            self.check_erasure(at, *copy);
        }
        if !erased.is_empty() {
            self.agent_input(at, AgentInput::Erased(erased));
        }
    }

    /// SY-27: what was copied is removed only after every segment of it was durable at home.
    fn check_erasure(&mut self, at: usize, copy: CopyId) {
        let task = self.checker.oracle.state.copies.get(copy);
        let copied = task
            .is_some_and(|task| task.closed.is_some_and(|closed| closed.end == CopyEnd::Copied));
        if copied && !self.brought_home.contains(&copy) {
            let what = format!("{copy} at {}", setup::server(at));
            self.checker.blame("nothing is removed before it is at home", what);
        }
    }

    /// A look at what this home fetches.
    pub(crate) fn copy_on(&mut self, at: usize) {
        let now = self.now;
        let copying = &mut self.hosts[at].copying;
        if copying.duties.is_empty() || now.since(copying.looked) < TURN {
            return;
        }
        copying.looked = now;
        let mut left = PER_TURN;
        let mut status = Vec::new();
        for duty in copying.duties.clone() {
            if let CopyKind::Fetch { paused: false, .. } = duty.kind {
                status.push(self.fetch(at, &duty, &mut left));
            }
        }
        let copying = &mut self.hosts[at].copying;
        if status != copying.status {
            copying.status.clone_from(&status);
            self.agent_input(at, AgentInput::Copies(status));
        }
    }

    fn fetch(&mut self, at: usize, duty: &CopyDuty, left: &mut u64) -> CopyStatus {
        let (copy, source) = (duty.copy, setup::place(duty.source));
        let before = self.hosts[at].copying.status.iter().find(|status| status.copy == copy);
        let before = before.map(|status| status.standing);
        let (here, there) = (Place::Agent(at), Place::Agent(source));
        let runs = self.hosts[source].agent.is_some() && self.hosts[source].backlog.is_none();
        let passes = self.net.passes(here, there) && self.net.passes(there, here);
        let done = self.hosts[at].copying.done.get(&copy).copied().unwrap_or_default();
        let known = Progress { segments_done: done, segments_total: done, ..Progress::default() };
        if !runs || !passes {
            if before == Some(CopyStanding::Running) {
                self.reach.count(Situation::CopySuspended);
            }
            return CopyStatus { copy, progress: known, standing: CopyStanding::NoRoute };
        }
        if before == Some(CopyStanding::NoRoute) {
            self.reach.count(Situation::CopyResumed);
        }
        let Some(total) = self.segments(source, duty.recorder, duty.epoch) else {
            return CopyStatus { copy, progress: known, standing: CopyStanding::Running };
        };
        let step = (*left).min(total.saturating_sub(done));
        *left -= step;
        let done = done + step;
        self.hosts[at].copying.done.insert(copy, done);
        let standing = if done >= total {
            self.brought_home.insert(copy);
            CopyStanding::Durable
        } else {
            CopyStanding::Running
        };
        let progress =
            Progress { segments_done: done, segments_total: total, ..Progress::default() };
        CopyStatus { copy, progress, standing }
    }

    /// Segments of a second; nothing as long as the tenure is still being recorded.
    fn segments(&self, source: usize, recorder: RecorderId, epoch: Epoch) -> Option<u64> {
        let driver = &self.hosts[source].driver;
        let parts =
            driver.material.iter().filter(|part| (part.recorder, part.epoch) == (recorder, epoch));
        let count = |ms: u64| ms.div_ceil(1_000);
        let whole = parts.map(|part| count(part.to.ms() - part.from.ms())).sum();
        (!driver.runs(recorder, epoch)).then_some(whole)
    }

    /// C1: once faults are over, every copy whose ends live comes to its end.
    pub(crate) fn judge_copies(&mut self) {
        let state = &self.checker.oracle.state;
        let open = state.copies.open().filter(|task| {
            let home = state.roles.tenure(task.recorder).map(|tenure| setup::place(tenure.home));
            let ends = [home, Some(setup::place(task.from))];
            ends.iter().all(|end| end.is_some_and(|at| self.lives(at)))
        });
        let open: Vec<_> = open.map(|task| format!("{task:?}")).collect();
        for task in open {
            self.checker.blame("every copy comes to its end", task);
        }
        let owed: Vec<_> = self.checker.oracle.state.copies.owed().collect();
        for tenure in owed {
            self.checker.blame("every tenure away from home has its copy", format!("{tenure:?}"));
        }
    }
}
