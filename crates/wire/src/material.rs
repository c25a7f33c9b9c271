//! What agents say to each other about recorded material, and how segments are named. Twin of
//! `material.proto`. A name from elsewhere is parsed before it is used, so that none leads out of
//! the folder that it is looked for in.
use bytes::Bytes;
use interrex_core::fleet::MaterialKind;
use interrex_core::name::Name;
use interrex_core::{CopyId, ServerId};

mod name;

pub use name::{NoSegment, SegmentName};

use crate::choice::{self, Choice};
use crate::limits::{CHUNK_MAX, PAGE_MAX, WORDS_MAX};
use crate::{Malformed, fields, pb};

/// BLAKE3 of a segment's content.
pub type SegmentHash = [u8; 32];

/// Which segment of a tenure. In the order in which they are copied: channel by channel, by start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct SegmentKey {
    pub channel: Name,
    /// Whole, never growing.
    pub name: SegmentName,
    pub kind: MaterialKind,
}

/// A segment that its source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Listed {
    pub key: SegmentKey,
    /// In bytes.
    pub length: u64,
    /// As it was recorded; unknown where nobody wrote it down.
    pub blake3: Option<SegmentHash>,
}

/// How much a tenure holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub segments: u64,
    pub bytes: u64,
}

/// Some segments of a tenure, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub struct Page {
    pub segments: Vec<Listed>,
    /// There are no more behind these.
    pub complete: bool,
    /// Of the whole tenure.
    pub totals: Totals,
}

/// Why the source does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultCode {
    /// That is not a copy of these two ends, as far as the speaker knows. Try again later.
    Denied,
    /// The tenure is still open here. Try again later.
    Busy,
    /// It is not there any longer.
    Missing,
    /// It is not what was recorded; nothing can be done about it.
    Corrupt,
    /// The disk does not give it.
    Unreadable,
}

/// One word of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named and typed in the glossary's words")]
pub enum Frame {
    /// Who speaks, of which cluster, about which copy.
    Hello { cluster: [u8; 16], server: ServerId, copy: CopyId },
    /// Which segments are there, behind this one?
    List { after: Option<SegmentKey> },
    /// These.
    Page(Page),
    /// Give me the rest of this one; `hash`: and the hash of all that you read of it.
    Read { key: SegmentKey, offset: u64, hash: bool },
    /// Here it is. The hash, where it was asked for, comes with the last bytes.
    Data { bytes: Bytes, last: bool, blake3: Option<SegmentHash> },
    /// No.
    Fault { code: FaultCode, text: String },
}

impl Choice for FaultCode {
    const NAME: &'static str = "MaterialFault.code";

    fn number(self) -> u8 {
        match self {
            FaultCode::Denied => 1,
            FaultCode::Busy => 2,
            FaultCode::Missing => 3,
            FaultCode::Corrupt => 4,
            FaultCode::Unreadable => 5,
        }
    }

    fn of(number: u64) -> Option<Self> {
        let all = [Self::Denied, Self::Busy, Self::Missing, Self::Corrupt, Self::Unreadable];
        all.into_iter().find(|code| u64::from(code.number()) == number)
    }
}

impl From<&SegmentKey> for pb::SegmentKey {
    fn from(key: &SegmentKey) -> Self {
        let (channel, kind) = (key.channel.to_string(), key.kind.name().to_owned());
        Self { channel, kind, name: key.name.to_string() }
    }
}

impl TryFrom<pb::SegmentKey> for SegmentKey {
    type Error = Malformed;

    fn try_from(key: pb::SegmentKey) -> Result<Self, Malformed> {
        let name: SegmentName =
            key.name.parse().map_err(|NoSegment| Malformed::BadSegment("SegmentKey.name"))?;
        if name.end_ms.is_none_or(|end| end < name.start_ms) {
            return Err(Malformed::BadSegment("SegmentKey.name"));
        }
        let kind = MaterialKind::ALL.into_iter().find(|kind| kind.name() == key.kind);
        let kind = kind.ok_or(Malformed::BadSegment("SegmentKey.kind"))?;
        Ok(Self { channel: fields::name("SegmentKey.channel", &key.channel)?, name, kind })
    }
}

impl From<&Listed> for pb::ListedSegment {
    fn from(listed: &Listed) -> Self {
        let Listed { key, length, blake3 } = listed;
        Self { key: Some(key.into()), length: *length, blake3: write_hash(*blake3) }
    }
}

impl TryFrom<pb::ListedSegment> for Listed {
    type Error = Malformed;

    fn try_from(listed: pb::ListedSegment) -> Result<Self, Malformed> {
        let key = fields::present("ListedSegment.key", listed.key)?.try_into()?;
        let blake3 = read_hash("ListedSegment.blake3", &listed.blake3)?;
        Ok(Self { key, length: listed.length, blake3 })
    }
}

impl From<&Frame> for pb::MaterialFrame {
    fn from(frame: &Frame) -> Self {
        use pb::material_frame::Body;
        let body = match frame {
            Frame::Hello { cluster, server, copy } => Body::Hello(pb::MaterialHello {
                cluster: cluster.to_vec(),
                server: server.to_string(),
                copy: copy.0,
            }),
            Frame::List { after } => {
                Body::List(pb::ListSegments { after: after.as_ref().map(Into::into) })
            }
            Frame::Page(Page { segments, complete, totals }) => Body::Page(pb::SegmentPage {
                segments: segments.iter().map(Into::into).collect(),
                complete: *complete,
                segments_total: totals.segments,
                bytes_total: totals.bytes,
            }),
            Frame::Read { key, offset, hash } => {
                let key = Some(key.into());
                Body::Read(pb::ReadSegment { key, offset: *offset, hash: *hash })
            }
            Frame::Data { bytes, last, blake3 } => {
                let blake3 = write_hash(*blake3).into();
                Body::Data(pb::SegmentData { bytes: bytes.clone(), last: *last, blake3 })
            }
            Frame::Fault { code, text } => {
                let code = choice::number(*code);
                Body::Fault(pb::MaterialFault { code, text: text.clone() })
            }
        };
        Self { body: Some(body) }
    }
}

impl TryFrom<pb::MaterialFrame> for Frame {
    type Error = Malformed;

    fn try_from(frame: pb::MaterialFrame) -> Result<Self, Malformed> {
        use pb::material_frame::Body;
        Ok(match fields::present("MaterialFrame.body", frame.body)? {
            Body::Hello(hello) => Frame::Hello {
                cluster: fields::array("MaterialHello.cluster", &hello.cluster)?,
                server: fields::name("MaterialHello.server", &hello.server)?,
                copy: CopyId(hello.copy),
            },
            Body::List(list) => {
                Frame::List { after: list.after.map(TryInto::try_into).transpose()? }
            }
            Body::Page(page) => Frame::Page(page.try_into()?),
            Body::Read(read) => Frame::Read {
                key: fields::present("ReadSegment.key", read.key)?.try_into()?,
                offset: read.offset,
                hash: read.hash,
            },
            Body::Data(data) => {
                let (length, max) = (data.bytes.len(), CHUNK_MAX);
                if length > max {
                    return Err(Malformed::TooLong { field: "SegmentData.bytes", length, max });
                }
                let blake3 = read_hash("SegmentData.blake3", &data.blake3)?;
                Frame::Data { bytes: data.bytes, last: data.last, blake3 }
            }
            Body::Fault(fault) => Frame::Fault {
                code: choice::read(fault.code)?,
                text: fields::text("MaterialFault.text", fault.text, WORDS_MAX)?,
            },
        })
    }
}

impl TryFrom<pb::SegmentPage> for Page {
    type Error = Malformed;

    /// Strictly ascending: a source that lists in circles is found out here.
    fn try_from(page: pb::SegmentPage) -> Result<Self, Malformed> {
        let field = "SegmentPage.segments";
        let segments: Vec<Listed> =
            fields::list(field, page.segments, PAGE_MAX, TryInto::try_into)?;
        if !segments.is_sorted_by(|a, b| a.key < b.key) {
            return Err(Malformed::NotAscending(field));
        }
        let totals = Totals { segments: page.segments_total, bytes: page.bytes_total };
        Ok(Self { segments, complete: page.complete, totals })
    }
}

fn write_hash(hash: Option<SegmentHash>) -> Vec<u8> {
    hash.map_or_else(Vec::new, |hash| hash.to_vec())
}

fn read_hash(field: &'static str, bytes: &[u8]) -> Result<Option<SegmentHash>, Malformed> {
    if bytes.is_empty() { Ok(None) } else { fields::array(field, bytes).map(Some) }
}
