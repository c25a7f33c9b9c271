//! Who holds what, in which epoch, and which tenures ended without the log knowing when. Facts
//! about servers move no recorder: only `Moved` does (D3).
use std::collections::{BTreeMap, BTreeSet};

use super::Stamp;
use crate::fleet::Fleet;
use crate::lines::Lines;
use crate::{Epoch, Event, LogTime, RecorderId, ServerId};

/// Who holds a recorder, and in which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Tenure {
    pub recorder: RecorderId,
    pub home: ServerId,
    pub holder: ServerId,
    pub epoch: Epoch,
    /// When it began.
    pub since: LogTime,
    /// The holder gets no more grants of this epoch (D8, step 3).
    pub release_ordered: bool,
    /// The holder was found acting (D8, step 5). A recorder's first tenure begins so.
    pub taken_over: bool,
}

impl Tenure {
    /// True if its home holds it.
    pub fn is_home(&self) -> bool {
        self.holder == self.home
    }
}

/// The recorders and their holders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    tenures: BTreeMap<RecorderId, Tenure>,
    held: BTreeMap<ServerId, BTreeSet<RecorderId>>,
    away: BTreeSet<RecorderId>,
    expired: BTreeSet<ServerId>,
    stranded: BTreeSet<RecorderId>,
    ends: BTreeMap<ServerId, BTreeSet<(RecorderId, Epoch)>>,
    /// Last tenures of recorders that left the document: epochs never begin anew.
    gone: BTreeMap<RecorderId, (Epoch, ServerId)>,
}

impl Roles {
    /// Folds one event in. An expired holder stays the holder until `Moved`.
    pub fn apply(&mut self, event: &Event, stamp: &Stamp<'_>) {
        match *event {
            Event::FleetApplied { ref fleet } => self.refit(fleet, stamp.at),
            Event::ReleaseOrdered { recorder, epoch } => {
                if let Some(tenure) = self.of_epoch(recorder, epoch) {
                    tenure.release_ordered = true;
                }
            }
            Event::Moved { recorder, from, to, epoch, .. } => {
                self.move_to(recorder, from, to, epoch, stamp.at);
            }
            Event::TookOver { recorder, epoch, .. } => {
                if let Some(tenure) = self.of_epoch(recorder, epoch) {
                    tenure.taken_over = true;
                }
            }
            Event::TenureEnded { recorder, epoch, server, .. } => {
                if let Some(ends) = self.ends.get_mut(&server) {
                    ends.remove(&(recorder, epoch));
                    if ends.is_empty() {
                        self.ends.remove(&server);
                    }
                }
            }
            Event::HeartbeatExpired { server, .. } => {
                self.expired.insert(server);
                self.stranded.extend(self.held.get(&server).into_iter().flatten());
            }
            Event::HeartbeatRestored { server, .. } => {
                self.expired.remove(&server);
                for recorder in self.held.get(&server).into_iter().flatten() {
                    self.stranded.remove(recorder);
                }
            }
            Event::FailoverQueued { recorder, .. } => {
                self.stranded.remove(&recorder);
            }
            Event::ServerSeen { .. }
            | Event::MoveWithheld { .. }
            | Event::HandoverPlanned { .. }
            | Event::HandoverReady { .. }
            | Event::HandoverAbandoned { .. }
            | Event::TakeoverFailed { .. }
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

    /// Who holds `recorder`, if it is known.
    pub fn tenure(&self, recorder: RecorderId) -> Option<Tenure> {
        self.tenures.get(&recorder).copied()
    }

    /// Every recorder's, in id order.
    pub fn tenures(&self) -> impl Iterator<Item = Tenure> {
        self.tenures.values().copied()
    }

    /// Those of `server`, in id order; at most one, as long as `decide` keeps its word.
    pub fn held_by(&self, server: ServerId) -> impl Iterator<Item = Tenure> {
        let held = self.held.get(&server).into_iter().flatten();
        held.filter_map(|recorder| self.tenure(*recorder))
    }

    /// True if `server` holds no recorder.
    pub fn is_idle(&self, server: ServerId) -> bool {
        !self.held.contains_key(&server)
    }

    /// The recorders that are away from home, in id order.
    pub fn away(&self) -> impl Iterator<Item = Tenure> {
        self.away.iter().filter_map(|recorder| self.tenure(*recorder))
    }

    /// The recorders whose holder is expired and that do not wait in the queue, in id order.
    pub fn stranded(&self) -> impl Iterator<Item = Tenure> {
        self.stranded.iter().filter_map(|recorder| self.tenure(*recorder))
    }

    /// The tenures of `server` that are over, and whose end the log lacks; in order.
    pub fn ends_of(&self, server: ServerId) -> impl Iterator<Item = (RecorderId, Epoch)> {
        self.ends.get(&server).into_iter().flatten().copied()
    }

    /// True while the log lacks the end of that tenure.
    pub fn lacks_end(&self, server: ServerId, recorder: RecorderId, epoch: Epoch) -> bool {
        self.ends.get(&server).is_some_and(|ends| ends.contains(&(recorder, epoch)))
    }

    /// The servers that owe the log an end, in id order.
    pub fn owing(&self) -> impl Iterator<Item = ServerId> {
        self.ends.keys().copied()
    }

    /// The last holder of a recorder that is no longer in the document.
    pub fn last_holder(&self, recorder: RecorderId) -> Option<ServerId> {
        self.gone.get(&recorder).map(|(_, holder)| *holder)
    }

    fn of_epoch(&mut self, recorder: RecorderId, epoch: Epoch) -> Option<&mut Tenure> {
        self.tenures.get_mut(&recorder).filter(|tenure| tenure.epoch == epoch)
    }

    fn move_to(
        &mut self,
        recorder: RecorderId,
        from: ServerId,
        to: ServerId,
        epoch: Epoch,
        at: LogTime,
    ) {
        let Some(tenure) = self.tenures.get_mut(&recorder) else { return };
        self.ends.entry(from).or_default().insert((recorder, tenure.epoch));
        (tenure.holder, tenure.epoch, tenure.since) = (to, epoch, at);
        (tenure.release_ordered, tenure.taken_over) = (false, false);
        if tenure.is_home() {
            self.away.remove(&recorder);
        } else {
            self.away.insert(recorder);
        }
        if self.expired.contains(&to) {
            self.stranded.insert(recorder);
        } else {
            self.stranded.remove(&recorder);
        }
        self.let_go(from, recorder);
        self.held.entry(to).or_default().insert(recorder);
    }

    fn let_go(&mut self, server: ServerId, recorder: RecorderId) {
        if let Some(held) = self.held.get_mut(&server) {
            held.remove(&recorder);
            if held.is_empty() {
                self.held.remove(&server);
            }
        }
    }

    /// New recorders begin at home; those that are gone are forgotten, but for their epochs.
    fn refit(&mut self, fleet: &Fleet, at: LogTime) {
        let is_gone = |tenure: &Tenure| !fleet.recorders.contains_key(&tenure.recorder);
        let gone: Vec<Tenure> = self.tenures().filter(is_gone).collect();
        for Tenure { recorder, holder, epoch, .. } in gone {
            self.tenures.remove(&recorder);
            self.away.remove(&recorder);
            self.stranded.remove(&recorder);
            self.let_go(holder, recorder);
            self.gone.insert(recorder, (epoch, holder));
        }
        for (&recorder, document) in &fleet.recorders {
            let home = document.home;
            if let Some(tenure) = self.tenures.get_mut(&recorder) {
                tenure.home = home;
                continue;
            }
            let last = self.gone.remove(&recorder).map_or(0, |(epoch, _)| epoch.0);
            let tenure = Tenure {
                recorder,
                home,
                holder: home,
                epoch: Epoch(last + 1),
                since: at,
                release_ordered: false,
                taken_over: true,
            };
            self.tenures.insert(recorder, tenure);
            self.held.entry(home).or_default().insert(recorder);
        }
        self.expired.retain(|server| fleet.servers.contains_key(server));
        self.ends.retain(|server, ends| {
            ends.retain(|(recorder, _)| fleet.recorders.contains_key(recorder));
            fleet.servers.contains_key(server) && !ends.is_empty()
        });
    }

    pub(crate) fn lines(&self, lines: &mut Lines<'_>) {
        for tenure in self.tenures.values() {
            let Tenure { recorder, home, holder, epoch, since, .. } = tenure;
            let (released, taken) = (tenure.release_ordered, tenure.taken_over);
            lines.line(format_args!(
                "tenure {recorder} {home} {holder} {epoch} {} {released} {taken}",
                since.0
            ));
        }
        for (server, ends) in &self.ends {
            for (recorder, epoch) in ends {
                lines.line(format_args!("end-wanted {server} {recorder} {epoch}"));
            }
        }
        for (recorder, (epoch, holder)) in &self.gone {
            lines.line(format_args!("gone {recorder} {epoch} {holder}"));
        }
    }
}
