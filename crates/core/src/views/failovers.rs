//! The failover log: one entry per episode, from the first sign to the end. An entry covers at
//! most one tenure away from home (D4).
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Stamp;
use crate::fleet::Fleet;
use crate::lines::Lines;
use crate::{
    Actor, Cause, CopyId, Epoch, Event, FailoverId, LogTime, OperationId, RecorderId, ServerId,
    Testimony,
};

mod fold;

/// Closed entries kept here; older ones stand in the history only.
pub const FAILOVERS_KEPT: usize = 50_000;

/// One episode.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct FailoverEntry {
    pub id: FailoverId,
    pub recorder: RecorderId,
    pub from: ServerId,
    /// Nobody as long as it waits.
    pub to: Option<ServerId>,
    /// Of the tenure away from home that it covers.
    pub epoch: Option<Epoch>,
    pub cause: Cause,
    /// On whose word the holder was expired, if it was.
    pub evidence: Option<Testimony>,
    pub expired: Option<LogTime>,
    pub queued: Option<LogTime>,
    pub failed_over: Option<LogTime>,
    pub took_over: Option<LogTime>,
    pub failback_started: Option<LogTime>,
    /// When the home held the recorder again.
    pub failed_back: Option<LogTime>,
    /// When its tenure's material was at home.
    pub copied: Option<LogTime>,
    /// When it was finalized; open until then.
    pub closed: Option<LogTime>,
    /// How long no channel's material is missing for certain: the worst channel's first durable
    /// time minus the last of the tenure before, minus one tick.
    pub gap_ms: Option<u64>,
    /// Who opened it, and why.
    pub actor: Actor,
    pub reason: String,
    pub ticket: String,
    pub operation: Option<OperationId>,
    /// First durable time and tick of the tenure that it began, in milliseconds.
    first_ms: Option<(u64, u32)>,
    /// Last durable time of the tenure that it ended, in milliseconds.
    last_ms: Option<u64>,
}

impl FailoverEntry {
    /// True until it is finalized.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }
}

/// The failover log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailoverLog {
    entries: BTreeMap<FailoverId, FailoverEntry>,
    opened: u64,
    open: BTreeMap<RecorderId, BTreeSet<FailoverId>>,
    closed: VecDeque<FailoverId>,
    /// Entries whose recorder waits with an expired holder.
    waiting: BTreeMap<ServerId, FailoverId>,
    /// Entries with a plan that may still be abandoned, or not yet moved.
    planned: BTreeMap<RecorderId, FailoverId>,
    /// By the tenure that they began.
    begun: BTreeMap<(RecorderId, Epoch), FailoverId>,
    /// Open copies, by the entry that their tenure began under.
    copies: BTreeMap<CopyId, FailoverId>,
    expiries: BTreeMap<ServerId, (LogTime, Testimony)>,
    /// For the homes.
    fleet: Arc<Fleet>,
}

impl FailoverLog {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        fold::apply(self, event, stamp);
    }

    /// The entry `id`, if it is kept.
    pub fn get(&self, id: FailoverId) -> Option<&FailoverEntry> {
        self.entries.get(&id)
    }

    /// Every entry that is kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &FailoverEntry> {
        self.entries.values()
    }

    /// The open entries of `recorder`, oldest first.
    pub fn open_of(&self, recorder: RecorderId) -> impl DoubleEndedIterator<Item = &FailoverEntry> {
        let open = self.open.get(&recorder).into_iter().flatten();
        open.filter_map(|id| self.entries.get(id))
    }

    /// The newest open entry of `recorder`: what a failback will close.
    pub fn newest_open(&self, recorder: RecorderId) -> Option<&FailoverEntry> {
        self.open_of(recorder).next_back()
    }

    /// True while `id` is open.
    pub fn is_open(&self, id: FailoverId) -> bool {
        self.get(id).is_some_and(FailoverEntry::is_open)
    }

    /// The id that the next entry will have.
    pub fn next_id(&self) -> FailoverId {
        FailoverId(self.opened + 1)
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        lines.line(format_args!("failovers {}", self.opened));
        for entry in self.entries.values() {
            lines.line(format_args!("failover {entry:?}"));
        }
        for (recorder, id) in &self.planned {
            lines.line(format_args!("failover-planned {recorder} {id}"));
        }
        for (server, id) in &self.waiting {
            lines.line(format_args!("failover-waits {server} {id}"));
        }
    }
}
