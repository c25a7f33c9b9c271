//! Why bytes or a message are not what they should be. Nothing was changed by any of these.
use interrex_core::name::BadName;
use interrex_core::{BadAddress, Level};

/// What is wrong, and in which field. Who sent it must be mended; if a disk held it, the disk lies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum Malformed {
    /// The rest is missing, or the bytes are of something else.
    #[error("the bytes end within {0}")]
    Truncated(&'static str),
    /// There is one encoding, and this is another one of the same value.
    #[error("{0} is not in its one encoding")]
    NotCanonical(&'static str),
    /// The generated decoder could not read it.
    #[error("{message} is no protobuf message: {why}")]
    NotProtobuf { message: &'static str, why: String },
    /// Written by a newer program, or damaged.
    #[error("field {field} of {message} is unknown here, or out of order")]
    UnknownField { message: &'static str, field: u32 },
    /// Must be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// CONTRACT: `[a-z0-9][a-z0-9-]{0,62}`.
    #[error("{field}: {source}")]
    BadName { field: &'static str, source: BadName },
    /// Not `host:port`, or no address with a prefix.
    #[error("{field}: {source}")]
    BadAddress { field: &'static str, source: BadAddress },
    /// Not as segments, or kinds of material, are named.
    #[error("{0} names no whole segment, or no kind of material")]
    BadSegment(&'static str),
    /// Not UTF-8.
    #[error("{0} is not text")]
    NotText(&'static str),
    /// Longer than `crate::limits` allows.
    #[error("{field} has {length} bytes; at most {max} are allowed")]
    TooLong { field: &'static str, length: usize, max: usize },
    /// More than `crate::limits` allows.
    #[error("{field} has {count} items; at most {max} are allowed")]
    TooMany { field: &'static str, count: usize, max: usize },
    /// An id or hash of another size.
    #[error("{field} has {length} bytes; it must have {expected}")]
    WrongLength { field: &'static str, length: usize, expected: usize },
    /// Not a value of that enumeration, or outside what the field may hold.
    #[error("{field} may not be {value}")]
    BadValue { field: &'static str, value: i64 },
    /// A list by name or id is out of order, or names something twice.
    #[error("{0} is out of order, or has something twice")]
    NotAscending(&'static str),
    /// The fleet document gives a hash that is not that of the configuration beside it.
    #[error("{0} is not the hash of the recorder's configuration")]
    WrongHash(&'static str),
    /// A kind of event, or a field of one, that this program does not know. To skip it would be to
    /// fold another history: stop, and start a newer program.
    #[error(
        "field {field} of {message} is unknown: the record is of level {}, this program reads up \
         to level {}, and not all of it; start the program that wrote it, or a newer one",
        found.0, reads.0
    )]
    UnknownEvent { message: &'static str, field: u32, found: Level, reads: Level },
    /// The history has been written by newer programs: start one of them.
    #[error(
        "the record is of level {}, and this program reads up to level {}; start a newer program",
        found.0, reads.0
    )]
    LevelAbove { reads: Level, found: Level },
}

impl Malformed {
    /// In what the history keeps, an unknown field means that the reader is too old.
    pub(crate) fn in_history(self, found: Level, reads: Level) -> Self {
        let Self::UnknownField { message, field } = self else { return self };
        Self::UnknownEvent { message, field, found, reads }
    }
}
