//! D8, D9: the hand-over, step by step. Any leader goes on from the state; each step is an event,
//! and one of them at most stands in a decision, so that the next rests on it.
use super::moves::{Pass, lost, moved};
use crate::picture::brake;
use crate::views::{Handover, HandoverStep, Tenure};
use crate::{Actor, Cause, Event, FailoverId, OpenStep, Phase, ServerId, Why};

/// What the open hand-over needs next, if anything.
pub(super) fn go_on(pass: &mut Pass<'_>, open: &Handover, tenure: &Tenure) {
    match open.step {
        HandoverStep::Planned | HandoverStep::Ready => plan(pass, open, tenure),
        HandoverStep::Released => released(pass, open, tenure),
        HandoverStep::TakingOver => taking_over(pass, open, tenure),
        HandoverStep::Trying => trying(pass, tenure),
    }
}

/// Steps 1 and 2: nothing has happened yet, so it may still be dropped.
fn plan(pass: &mut Pass<'_>, open: &Handover, tenure: &Tenure) {
    let &Handover { recorder, to, epoch, .. } = open;
    let duty = pass.evidence.duty(to, recorder, open.next_epoch());
    // D5: what an operator planned is finished whatever holds.
    let braked = open.by == Actor::Automaton && brake(pass.state, tenure, pass.now).is_some();
    let holder_lost = pass.state.health.is_expired(tenure.holder);
    let lame = duty.is_some_and(|duty| duty.failed) || (holder_lost && !pass.evidence.is_heard(to));
    // D9: y expires before 3.
    if braked || lame || !pass.state.health.is_up(to) {
        return abandon(pass, open);
    }
    // Step 4, x expired meanwhile: D3 (a).
    if holder_lost {
        return pass.owe(vec![moved(tenure, to, open.why, open.failover, open.cause)]);
    }
    if open.step == HandoverStep::Ready {
        return pass.owe(vec![Event::ReleaseOrdered { recorder, epoch }]);
    }
    if duty.is_some_and(|duty| matches!(duty.phase, Phase::Prepared | Phase::Acting)) {
        pass.owe(vec![Event::HandoverReady { recorder, epoch }]);
    } else if out_of_patience(pass, open) {
        abandon(pass, open);
    }
}

fn abandon(pass: &mut Pass<'_>, open: &Handover) {
    let &Handover { recorder, to, epoch, .. } = open;
    let boot = pass.evidence.boot(to);
    pass.owe(vec![Event::HandoverAbandoned { recorder, epoch, to, boot }]);
}

/// Step 3: the holder gets no more grants, whoever takes over in the end. Brakes do not count here.
fn released(pass: &mut Pass<'_>, open: &Handover, tenure: &Tenure) {
    let (health, evidence) = (&pass.state.health, pass.evidence);
    let &Tenure { recorder, holder, epoch, .. } = tenure;
    // D3 (a) or (b); D10: a holder that never answers is clear by time.
    let may_leave = health.is_expired(holder) || evidence.may_leave(recorder, epoch, holder);
    let (to, why) = if health.is_up(open.to) {
        (Some(open.to), open.why)
    } else if health.is_up(holder) && pass.choice.is_fit(recorder, holder) {
        // D9: given back. D3 (c) needs nobody's leave.
        (Some(holder), Why::Return)
    } else {
        (pass.choice.best(tenure), Why::Failover)
    };
    match to {
        Some(to) if may_leave || why == Why::Return => {
            pass.choice.take(to);
            let (failover, cause) = entry(pass, open, tenure, Some(to));
            pass.owe(vec![moved(tenure, to, why, failover, cause)]);
        }
        Some(_) => {}
        None if pass.state.queue.contains(recorder) => {}
        None => {
            let (failover, cause) = entry(pass, open, tenure, None);
            pass.owe(vec![Event::FailoverQueued { recorder, holder, failover, cause }]);
        }
    }
}

/// Under which entry of the failover log it goes on: where it waits; as planned, if that is what
/// comes of it; as planned to another receiver, if no tenure began under it; else a new one (D4).
fn entry(
    pass: &mut Pass<'_>,
    open: &Handover,
    tenure: &Tenure,
    to: Option<ServerId>,
) -> (FailoverId, Cause) {
    if let Some(waiting) = pass.state.queue.of(open.recorder) {
        return (waiting.failover, waiting.cause);
    }
    let as_planned = to == Some(open.to) || to == Some(tenure.holder);
    let planned = pass.state.failovers.get(open.failover).filter(|entry| entry.is_open());
    match planned {
        Some(entry) if as_planned || entry.failed_over.is_none() => (entry.id, open.cause),
        _ if to == Some(tenure.home) => (pass.entry_for(tenure, tenure.home), open.cause),
        Some(_) | None => (pass.fresh(), lost(tenure)),
    }
}

/// Step 5: it says that it cannot, or takes too long (that it can is a fact, and found there).
fn taking_over(pass: &mut Pass<'_>, open: &Handover, tenure: &Tenure) {
    let &Handover { recorder, to: server, .. } = open;
    let epoch = open.next_epoch();
    let duty = pass.evidence.duty(server, recorder, epoch);
    let failed = duty.is_some_and(|duty| duty.failed) || out_of_patience(pass, open);
    if failed && pass.state.health.is_up(server) {
        let boot = pass.evidence.boot(server);
        let mut events = vec![Event::TakeoverFailed { recorder, epoch, server, boot }];
        // If none can, y stays the holder.
        events.extend(onward(pass, tenure).into_iter().flatten());
        pass.owe(events);
    }
}

/// It goes on trying; but whoever can take the recorder now, shall. This begins a move (D5).
fn trying(pass: &mut Pass<'_>, tenure: &Tenure) {
    if pass.state.health.is_up(tenure.holder)
        && brake(pass.state, tenure, pass.now).is_none()
        && let Some(events) = onward(pass, tenure)
    {
        pass.owe(events.into());
    }
}

/// D11a: off a living holder that is at fault, without waiting for the receiver to prepare.
fn onward(pass: &mut Pass<'_>, tenure: &Tenure) -> Option<[Event; 2]> {
    let &Tenure { recorder, holder: from, epoch, .. } = tenure;
    let to = pass.choice.best(tenure)?;
    pass.choice.take(to);
    let (why, cause) = (Why::Failover, Cause::TakeoverFailed);
    let failover = pass.entry_for(tenure, to);
    let plan = Event::HandoverPlanned { recorder, from, to, epoch, why, failover, cause };
    Some([plan, Event::ReleaseOrdered { recorder, epoch }])
}

/// D8: within max(F, 30 s) of its receiver, by the leader's age of the step. A step that began in
/// this very decision (a receiver that is back) has no age yet; the evidence knows the one before.
fn out_of_patience(pass: &Pass<'_>, open: &Handover) -> bool {
    let patience = pass.state.fleet.document().timeout(open.to).patience();
    let is_new = open.stepped == pass.state.revision;
    !is_new && pass.evidence.age(OpenStep::Handover(open.recorder)) >= patience
}
