//! Small files that are replaced whole: after a crash either the old or the new one is there, and
//! a flipped bit is seen. The last line is BLAKE3 over everything before it.
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::FolderError;

/// Before the sum in the last line.
const MARK: &str = "blake3 ";
/// Files larger than this are not ours, in bytes.
const SIZE_MAX: u64 = 1 << 20;

/// Replaces `path` by `text`, durably: temporary file, fsync, rename, fsync of the folder.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), FolderError> {
    let text = format!("{}\n", text.trim_end());
    let sum = blake3::hash(text.as_bytes()).to_hex();
    replace(path, format!("{text}{MARK}{sum}\n").as_bytes())
}

/// The text in `path`; none if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, FolderError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FolderError::io("read", path)(error)),
        Ok(meta) if meta.len() > SIZE_MAX => {
            return Err(FolderError::corrupt(path.display(), "it is far too long"));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(FolderError::io("read", path))?;
    let damaged = |detail: &str| FolderError::corrupt(path.display(), detail);
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
    let body = text.strip_suffix('\n').ok_or_else(|| damaged("its end is missing"))?;
    let (body, sum) = body.rsplit_once('\n').ok_or_else(|| damaged("its end is missing"))?;
    let body = format!("{body}\n");
    match sum.strip_prefix(MARK) == Some(blake3::hash(body.as_bytes()).to_hex().as_str()) {
        true => Ok(Some(body)),
        false => Err(damaged("its checksum does not match")),
    }
}

/// Replaces `path` by `bytes`, durably.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(FolderError::io("write", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), FolderError> {
    let sync = || File::open(path)?.sync_all();
    sync().map_err(FolderError::io("sync", path))
}

/// Creates a folder and what is missing above it, each name durable in its parent.
pub(crate) fn create_dir(path: &Path) -> Result<(), FolderError> {
    let above = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(missing) = above.filter(|parent| !parent.exists()) {
        create_dir(missing)?;
    }
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(FolderError::io("create", path)(error)),
    }
    sync_dir(path)?;
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}
