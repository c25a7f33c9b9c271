//! The bytes of a segment become frames, and everything about them is checked on the way.
use interrex_core::{Generation, LogIndex, LogTime, Revision};
use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::block::{self, Block, Kind};
use super::chain::Chain;
use super::seal::{self, Point, Seal};
use super::writer::WINDOW_LOG;
use super::{Body, Damage, Flaw, Frame, Header, Place, frame, header};

/// What may stand at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Whole blocks only.
    Whole,
    /// The newest file after a crash: what follows the last whole block is torn off, if it is past
    /// `durable` (bytes that are known to be synced; 0 if nothing is known), or if no whole block
    /// follows it.
    Torn {
        /// Bytes of the file that were synced; 0 = not known.
        durable: u64,
    },
}

/// Where a segment ends, for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The cluster's id.
    pub cluster: [u8; 16],
    /// The cluster's generation.
    pub generation: Generation,
    /// The index that comes next.
    pub next: LogIndex,
    /// Of the newest entry.
    pub term: u64,
    /// Where the chain is.
    pub place: Place,
    /// Bytes of the file that are whole; cut it there if it is longer, and sync that.
    pub length: u64,
    /// Nothing can be appended: the next file follows.
    pub sealed: bool,
    /// Something behind `length` was torn off.
    pub torn: bool,
}

/// Reads one segment, which is in memory as a whole.
pub struct Reader<'a> {
    file: &'a str,
    bytes: &'a [u8],
    header: Header,
    end: End,
    tail: Tail,
    chain: Chain,
    decoder: Decoder<'static>,
    /// The block at hand, decompressed, how far it was read, and what its header says of the head.
    content: Vec<u8>,
    read: usize,
    head: u64,
    /// Where that block begins.
    offset: u64,
    points: Vec<Point>,
}

impl<'a> Reader<'a> {
    /// Reads the header. `file` is for messages; `before` is the end of the segment before, if this
    /// is not the first one of its folder.
    ///
    /// # Errors
    ///
    /// It is not a segment, or not the one that follows.
    pub fn open(
        file: &'a str,
        bytes: &'a [u8],
        before: Option<&End>,
        tail: Tail,
    ) -> Result<Self, Damage> {
        let damage = |flaw| Damage { file: file.to_owned(), offset: 0, flaw };
        let header = Header::decode(bytes).map_err(damage)?;
        follows(&header, before).map_err(damage)?;
        let mut decoder = Decoder::new().map_err(|_| damage(Flaw::Compression))?;
        let bound = decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG));
        bound.map_err(|_| damage(Flaw::Compression))?;
        let end = End {
            cluster: header.cluster,
            generation: header.generation,
            next: header.first,
            term: header.term,
            place: header.before,
            length: header::LENGTH as u64,
            sealed: false,
            torn: false,
        };
        let (head, offset) = (header.before.head.short(), 0);
        let (content, points, chain) = (Vec::new(), Vec::new(), Chain::new());
        let read = 0;
        Ok(Self {
            file,
            bytes,
            header,
            end,
            tail,
            chain,
            decoder,
            content,
            read,
            head,
            offset,
            points,
        })
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the last frame read leaves the chain and the file; the file's end after the last one.
    pub fn end(&self) -> End {
        self.end
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// The next frame; none at the end.
    ///
    /// # Errors
    ///
    /// The file is damaged from here on. Frames that came before are as they were written.
    #[expect(clippy::should_implement_trait, reason = "frames borrow from the reader")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Damage> {
        while self.read == self.content.len() {
            if self.end.sealed || !self.next_block().map_err(|flaw| self.damage(flaw))? {
                return Ok(None);
            }
        }
        let (file, offset) = (self.file, self.offset);
        let damage = |flaw| Damage { file: file.to_owned(), offset, flaw };
        let content = self.content.get(self.read..).unwrap_or_default();
        let read = frame::read(content).map_err(|malformed| damage(malformed.into()))?;
        let (index, term, body, used) = read.ok_or_else(|| damage(Flaw::Compression))?;
        enter(&mut self.end, &mut self.chain, index, term, &body).map_err(damage)?;
        self.read += used;
        if self.read == self.content.len() && self.end.place.head.short() != self.head {
            return Err(damage(Flaw::Chain));
        }
        Ok(Some(Frame { index, term, body, after: self.end.place }))
    }

    /// Goes to the first point of the sparse index from which all records after `revision` are
    /// read; stays at the beginning if the file is not sealed. Call it before the first `next`.
    pub fn seek_revision(&mut self, revision: Revision) {
        self.seek(|before| before.revision < revision);
    }

    /// The same, for records decided at `time` or later.
    pub fn seek_time(&mut self, time: LogTime) {
        self.seek(|before| before.at < time);
    }

    fn seek(&mut self, is_before: impl Fn(&Place) -> bool) {
        let Some(seal) = Seal::find(self.bytes) else { return };
        let points = seal.points.iter().take_while(|point| is_before(&point.before));
        if let Some(&Point { offset, index, before }) = points.last() {
            (self.end.length, self.end.next, self.end.place) = (offset, index, before);
        }
    }

    fn damage(&self, flaw: Flaw) -> Damage {
        Damage { file: self.file.to_owned(), offset: self.offset, flaw }
    }

    /// False at the end of the file.
    fn next_block(&mut self) -> Result<bool, Flaw> {
        self.offset = self.end.length;
        let at = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let rest = self.bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(false);
        }
        let block = match Block::read(rest) {
            Ok(block) => block,
            Err(Flaw::CutShort | Flaw::Checksum) if self.is_torn(rest) => {
                self.end.torn = true;
                return Ok(false);
            }
            Err(flaw) => return Err(flaw),
        };
        if block.kind == Kind::Seal {
            return self.finish(&block, rest);
        }
        if block.kind == Kind::Fresh {
            let (index, before) = (self.end.next, self.end.place);
            self.points.push(Point { offset: self.offset, index, before });
            self.decoder.reinit().map_err(|_| Flaw::Compression)?;
        }
        // One byte more than there should be: zstd may keep what has no room for the next call.
        self.content.resize(block.raw + 1, 0);
        let done = self.decoder.run_on_buffers(block.content, &mut self.content);
        let done = done.map_err(|_| Flaw::Compression)?;
        if (done.bytes_read, done.bytes_written) != (block.content.len(), block.raw) {
            return Err(Flaw::Compression);
        }
        self.content.truncate(block.raw);
        (self.read, self.head) = (0, block.head);
        self.end.length += block.length() as u64;
        Ok(true)
    }

    fn is_torn(&self, rest: &[u8]) -> bool {
        match self.tail {
            Tail::Whole => false,
            Tail::Torn { durable } => {
                (durable > 0 && self.offset >= durable)
                    || !block::follows(rest.get(1..).unwrap_or_default())
            }
        }
    }

    /// The seal must say what was read, and nothing may follow it.
    fn finish(&mut self, block: &Block<'_>, rest: &[u8]) -> Result<bool, Flaw> {
        let seal = Seal::read(block.content).ok_or(Flaw::Seal)?;
        let trailer = rest.get(block.length()..).unwrap_or_default();
        let fits = seal.last.0.checked_add(1) == Some(self.end.next.0)
            && seal.end == self.end.place
            && seal.points.ends_with(&self.points);
        if !fits {
            return Err(Flaw::Seal);
        }
        if !seal::is_trailer(trailer, self.offset) {
            // The trailer itself may be what the crash tore off: the seal is written again.
            if trailer.len() < seal::TRAILER && self.tail != Tail::Whole {
                self.end.torn = true;
                return Ok(false);
            }
            return Err(Flaw::Seal);
        }
        self.end.length = self.bytes.len() as u64;
        self.end.sealed = true;
        Ok(false)
    }
}

/// Checks an entry against what stands before it, and takes it into `end`.
fn enter(
    end: &mut End,
    chain: &mut Chain,
    index: LogIndex,
    term: u64,
    body: &Body<'_>,
) -> Result<(), Flaw> {
    if index != end.next {
        return Err(Flaw::Gap { expected: end.next, found: index });
    }
    if term < end.term {
        return Err(Flaw::TermFell { index, before: end.term, found: term });
    }
    if let (Some(at), Body::Decision(record)) = (frame::check(index, body)?, body) {
        end.place = chain.advance(&end.place, at, record);
    }
    (end.next, end.term) = (LogIndex(index.0.saturating_add(1)), term);
    Ok(())
}

/// Whether a file with this header stands in the right place.
fn follows(header: &Header, before: Option<&End>) -> Result<(), Flaw> {
    let (index, term, place) = match before {
        None => (LogIndex(0), 0, Place::genesis(&header.cluster)),
        Some(end) if (end.cluster, end.generation) != (header.cluster, header.generation) => {
            return Err(Flaw::OtherCluster);
        }
        Some(end) => (end.next, end.term, end.place),
    };
    if header.first != index {
        return Err(Flaw::Gap { expected: index, found: header.first });
    }
    if header.term != term {
        let (before, found) = (term, header.term);
        return Err(Flaw::TermFell { index, before, found });
    }
    if header.before != place {
        let (expected, found) = (Box::new(place), Box::new(header.before));
        return Err(Flaw::OtherPlace { expected, found });
    }
    Ok(())
}
