//! What a command said on standard error: kept beside its working directory, bounded.
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// A longer file is begun anew with the next start.
const LOG_MAX: u64 = 1 << 20;
/// Of the end; a longer line is cut.
const TAIL: u64 = 512;

/// The last line that a command said, for a line of our log.
pub(super) fn last_line(log: &Path) -> String {
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&tail().unwrap_or_default()).into_owned();
    text.lines().next_back().unwrap_or_default().to_owned()
}

/// Begins the file anew if it has grown too long.
pub(super) fn bound(work: &Path) -> io::Result<()> {
    let log = work.with_extension("log");
    match std::fs::metadata(&log) {
        Ok(meta) if meta.len() > LOG_MAX => File::create(log).map(drop),
        Ok(_) | Err(_) => Ok(()),
    }
}
