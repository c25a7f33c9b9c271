//! Reading the history while it grows.
use std::sync::Arc;

use interrex_core::{LogIndex, Members, PersonId, Revision};
use tokio::sync::watch;

use crate::folder::FolderError;
use crate::log::types::Person;

/// How far the history reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Head {
    /// Of the last entry; none while there is none.
    pub index: Option<LogIndex>,
    pub term: u64,
    pub revision: Revision,
    /// BLAKE3 over all records so far.
    pub chain: [u8; 32],
}

/// One entry of the log, as the history has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Frame {
    pub index: LogIndex,
    pub term: u64,
    pub body: Body,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A decision that stood: a record of the chain.
    Decision {
        /// Which it made.
        revision: Revision,
        /// As proposed.
        bytes: Arc<[u8]>,
        /// The chain's head after it.
        hash: [u8; 32],
    },
    /// A decision that did not stand (L2).
    Stale,
    /// A leader's first entry.
    Blank,
    /// The members from here on.
    Members(Members),
}

/// The history of this member. Clones are handles to the same history.
#[derive(Clone, Debug)]
pub struct History {
    head: watch::Receiver<Head>,
}

impl History {
    /// How far it reaches; `changed().await` follows it.
    pub fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }

    /// Everyone who acts in it, by number; a person that is not found has been forgotten.
    pub fn person(&self, id: PersonId) -> Option<Person> {
        let _ = id;
        None
    }

    /// Reads on from the record that made `from` (0 and 1: from the beginning, with what stands
    /// before the first record).
    pub fn read(&self, from: Revision) -> Cursor {
        let _ = from;
        Cursor {}
    }
}

/// A place in the history.
#[derive(Debug)]
pub struct Cursor {}

impl Cursor {
    /// The next frames, `bytes` of decisions or a little more; none at the end: wait for
    /// [`History::head`] to change, then ask again. Blocks on the disk: `spawn_blocking`.
    pub fn next(&mut self, bytes: usize) -> Result<Vec<Frame>, FolderError> {
        let _ = bytes;
        Ok(Vec::new())
    }
}
