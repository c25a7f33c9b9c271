//! Frames become the bytes of a segment.
use std::io;

use interrex_core::LogIndex;
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use super::block::{Block, Kind};
use super::chain::Chain;
use super::seal::{Point, Seal};
use super::{Body, FULL, Flaw, Header, Place, Reader, frame};
use crate::codec;

/// zstd's level: 3 makes files a tenth smaller than 1, and costs 0.1 us an event more.
const LEVEL: i32 = 3;
/// Window of 1 MiB: what a reader must keep.
pub(super) const WINDOW_LOG: u32 = 20;
/// A zstd frame is begun anew after so much content, so that reading can begin there.
const FRESH_AFTER: usize = 1 << 20;
/// A block ends by itself at so much content.
const BLOCK: usize = 256 << 10;

/// Writes one segment after another.
pub struct Writer {
    header: Header,
    place: Place,
    next: LogIndex,
    term: u64,
    /// Bytes of the file: given out, or in `ready`.
    length: u64,
    /// Frames of the block to come.
    content: codec::Writer,
    /// Before the first frame of that block.
    began: (LogIndex, Place),
    /// Whole blocks, not yet given out.
    ready: Vec<u8>,
    chain: Chain,
    encoder: Encoder<'static>,
    /// Content since the last fresh block; none: the next one is fresh.
    since_fresh: Option<usize>,
    points: Vec<Point>,
}

impl Writer {
    /// A new file: its first bytes come with the first [`Writer::flush`].
    ///
    /// # Errors
    ///
    /// zstd has no memory.
    pub fn create(header: Header) -> io::Result<Self> {
        let Header { first: next, before: place, term, .. } = header;
        let ready = header.encode();
        let length = ready.len() as u64;
        Self::new(header, (place, next, term), length, ready, Vec::new())
    }

    /// Goes on with a file that was read to its end, and cut to [`super::End::length`].
    ///
    /// # Errors
    ///
    /// zstd has no memory.
    pub fn resume(read: &Reader<'_>) -> io::Result<Self> {
        let (header, end) = (*read.header(), read.end());
        let at = (end.place, end.next, end.term);
        Self::new(header, at, end.length, Vec::new(), read.points().to_vec())
    }

    fn new(
        header: Header,
        (place, next, term): (Place, LogIndex, u64),
        length: u64,
        ready: Vec<u8>,
        points: Vec<Point>,
    ) -> io::Result<Self> {
        let mut encoder = Encoder::new(LEVEL)?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
        let (content, chain) = (codec::Writer::with_capacity(BLOCK), Chain::new());
        let (began, since_fresh) = ((next, place), None);
        Ok(Self {
            header,
            place,
            next,
            term,
            length,
            content,
            began,
            ready,
            chain,
            encoder,
            since_fresh,
            points,
        })
    }

    /// Adds the entry at `index`, which must be the next one. Says where the chain is after it.
    ///
    /// # Errors
    ///
    /// The entry does not belong here; nothing was added.
    pub fn append(&mut self, index: LogIndex, term: u64, body: Body<'_>) -> Result<Place, Flaw> {
        if index != self.next {
            return Err(Flaw::Gap { expected: self.next, found: index });
        }
        if term < self.term {
            return Err(Flaw::TermFell { index, before: self.term, found: term });
        }
        if let (Some(at), Body::Decision(record)) = (frame::check(index, &body)?, &body) {
            self.place = self.chain.advance(&self.place, at, record);
        }
        frame::write(&mut self.content, index, term, body);
        (self.next, self.term) = (LogIndex(index.0 + 1), term);
        if self.content.len() >= BLOCK {
            self.end_block().map_err(|_| Flaw::Compression)?;
        }
        Ok(self.place)
    }

    /// All that is not yet in the file, as whole blocks, to be written at its end; then sync it.
    /// Empty if there is nothing.
    ///
    /// # Errors
    ///
    /// zstd has no memory. Stop: what was appended since the last flush is lost.
    pub fn flush(&mut self) -> io::Result<Vec<u8>> {
        self.end_block()?;
        Ok(std::mem::take(&mut self.ready))
    }

    /// The last bytes of this file, and the header of the next one. Write and sync them before the
    /// next file is created.
    ///
    /// # Errors
    ///
    /// As [`Writer::flush`].
    pub fn seal(mut self) -> io::Result<(Vec<u8>, Header)> {
        self.end_block()?;
        let last = LogIndex(self.next.0.saturating_sub(1));
        let seal = Seal { last, end: self.place, points: self.points };
        seal.write(self.length, &mut self.ready);
        let (first, term, before) = (self.next, self.term, self.place);
        Ok((self.ready, Header { first, term, before, ..self.header }))
    }

    /// Time to seal it.
    pub fn is_full(&self) -> bool {
        self.length >= FULL
    }

    /// Where the chain is after the last entry.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The index that comes next.
    pub fn next(&self) -> LogIndex {
        self.next
    }

    /// Bytes of content that wait for [`Writer::flush`], before compression.
    pub fn pending(&self) -> usize {
        self.content.len()
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.content.len() == 0 {
            return Ok(());
        }
        let content = self.content.take();
        let kind = match self.since_fresh {
            Some(since) if since < FRESH_AFTER => Kind::Continued,
            Some(_) | None => Kind::Fresh,
        };
        if kind == Kind::Fresh {
            self.encoder.reinit()?;
            self.since_fresh = Some(0);
            let (index, before) = self.began;
            self.points.push(Point { offset: self.length, index, before });
        }
        self.since_fresh = self.since_fresh.map(|since| since + content.len());
        let compressed = compress(&mut self.encoder, &content)?;
        let head = self.place.head.short();
        let block = Block { kind, raw: content.len(), head, content: &compressed };
        block.write(&mut self.ready);
        self.length += block.length() as u64;
        self.began = (self.next, self.place);
        Ok(())
    }
}

/// All of `content`, so that a reader of these bytes has all of it.
fn compress(encoder: &mut Encoder<'_>, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = vec![0; zstd::zstd_safe::compress_bound(content.len()) + 64];
    let mut from = InBuffer::around(content);
    let mut to = OutBuffer::around(compressed.as_mut_slice());
    while from.pos() < content.len() {
        encoder.run(&mut from, &mut to)?;
    }
    let left = encoder.flush(&mut to)?;
    let length = to.pos();
    if left > 0 {
        return Err(io::Error::other("zstd needs more room than its own bound"));
    }
    compressed.truncate(length);
    Ok(compressed)
}
