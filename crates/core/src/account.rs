//! What a tenure that is over has recorded, channel by channel: the spans of time that its server
//! holds. Said by the server, kept in the log; what follows for the time line is the ledger's.
use crate::name::Name;

/// Channels in one account.
pub const ACCOUNT_CHANNELS_MAX: usize = 4_096;
/// Spans in one account, of all channels together.
pub const ACCOUNT_SPANS_MAX: usize = 65_536;
/// One account, encoded, in bytes.
pub const ACCOUNT_BYTES_MAX: usize = 64 << 10;

/// All that a server holds of one of its tenures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How far off the ends of a span may be, in milliseconds: what its driver knows, and no less
    /// than the largest gap that was closed to keep the account within its limits.
    pub precision_ms: u32,
    /// By name, ascending; those with nothing recorded are left out.
    pub channels: Vec<ChannelAccount>,
}

/// The same of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAccount {
    /// Which.
    pub channel: Name,
    /// In order; no two touch.
    pub spans: Vec<Span>,
}

/// A stretch of recorded time, half open, in unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}

impl Account {
    /// True if nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }
}
