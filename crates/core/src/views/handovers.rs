//! Recorders on their way from one server to another, step by step (D8), and who is unfit to take
//! one (D11a).
use std::collections::BTreeMap;

use super::Stamp;
use crate::fleet::Fleet;
use crate::lines::Lines;
use crate::{
    Actor, AgentBoot, Cause, Epoch, Event, FailoverId, OpenStep, RecorderId, Revision, ServerId,
    Why,
};

/// How far a hand-over has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HandoverStep {
    /// 1: the receiver prepares.
    Planned,
    /// 2: the receiver is prepared.
    Ready,
    /// 3: the holder gets no more grants.
    Released,
    /// 4: the receiver holds it, and was not yet found acting. Moves off expired holders begin here.
    TakingOver,
    /// 5, failed: the receiver holds it, could not take it over, and goes on trying.
    Trying,
}

impl HandoverStep {
    /// In words for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Ready => "prepared",
            Self::Released => "release ordered",
            Self::TakingOver => "taking over",
            Self::Trying => "takeover failed",
        }
    }
}

/// One recorder on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Handover {
    pub recorder: RecorderId,
    pub from: ServerId,
    pub to: ServerId,
    /// Of the tenure that it ends; the receiver's is the next one.
    pub epoch: Epoch,
    pub why: Why,
    pub failover: FailoverId,
    pub cause: Cause,
    pub step: HandoverStep,
    /// When that step began: another revision, another step (its age starts anew).
    pub stepped: Revision,
    /// Who planned it.
    pub by: Actor,
}

impl Handover {
    /// Of the tenure that it begins.
    pub fn next_epoch(&self) -> Epoch {
        Epoch(self.epoch.0 + 1)
    }

    /// True until a release is ordered: it may still be dropped as if it had never been.
    pub fn is_plan(&self) -> bool {
        self.step <= HandoverStep::Ready
    }

    /// True until the receiver holds the recorder.
    pub fn is_before_move(&self) -> bool {
        self.step <= HandoverStep::Released
    }
}

/// Why a server is not tried again for a recorder: it failed in that boot (D11a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The process that failed, if it was known.
    pub boot: Option<AgentBoot>,
    /// When it was marked; another revision, another mark (its age starts anew).
    pub marked: Revision,
}

/// The hand-overs that are open, and the marks of those that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handovers {
    open: BTreeMap<RecorderId, Handover>,
    /// By receiver.
    to: BTreeMap<ServerId, RecorderId>,
    unfit: BTreeMap<(RecorderId, ServerId), Unfit>,
    /// Receivers that go on trying while a plan would take the recorder off them.
    trying: BTreeMap<RecorderId, Handover>,
}

impl Handovers {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        let stepped = stamp.revision;
        match *event {
            Event::HandoverPlanned { recorder, from, to, epoch, why, failover, cause } => {
                let (step, by) = (HandoverStep::Planned, stamp.act.actor);
                let plan =
                    Handover { recorder, from, to, epoch, why, failover, cause, step, stepped, by };
                self.relieve(plan);
            }
            Event::HandoverReady { recorder, .. } => {
                self.step(recorder, HandoverStep::Ready, stepped)
            }
            Event::HandoverAbandoned { recorder, to, boot, .. } => {
                self.abandon(recorder);
                self.unfit.insert((recorder, to), Unfit { boot, marked: stepped });
            }
            Event::ReleaseOrdered { recorder, .. } => {
                self.step(recorder, HandoverStep::Released, stepped);
            }
            Event::Moved { recorder, from, to, epoch, why, failover, cause } => {
                let (step, by) = (HandoverStep::TakingOver, stamp.act.actor);
                let by = self.open.get(&recorder).map_or(by, |open| open.by);
                let epoch = Epoch(epoch.0.saturating_sub(1));
                let moved =
                    Handover { recorder, from, to, epoch, why, failover, cause, step, stepped, by };
                self.trying.remove(&recorder);
                self.put(moved);
            }
            Event::TookOver { recorder, server, .. } => {
                self.drop(recorder);
                self.unfit.remove(&(recorder, server));
            }
            Event::TakeoverFailed { recorder, server, boot, .. } => {
                self.step(recorder, HandoverStep::Trying, stepped);
                self.unfit.insert((recorder, server), Unfit { boot, marked: stepped });
            }
            // A receiver that was away gets the time of a whole step again.
            Event::HeartbeatRestored { server, .. } => {
                self.begin_anew(server, stepped);
            }
            Event::FleetApplied { ref fleet } => self.keep_those_of(fleet),
            Event::ServerSeen { .. }
            | Event::HeartbeatExpired { .. }
            | Event::MoveWithheld { .. }
            | Event::FailoverQueued { .. }
            | Event::TenureEnded { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Noted { .. }
            | Event::LevelRaised { .. }
            | Event::LongestTimeoutLowered { .. }
            | Event::FactsReported { .. }
            | Event::CopyOpened { .. }
            | Event::CopyProgressed { .. }
            | Event::CopySteered { .. }
            | Event::CopyClosed { .. }
            | Event::MaterialErased { .. }
            | Event::TenureAccounted { .. } => {}
        }
    }

    fn abandon(&mut self, recorder: RecorderId) {
        self.drop(recorder);
        if let Some(trying) = self.trying.remove(&recorder) {
            self.put(trying);
        }
    }

    fn begin_anew(&mut self, receiver: ServerId, stepped: Revision) {
        if let Some(open) = self.to.get(&receiver).and_then(|r| self.open.get_mut(r)) {
            open.stepped = stepped;
        }
    }

    /// A holder that tries in vain is relieved by a plan; it goes on trying if that is abandoned.
    fn relieve(&mut self, plan: Handover) {
        if let Some(trying) = self.of(plan.recorder).filter(|o| o.step == HandoverStep::Trying) {
            self.trying.insert(plan.recorder, *trying);
        }
        self.put(plan);
    }

    /// Forgets whom the document names no more.
    fn keep_those_of(&mut self, fleet: &Fleet) {
        let gone = |recorder: &RecorderId| !fleet.recorders.contains_key(recorder);
        self.open.retain(|recorder, _| !gone(recorder));
        self.to.retain(|_, recorder| !gone(recorder));
        self.trying.retain(|recorder, _| !gone(recorder));
        self.unfit
            .retain(|(recorder, server), _| !gone(recorder) && fleet.servers.contains_key(server));
    }

    /// The open hand-over of `recorder`.
    pub fn of(&self, recorder: RecorderId) -> Option<&Handover> {
        self.open.get(&recorder)
    }

    /// The open hand-over that `server` is the receiver of.
    pub fn towards(&self, server: ServerId) -> Option<&Handover> {
        self.to.get(&server).and_then(|recorder| self.open.get(recorder))
    }

    /// Every open hand-over, in id order of its recorder.
    pub fn iter(&self) -> impl Iterator<Item = &Handover> {
        self.open.values()
    }

    /// The mark of `server` for `recorder`, if it failed.
    pub fn unfit(&self, recorder: RecorderId, server: ServerId) -> Option<Unfit> {
        self.unfit.get(&(recorder, server)).copied()
    }

    /// Every mark, in id order.
    pub fn marks(&self) -> impl Iterator<Item = (RecorderId, ServerId, Unfit)> {
        self.unfit.iter().map(|((recorder, server), unfit)| (*recorder, *server, *unfit))
    }

    /// All whose age matters, and when each began: another revision, another age (D8, D11a).
    pub fn open_steps(&self) -> impl Iterator<Item = (OpenStep, Revision)> {
        let steps = self.iter().map(|open| (OpenStep::Handover(open.recorder), open.stepped));
        steps.chain(
            self.marks()
                .map(|(recorder, server, unfit)| (OpenStep::Unfit(recorder, server), unfit.marked)),
        )
    }

    /// The servers of whose duties a leader must know: those that an open step waits for, and those
    /// whose next boot ends a mark. In order, some twice.
    pub fn awaited(&self) -> impl Iterator<Item = ServerId> {
        let receivers = self.to.keys().copied();
        let marked = self.unfit.keys().map(|(_, server)| *server);
        receivers.chain(marked)
    }

    fn put(&mut self, handover: Handover) {
        self.drop(handover.recorder);
        self.to.insert(handover.to, handover.recorder);
        self.open.insert(handover.recorder, handover);
    }

    fn step(&mut self, recorder: RecorderId, step: HandoverStep, stepped: Revision) {
        if let Some(open) = self.open.get_mut(&recorder) {
            (open.step, open.stepped) = (step, stepped);
        }
    }

    fn drop(&mut self, recorder: RecorderId) {
        if let Some(open) = self.open.remove(&recorder)
            && self.to.get(&open.to) == Some(&recorder)
        {
            self.to.remove(&open.to);
        }
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for handover in self.open.values() {
            lines.line(format_args!("handover {handover:?}"));
        }
        for trying in self.trying.values() {
            lines.line(format_args!("trying {trying:?}"));
        }
        for ((recorder, server), unfit) in &self.unfit {
            lines.line(format_args!("unfit {recorder} {server} {unfit:?}"));
        }
    }
}
