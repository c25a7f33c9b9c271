//! The fleet document as bytes, and back. Twin of `interrex_core::fleet::Fleet` and of `Fleet` in
//! `event.proto`. Whether its names mean something is `Fleet::check`'s matter, not asked here.
use std::collections::BTreeMap;
use std::time::Duration;

use interrex_core::fleet::{
    ADDRESSES_MAX, CopyPolicy, Fencing, Fleet, Group, Kinds, Limits, Overrides, Recorder,
    SERVERS_MAX, Server,
};
use interrex_core::name::Name;
use interrex_core::{ConfigHash, GroupId, LogicalAddress, RecorderId, ServerId};
use prost::Message;

use crate::codec::{Reader, Writer};
use crate::limits::FLEET_MAX;
use crate::{Malformed, choice, copy, fields, pb};

/// Sets the hash of a recorder's configuration apart from all others.
const CONFIG_CONTEXT: &str = "interrex 2026-11-21 recorder configuration v1";

/// The hash of all that a recorder's holder must apply: BLAKE3 in its key derivation mode, with
/// the context `interrex 2026-11-21 recorder configuration v1`, over the protobuf message
/// `{ uint32 channels = 1; }`. Settings that come later are further fields of it, left out while
/// they are not set, so the hash of a recorder without them stays.
pub fn config_hash(channels: u32) -> ConfigHash {
    let mut settings = Writer::with_capacity(8);
    settings.uint(1, channels.into());
    ConfigHash(blake3::derive_key(CONFIG_CONTEXT, &settings.into_bytes()))
}

/// The fleet document's bytes: what a recorded one is compared by.
pub fn encode(fleet: &Fleet) -> Vec<u8> {
    let mut to = Writer::with_capacity(64 * (1 + fleet.servers.len() + fleet.recorders.len()));
    write(&mut to, fleet);
    to.into_bytes()
}

/// The fleet document that `bytes` are.
///
/// # Errors
///
/// They are not the bytes of a fleet document, or too many.
pub fn decode(bytes: &[u8]) -> Result<Fleet, Malformed> {
    read(Reader::new("Fleet", bytes))
}

pub(crate) fn write(to: &mut Writer, fleet: &Fleet) {
    to.message(1, |to| to.uint(1, fleet.limits.commands_per_second.into()));
    for (name, group) in &fleet.groups {
        to.message(2, |to| {
            to.name(1, name.0);
            to.choice(2, group.mode);
            to.uint(3, fields::millis(group.timeout.silence()));
            to.choice(4, group.failback);
            to.uint(5, fields::millis(group.recovery));
            to.choice_but(6, group.fencing, Fencing::default());
            to.choice_but(7, group.copy, CopyPolicy::default());
            to.uint(8, group.copy_rate);
            to.uint(9, group.copy_kinds.bits().into());
            to.uint(10, fields::millis(group.keep));
        });
    }
    for (name, server) in &fleet.servers {
        to.message(3, |to| {
            to.name(1, name.0);
            to.name(2, server.group.0);
            to.choice(3, server.role);
            to.optional_uint(4, server.timeout.map(|timeout| fields::millis(timeout.silence())));
        });
    }
    for (name, recorder) in &fleet.recorders {
        to.message(4, |to| {
            to.name(1, name.0);
            to.name(2, recorder.home.0);
            to.uint(3, zigzag(recorder.priority));
            to.uint(4, recorder.channels.into());
            to.bytes(5, &recorder.config.0);
            to.optional_choice(6, recorder.own.fencing);
            to.optional_choice(7, recorder.own.copy);
            to.optional_uint(8, recorder.own.copy_kinds.map(|kinds| kinds.bits().into()));
            to.optional_uint(9, recorder.own.keep.map(fields::millis));
            for address in recorder.addresses.iter() {
                to.bytes(10, address.to_string().as_bytes());
            }
        });
    }
}

pub(crate) fn read(mut from: Reader<'_>) -> Result<Fleet, Malformed> {
    if from.len() > FLEET_MAX {
        let length = from.len();
        return Err(Malformed::TooLong { field: "fleet document", length, max: FLEET_MAX });
    }
    let mut limits = from.message(1, "Limits")?;
    let commands_per_second = limits.uint32(1, "commands_per_second")?;
    limits.end()?;
    let groups = table(&mut from, 2, "groups", |from, name| Ok((GroupId(name), group(from)?)))?;
    let servers = table(&mut from, 3, "servers", |from, name| Ok((ServerId(name), server(from)?)))?;
    let recorders =
        table(&mut from, 4, "recorders", |from, name| Ok((RecorderId(name), recorder(from)?)))?;
    from.end()?;
    Ok(Fleet { limits: Limits { commands_per_second }, groups, servers, recorders })
}

/// Items that begin with a name, in ascending order.
fn table<K: Ord + Copy, V>(
    from: &mut Reader<'_>,
    field: u32,
    name: &'static str,
    item: impl Fn(&mut Reader<'_>, Name) -> Result<(K, V), Malformed>,
) -> Result<BTreeMap<K, V>, Malformed> {
    let mut items = BTreeMap::new();
    while let Some(bytes) = from.optional_bytes(field)? {
        let mut reader = Reader::new(name, bytes);
        let key = reader.name(1, name)?;
        let (key, value) = item(&mut reader, key)?;
        reader.end()?;
        if items.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(Malformed::NotAscending(name));
        }
        items.insert(key, value);
        if items.len() > SERVERS_MAX {
            return Err(Malformed::TooMany { field: name, count: items.len(), max: SERVERS_MAX });
        }
    }
    Ok(items)
}

fn group(from: &mut Reader<'_>) -> Result<Group, Malformed> {
    Ok(Group {
        mode: from.choice(2)?,
        timeout: fields::timeout("group timeout_ms", from.uint(3)?)?,
        failback: from.choice(4)?,
        recovery: Duration::from_millis(from.uint(5)?),
        fencing: from.choice_but(6, Fencing::default())?,
        copy: from.choice_but(7, CopyPolicy::default())?,
        copy_rate: from.uint(8)?,
        copy_kinds: copy::kinds("copy_kinds", from.uint32(9, "copy_kinds")?)?,
        keep: Duration::from_millis(from.uint(10)?),
    })
}

fn server(from: &mut Reader<'_>) -> Result<Server, Malformed> {
    let group = GroupId(from.name(2, "group")?);
    let role = from.choice(3)?;
    let timeout = from.optional_uint(4)?.map(|ms| fields::timeout("server timeout_ms", ms));
    Ok(Server { group, role, timeout: timeout.transpose()? })
}

fn recorder(from: &mut Reader<'_>) -> Result<Recorder, Malformed> {
    Ok(Recorder {
        home: ServerId(from.name(2, "home")?),
        priority: unzigzag(from.uint32(3, "priority")?),
        channels: from.uint32(4, "channels")?,
        config: ConfigHash(fields::array(
            "recorder config",
            from.optional_bytes(5)?.unwrap_or_default(),
        )?),
        own: Overrides {
            fencing: from.optional_choice(6)?,
            copy: from.optional_choice(7)?,
            copy_kinds: from.optional_uint(8)?.map(kinds).transpose()?,
            keep: from.optional_uint(9)?.map(Duration::from_millis),
        },
        addresses: addresses(from)?.into(),
    })
}

fn kinds(bits: u64) -> Result<Kinds, Malformed> {
    copy::kinds("copy_kinds", u32::try_from(bits).unwrap_or(u32::MAX))
}

fn addresses(from: &mut Reader<'_>) -> Result<Vec<LogicalAddress>, Malformed> {
    let mut addresses = Vec::new();
    while let Some(bytes) = from.optional_bytes(10)? {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::NotText("addresses"))?;
        let address = copy::logical("addresses", text)?;
        if address.to_string() != text {
            return Err(from.not_canonical());
        }
        addresses.push(address);
        if addresses.len() > ADDRESSES_MAX {
            let (count, max) = (addresses.len(), ADDRESSES_MAX);
            return Err(Malformed::TooMany { field: "addresses", count, max });
        }
    }
    Ok(addresses)
}

/// protobuf's sint32.
fn zigzag(value: i32) -> u64 {
    u64::from((value << 1 ^ value >> 31).cast_unsigned())
}

fn unzigzag(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// 0, which is left out, for the default.
fn but_default<T: choice::Choice + Default + PartialEq>(value: T) -> i32 {
    if value == T::default() { 0 } else { choice::number(value) }
}

impl From<&Fleet> for pb::Fleet {
    fn from(fleet: &Fleet) -> Self {
        let ms = |timeout: interrex_core::numbers::Timeout| fields::millis(timeout.silence());
        let groups = fleet.groups.iter().map(|(name, group)| pb::Group {
            name: name.to_string(),
            mode: choice::number(group.mode),
            timeout_ms: ms(group.timeout),
            failback: choice::number(group.failback),
            recovery_ms: fields::millis(group.recovery),
            fencing: but_default(group.fencing),
            copy: but_default(group.copy),
            copy_rate: group.copy_rate,
            copy_kinds: group.copy_kinds.bits(),
            keep_ms: fields::millis(group.keep),
        });
        let servers = fleet.servers.iter().map(|(name, server)| pb::Server {
            name: name.to_string(),
            group: server.group.to_string(),
            role: choice::number(server.role),
            timeout_ms: server.timeout.map(ms),
        });
        let recorders = fleet.recorders.iter().map(|(name, recorder)| pb::Recorder {
            name: name.to_string(),
            home: recorder.home.to_string(),
            priority: recorder.priority,
            channels: recorder.channels,
            config: recorder.config.0.to_vec(),
            fencing: recorder.own.fencing.map(choice::number),
            copy: recorder.own.copy.map(choice::number),
            copy_kinds: recorder.own.copy_kinds.map(Kinds::bits),
            keep_ms: recorder.own.keep.map(fields::millis),
            addresses: recorder.addresses.iter().map(LogicalAddress::to_string).collect(),
        });
        let commands_per_second = fleet.limits.commands_per_second;
        Self {
            limits: Some(pb::Limits { commands_per_second }),
            groups: groups.collect(),
            servers: servers.collect(),
            recorders: recorders.collect(),
        }
    }
}

impl TryFrom<pb::Fleet> for Fleet {
    type Error = Malformed;

    /// By way of the bytes, so that there is one reader only.
    fn try_from(fleet: pb::Fleet) -> Result<Self, Malformed> {
        decode(&fleet.encode_to_vec())
    }
}
