//! What a group may decide about fencing and material, and what a recorder may decide otherwise.
use std::time::Duration;

use super::Group;

/// What ends with a lease that is over (PROTOCOL A9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fencing {
    /// Addresses only: recording goes on, doubles are kept and cut at playback.
    #[default]
    RecordFirst,
    /// Recording, too: for duties that must never be done twice.
    FenceFirst,
}

/// What becomes of the material of a tenure away from home (SY-23, WT-13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyPolicy {
    /// It is brought home at once.
    #[default]
    Auto,
    /// Its copy waits until an operator starts it (MB-10).
    Manual,
    /// It is thrown away.
    Discard,
    /// It stays where it is, and is found there.
    Redirect,
}

/// A sort of recorded data (MB-07, SY-24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum MaterialKind {
    Video,
    Audio,
    Text,
    Metadata,
    Plates,
    Alarms,
    Snapshots,
}

impl MaterialKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Video,
        Self::Audio,
        Self::Text,
        Self::Metadata,
        Self::Plates,
        Self::Alarms,
        Self::Snapshots,
    ];

    /// As fleet documents and drivers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Text => "text",
            Self::Metadata => "metadata",
            Self::Plates => "plates",
            Self::Alarms => "alarms",
            Self::Snapshots => "snapshots",
        }
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Some kinds of material; none named means all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kinds(u32);

impl Kinds {
    /// One bit for each kind, the first kind's the lowest.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The same back; nothing if there is a bit of an unknown kind.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let known = MaterialKind::ALL.iter().fold(0, |known, kind| known | kind.bit());
        (bits & !known == 0).then_some(Self(bits))
    }

    /// Those that are named, in order.
    pub fn iter(self) -> impl Iterator<Item = MaterialKind> {
        MaterialKind::ALL.into_iter().filter(move |kind| self.0 & kind.bit() != 0)
    }

    /// True if material of that kind is meant.
    pub fn contains(self, kind: MaterialKind) -> bool {
        self.0 == 0 || self.0 & kind.bit() != 0
    }
}

impl FromIterator<MaterialKind> for Kinds {
    fn from_iter<T: IntoIterator<Item = MaterialKind>>(kinds: T) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }
}

/// What one recorder has otherwise than its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in `Group`")]
pub struct Overrides {
    pub fencing: Option<Fencing>,
    pub copy: Option<CopyPolicy>,
    pub copy_kinds: Option<Kinds>,
    pub keep: Option<Duration>,
}

impl Group {
    /// The group's policy, as one of its recorders has it.
    #[must_use]
    pub fn with(self, own: &Overrides) -> Self {
        Self {
            fencing: own.fencing.unwrap_or(self.fencing),
            copy: own.copy.unwrap_or(self.copy),
            copy_kinds: own.copy_kinds.unwrap_or(self.copy_kinds),
            keep: own.keep.unwrap_or(self.keep),
            ..self
        }
    }
}
