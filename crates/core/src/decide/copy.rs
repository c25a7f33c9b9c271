//! Operators' wishes about copies (MB-10, SY-23, SY-26).
use crate::{CopySubject, CopyWish, Event, Refusal, State};

/// None is open before the first tenure away from home has ended.
pub(super) fn copy(
    _state: &State,
    subject: CopySubject,
    _wish: CopyWish,
) -> Result<Vec<Event>, Refusal> {
    let (kind, name) = match subject {
        CopySubject::Id(copy) => ("copy", copy.0.to_string()),
        CopySubject::Recorder(recorder) => ("recorder", recorder.to_string()),
    };
    Err(Refusal::UnknownName { kind, name })
}
