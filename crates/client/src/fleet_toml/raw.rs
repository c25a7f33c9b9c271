//! The document's keys, before anything is known to be sound. Every value knows its place. No
//! `flatten`, no tagged enums: both lose it.
use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) type Text = Spanned<String>;
pub(super) type Number = Spanned<i64>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) api_version: Number,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) group: BTreeMap<Text, Group>,
    #[serde(default)]
    pub(super) server: BTreeMap<Text, Server>,
    #[serde(default)]
    pub(super) recorder: BTreeMap<Text, Recorder>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) commands_per_second: Option<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) mode: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) failback: Option<Text>,
    pub(super) recovery: Option<Text>,
    pub(super) fencing: Option<Text>,
    pub(super) copy: Option<Text>,
    pub(super) copy_rate: Option<Text>,
    pub(super) copy_kinds: Option<Spanned<Vec<Text>>>,
    pub(super) keep: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) group: Text,
    pub(super) role: Text,
    pub(super) timeout: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recorder {
    pub(super) home: Text,
    pub(super) priority: Option<Number>,
    pub(super) channels: Option<Number>,
    pub(super) addresses: Option<Spanned<Vec<Text>>>,
    pub(super) fencing: Option<Text>,
    pub(super) copy: Option<Text>,
    pub(super) copy_kinds: Option<Spanned<Vec<Text>>>,
    pub(super) keep: Option<Text>,
}
