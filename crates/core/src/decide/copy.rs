//! Operators' wishes about copies (MB-10, SY-23, SY-26).
use crate::due::heard;
use crate::views::CopyTask;
use crate::{
    CopyEnd, CopyStanding, CopySubject, CopyWish, Event, Evidence, Refusal, State, Steering,
};

/// Of one copy, or of those open ones of a recorder to which the wish applies: at least one.
pub(super) fn copy(
    state: &State,
    evidence: &Evidence,
    subject: CopySubject,
    wish: CopyWish,
) -> Result<Vec<Event>, Refusal> {
    let tasks: Vec<&CopyTask> = match subject {
        CopySubject::Id(id) => {
            vec![state.copies.get(id).ok_or(Refusal::NoCopy(id))?]
        }
        CopySubject::Recorder(recorder) => {
            if state.roles.tenure(recorder).is_none() {
                let name = recorder.to_string();
                return Err(Refusal::UnknownName { kind: "recorder", name });
            }
            state.copies.open_of(recorder).collect()
        }
    };
    let judged = tasks.iter().map(|task| one(state, evidence, task, wish));
    let (mut events, mut refused) = (Vec::new(), None);
    for verdict in judged {
        match verdict {
            Ok(event) => events.push(event),
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    match (events.is_empty(), refused, subject) {
        (false, _, _) => Ok(events),
        (true, Some(why), _) => Err(why),
        (true, None, CopySubject::Recorder(recorder)) => Err(Refusal::NoOpenCopy(recorder)),
        (true, None, CopySubject::Id(id)) => Err(Refusal::NoCopy(id)),
    }
}

fn one(
    state: &State,
    evidence: &Evidence,
    task: &CopyTask,
    wish: CopyWish,
) -> Result<Event, Refusal> {
    let copy = task.id;
    let steered = |steering| Event::CopySteered { copy, steering };
    let ended = |end| {
        let progress = heard(state, evidence, task).map_or(task.progress, |said| said.progress);
        Event::CopyClosed { copy, end, progress }
    };
    let is = match task.closed {
        Some(closed) => closed.end.name(),
        None if task.steering == Steering::Paused => "paused",
        None if task.standing == Some(CopyStanding::Failed) => "failed",
        None => "under way",
    };
    match (wish, is) {
        (CopyWish::Start | CopyWish::Resume, "paused") => Ok(steered(Steering::Running)),
        (CopyWish::Pause, "failed" | "under way") => Ok(steered(Steering::Paused)),
        (CopyWish::Retry, "failed") => Ok(steered(Steering::Running)),
        (CopyWish::Stop, _) if task.is_open() => Ok(ended(CopyEnd::Stopped)),
        (CopyWish::Discard, _) if task.is_open() => Ok(ended(CopyEnd::Discarded)),
        (CopyWish::GiveUp, _) if task.is_open() => Ok(ended(CopyEnd::GivenUp)),
        (
            CopyWish::Start
            | CopyWish::Resume
            | CopyWish::Pause
            | CopyWish::Retry
            | CopyWish::Stop
            | CopyWish::Discard
            | CopyWish::GiveUp,
            _,
        ) => Err(Refusal::WrongCopyState { copy, is, wish: wish.name() }),
    }
}
