//! What several views say together: the state of a recorder as people see it, and what holds the
//! automaton back.
use crate::fleet::{Mode, Role};
use crate::views::{HandoverStep, Tenure};
use crate::{Brake, LogTime, RecorderId, Scope, ServerId, State, Subject, Why};

/// What a recorder is to people (CONTRACT, `get recorders`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecorderState {
    /// At home, whose agent is heard.
    Recording,
    /// Its new holder was not yet found acting.
    TakingOver,
    /// A standby acts for it.
    Substituted,
    /// Waits for a standby.
    Queued,
    /// Would have moved; a brake holds it back.
    Held,
    /// On its way off a living holder.
    HandingOver,
    /// On its way home.
    FailingBack,
    /// Nobody is known to act for it, and nothing was begun.
    Down,
}

impl RecorderState {
    /// As CONTRACT names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::TakingOver => "taking_over",
            Self::Substituted => "substituted",
            Self::Queued => "queued",
            Self::Held => "held",
            Self::HandingOver => "handing_over",
            Self::FailingBack => "failing_back",
            Self::Down => "down",
        }
    }
}

/// What `recorder` is, and by what it is held back; nothing if it is not known.
pub fn recorder_state(
    state: &State,
    recorder: RecorderId,
) -> Option<(RecorderState, Option<Brake>)> {
    let tenure = state.roles.tenure(recorder)?;
    let on_its_way = |why| match why {
        Why::Failback => RecorderState::FailingBack,
        Why::Failover | Why::Switchover | Why::Replacement | Why::Return => {
            RecorderState::HandingOver
        }
    };
    if state.health.is_expired(tenure.holder) {
        let brake = brake(state, &tenure, state.now);
        let is_queued = state.queue.contains(recorder);
        return Some(match (brake, is_queued) {
            (Some(brake), _) => (RecorderState::Held, Some(brake)),
            (None, true) => (RecorderState::Queued, None),
            (None, false) => (RecorderState::Down, None),
        });
    }
    let shown = match state.handovers.of(recorder).map(|open| (open.step, open.why)) {
        _ if state.queue.contains(recorder) => RecorderState::Queued,
        Some((HandoverStep::Planned | HandoverStep::Ready | HandoverStep::Released, why)) => {
            on_its_way(why)
        }
        Some((HandoverStep::TakingOver | HandoverStep::Trying, Why::Failback)) => {
            RecorderState::FailingBack
        }
        Some((HandoverStep::TakingOver | HandoverStep::Trying, _)) => RecorderState::TakingOver,
        None if !state.health.seen(tenure.holder) => RecorderState::Down,
        None if tenure.is_home() => RecorderState::Recording,
        None => RecorderState::Substituted,
    };
    Some((shown, None))
}

/// D5: what keeps the automaton from moving that recorder at `now`, a pause before the mode.
pub fn brake(state: &State, tenure: &Tenure, now: LogTime) -> Option<Brake> {
    if paused(state, tenure, now, false).is_some() {
        return Some(Brake::Paused);
    }
    let mode = state.fleet.document().policy(tenure.recorder).mode;
    (mode == Mode::Observe).then_some(Brake::Observe)
}

/// D5: until when a pause holds back the recorder's moves; its automatic failbacks, too, if
/// `failback`. Of several the one that ends last.
pub fn paused(state: &State, tenure: &Tenure, now: LogTime, failback: bool) -> Option<LogTime> {
    if state.pauses.is_empty() {
        return None;
    }
    let &Tenure { home, holder, .. } = tenure;
    let group = |server: ServerId| state.fleet.document().servers.get(&server).map(|s| s.group);
    let subjects = [
        Some(Subject::Everything),
        group(home).map(Subject::Group),
        Some(Subject::Server(home)),
        Some(Subject::Server(holder)),
    ];
    let pauses = subjects.into_iter().flatten().filter_map(|of| state.pauses.of(of, now));
    let binding = pauses.filter(|pause| match pause.scope {
        Scope::All => true,
        Scope::Failback => failback,
    });
    binding.map(|pause| pause.until).max()
}

/// SY-07: the recorders of which `server` gives back material just now. C3: not while the home is
/// away, or while the copy waits or has failed.
pub(crate) fn gives_back(state: &State, server: ServerId) -> impl Iterator<Item = RecorderId> {
    let running = state.copies.from(server).filter(|task| {
        let home = state.roles.tenure(task.recorder).map(|tenure| tenure.home);
        task.is_running() && home.is_some_and(|home| state.health.is_up(home))
    });
    running.map(|task| task.recorder)
}

/// SY-07: true if `recorder` would find a standby, were it not for material of others that it
/// gives back.
pub fn waits_for_copies(state: &State, recorder: RecorderId) -> bool {
    let fleet = state.fleet.document();
    let home =
        fleet.recorders.get(&recorder).and_then(|recorder| fleet.servers.get(&recorder.home));
    home.is_some_and(|home| {
        fleet.servers.iter().any(|(&server, document)| {
            document.role == Role::Standby
                && document.group == home.group
                && is_spare(state, server)
                && gives_back(state, server).any(|other| other != recorder)
        })
    })
}

fn is_spare(state: &State, server: ServerId) -> bool {
    state.health.is_up(server)
        && state.roles.is_idle(server)
        && state.handovers.towards(server).is_none()
}

/// SY-09: true if a standby of its group is up and idle, so that `recorder` could fail over now.
/// Nothing if it is not known.
pub fn is_protected(state: &State, recorder: RecorderId) -> Option<bool> {
    let fleet = state.fleet.document();
    let home = fleet.servers.get(&fleet.recorders.get(&recorder)?.home)?;
    Some(fleet.servers.iter().any(|(&server, document)| {
        document.role == Role::Standby
            && document.group == home.group
            && is_spare(state, server)
            && gives_back(state, server).all(|other| other == recorder)
    }))
}
