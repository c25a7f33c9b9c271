//! The keys about fencing and material, which a group sets and a recorder may set otherwise; and a
//! recorder's addresses. Read here, and written.
use std::time::Duration;

use interrex_core::LogicalAddress;
use interrex_core::fleet::{
    ADDRESSES_MAX, CopyPolicy, Fencing, Group, Kinds, MaterialKind, Overrides,
};
use toml::Spanned;

use super::export::{length, quoted};
use super::raw;
use super::read::{Wrong, at, choice};

const FENCING: [(&str, Fencing); 2] =
    [("record-first", Fencing::RecordFirst), ("fence-first", Fencing::FenceFirst)];
const COPY: [(&str, CopyPolicy); 4] = [
    ("auto", CopyPolicy::Auto),
    ("manual", CopyPolicy::Manual),
    ("discard", CopyPolicy::Discard),
    ("redirect", CopyPolicy::Redirect),
];
/// Of a rate, largest first.
const UNITS: [(&str, u64); 4] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];
/// Nobody keeps recordings longer by setting a number; leave `keep` out to keep them for ever.
const KEEP_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
/// So that a segment is never older than what is kept before it is whole.
const KEEP_MIN: Duration = Duration::from_secs(60);

pub(super) fn group(raw: &raw::Group, table: &str, group: &mut Group) -> Result<(), Wrong> {
    let own = Overrides {
        fencing: fencing(raw.fencing.as_ref(), table)?,
        copy: copy(raw.copy.as_ref(), table)?,
        copy_kinds: kinds(raw.copy_kinds.as_ref(), table)?,
        keep: keep(raw.keep.as_ref(), table)?,
    };
    *group = group.with(&own);
    if let Some(given) = &raw.copy_rate {
        group.copy_rate = rate(given, &format!("{table}.copy_rate"))?;
    }
    Ok(())
}

pub(super) fn overrides(raw: &raw::Recorder, table: &str) -> Result<Overrides, Wrong> {
    Ok(Overrides {
        fencing: fencing(raw.fencing.as_ref(), table)?,
        copy: copy(raw.copy.as_ref(), table)?,
        copy_kinds: kinds(raw.copy_kinds.as_ref(), table)?,
        keep: keep(raw.keep.as_ref(), table)?,
    })
}

pub(super) fn addresses(
    given: Option<&Spanned<Vec<raw::Text>>>,
    table: &str,
) -> Result<Vec<LogicalAddress>, Wrong> {
    let key = format!("{table}.addresses");
    let Some(given) = given else { return Ok(Vec::new()) };
    let mut addresses = Vec::new();
    for text in given.get_ref() {
        let address: LogicalAddress = text
            .get_ref()
            .parse()
            .map_err(|bad: interrex_core::BadAddress| at(text, &key, bad.to_string()))?;
        if addresses.iter().any(|known: &LogicalAddress| known.ip() == address.ip()) {
            return Err(at(text, &key, format!("{} is in it twice", address.ip())));
        }
        addresses.push(address);
    }
    if addresses.len() > ADDRESSES_MAX {
        return Err(at(given, &key, format!("has more than {ADDRESSES_MAX} addresses")));
    }
    addresses.sort_unstable();
    Ok(addresses)
}

fn fencing(given: Option<&raw::Text>, table: &str) -> Result<Option<Fencing>, Wrong> {
    given.map(|given| choice(given, &format!("{table}.fencing"), &FENCING, &[])).transpose()
}

fn copy(given: Option<&raw::Text>, table: &str) -> Result<Option<CopyPolicy>, Wrong> {
    given.map(|given| choice(given, &format!("{table}.copy"), &COPY, &[])).transpose()
}

fn kinds(given: Option<&Spanned<Vec<raw::Text>>>, table: &str) -> Result<Option<Kinds>, Wrong> {
    let Some(given) = given else { return Ok(None) };
    let known = MaterialKind::ALL.map(|kind| (kind.name(), kind));
    let key = format!("{table}.copy_kinds");
    given
        .get_ref()
        .iter()
        .map(|kind| choice(kind, &key, &known, &[]))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Zero means for ever, so that a recorder may say so where its group says otherwise.
fn keep(given: Option<&raw::Text>, table: &str) -> Result<Option<Duration>, Wrong> {
    let Some(given) = given else { return Ok(None) };
    let key = format!("{table}.keep");
    let text = given.get_ref();
    let unreadable =
        |_| at(given, &key, format!("{text:?} is not a duration; write \"30d\" or \"12h\""));
    let span: Result<jiff::Span, _> = text.parse();
    let keep = span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()));
    let keep = Duration::try_from(keep.map_err(unreadable)?).unwrap_or_default();
    if keep.is_zero() || (KEEP_MIN..=KEEP_MAX).contains(&keep) {
        return Ok(Some(keep));
    }
    let problem = format!("{text} is not between 1min and 100 years, and not 0s");
    Err(at(given, &key, problem))
}

/// "20MB/s": a whole number of a decimal unit a second.
fn rate(given: &raw::Text, key: &str) -> Result<u64, Wrong> {
    let text = given.get_ref().trim();
    let parsed = text.strip_suffix("/s").and_then(|amount| {
        let (unit, factor) = UNITS.iter().find(|(unit, _)| amount.ends_with(unit))?;
        let number = amount.strip_suffix(unit)?.trim_end();
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<u64>().ok().filter(|_| plain)?.checked_mul(*factor)
    });
    let problem = || format!("{text:?} is not a rate; write \"20MB/s\" or \"500kB/s\"");
    match (parsed, text) {
        (Some(rate), _) => Ok(rate),
        (None, "0") => Ok(0),
        (None, _) => Err(at(given, key, problem())),
    }
}

/// What differs from the defaults.
pub(super) fn of_group(group: &Group) -> Vec<(&'static str, String)> {
    let default = Group::default();
    let own = Overrides {
        fencing: Some(group.fencing).filter(|fencing| *fencing != default.fencing),
        copy: Some(group.copy).filter(|copy| *copy != default.copy),
        copy_kinds: Some(group.copy_kinds).filter(|kinds| *kinds != default.copy_kinds),
        keep: Some(group.keep).filter(|keep| *keep != default.keep),
    };
    let rate = (group.copy_rate > 0).then(|| ("copy_rate", quoted(&rate_text(group.copy_rate))));
    of_overrides(&own).into_iter().chain(rate).collect()
}

pub(super) fn of_overrides(own: &Overrides) -> Vec<(&'static str, String)> {
    let kinds = |kinds: Kinds| list(kinds.iter().map(|kind| kind.name().to_owned()));
    let keys = [
        own.fencing.map(|of| ("fencing", quoted(word(&FENCING, of)))),
        own.copy.map(|of| ("copy", quoted(word(&COPY, of)))),
        own.copy_kinds.map(|of| ("copy_kinds", kinds(of))),
        own.keep.map(|of| ("keep", length(of))),
    ];
    keys.into_iter().flatten().collect()
}

pub(super) fn of_addresses(addresses: &[LogicalAddress]) -> Option<(&'static str, String)> {
    let texts = addresses.iter().map(LogicalAddress::to_string);
    (!addresses.is_empty()).then(|| ("addresses", list(texts)))
}

fn word<T: PartialEq>(known: &[(&'static str, T)], of: T) -> &'static str {
    known.iter().find(|(_, value)| *value == of).map_or("", |(word, _)| *word)
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.map(|item| quoted(&item)).collect::<Vec<_>>().join(", "))
}

fn rate_text(rate: u64) -> String {
    let whole = UNITS.iter().find(|(_, factor)| rate.is_multiple_of(*factor));
    let (unit, factor) = whole.copied().unwrap_or(("B", 1));
    format!("{}{unit}/s", rate / factor)
}
