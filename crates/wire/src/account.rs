//! Accounts of ended tenures as bytes, and back. Twin of `interrex_core::Account` and of `Account`
//! in `event.proto`. In messages they are read by way of the bytes, so that there is one reader.
use interrex_core::{
    ACCOUNT_BYTES_MAX, ACCOUNT_CHANNELS_MAX, ACCOUNT_SPANS_MAX, Account, ChannelAccount, Span,
};
use prost::Message;

use crate::codec::{Reader, Writer};
use crate::{Malformed, pb};

/// Bytes of an account: what its limit is compared with.
pub fn encoded_len(account: &Account) -> usize {
    encode(account).len()
}

fn encode(account: &Account) -> Vec<u8> {
    let mut to = Writer::with_capacity(64);
    write(&mut to, account);
    to.into_bytes()
}

pub(crate) fn write(to: &mut Writer, account: &Account) {
    to.uint(1, account.precision_ms.into());
    for ChannelAccount { channel, spans } in &account.channels {
        to.message(2, |to| {
            to.name(1, *channel);
            let mut end = 0;
            for span in spans {
                to.message(2, |to| {
                    to.uint(1, span.from_ms.saturating_sub(end));
                    to.uint(2, span.to_ms.saturating_sub(span.from_ms));
                });
                end = span.to_ms;
            }
        });
    }
}

pub(crate) fn read(mut from: Reader<'_>) -> Result<Account, Malformed> {
    if from.len() > ACCOUNT_BYTES_MAX {
        let length = from.len();
        return Err(Malformed::TooLong { field: "Account", length, max: ACCOUNT_BYTES_MAX });
    }
    let precision_ms = from.uint32(1, "precision_ms")?;
    let (mut channels, mut left): (Vec<ChannelAccount>, _) = (Vec::new(), ACCOUNT_SPANS_MAX);
    while let Some(bytes) = from.optional_bytes(2)? {
        let channel = read_channel(Reader::new("ChannelAccount", bytes), &mut left)?;
        if channels.last().is_some_and(|last| last.channel >= channel.channel) {
            return Err(Malformed::NotAscending("Account.channels"));
        }
        channels.push(channel);
        if channels.len() > ACCOUNT_CHANNELS_MAX {
            let (count, max) = (channels.len(), ACCOUNT_CHANNELS_MAX);
            return Err(Malformed::TooMany { field: "Account.channels", count, max });
        }
    }
    from.end()?;
    Ok(Account { precision_ms, channels })
}

fn read_channel(mut from: Reader<'_>, left: &mut usize) -> Result<ChannelAccount, Malformed> {
    let channel = from.name(1, "channel")?;
    let (mut spans, mut end): (Vec<Span>, u64) = (Vec::new(), 0);
    while let Some(bytes) = from.optional_bytes(2)? {
        let mut span = Reader::new("Span", bytes);
        let (after, lasts) = (span.uint(1)?, span.uint(2)?);
        span.end()?;
        if lasts == 0 || after == 0 && !spans.is_empty() {
            return Err(Malformed::NotAscending("ChannelAccount.spans"));
        }
        let past = Malformed::BadValue { field: "Span.lasts_ms", value: i64::MAX };
        let from_ms = end.checked_add(after).ok_or(past.clone())?;
        let to_ms = from_ms.checked_add(lasts).ok_or(past)?;
        *left = left.checked_sub(1).ok_or(Malformed::TooMany {
            field: "Account spans",
            count: ACCOUNT_SPANS_MAX + 1,
            max: ACCOUNT_SPANS_MAX,
        })?;
        spans.push(Span { from_ms, to_ms });
        end = to_ms;
    }
    from.end()?;
    if spans.is_empty() {
        return Err(Malformed::Missing("ChannelAccount.spans"));
    }
    Ok(ChannelAccount { channel, spans })
}

impl From<&Account> for pb::Account {
    fn from(account: &Account) -> Self {
        let channel = |of: &ChannelAccount| {
            let mut end = 0;
            let span = |span: &Span| {
                let after_ms = span.from_ms.saturating_sub(end);
                end = span.to_ms;
                pb::Span { after_ms, lasts_ms: span.to_ms.saturating_sub(span.from_ms) }
            };
            let spans = of.spans.iter().map(span).collect();
            pb::ChannelAccount { channel: of.channel.to_string(), spans }
        };
        let channels = account.channels.iter().map(channel).collect();
        Self { precision_ms: account.precision_ms, channels }
    }
}

impl TryFrom<pb::Account> for Account {
    type Error = Malformed;

    fn try_from(account: pb::Account) -> Result<Self, Malformed> {
        read(Reader::new("Account", &account.encode_to_vec()))
    }
}
