//! Pauses and their early ends. What a pause holds back is said in `picture`, for `due` to heed.
use std::time::Duration;

use crate::{Event, LogTime, PAUSE_MAX, Refusal, Scope, State, Subject};

pub(super) fn pause(
    state: &State,
    subject: Subject,
    scope: Scope,
    lasts: Duration,
    now: LogTime,
) -> Result<Vec<Event>, Refusal> {
    known(state, subject)?;
    let longest_days = PAUSE_MAX.as_secs() / (24 * 3600);
    let ms = u64::try_from(lasts.as_millis()).ok();
    let ms = ms.filter(|ms| *ms > 0 && lasts <= PAUSE_MAX);
    let ms = ms.ok_or(Refusal::BadDuration { longest_days })?;
    Ok(vec![Event::Paused { subject, scope, until: LogTime(now.0.saturating_add(ms)) }])
}

pub(super) fn resume(state: &State, subject: Subject, now: LogTime) -> Result<Vec<Event>, Refusal> {
    known(state, subject)?;
    match state.pauses.of(subject, now) {
        Some(_) => Ok(vec![Event::Resumed { subject }]),
        None => Err(Refusal::NotPaused(subject)),
    }
}

fn known(state: &State, subject: Subject) -> Result<(), Refusal> {
    let fleet = state.fleet.document();
    let (is_known, kind, name) = match subject {
        Subject::Everything => return Ok(()),
        Subject::Group(group) => (fleet.groups.contains_key(&group), "group", group.to_string()),
        Subject::Server(server) => {
            (fleet.servers.contains_key(&server), "server", server.to_string())
        }
    };
    if is_known { Ok(()) } else { Err(Refusal::UnknownName { kind, name }) }
}
