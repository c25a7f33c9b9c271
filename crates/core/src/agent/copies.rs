//! The agent's part in copies: which ones the newest assignment has it fetch, serve or erase, and
//! what its shell says of them. Reading, sending and writing material is the shell's.
use std::collections::BTreeSet;

use super::io::AgentOutput;
use crate::{COPIES_MAX, CopyDuty, CopyId, CopyKind, CopyStanding, CopyStatus};

/// What the coordinators are told, without how far each copy is.
pub(super) type Telling = (Vec<(CopyId, CopyStanding)>, Vec<CopyId>);

/// Copies, as the newest assignment and the shell have them.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    assigned: Vec<CopyDuty>,
    /// As last put out.
    ordered: Vec<CopyDuty>,
    status: Vec<CopyStatus>,
    erased: BTreeSet<CopyId>,
}

impl Copies {
    /// Level, not edge: all that is to be done from now on.
    pub(super) fn assign(&mut self, duties: &[CopyDuty]) {
        self.assigned = duties.to_vec();
        let known: Vec<CopyId> = std::mem::take(&mut self.erased).into_iter().collect();
        self.erase(&known);
    }

    /// How far each copy is that the shell fetches: complete.
    pub(super) fn observe(&mut self, status: Vec<CopyStatus>) {
        self.status = status;
    }

    /// The material of these is gone from this disk.
    pub(super) fn erase(&mut self, erased: &[CopyId]) {
        let wanted = |copy: &&CopyId| self.kind(**copy) == Some(&CopyKind::Erase);
        let wanted: Vec<CopyId> = erased.iter().filter(wanted).copied().collect();
        self.erased.extend(wanted);
    }

    /// Orders what has changed since the last time.
    pub(super) fn order(&mut self, out: &mut Vec<AgentOutput>) {
        if self.ordered != self.assigned {
            self.ordered.clone_from(&self.assigned);
            out.push(AgentOutput::Copies(self.assigned.clone()));
        }
    }

    /// Of the copies that it is to fetch, at most [`COPIES_MAX`].
    pub(super) fn status(&self) -> Vec<CopyStatus> {
        let fetched =
            |status: &&CopyStatus| matches!(self.kind(status.copy), Some(CopyKind::Fetch { .. }));
        self.status.iter().filter(fetched).take(COPIES_MAX).copied().collect()
    }

    pub(super) fn erased(&self) -> Vec<CopyId> {
        self.erased.iter().copied().collect()
    }

    /// What is worth a beat of its own when it changes.
    pub(super) fn telling(&self) -> Telling {
        let standing = self.status().iter().map(|status| (status.copy, status.standing)).collect();
        (standing, self.erased())
    }

    fn kind(&self, copy: CopyId) -> Option<&CopyKind> {
        let at = self.assigned.binary_search_by_key(&copy, |duty| duty.copy).ok()?;
        self.assigned.get(at).map(|duty| &duty.kind)
    }
}
