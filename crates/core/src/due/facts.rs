//! What a majority saw, and what agents told: facts. They move nothing.
use super::act;
use crate::views::HandoverStep;
use crate::{Act, Event, Evidence, Phase, State};

/// D1, D2, P2 and step 5 of D8: one act for each fact, in id order within each kind.
pub fn facts(state: &State, evidence: &Evidence) -> Vec<Act> {
    let events = seen(state, evidence)
        .chain(expired(state, evidence))
        .chain(restored(state, evidence))
        .chain(took_over(state, evidence))
        .chain(ended(state, evidence))
        .chain(reported(state, evidence));
    events.map(|event| act(vec![event])).collect()
}

/// P2: once, when a majority first heard it.
fn seen<'a>(state: &'a State, evidence: &'a Evidence) -> impl Iterator<Item = Event> + 'a {
    let servers = evidence.heard.keys().copied().filter(|server| {
        !state.health.seen(*server)
            && state.fleet.document().servers.contains_key(server)
            && evidence.heard_for(*server, std::time::Duration::ZERO).is_some()
    });
    servers.map(|server| Event::ServerSeen { server })
}

/// D1: a majority of promises, each after a silence of F as it is now: the timeout may have been
/// raised since.
fn expired<'a>(state: &'a State, evidence: &'a Evidence) -> impl Iterator<Item = Event> + 'a {
    let servers = evidence.silent.keys().copied().filter(|server| state.health.is_up(*server));
    servers.filter_map(|server| {
        let timeout = state.fleet.document().timeout(server).silence();
        let testimony = evidence.missed_for(server, timeout)?;
        Some(Event::HeartbeatExpired { server, testimony })
    })
}

/// D2: as many must hear it as must miss it, for two heartbeat intervals.
fn restored<'a>(state: &'a State, evidence: &'a Evidence) -> impl Iterator<Item = Event> + 'a {
    let servers = evidence.heard.keys().copied().filter(|s| state.health.is_expired(*s));
    servers.filter_map(|server| {
        let interval = state.fleet.document().timeout(server).interval();
        let testimony = evidence.heard_for(server, interval * 2)?;
        Some(Event::HeartbeatRestored { server, testimony })
    })
}

/// D8, step 5: it acts, and each channel that it can record has a first durable time.
fn took_over<'a>(state: &'a State, evidence: &'a Evidence) -> impl Iterator<Item = Event> + 'a {
    let takes = |step| matches!(step, HandoverStep::TakingOver | HandoverStep::Trying);
    let open = state.handovers.iter().filter(move |open| takes(open.step));
    open.filter(|open| state.health.is_up(open.to)).filter_map(|open| {
        let (recorder, server, epoch) = (open.recorder, open.to, open.next_epoch());
        let duty = evidence.duty(server, recorder, epoch)?;
        let acts = duty.phase == Phase::Acting && duty.recording > 0 && !duty.failed;
        let first_ms = duty.first_ms.filter(|_| acts)?;
        let (tick_ms, recording, channels) = (duty.tick_ms, duty.recording, duty.channels);
        Some(Event::TookOver { recorder, epoch, server, first_ms, tick_ms, recording, channels })
    })
}

/// What servers say of themselves, as far as the log has it otherwise.
fn reported<'a>(state: &'a State, evidence: &'a Evidence) -> impl Iterator<Item = Event> + 'a {
    let news = evidence.facts.iter().filter(|(server, facts)| {
        let known = state.fleet.document().servers.contains_key(server);
        known && !state.facts.agrees(**server, facts)
    });
    news.map(|(&server, facts)| Event::FactsReported { server, facts: facts.clone() })
}

/// What the log lacks, once.
fn ended<'a>(state: &'a State, evidence: &'a Evidence) -> impl Iterator<Item = Event> + 'a {
    state.roles.owing().flat_map(move |server| {
        state.roles.ends_of(server).filter_map(move |(recorder, epoch)| {
            let last_ms = evidence.ended(server, recorder, epoch)?.last_ms;
            Some(Event::TenureEnded { recorder, epoch, server, last_ms })
        })
    })
}
