//! Up to where the history was surely durable: noted after each sync, in a file that is itself
//! never synced. So it is a lower bound: what is missing below it was lost to damage.
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use interrex_core::LogIndex;

use crate::folder::FolderError;

/// A place in the history's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// First index of the segment.
    pub(super) segment: u64,
    /// Bytes of it.
    pub(super) length: u64,
}

impl Bound {
    /// As noted; zero if nothing usable was.
    pub(super) fn read(path: &Path) -> Result<Self, FolderError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(FolderError::io("read", path)(error)),
        };
        let number = |at: usize| {
            let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk().copied());
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        let bound = Self { segment: number(0), length: number(8) };
        Ok(if bytes == bound.bytes() { bound } else { Self::default() })
    }

    /// Notes it.
    pub(super) fn write(self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.bytes(), 0)
    }

    /// Bytes of that segment that were durable; 0 if nothing is known of it.
    pub(super) fn length_of(&self, first: LogIndex) -> u64 {
        if self.segment == first.0 { self.length } else { 0 }
    }

    fn bytes(self) -> Vec<u8> {
        let numbers = [self.segment.to_le_bytes(), self.length.to_le_bytes()].concat();
        let sum = crc32fast::hash(&numbers).to_le_bytes();
        [&numbers[..], &sum].concat()
    }
}
