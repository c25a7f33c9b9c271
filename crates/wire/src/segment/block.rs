//! A block: what is written at one durable point. 24 bytes of header, then the content.
use super::Flaw;

/// Length of a block's header.
pub(super) const HEADER: usize = 24;
/// Largest content of a block, before compression: the largest decision fits twice.
pub(super) const RAW_MAX: usize = 2 * crate::limits::DECISION_MAX;
const MAGIC: [u8; 3] = *b"IXB";

/// What a block's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Frames; begins a zstd frame, so it needs no other block.
    Fresh = b'f' as isize,
    /// Frames; goes on with the zstd frame of the block before.
    Continued = b'c' as isize,
    /// The seal, not compressed.
    Seal = b's' as isize,
}

/// One block within a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) kind: Kind,
    /// Length of the content once it is decompressed.
    pub(super) raw: usize,
    /// First eight bytes of the head after its last record.
    pub(super) head: u64,
    pub(super) content: &'a [u8],
}

impl<'a> Block<'a> {
    /// Appends it to `to`. Contents are below 4 GiB by far.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend(MAGIC);
        to.push(self.kind as u8);
        to.extend(u32::try_from(self.content.len()).unwrap_or(u32::MAX).to_le_bytes());
        to.extend(u32::try_from(self.raw).unwrap_or(u32::MAX).to_le_bytes());
        to.extend(self.head.to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(to.get(start..).unwrap_or_default());
        sum.update(self.content);
        to.extend(sum.finalize().to_le_bytes());
        to.extend_from_slice(self.content);
    }

    /// The block that `bytes` begin with.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let (header, behind) = bytes.split_first_chunk::<HEADER>().ok_or(Flaw::CutShort)?;
        let &[m, a, g, kind, s0, s1, s2, s3, r0, r1, r2, r3, ref rest @ ..] = header;
        let (head, sum) = rest.split_first_chunk::<8>().ok_or(Flaw::CutShort)?;
        if [m, a, g] != MAGIC {
            return Err(Flaw::Checksum);
        }
        let stored = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
        let raw = u32::from_le_bytes([r0, r1, r2, r3]) as usize;
        let content = behind.get(..stored).ok_or(Flaw::CutShort)?;
        let mut found = crc32fast::Hasher::new();
        found.update(header.get(..HEADER - 4).unwrap_or_default());
        found.update(content);
        if found.finalize().to_le_bytes() != *sum {
            return Err(Flaw::Checksum);
        }
        let kind = match kind {
            b'f' => Kind::Fresh,
            b'c' => Kind::Continued,
            b's' => Kind::Seal,
            _ => return Err(Flaw::BlockKind(kind)),
        };
        if raw > RAW_MAX {
            return Err(Flaw::Compression);
        }
        Ok(Self { kind, raw, head: u64::from_le_bytes(*head), content })
    }

    /// Bytes of the file that it takes.
    pub(super) fn length(&self) -> usize {
        HEADER + self.content.len()
    }
}

/// Whether a whole block stands anywhere in `bytes`: then what is before it was not torn off.
pub(super) fn follows(bytes: &[u8]) -> bool {
    let is_magic = |(_, window): &(usize, &[u8])| *window == MAGIC;
    let mut found = bytes.windows(MAGIC.len()).enumerate().filter(is_magic);
    found.any(|(at, _)| Block::read(bytes.get(at..).unwrap_or_default()).is_ok())
}
