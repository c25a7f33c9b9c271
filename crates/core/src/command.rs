//! Wishes. Imperative; may be refused; never in the log.
use std::sync::Arc;
use std::time::Duration;

use crate::fleet::Fleet;
use crate::{
    Actor, CopySubject, CopyWish, Epoch, OperationKey, RecorderId, Revision, Scope, ServerId,
    Subject,
};

/// Longest text of a note, in bytes.
pub const NOTE_MAX: usize = 4_096;
/// Longest key of a note, in bytes.
pub const KEY_MAX: usize = 256;
/// Longest reason or ticket, in bytes.
pub const REASON_MAX: usize = 1_024;
/// Notes kept; each key has one.
pub const NOTES_MAX: usize = 2_000_000;
/// Longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Something that an operator wants to happen. What is due by itself is in `due`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub enum Command {
    /// Replace the fleet document.
    ApplyFleet { fleet: Arc<Fleet>, expect: Option<Revision> },
    /// Move a recorder off its home (MI-05), or off a substitute.
    FailOver {
        recorder: RecorderId,
        to: Option<ServerId>,
        expect: Option<Epoch>,
        /// Though the group only observes, or a pause holds.
        despite: bool,
    },
    /// Bring a recorder home (MB-02).
    FailBack { recorder: RecorderId, expect: Option<Epoch>, despite: bool },
    /// Keep the automaton from moving recorders, for so long from now.
    Pause { subject: Subject, scope: Scope, lasts: Duration },
    /// End a pause early.
    Resume { subject: Subject },
    /// Write a note, if the key's last one has revision `expect` (0 = there is none).
    Note { key: String, text: String, expect: Option<Revision> },
    /// Have copies begin, wait, go on, or end.
    Copy { subject: CopySubject, wish: CopyWish },
}

/// A command, and who is answerable for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of an act")]
pub struct Request {
    pub actor: Actor,
    pub operation: Operation,
    pub reason: String,
    pub ticket: String,
    pub command: Command,
}

/// How a client names its request: the same in every repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// By which the answer is found again.
    pub key: OperationKey,
    /// Operations applied, as the client last read it (O1). Without it the client only asks.
    pub seen: Option<u64>,
}
