//! What agents are told to do for copies, and what they say of them. Twin of
//! `interrex_core::copy` and of the messages of the same names in `agent.proto` and `event.proto`.
use interrex_core::fleet::Kinds;
use interrex_core::{
    Address, BadAddress, COPIES_MAX, CopyDuty, CopyId, CopyKind, CopyStatus, Epoch, Facts,
    LogicalAddress, Progress,
};

use crate::codec::{Reader, Writer};
use crate::{Malformed, choice, fields, pb};

pub(crate) fn write_progress(to: &mut Writer, progress: Progress) {
    to.uint(1, progress.segments_done);
    to.uint(2, progress.segments_total);
    to.uint(3, progress.bytes_done);
    to.uint(4, progress.bytes_total);
    to.uint(5, progress.segments_failed);
}

pub(crate) fn read_progress(mut from: Reader<'_>) -> Result<Progress, Malformed> {
    let progress = Progress {
        segments_done: from.uint(1)?,
        segments_total: from.uint(2)?,
        bytes_done: from.uint(3)?,
        bytes_total: from.uint(4)?,
        segments_failed: from.uint(5)?,
    };
    from.end()?;
    Ok(progress)
}

pub(crate) fn write_facts(to: &mut Writer, facts: &Facts) {
    to.bytes(1, facts.listen.as_ref().map_or("", Address::as_str).as_bytes());
}

pub(crate) fn read_facts(mut from: Reader<'_>) -> Result<Facts, Malformed> {
    let listen = address("listen", from.text(1, "listen", interrex_core::ADDRESS_MAX)?)?;
    from.end()?;
    Ok(Facts { listen })
}

/// `host:port`; none if it is empty.
fn address(field: &'static str, text: &str) -> Result<Option<Address>, Malformed> {
    let bad = |source: BadAddress| Malformed::BadAddress { field, source };
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(bad) }
}

/// An address with its prefix.
pub(crate) fn logical(field: &'static str, text: &str) -> Result<LogicalAddress, Malformed> {
    text.parse().map_err(|source| Malformed::BadAddress { field, source })
}

/// A set of kinds, by its bits.
pub(crate) fn kinds(field: &'static str, bits: u32) -> Result<Kinds, Malformed> {
    Kinds::from_bits(bits).ok_or(Malformed::BadValue { field, value: bits.into() })
}

impl From<&Facts> for pb::Facts {
    fn from(facts: &Facts) -> Self {
        Self { listen: facts.listen.as_ref().map(Address::to_string).unwrap_or_default() }
    }
}

impl TryFrom<pb::Facts> for Facts {
    type Error = Malformed;

    fn try_from(facts: pb::Facts) -> Result<Self, Malformed> {
        Ok(Self { listen: address("Facts.listen", &facts.listen)? })
    }
}

impl From<Progress> for pb::Progress {
    fn from(progress: Progress) -> Self {
        let Progress { segments_done, segments_total, bytes_done, bytes_total, segments_failed } =
            progress;
        Self { segments_done, segments_total, bytes_done, bytes_total, segments_failed }
    }
}

impl From<pb::Progress> for Progress {
    fn from(progress: pb::Progress) -> Self {
        let pb::Progress {
            segments_done,
            segments_total,
            bytes_done,
            bytes_total,
            segments_failed,
        } = progress;
        Self { segments_done, segments_total, bytes_done, bytes_total, segments_failed }
    }
}

impl From<&CopyStatus> for pb::CopyStatus {
    fn from(status: &CopyStatus) -> Self {
        Self {
            copy: status.copy.0,
            progress: Some(status.progress.into()),
            standing: choice::number(status.standing),
        }
    }
}

impl TryFrom<pb::CopyStatus> for CopyStatus {
    type Error = Malformed;

    fn try_from(status: pb::CopyStatus) -> Result<Self, Malformed> {
        Ok(Self {
            copy: CopyId(status.copy),
            progress: status.progress.unwrap_or_default().into(),
            standing: choice::read(status.standing)?,
        })
    }
}

/// What one server says of its copies.
pub(crate) fn statuses(
    field: &'static str,
    copies: Vec<pb::CopyStatus>,
) -> Result<Vec<CopyStatus>, Malformed> {
    fields::list(field, copies, COPIES_MAX, TryInto::try_into)
}

/// Ids of copies.
pub(crate) fn ids(
    field: &'static str,
    copies: Vec<u64>,
    max: usize,
) -> Result<Vec<CopyId>, Malformed> {
    fields::list(field, copies, max, |copy| Ok(CopyId(copy)))
}

impl From<&CopyDuty> for pb::CopyDuty {
    fn from(duty: &CopyDuty) -> Self {
        use pb::copy_duty::Kind;
        let text = |address: &Option<Address>| {
            address.as_ref().map(Address::to_string).unwrap_or_default()
        };
        let kind = match &duty.kind {
            CopyKind::Fetch { from, rate, paused, kinds } => Kind::Fetch(pb::Fetch {
                from: text(from),
                rate: *rate,
                paused: *paused,
                kinds: kinds.bits(),
            }),
            CopyKind::Serve { to, at } => {
                Kind::Serve(pb::Serve { to: to.to_string(), at: text(at) })
            }
            CopyKind::Erase => Kind::Erase(pb::Erase {}),
        };
        Self {
            copy: duty.copy.0,
            recorder: duty.recorder.to_string(),
            epoch: duty.epoch.0,
            source: duty.source.to_string(),
            kind: Some(kind),
        }
    }
}

impl TryFrom<pb::CopyDuty> for CopyDuty {
    type Error = Malformed;

    fn try_from(duty: pb::CopyDuty) -> Result<Self, Malformed> {
        use pb::copy_duty::Kind;
        let kind = match fields::present("CopyDuty.kind", duty.kind)? {
            Kind::Fetch(fetch) => CopyKind::Fetch {
                from: address("Fetch.from", &fetch.from)?,
                rate: fetch.rate,
                paused: fetch.paused,
                kinds: kinds("Fetch.kinds", fetch.kinds)?,
            },
            Kind::Serve(serve) => CopyKind::Serve {
                to: fields::name("Serve.to", &serve.to)?,
                at: address("Serve.at", &serve.at)?,
            },
            Kind::Erase(pb::Erase {}) => CopyKind::Erase,
        };
        Ok(Self {
            copy: CopyId(duty.copy),
            recorder: fields::name("CopyDuty.recorder", &duty.recorder)?,
            epoch: Epoch(duty.epoch),
            source: fields::name("CopyDuty.source", &duty.source)?,
            kind,
        })
    }
}
