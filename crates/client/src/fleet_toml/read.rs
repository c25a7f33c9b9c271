//! From keys to the core's types: after this nothing is asked again.
use std::str::FromStr;
use std::time::Duration;

use interrex_core::fleet::{Failback, Fleet, Group, Limits, Mode, Recorder, Role, Server};
use interrex_core::name::BadName;
use interrex_core::numbers::Timeout;
use jiff::fmt::friendly::SpanParser;

use super::{Parsed, Places, material, raw};

/// Timeouts below this are met only on quiet machines and networks.
const SHORT: Duration = Duration::from_secs(3);
/// A returned server is made to wait at most so long.
const RECOVERY_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The newest document that this program reads.
const API_VERSION: i64 = 1;

/// What is wrong, and where: a byte offset.
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) key: String,
    pub(super) problem: String,
}

pub(super) fn document(raw: &raw::Document, places: &mut Places) -> Result<Parsed, Wrong> {
    if *raw.api_version.get_ref() != API_VERSION {
        return Err(Wrong {
            at: raw.api_version.span().start,
            key: "api_version".to_owned(),
            problem: format!(
                "{} is not known; this program reads {API_VERSION}",
                raw.api_version.get_ref()
            ),
        });
    }
    let mut fleet = Fleet::default();
    let mut warnings = Vec::new();
    if let Some(limit) = &raw.limits.commands_per_second {
        let commands_per_second = number(limit, "limits.commands_per_second", 0, u32::MAX)?;
        fleet.limits = Limits { commands_per_second };
    }
    for (name, raw) in &raw.group {
        let table = format!("group.{}", name.get_ref());
        fleet.groups.insert(named(name, &table)?, group(raw, &table, &mut warnings)?);
    }
    for (name, raw) in &raw.server {
        let table = format!("server.{}", name.get_ref());
        let id = named(name, &table)?;
        places.groups.insert(id, raw.group.span().start);
        fleet.servers.insert(id, server(raw, &table, &mut warnings)?);
    }
    for (name, raw) in &raw.recorder {
        let table = format!("recorder.{}", name.get_ref());
        let id = named(name, &table)?;
        places.homes.insert(id, raw.home.span().start);
        let channels = raw.channels.as_ref().map_or(name.span().start, |value| value.span().start);
        places.channels.insert(id, channels);
        let addresses = raw.addresses.as_ref().map_or(0, |value| value.span().start);
        places.addresses.insert(id, addresses);
        fleet.recorders.insert(id, recorder(raw, &table)?);
    }
    Ok(Parsed { fleet, warnings })
}

fn group(raw: &raw::Group, table: &str, warnings: &mut Vec<String>) -> Result<Group, Wrong> {
    let mut group = Group::default();
    if let Some(mode) = &raw.mode {
        let known = [("observe", Mode::Observe), ("auto", Mode::Auto)];
        group.mode = choice(mode, &format!("{table}.mode"), &known, &["ask"])?;
    }
    if let Some(given) = &raw.timeout {
        group.timeout = timeout(given, &format!("{table}.timeout"), warnings)?;
    }
    if let Some(failback) = &raw.failback {
        let known = [("manual", Failback::Manual), ("auto", Failback::Auto)];
        group.failback = choice(failback, &format!("{table}.failback"), &known, &[])?;
    }
    if let Some(given) = &raw.recovery {
        let key = format!("{table}.recovery");
        group.recovery = duration(given, &key)?;
        if group.recovery > RECOVERY_MAX {
            return Err(at(given, &key, "is longer than 7 days".to_owned()));
        }
    }
    material::group(raw, table, &mut group)?;
    Ok(group)
}

fn server(raw: &raw::Server, table: &str, warnings: &mut Vec<String>) -> Result<Server, Wrong> {
    let roles = [("recorder-host", Role::RecorderHost), ("standby", Role::Standby)];
    let own = raw.timeout.as_ref();
    Ok(Server {
        group: named(&raw.group, &format!("{table}.group"))?,
        role: choice(&raw.role, &format!("{table}.role"), &roles, &[])?,
        timeout: own
            .map(|given| timeout(given, &format!("{table}.timeout"), warnings))
            .transpose()?,
    })
}

fn recorder(raw: &raw::Recorder, table: &str) -> Result<Recorder, Wrong> {
    let channels = match &raw.channels {
        Some(given) => number(given, &format!("{table}.channels"), 0, u32::MAX)?,
        None => 1,
    };
    let priority = match &raw.priority {
        Some(given) => number(given, &format!("{table}.priority"), i32::MIN, i32::MAX)?,
        None => 0,
    };
    Ok(Recorder {
        home: named(&raw.home, &format!("{table}.home"))?,
        priority,
        channels,
        config: interrex_wire::fleet::config_hash(channels),
        own: material::overrides(raw, table)?,
        addresses: material::addresses(raw.addresses.as_ref(), table)?.into(),
    })
}

pub(super) fn at<T>(given: &toml::Spanned<T>, key: &str, problem: String) -> Wrong {
    Wrong { at: given.span().start, key: key.to_owned(), problem }
}

fn named<T: FromStr<Err = BadName>>(given: &raw::Text, key: &str) -> Result<T, Wrong> {
    given.get_ref().parse().map_err(|bad: BadName| at(given, key, bad.to_string()))
}

/// One of `known`; `later` names what is agreed on and not there yet.
pub(super) fn choice<T: Copy>(
    given: &raw::Text,
    key: &str,
    known: &[(&str, T)],
    later: &[&str],
) -> Result<T, Wrong> {
    let text = given.get_ref().as_str();
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let allowed = known.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>();
    let allowed = allowed.join(" or ");
    let problem = if later.contains(&text) {
        format!("{text:?} comes with a later release; this one knows {allowed}")
    } else {
        format!("{text:?} is not known; use {allowed}")
    };
    Err(at(given, key, problem))
}

fn number<T>(given: &raw::Number, key: &str, least: T, most: T) -> Result<T, Wrong>
where
    T: TryFrom<i64> + Into<i64>,
{
    let value = *given.get_ref();
    let (least, most): (i64, i64) = (least.into(), most.into());
    let problem = || at(given, key, format!("{value} is not between {least} and {most}"));
    T::try_from(value).map_err(|_| problem())
}

fn timeout(given: &raw::Text, key: &str, warnings: &mut Vec<String>) -> Result<Timeout, Wrong> {
    let length = duration(given, key)?;
    let timeout = Timeout::new(length).ok_or_else(|| {
        at(given, key, format!("{} is not between 1s and 60min", given.get_ref()))
    })?;
    if length < SHORT {
        warnings.push(format!(
            "{key}: {} is short; below 3 s, busy machines and networks may look dead",
            given.get_ref()
        ));
    }
    Ok(timeout)
}

/// "2s", "1m 30s", "500ms": whole milliseconds, as the history keeps them.
fn duration(given: &raw::Text, key: &str) -> Result<Duration, Wrong> {
    let text = given.get_ref();
    let parsed = SpanParser::new().parse_unsigned_duration(text).map_err(|_| {
        at(given, key, format!("{text:?} is not a duration; write \"2s\", \"500ms\" or \"1m 30s\""))
    })?;
    if parsed.subsec_nanos() % 1_000_000 != 0 {
        return Err(at(given, key, format!("{text:?} is finer than a millisecond")));
    }
    Ok(parsed)
}
