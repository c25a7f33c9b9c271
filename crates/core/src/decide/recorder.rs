//! Failover and failback by hand. Off an expired holder a recorder moves at once; off a living one
//! a hand-over is planned, and `due` goes on with it.
use crate::due::choice::Choice;
use crate::due::{lost, moved};
use crate::picture::{brake, paused};
use crate::views::{HandoverStep, Tenure};
use crate::{
    Brake, Cause, Epoch, Event, Evidence, FailoverId, LogTime, PassedOver, RecorderId, Refusal,
    ServerId, State, Why,
};

/// The recorder that a command is about.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    state: &'a State,
    tenure: Tenure,
    despite: bool,
}

impl<'a> Asked<'a> {
    /// Known, in the expected epoch (O6), and not on its way already (D11).
    pub(super) fn about(
        state: &'a State,
        recorder: RecorderId,
        expect: Option<Epoch>,
        despite: bool,
    ) -> Result<Self, Refusal> {
        let unknown = || Refusal::UnknownName { kind: "recorder", name: recorder.to_string() };
        let tenure = state.roles.tenure(recorder).ok_or_else(unknown)?;
        if let Some(expected) = expect.filter(|expected| *expected != tenure.epoch) {
            let (is, holder) = (tenure.epoch, tenure.holder);
            return Err(Refusal::StaleEpoch { recorder, is, holder, expected });
        }
        busy(state, recorder)?;
        Ok(Self { state, tenure, despite })
    }

    /// D5: brakes bind the automaton, and operators who do not say otherwise.
    fn free_to_move(&self, now: LogTime, failback: bool) -> Result<(), Refusal> {
        if self.despite {
            return Ok(());
        }
        let Self { state, tenure, .. } = self;
        let recorder = tenure.recorder;
        if let Some(until) = paused(state, tenure, now, failback) {
            return Err(Refusal::Paused { recorder, until });
        }
        let home = state.fleet.document().servers.get(&tenure.home);
        match (brake(state, tenure, now), home) {
            (Some(Brake::Observe), Some(home)) => {
                Err(Refusal::Observe { recorder, group: home.group })
            }
            (Some(Brake::Observe | Brake::Paused) | None, _) => Ok(()),
        }
    }

    fn plan(&self, to: ServerId, why: Why, failover: FailoverId, cause: Cause) -> Vec<Event> {
        let Tenure { recorder, holder: from, epoch, .. } = self.tenure;
        vec![Event::HandoverPlanned { recorder, from, to, epoch, why, failover, cause }]
    }
}

/// D11. A takeover that failed is no hand-over any more.
fn busy(state: &State, recorder: RecorderId) -> Result<(), Refusal> {
    match state.handovers.of(recorder) {
        Some(open) if open.step != HandoverStep::Trying => {
            let (from, to, step) = (open.from, open.to, open.step.name());
            Err(Refusal::Busy { recorder, from, to, step })
        }
        Some(_) | None => Ok(()),
    }
}

/// MI-05.
pub(super) fn fail_over(
    asked: &Asked<'_>,
    evidence: &Evidence,
    to: Option<ServerId>,
    now: LogTime,
) -> Result<Vec<Event>, Refusal> {
    let Asked { state, tenure, .. } = asked;
    let Tenure { recorder, home, holder, .. } = *tenure;
    let fleet = state.fleet.document();
    if let Some(to) = to.filter(|to| !fleet.servers.contains_key(to)) {
        return Err(Refusal::UnknownName { kind: "server", name: to.to_string() });
    }
    let is_lost = state.health.is_expired(holder);
    if !tenure.is_home() && !is_lost && to.is_none_or(|to| to == holder) {
        return Err(Refusal::AlreadySubstituted { recorder, holder });
    }
    asked.free_to_move(now, false)?;
    let mut choice = Choice::new(state, evidence);
    let to = match to {
        Some(to) => named(state, &choice, tenure, to)?,
        None => choice.best(tenure).ok_or_else(|| nobody(state, &choice, tenure))?,
    };
    let queued = state.queue.of(recorder).map(|waiting| (waiting.failover, waiting.cause));
    let open = state.failovers.newest_open(recorder).map(|entry| (entry.id, lost(tenure)));
    let next = state.failovers.next_id();
    if is_lost {
        // D3 (a): the silence is the cause; the operator only let go of what held it back.
        let known = queued.or(open.filter(|_| to == home));
        let (failover, cause) = known.unwrap_or((next, lost(tenure)));
        return Ok(vec![moved(tenure, to, Why::Failover, failover, cause)]);
    }
    Ok(asked.plan(to, Why::Failover, next, Cause::Manual))
}

/// The server that the operator named. One that failed before may be tried again by hand.
fn named(
    state: &State,
    choice: &Choice<'_>,
    tenure: &Tenure,
    to: ServerId,
) -> Result<ServerId, Refusal> {
    let recorder = tenure.recorder;
    match choice.standby(tenure, to) {
        Ok(()) | Err(PassedOver::Unfit) => Ok(to),
        Err(why) => {
            if let PassedOver::Promised(other) = why {
                busy(state, other)?;
            }
            Err(Refusal::NoEligibleStandby { recorder, passed_over: vec![(to, why)] })
        }
    }
}

/// Which condition failed: there is no standby at all, or each of them has its reason.
fn nobody(state: &State, choice: &Choice<'_>, tenure: &Tenure) -> Refusal {
    let (recorder, fleet) = (tenure.recorder, state.fleet.document());
    let why = |server| choice.standby(tenure, server).err().map(|why| (server, why));
    let all = fleet.servers.keys().filter_map(|server| why(*server));
    let of_group = |why| !matches!(why, PassedOver::NoStandby | PassedOver::OtherGroup);
    let passed_over: Vec<_> = all.filter(|(_, why)| of_group(*why)).collect();
    match fleet.servers.get(&tenure.home).map(|home| home.group) {
        Some(group) if passed_over.is_empty() => Refusal::NotProtected { recorder, group },
        Some(_) | None => Refusal::NoEligibleStandby { recorder, passed_over },
    }
}

/// MB-01, MB-02.
pub(super) fn fail_back(
    asked: &Asked<'_>,
    evidence: &Evidence,
    now: LogTime,
) -> Result<Vec<Event>, Refusal> {
    let Asked { state, tenure, .. } = asked;
    let Tenure { recorder, home, holder, .. } = *tenure;
    if tenure.is_home() {
        return Err(Refusal::NobodySubstitutes { recorder, home });
    }
    asked.free_to_move(now, true)?;
    let is_down = |why| Refusal::HomeDown { recorder, home, why };
    Choice::new(state, evidence).connected(home).map_err(is_down)?;
    let open = state.failovers.newest_open(recorder).map(|entry| (entry.id, entry.cause));
    let queued = state.queue.of(recorder).map(|waiting| (waiting.failover, waiting.cause));
    let next = state.failovers.next_id();
    let (failover, cause) = queued.or(open).unwrap_or((next, Cause::Manual));
    if state.health.is_expired(holder) {
        return Ok(vec![moved(tenure, home, Why::Failback, failover, cause)]);
    }
    Ok(asked.plan(home, Why::Failback, failover, cause))
}
