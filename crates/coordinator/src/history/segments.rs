//! The files of the history, each going on where the last one ends. Opened here: read whole,
//! verified, and the torn tail that a crash leaves is cut. Their bytes are in `wire::segment`,
//! they are written by `keeper`.
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use interrex_core::{Generation, LogIndex};
use interrex_wire::segment::{self, Damage, End, Flaw, Header, Reader, Tail, Writer};

use super::bound::Bound;
use super::frame::Head;
use crate::folder::{FolderError, sealed};
use crate::log::types::ClusterId;

/// A segment, and what stands before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Index of its first entry.
    pub(super) first: LogIndex,
    /// The end of the one before it.
    pub(super) before: Option<End>,
}

/// The history on disk, whole.
pub(super) struct Found {
    pub(super) places: Vec<Place>,
    pub(super) head: Head,
    pub(super) header: Header,
    pub(super) writer: Writer,
    /// The last segment, if it is not sealed, and its length.
    pub(super) open: Option<(File, u64)>,
}

/// Where the segment is that begins at `first`.
pub(super) fn path(folder: &Path, first: LogIndex) -> PathBuf {
    folder.join(segment::file_name(first))
}

/// Reads and verifies all of it; `visit` gets every frame, in order.
pub(super) fn open(
    folder: &Path,
    (cluster, generation): (ClusterId, Generation),
    bound: Bound,
    visit: &mut dyn FnMut(&segment::Frame<'_>) -> Result<(), FolderError>,
) -> Result<Found, FolderError> {
    let (mut before, mut places) = (None, Vec::new());
    let mut going_on = None;
    let firsts = list(folder)?;
    for (position, first) in firsts.iter().copied().enumerate() {
        let (path, last) = (path(folder, first), position + 1 == firsts.len());
        let bytes = fs::read(&path).map_err(FolderError::io("read", &path))?;
        let name = path.display().to_string();
        // Past what is known to be durable a crash may leave anything, also whole blocks behind
        // lost ones, so those cannot be called damage (`max(1)`: never "not known"). The bound is
        // synced with every sync of the history, and what is cut here the log gives again.
        let durable = bound.length_of(first).max(1);
        let tail = if last { Tail::Torn { durable } } else { Tail::Whole };
        let mut reader = match Reader::open(&name, &bytes, before.as_ref(), tail) {
            Ok(reader) => reader,
            Err(damage) if last && bound.segment < first.0 && is_torn(&damage.flaw) => {
                remove(folder, &path)?;
                continue;
            }
            Err(damage) => return Err(lift(&name, damage)),
        };
        if (reader.header().cluster, reader.header().generation) != (cluster, generation) {
            return Err(FolderError::WrongCluster(format!("{name} is of another cluster")));
        }
        while let Some(frame) = reader.next().map_err(|damage| lift(&name, damage))? {
            visit(&frame)?;
        }
        let end = reader.end();
        check(&name, &end, last, durable)?;
        let length = bytes.len() as u64;
        if end.length < length {
            cut(folder, &path, end.length)?;
        }
        places.push(Place { first, before });
        if !end.sealed {
            let file = OpenOptions::new().write(true).open(&path);
            let file = file.map_err(FolderError::io("open", &path))?;
            let writer = Writer::resume(&reader).map_err(FolderError::io("go on with", &path))?;
            going_on = Some((*reader.header(), writer, file, end.length));
        }
        before = Some(end);
    }
    if bound.segment > places.last().map_or(0, |place| place.first.0) {
        return Err(FolderError::corrupt(folder.display(), "its newest segment is missing"));
    }
    finish(folder, (cluster, generation), places, before, going_on)
}

/// The writer that goes on from here: in the last file, or in one that is yet to be created.
fn finish(
    folder: &Path,
    (cluster, generation): (ClusterId, Generation),
    places: Vec<Place>,
    before: Option<End>,
    going_on: Option<(Header, Writer, File, u64)>,
) -> Result<Found, FolderError> {
    let founding = Header::founding(cluster, generation);
    let genesis = Head {
        index: None,
        term: 0,
        revision: founding.before.revision,
        chain: founding.before.head.0,
    };
    let head = before.as_ref().map_or(genesis, Head::of);
    if let Some((header, writer, file, length)) = going_on {
        return Ok(Found { places, head, header, writer, open: Some((file, length)) });
    }
    let header = before.map_or(founding, |end: End| Header {
        first: end.next,
        term: end.term,
        before: end.place,
        ..founding
    });
    let writer = Writer::create(header).map_err(FolderError::io("begin a segment in", folder))?;
    Ok(Found { places, head, header, writer, open: None })
}

/// A file that was never written whole.
fn is_torn(flaw: &Flaw) -> bool {
    matches!(flaw, Flaw::CutShort | Flaw::Header)
}

/// Only the last file may be open, and what was durable must be there.
fn check(name: &str, end: &End, last: bool, durable: u64) -> Result<(), FolderError> {
    if !last && !end.sealed {
        return Err(FolderError::corrupt(name, "it is not sealed, and another segment follows"));
    }
    if durable > end.length {
        let detail = format!("{durable} bytes of it were durable, {} are whole", end.length);
        return Err(FolderError::corrupt(name, detail));
    }
    Ok(())
}

/// Damage as the operator is told.
pub(super) fn lift(name: &str, damage: Damage) -> FolderError {
    match damage.flaw {
        Flaw::NewerFormat { reads, found } => FolderError::Newer {
            what: name.into(),
            kind: "format",
            found: found.into(),
            known: reads.into(),
        },
        Flaw::Malformed(error) => {
            let index = segment::first_index(name.rsplit('/').next().unwrap_or_default());
            super::frame::unreadable(index.unwrap_or_default(), &error)
        }
        Flaw::OtherCluster => FolderError::WrongCluster(format!("{name}: {}", damage.flaw)),
        flaw @ (Flaw::Header
        | Flaw::OtherPlace { .. }
        | Flaw::Checksum
        | Flaw::CutShort
        | Flaw::Compression
        | Flaw::BlockKind(_)
        | Flaw::Gap { .. }
        | Flaw::TermFell { .. }
        | Flaw::NotStanding(_)
        | Flaw::NotStale(_)
        | Flaw::Chain
        | Flaw::Seal) => FolderError::corrupt(name, format!("offset {}: {flaw}", damage.offset)),
    }
}

fn cut(folder: &Path, path: &Path, length: u64) -> Result<(), FolderError> {
    tracing::warn!(path = %path.display(), length, "the history's torn tail is cut");
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
        file.set_len(length)?;
        file.sync_all()
    });
    cut.map_err(FolderError::io("cut", path))?;
    sealed::sync_dir(folder)
}

fn remove(folder: &Path, path: &Path) -> Result<(), FolderError> {
    tracing::warn!(path = %path.display(), "a segment without a whole header is removed");
    fs::remove_file(path).map_err(FolderError::io("remove", path))?;
    sealed::sync_dir(folder)
}

fn list(folder: &Path) -> Result<Vec<LogIndex>, FolderError> {
    let mut firsts = Vec::new();
    for found in fs::read_dir(folder).map_err(FolderError::io("list", folder))? {
        let found = found.map_err(FolderError::io("list", folder))?;
        firsts.extend(segment::first_index(&found.file_name().to_string_lossy()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}
