//! The history: every committed entry, in segments that are never changed again. Written by the
//! state machine that openraft drives, read by the history API.
mod machine;
mod read;

pub use self::machine::Machine;
pub use self::read::{Body, Cursor, Frame, Head, History};
