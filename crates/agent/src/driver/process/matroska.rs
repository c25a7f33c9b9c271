//! As little of Matroska as is needed to know from when to when a file that still grows holds
//! frames: headers and time stamps, never a frame. A reader goes on where it stopped, so that each
//! byte is looked at once. Time stamps are Unix time, since recorders are told to write that.
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const EBML: u64 = 0x1A45_DFA3;
const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_A966;
const TIMESTAMP_SCALE: u64 = 0x2A_D7B1;
const TRACKS: u64 = 0x1654_AE6B;
const TRACK_ENTRY: u64 = 0xAE;
const TRACK_NUMBER: u64 = 0xD7;
const TRACK_TYPE: u64 = 0x83;
const CLUSTER: u64 = 0x1F43_B675;
const TIMESTAMP: u64 = 0xE7;
const BLOCK_GROUP: u64 = 0xA0;
const BLOCK: u64 = 0xA1;
const SIMPLE_BLOCK: u64 = 0xA3;

const VIDEO: u64 = 1;
/// A header (id and size) is never longer.
const HEADER_MAX: usize = 12;
/// Without a scale in the file, one unit is a millisecond.
const SCALE_NS: u64 = 1_000_000;

/// What was read of one file so far.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    /// Where the next element begins.
    at: u64,
    scale_ns: u64,
    cluster: u64,
    /// The track entry that is being read.
    track: u64,
    /// Of this track frames are counted: the first video, or else the first of all.
    main: Option<(u64, bool)>,
    first_ms: Option<u64>,
    last_ms: u64,
    /// Of the main track.
    count: u64,
    span_ms: Option<(u64, u64)>,
}

/// It does not begin as Matroska does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign;

struct Element {
    id: u64,
    /// Of its content; nothing if it is only known to whoever ends it.
    size: Option<u64>,
    content: u64,
}

impl Frames {
    /// Nothing was read yet.
    pub(super) fn new() -> Self {
        Self {
            at: 0,
            scale_ns: SCALE_NS,
            cluster: 0,
            track: 0,
            main: None,
            first_ms: None,
            last_ms: 0,
            count: 0,
            span_ms: None,
        }
    }

    /// The earliest and the latest frame, in milliseconds since the Unix epoch.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        self.first_ms.map(|first| (first, self.last_ms))
    }

    /// The mean distance of two frames; nothing while there are not two.
    pub(super) fn distance_ms(&self) -> Option<u64> {
        let (first, last) = self.span_ms?;
        let gaps = self.count.checked_sub(1).filter(|gaps| *gaps > 0)?;
        Some((last - first + gaps / 2) / gaps).filter(|distance| *distance > 0)
    }

    /// Reads on, as far as whole elements go. Damage ends the file there: what comes behind it is
    /// not looked at.
    pub(super) fn read_on(&mut self, file: &File) -> io::Result<Result<(), Foreign>> {
        let length = file.metadata()?.len();
        while let Some(element) = self.element(file, length)? {
            if self.at == 0 && element.id != EBML {
                return Ok(Err(Foreign));
            }
            let descend =
                matches!(element.id, SEGMENT | INFO | TRACKS | TRACK_ENTRY | CLUSTER | BLOCK_GROUP);
            let end = element.size.and_then(|size| element.content.checked_add(size));
            match end {
                _ if descend => self.at = element.content,
                Some(end) if end <= length => {
                    self.take(file, &element)?;
                    self.at = end;
                }
                Some(_) | None => break,
            }
        }
        Ok(Ok(()))
    }

    fn element(&self, file: &File, length: u64) -> io::Result<Option<Element>> {
        let mut bytes = [0; HEADER_MAX];
        let there = length.saturating_sub(self.at).min(HEADER_MAX as u64);
        let header = bytes.get_mut(..usize::try_from(there).unwrap_or(0)).unwrap_or_default();
        file.read_exact_at(header, self.at)?;
        let Some((id, used)) = number(header, 4, false) else { return Ok(None) };
        let rest = header.get(used..).unwrap_or_default();
        let Some((size, more)) = number(rest, 8, true) else { return Ok(None) };
        let unknown = size == (1 << (7 * more)) - 1;
        let content = self.at + (used + more) as u64;
        Ok(Some(Element { id, size: (!unknown).then_some(size), content }))
    }

    fn take(&mut self, file: &File, element: &Element) -> io::Result<()> {
        match element.id {
            TIMESTAMP_SCALE => self.scale_ns = unsigned(file, element)?.max(1),
            TRACK_NUMBER => self.track = unsigned(file, element)?,
            TRACK_TYPE => {
                let is_video = unsigned(file, element)? == VIDEO;
                if self.main.is_none_or(|(_, video)| is_video && !video) {
                    self.main = Some((self.track, is_video));
                }
            }
            TIMESTAMP => self.cluster = unsigned(file, element)?,
            BLOCK | SIMPLE_BLOCK => self.block(file, element)?,
            _ => {}
        }
        Ok(())
    }

    fn block(&mut self, file: &File, element: &Element) -> io::Result<()> {
        let mut bytes = [0; HEADER_MAX];
        let size = element.size.unwrap_or_default().min(HEADER_MAX as u64);
        let head = bytes.get_mut(..usize::try_from(size).unwrap_or(0)).unwrap_or_default();
        file.read_exact_at(head, element.content)?;
        let Some((track, used)) = number(head, 8, true) else { return Ok(()) };
        let Some(&[high, low]) = head.get(used..used + 2) else { return Ok(()) };
        let units = self.cluster.checked_add_signed(i16::from_be_bytes([high, low]).into());
        let Some(units) = units else { return Ok(()) };
        let ms = u128::from(units) * u128::from(self.scale_ns) / 1_000_000;
        let Ok(ms) = u64::try_from(ms) else { return Ok(()) };
        self.first_ms = Some(self.first_ms.map_or(ms, |first| first.min(ms)));
        self.last_ms = self.last_ms.max(ms);
        if self.main.is_none_or(|(main, _)| main == track) {
            self.count += 1;
            let (first, last) = self.span_ms.unwrap_or((ms, ms));
            self.span_ms = Some((first.min(ms), last.max(ms)));
        }
        Ok(())
    }
}

/// A number of variable length, at most `max` bytes: its value, with or without the marker bit, and
/// how many bytes it takes.
fn number(bytes: &[u8], max: usize, unmark: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > max {
        return None;
    }
    let value = bytes.get(..length)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((if unmark { value & !(1 << (7 * length)) } else { value }, length))
}

fn unsigned(file: &File, element: &Element) -> io::Result<u64> {
    let mut bytes = [0; 8];
    let size = usize::try_from(element.size.unwrap_or_default()).unwrap_or(usize::MAX);
    let content = bytes.get_mut(..size).ok_or(io::ErrorKind::InvalidData)?;
    file.read_exact_at(content, element.content)?;
    Ok(content.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        let size = u8::try_from(content.len()).unwrap();
        [id, &[0x40, size], content].concat()
    }

    fn block(track: u8, rel: i16) -> Vec<u8> {
        let [high, low] = rel.to_be_bytes();
        element(&[0xA3], &[0x80 | track, high, low, 0x80, 1, 2, 3])
    }

    fn head() -> Vec<u8> {
        let audio = element(&[0xAE], &[element(&[0xD7], &[2]), element(&[0x83], &[2])].concat());
        let video = element(&[0xAE], &[element(&[0xD7], &[1]), element(&[0x83], &[1])].concat());
        [
            element(&[0x1A, 0x45, 0xDF, 0xA3], b"webm"),
            vec![0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            element(&[0x15, 0x49, 0xA9, 0x66], &element(&[0x2A, 0xD7, 0xB1], &[0x0F, 0x42, 0x40])),
            element(&[0x16, 0x54, 0xAE, 0x6B], &[audio, video].concat()),
        ]
        .concat()
    }

    fn cluster() -> Vec<u8> {
        let at = 1_795_251_816_546_u64.to_be_bytes();
        let parts = [
            element(&[0xE7], &at),
            block(1, 0),
            block(2, -5),
            block(1, 40),
            element(&[0xA0], &element(&[0xA1], &[0x81, 0, 80, 0])),
        ];
        element(&[0x1F, 0x43, 0xB6, 0x75], &parts.concat())
    }

    #[test]
    fn a_file_is_read_as_it_grows_and_each_byte_may_be_the_last() {
        let whole = [head(), cluster()].concat();
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a.mkv");
        let mut file = File::create(&path).unwrap();
        let open = File::open(&path).unwrap();
        let mut frames = Frames::new();
        for byte in &whole {
            file.write_all(&[*byte]).unwrap();
            assert_eq!(frames.read_on(&open).unwrap(), Ok(()));
        }
        let start = 1_795_251_816_546;
        assert_eq!(frames.range(), Some((start - 5, start + 80)));
        assert_eq!(frames.distance_ms(), Some(40), "of the video, not of the sound");
        let mut at_once = Frames::new();
        at_once.read_on(&open).unwrap().unwrap();
        assert_eq!(at_once.range(), frames.range());
    }

    #[test]
    fn damage_ends_the_file_and_other_files_are_foreign() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a.mkv");
        std::fs::write(&path, [head(), cluster(), vec![0; 4_096], cluster()].concat()).unwrap();
        let mut frames = Frames::new();
        frames.read_on(&File::open(&path).unwrap()).unwrap().unwrap();
        assert_eq!(frames.count, 3);
        std::fs::write(&path, "1000 50\n1020 51\n").unwrap();
        assert_eq!(Frames::new().read_on(&File::open(&path).unwrap()).unwrap(), Err(Foreign));
    }
}
