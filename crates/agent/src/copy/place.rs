//! How far a copy is, durably: behind which segment it goes on, and what could not be copied. A
//! small file beside what is staged, replaced whole.
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use interrex_core::Progress;
use interrex_core::fleet::MaterialKind;
use interrex_wire::material::{SegmentKey, Totals};
use serde::{Deserialize, Serialize};

use crate::folder;

/// Segments of one copy that may fail: more, and the source is broken, not its segments.
pub(super) const FAILED_MAX: usize = 4_096;

const FILE: &str = "place.json";
/// Larger is none of ours.
const FILE_MAX: u64 = 4 << 20;

/// Everything up to `after` is durable here, or failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The last one of the part that is done; none: nothing is.
    pub(super) after: Option<SegmentKey>,
    /// What is durable.
    pub(super) done: Totals,
    /// What is not wanted (MB-07), and so was passed over.
    pub(super) passed: Totals,
    /// Of the whole tenure, as the source last said.
    pub(super) totals: Totals,
    /// What the source cannot give (MB-08). At most [`FAILED_MAX`].
    pub(super) failed: BTreeSet<SegmentKey>,
    /// There is nothing behind `after`.
    pub(super) complete: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    after: Option<KeptKey>,
    done: (u64, u64),
    passed: (u64, u64),
    totals: (u64, u64),
    failed: Vec<KeptKey>,
    complete: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptKey {
    channel: String,
    kind: String,
    name: String,
}

impl Place {
    /// All that is known of how far it is.
    pub(super) fn progress(&self) -> Progress {
        let total = |all: u64, passed: u64, here: u64| {
            // A source that lost some since it counted must not make it look unfinished.
            if self.complete { here } else { all.saturating_sub(passed).max(here) }
        };
        let failed = u64::try_from(self.failed.len()).unwrap_or(u64::MAX);
        let (all, passed, done) = (self.totals, self.passed, self.done);
        let bytes_known = if self.failed.is_empty() { done.bytes } else { all.bytes };
        Progress {
            segments_done: done.segments,
            segments_total: total(all.segments, passed.segments, done.segments + failed),
            bytes_done: done.bytes,
            bytes_total: total(all.bytes, passed.bytes, bytes_known),
            segments_failed: failed,
        }
    }

    /// The place that was kept in `dir`; the beginning if there is none, or one that cannot be
    /// understood: what is durable is found again by its content.
    pub(super) fn load(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE);
        let text = match fs::metadata(&path).map(|meta| meta.len()) {
            Ok(0..=FILE_MAX) => fs::read(&path)?,
            Ok(_) => Vec::new(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(why) => return Err(why),
        };
        let kept = serde_json::from_slice::<Kept>(&text).ok().and_then(Self::read);
        if kept.is_none() {
            let path = path.display();
            tracing::warn!(%path, "cannot be understood: this copy begins anew, past what is here");
        }
        Ok(kept.unwrap_or_default())
    }

    /// Keeps it in `dir`, durably.
    pub(super) fn save(&self, dir: &Path) -> io::Result<()> {
        let pair = |totals: Totals| (totals.segments, totals.bytes);
        let kept = Kept {
            format: 1,
            after: self.after.as_ref().map(Into::into),
            done: pair(self.done),
            passed: pair(self.passed),
            totals: pair(self.totals),
            failed: self.failed.iter().map(Into::into).collect(),
            complete: self.complete,
        };
        folder::replace(dir, FILE, &kept)
    }

    fn read(kept: Kept) -> Option<Self> {
        let totals = |(segments, bytes)| Totals { segments, bytes };
        let failed: Option<_> = kept.failed.into_iter().map(KeptKey::read).collect();
        let after = match kept.after {
            Some(after) => Some(after.read()?),
            None => None,
        };
        (kept.format == 1).then_some(Self {
            after,
            done: totals(kept.done),
            passed: totals(kept.passed),
            totals: totals(kept.totals),
            failed: failed?,
            complete: kept.complete,
        })
    }
}

impl From<&SegmentKey> for KeptKey {
    fn from(key: &SegmentKey) -> Self {
        let (channel, kind) = (key.channel.to_string(), key.kind.name().to_owned());
        Self { channel, kind, name: key.name.to_string() }
    }
}

impl KeptKey {
    fn read(self) -> Option<SegmentKey> {
        let kind = MaterialKind::ALL.into_iter().find(|kind| kind.name() == self.kind)?;
        let (channel, name) = (self.channel.parse().ok()?, self.name.parse().ok()?);
        Some(SegmentKey { channel, name, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SegmentKey {
        let (channel, name) = ("ch-1".parse().unwrap(), name.parse().unwrap());
        SegmentKey { channel, name, kind: MaterialKind::Audio }
    }

    #[test]
    fn a_place_is_kept_and_one_that_cannot_be_understood_is_the_beginning() {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(Place::load(temp.path()).unwrap(), Place::default());
        let place = Place {
            after: Some(key("1-2-3-srv-1.seg")),
            done: Totals { segments: 4, bytes: 5 },
            passed: Totals { segments: 1, bytes: 1 },
            totals: Totals { segments: 9, bytes: 90 },
            failed: BTreeSet::from([key("0-1-3-srv-1.seg")]),
            complete: false,
        };
        place.save(temp.path()).unwrap();
        assert_eq!(Place::load(temp.path()).unwrap(), place);
        fs::write(temp.path().join(FILE), "{\"format\":1,").unwrap();
        assert_eq!(Place::load(temp.path()).unwrap(), Place::default());
    }

    #[test]
    fn totals_are_of_what_is_wanted_and_final_at_the_end() {
        let of = |segments, bytes| Totals { segments, bytes };
        let mut place =
            Place { done: of(4, 40), passed: of(1, 10), totals: of(9, 90), ..Place::default() };
        let told = place.progress();
        assert_eq!((told.segments_done, told.segments_total), (4, 8));
        assert_eq!((told.bytes_done, told.bytes_total), (40, 80));
        place.complete = true;
        let told = place.progress();
        assert_eq!((told.segments_total, told.bytes_total), (4, 40));
        place.failed.insert(key("0-1-3-srv-1.seg"));
        assert_eq!(place.progress().segments_total, 5);
        assert_eq!(place.progress().segments_failed, 1);
    }
}
