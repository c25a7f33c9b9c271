//! `get copies`: what the log says of each, and how far the home says it is, where this member hears
//! it: the log has that once a minute only (C4).
use interrex_client::views::{Copy, CopyState, CopyWaitsFor, Problem, Time};
use interrex_core::views::CopyTask;
use interrex_core::{CopyEnd, CopyId, CopyStanding, CopyStatus, Progress, ServerId, Steering};
use tonic::Status;

use super::{Sight, unknown};

impl Sight<'_> {
    /// The one of that number, or all.
    pub(super) fn copies(&self, id: &str) -> Result<Vec<Copy>, Status> {
        if id.is_empty() {
            return Ok(self.state.copies.iter().map(|task| self.copy(task)).collect());
        }
        let number = id.parse().map(CopyId).map_err(|_| unknown(id))?;
        let task = self.state.copies.get(number).ok_or_else(|| unknown(id))?;
        Ok(vec![self.copy(task)])
    }

    fn copy(&self, task: &CopyTask) -> Copy {
        let home = self.state.fleet.document().recorders.get(&task.recorder).map(|of| of.home);
        let said = self.inside.core.copy_status(task.id).filter(|_| task.is_open());
        let progress = newer(task, said);
        let (state, waits_for) = self.copy_state(task, home, said);
        Copy {
            id: task.id.0,
            failover: task.failover.map(|failover| failover.0),
            recorder: task.recorder.to_string(),
            epoch: task.epoch.0,
            from: task.from.to_string(),
            to: home.map(|home| home.to_string()),
            state,
            waits_for,
            segments_done: progress.segments_done,
            segments_total: progress.segments_total,
            segments_failed: progress.segments_failed,
            bytes_done: progress.bytes_done,
            bytes_total: progress.bytes_total,
            percent: percent(state, progress),
            opened: Time(task.opened.0),
            closed: task.closed.map(|closed| Time(closed.at.0)),
            by: task.closed.map(|closed| self.actor(closed.by)),
            erased: task.erased,
        }
    }

    /// C3: a copy waits while one of its ends is expired, whatever was said before.
    pub(super) fn copy_state(
        &self,
        task: &CopyTask,
        home: Option<ServerId>,
        said: Option<CopyStatus>,
    ) -> (CopyState, Option<CopyWaitsFor>) {
        if let Some(closed) = task.closed {
            let state = match closed.end {
                CopyEnd::Copied => CopyState::Done,
                CopyEnd::Stopped => CopyState::Stopped,
                CopyEnd::Discarded => CopyState::Discarded,
                CopyEnd::GivenUp => CopyState::GivenUp,
                CopyEnd::Redirected => CopyState::Redirected,
            };
            return (state, None);
        }
        let waits = |why| (CopyState::Waiting, Some(why));
        if task.steering == Steering::Paused {
            return (CopyState::Paused, None);
        }
        if home.is_none_or(|home| self.state.health.is_expired(home)) {
            return waits(CopyWaitsFor::HomeLost);
        }
        if self.state.health.is_expired(task.from) {
            return waits(CopyWaitsFor::OtherEndExpired);
        }
        match said.map(|said| said.standing).or(task.standing) {
            None => (CopyState::Queued, None),
            Some(CopyStanding::Running | CopyStanding::Durable) => (CopyState::Running, None),
            Some(CopyStanding::DiskFull) => waits(CopyWaitsFor::DiskFull),
            Some(CopyStanding::NoRoute) => waits(CopyWaitsFor::NoRoute),
            Some(CopyStanding::Failed) => (CopyState::Failed, None),
        }
    }
}

/// Of the log's word and the home's own, the one that has come further.
fn newer(task: &CopyTask, said: Option<CopyStatus>) -> Progress {
    let further = said.filter(|said| said.progress.bytes_done >= task.progress.bytes_done);
    further.map_or(task.progress, |said| said.progress)
}

/// In whole percent of the bytes; nothing while the whole is not known.
fn percent(state: CopyState, progress: Progress) -> Option<u64> {
    if state == CopyState::Done {
        return Some(100);
    }
    let hundred = u128::from(progress.bytes_done) * 100;
    u64::try_from(hundred.checked_div(u128::from(progress.bytes_total))?).ok()
}

impl Sight<'_> {
    /// MB-08, C3: copies that do not go on by themselves.
    pub(super) fn of_copies(&self, problems: &mut Vec<Problem>) {
        for task in self.state.copies.open() {
            let (id, recorder) = (task.id.0, task.recorder);
            let home = self.state.fleet.document().recorders.get(&recorder).map(|of| of.home);
            let said = self.inside.core.copy_status(task.id);
            let (code, why, remedy) = match self.copy_state(task, home, said) {
                (CopyState::Failed, _) => (
                    "copy_failed",
                    "some of it cannot be read where it was recorded".to_owned(),
                    format!("interrex copy retry {id}, or interrex copy stop {id}"),
                ),
                (_, Some(CopyWaitsFor::DiskFull)) => (
                    "copy_disk_full",
                    "the disk of its home is full".to_owned(),
                    "make room there; the copy goes on by itself".to_owned(),
                ),
                (_, Some(CopyWaitsFor::HomeLost)) => (
                    "copy_waiting",
                    "its home is lost".to_owned(),
                    "bring the home back; the copy goes on by itself".to_owned(),
                ),
                (_, Some(CopyWaitsFor::OtherEndExpired)) => (
                    "copy_waiting",
                    format!("{}, which recorded it, is lost", task.from),
                    format!("bring it back, or interrex copy give-up {id} if it is gone for good"),
                ),
                (_, Some(CopyWaitsFor::NoRoute)) => (
                    "copy_waiting",
                    format!("its home and {} do not reach each other", task.from),
                    "look at --listen and --advertise of both agents, and at the network"
                        .to_owned(),
                ),
                (_, None) => continue,
            };
            problems.push(Problem {
                code: code.to_owned(),
                subject: format!("copy/{id}"),
                message: format!("copy {id} of material of {recorder} stands still: {why}"),
                remedy,
            });
        }
    }
}
