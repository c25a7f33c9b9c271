//! Single fields of generated messages: checked for presence, length and range.
use std::str::FromStr;
use std::time::Duration;

use interrex_core::name::BadName;
use interrex_core::numbers::Timeout;

use crate::Malformed;

/// A name that must be there.
pub(crate) fn name<T: FromStr<Err = BadName>>(
    field: &'static str,
    text: &str,
) -> Result<T, Malformed> {
    if text.is_empty() {
        return Err(Malformed::Missing(field));
    }
    text.parse().map_err(|source| Malformed::BadName { field, source })
}

/// A name, or nothing.
pub(crate) fn optional_name<T: FromStr<Err = BadName>>(
    field: &'static str,
    text: &str,
) -> Result<Option<T>, Malformed> {
    if text.is_empty() { Ok(None) } else { name(field, text).map(Some) }
}

/// Text of at most `max` bytes.
pub(crate) fn text(field: &'static str, text: String, max: usize) -> Result<String, Malformed> {
    if text.len() > max {
        return Err(Malformed::TooLong { field, length: text.len(), max });
    }
    Ok(text)
}

/// Exactly `N` bytes.
pub(crate) fn array<const N: usize>(
    field: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], Malformed> {
    let wrong = Malformed::WrongLength { field, length: bytes.len(), expected: N };
    bytes.try_into().map_err(|_| wrong)
}

/// A message that must be there.
pub(crate) fn present<T>(field: &'static str, message: Option<T>) -> Result<T, Malformed> {
    message.ok_or(Malformed::Missing(field))
}

/// At most `max` items, each converted.
pub(crate) fn list<A, B>(
    field: &'static str,
    items: Vec<A>,
    max: usize,
    convert: impl FnMut(A) -> Result<B, Malformed>,
) -> Result<Vec<B>, Malformed> {
    if items.len() > max {
        return Err(Malformed::TooMany { field, count: items.len(), max });
    }
    items.into_iter().map(convert).collect()
}

/// A duration in microseconds, as calls have it. What does not fit is as good as for ever.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds, as the history has it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// F, within its bounds.
pub(crate) fn timeout(field: &'static str, ms: u64) -> Result<Timeout, Malformed> {
    let value = i64::try_from(ms).unwrap_or(i64::MAX);
    Timeout::new(Duration::from_millis(ms)).ok_or(Malformed::BadValue { field, value })
}
