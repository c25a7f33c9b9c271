//! Names of segments: `START-END-EPOCH-SERVER.seg`, and `START--EPOCH-SERVER.part` while one grows.
use std::fmt;
use std::str::FromStr;

use interrex_core::{Epoch, ServerId};

/// What a segment holds, as its name says: ticks from START to END, END exclusive, in milliseconds
/// since the Unix epoch; so that neighbours touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct SegmentName {
    pub start_ms: u64,
    /// Unknown while it grows.
    pub end_ms: Option<u64>,
    pub epoch: Epoch,
    /// Who wrote it. A copied file keeps its name.
    pub server: ServerId,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start_ms, end_ms, epoch: Epoch(epoch), server } = self;
        match end_ms {
            Some(end_ms) => write!(f, "{start_ms}-{end_ms}-{epoch}-{server}.seg"),
            None => write!(f, "{start_ms}--{epoch}-{server}.part"),
        }
    }
}

/// Not the name of a segment. It is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSegment;

impl FromStr for SegmentName {
    type Err = NoSegment;

    fn from_str(text: &str) -> Result<Self, NoSegment> {
        let (stem, whole) = match (text.strip_suffix(".seg"), text.strip_suffix(".part")) {
            (Some(stem), _) => (stem, true),
            (None, Some(stem)) => (stem, false),
            (None, None) => return Err(NoSegment),
        };
        let mut fields = stem.splitn(4, '-');
        let mut next = || fields.next().ok_or(NoSegment);
        let number = |text: &str| text.parse::<u64>().map_err(|_| NoSegment);
        let (start, end, epoch, server) = (next()?, next()?, next()?, next()?);
        let name = Self {
            start_ms: number(start)?,
            end_ms: if whole { Some(number(end)?) } else { None },
            epoch: Epoch(number(epoch)?),
            server: server.parse().map_err(|_| NoSegment)?,
        };
        if name.to_string() == text { Ok(name) } else { Err(NoSegment) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in ["1000-1020-7-srv-1-b.seg", "1000--7-srv-1-b.part"] {
            let name: SegmentName = text.parse().unwrap();
            assert_eq!((name.epoch, name.server.as_str()), (Epoch(7), "srv-1-b"));
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        let others =
            ["", "x.seg", "1--2-s.seg", "1-2-3-s.part", "1-2-3-S.seg", "01-2-3-s.seg", "1-2-3.seg"];
        for text in others {
            assert_eq!(text.parse::<SegmentName>(), Err(NoSegment), "{text}");
        }
    }
}
