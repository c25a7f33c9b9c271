//! Copy tasks: one for each tenure that ended away from home, however it ended (C1). What their
//! target must do follows from the state (`assignment`); how far they are beyond what the log has,
//! only their targets know.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Stamp;
use crate::fleet::Fleet;
use crate::lines::Lines;
use crate::{
    Actor, CopyEnd, CopyId, CopyStanding, Epoch, Event, FailoverId, LogTime, OpenStep, Progress,
    RecorderId, Revision, ServerId, Steering,
};

mod fold;

/// Copies that are over and are kept here; older ones stand in the history only.
pub const COPIES_KEPT: usize = 50_000;

/// One copy task. Its target is the recorder's home (C2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct CopyTask {
    pub id: CopyId,
    pub recorder: RecorderId,
    /// Of the tenure whose material it is.
    pub epoch: Epoch,
    /// Who recorded it.
    pub from: ServerId,
    /// Under which that tenure began, if it is known.
    pub failover: Option<FailoverId>,
    pub opened: LogTime,
    pub steering: Steering,
    pub progress: Progress,
    /// What its target last said, as far as the log has it.
    pub standing: Option<CopyStanding>,
    /// Somebody had it tried anew, after it had failed.
    pub retried: bool,
    /// When that was, or when progress was logged last; its age starts anew there (C4).
    pub told: Revision,
    pub closed: Option<Closed>,
    /// The source has removed the material.
    pub erased: bool,
}

/// How a copy came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Closed {
    pub end: CopyEnd,
    pub at: LogTime,
    pub by: Actor,
}

impl CopyTask {
    /// True until it is copied, given up or thrown away.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// True if the source is to remove the material: it is over, and not to stay there (SY-27).
    pub fn is_to_erase(&self) -> bool {
        let ended = self.closed.is_some_and(|closed| closed.end != CopyEnd::Redirected);
        ended && !self.erased
    }

    /// True while material should flow: nobody has it wait, and it has not failed.
    pub fn is_running(&self) -> bool {
        self.is_open()
            && self.steering == Steering::Running
            && self.standing != Some(CopyStanding::Failed)
    }

    /// True while somebody still has something to do for it.
    fn is_live(&self) -> bool {
        self.is_open() || self.is_to_erase()
    }
}

/// A tenure that ended away from home, and has no copy yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Who recorded it.
    pub from: ServerId,
    /// Under which it began, if that is known.
    pub failover: Option<FailoverId>,
}

/// All copies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    tasks: BTreeMap<CopyId, CopyTask>,
    opened: u64,
    owed: BTreeMap<(RecorderId, Epoch), Owed>,
    /// Those with something left to do, by source and by recorder.
    from: BTreeMap<ServerId, BTreeSet<CopyId>>,
    of: BTreeMap<RecorderId, BTreeSet<CopyId>>,
    over: VecDeque<CopyId>,
    /// The tenure of each recorder that is away: its epoch, and under which failover it began.
    away: BTreeMap<RecorderId, (Epoch, FailoverId)>,
    /// For the homes.
    fleet: Arc<Fleet>,
}

impl Copies {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        fold::apply(self, event, stamp);
    }

    /// The copy `id`, if it is kept.
    pub fn get(&self, id: CopyId) -> Option<&CopyTask> {
        self.tasks.get(&id)
    }

    /// Every copy that is kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &CopyTask> {
        self.tasks.values()
    }

    /// Those whose source is `server`, and that are open or to be erased, in id order.
    pub fn from(&self, server: ServerId) -> impl Iterator<Item = &CopyTask> {
        let ids = self.from.get(&server).into_iter().flatten();
        ids.filter_map(|id| self.tasks.get(id))
    }

    /// The open copies of `recorder`, in id order.
    pub fn open_of(&self, recorder: RecorderId) -> impl Iterator<Item = &CopyTask> {
        let ids = self.of.get(&recorder).into_iter().flatten();
        ids.filter_map(|id| self.tasks.get(id)).filter(|task| task.is_open())
    }

    /// The open copies of every recorder.
    pub fn open(&self) -> impl Iterator<Item = &CopyTask> {
        self.of.keys().flat_map(|recorder| self.open_of(*recorder))
    }

    /// Every source with an open copy.
    pub fn sources(&self) -> impl Iterator<Item = ServerId> {
        self.from.keys().copied()
    }

    /// Tenures that have no copy yet, and are to have one (C1).
    pub fn owed(&self) -> impl Iterator<Item = ((RecorderId, Epoch), Owed)> {
        self.owed.iter().map(|(tenure, owed)| (*tenure, *owed))
    }

    /// The id that the next copy will have.
    pub fn next_id(&self) -> CopyId {
        CopyId(self.opened + 1)
    }

    /// C4: since when the leader ages each open copy.
    pub fn open_steps(&self) -> impl Iterator<Item = (OpenStep, Revision)> {
        self.open().map(|task| (OpenStep::Copy(task.id), task.told))
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        lines.line(format_args!("copies {}", self.opened));
        for task in self.tasks.values() {
            lines.line(format_args!("copy {task:?}"));
        }
        for (tenure, owed) in &self.owed {
            lines.line(format_args!("copy-owed {tenure:?} {owed:?}"));
        }
        for (recorder, away) in &self.away {
            lines.line(format_args!("copy-away {recorder} {away:?}"));
        }
    }
}
