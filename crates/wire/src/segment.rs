//! Segments of the history: append-only files that hold every entry of the log, in which the
//! standing decisions are the records of a hash chain. `docs/history-format.md` says how, byte by
//! byte; who opens, syncs and removes files is `coordinator::history`.
//!
//! Writing: [`Writer::create`] (or [`Writer::resume`]) gives the bytes a new file begins with; then
//! [`Writer::append`] for each applied entry, and at each durable point [`Writer::flush`], whose
//! bytes go to the end of the file before it is synced. Once [`Writer::is_full`],
//! [`Writer::seal`] gives the last bytes, and the header of the next file.
//!
//! Reading: [`Reader::open`] over the whole file, then [`Reader::next`] for each frame; everything
//! is checked on the way. After the last one [`Reader::end`] says where the chain is (the next file
//! is opened with it), and how much of a torn file is whole: cut it there, and go on with
//! [`Writer::resume`].
mod block;
mod chain;
mod damage;
mod frame;
mod header;
mod reader;
mod seal;
mod writer;

pub use chain::{Chain, Head, Place};
pub use damage::{Damage, Flaw};
pub use frame::{Body, Frame};
pub use header::{FORMAT, Header};
pub use reader::{End, Reader, Tail};
pub use writer::Writer;

use interrex_core::LogIndex;

/// A segment is sealed once it is this long: 16 MiB, half a million events.
pub const FULL: u64 = 16 << 20;

/// The file that begins with the frame at `first`. Names in order are segments in order.
pub fn file_name(first: LogIndex) -> String {
    format!("history-{:020}.seg", first.0)
}

/// The index that a file's name says it begins with; none if it is no segment's name.
pub fn first_index(file_name: &str) -> Option<LogIndex> {
    let digits = file_name.strip_prefix("history-")?.strip_suffix(".seg")?;
    let sound = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| digits.parse().ok().map(LogIndex)).flatten()
}

/// Whether the newest file of a folder was begun and never got its first sync: no header, and no
/// block. It may be removed; the file before it is sealed, or there is none.
pub fn holds_nothing(file: &[u8]) -> bool {
    let no_header = matches!(Header::decode(file), Err(Flaw::CutShort | Flaw::Header));
    no_header && !block::follows(file)
}
