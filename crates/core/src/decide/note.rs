//! Notes: a register for each key, with compare-and-set.
use crate::{Event, KEY_MAX, NOTE_MAX, NOTES_MAX, Refusal, Revision, State};

pub(super) fn note(
    state: &State,
    key: &str,
    text: &str,
    expect: Option<Revision>,
) -> Result<Vec<Event>, Refusal> {
    for (what, bytes, allowed) in [("key", key.len(), KEY_MAX), ("text", text.len(), NOTE_MAX)] {
        if bytes > allowed {
            return Err(Refusal::TooLong { what, bytes, allowed });
        }
    }
    if key.is_empty() {
        return Err(Refusal::NoKey);
    }
    let newest = state.notes.get(key).map(|note| note.revision);
    if let Some(expected) = expect.filter(|expected| *expected != newest.unwrap_or_default()) {
        let (key, is) = (key.into(), newest.unwrap_or_default());
        return Err(Refusal::StaleNote { key, is, expected });
    }
    if newest.is_none() && state.notes.len() >= NOTES_MAX {
        return Err(Refusal::TooManyNotes(NOTES_MAX));
    }
    Ok(vec![Event::Noted { key: key.into(), text: text.into() }])
}
