//! The fleet document: what is wrong is named with line, column and key; what is right survives.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]
use std::time::Duration;

use interrex_client::fleet_toml::{TEXT_MAX, diff, export, parse};
use interrex_core::fleet::{
    COMMANDS_PER_SECOND, CopyPolicy, Failback, Fencing, MaterialKind, Mode, Overrides,
};

const SOUND: &str = r#"api_version = 1
[limits]
commands_per_second = 0
[group.hall-a]
mode = "auto"
timeout = "2s"
failback = "auto"
recovery = "1m 30s"
fencing = "record-first"
[server.srv-1]
group = "hall-a"
role = "recorder-host"
timeout = "4s"
[server.srv-3]
group = "hall-a"
role = "standby"
[recorder.rec-1]
home = "srv-1"
priority = 100
channels = 4
"#;

#[test]
fn every_key_arrives() {
    let parsed = parse(SOUND).unwrap();
    let fleet = &parsed.fleet;
    assert_eq!(fleet.limits.commands_per_second, 0);
    let group = fleet.groups.values().next().unwrap();
    assert_eq!((group.mode, group.failback), (Mode::Auto, Failback::Auto));
    assert_eq!(group.recovery, Duration::from_secs(90));
    assert_eq!(group.timeout.silence(), Duration::from_secs(2));
    assert_eq!(fleet.timeout("srv-1".parse().unwrap()).silence(), Duration::from_secs(4));
    let recorder = fleet.recorders.values().next().unwrap();
    assert_eq!((recorder.priority, recorder.channels), (100, 4));
    assert_eq!(recorder.config, interrex_wire::fleet::config_hash(4));
    assert_eq!(parsed.warnings.len(), 1, "{:?}", parsed.warnings);
    assert!(parsed.warnings[0].starts_with("group.hall-a.timeout: 2s is short"));
}

/// All that a document may say of fencing and material.
const MATERIAL: &str = r#"api_version = 1
[group.hall-a]
fencing = "fence-first"
copy = "manual"
copy_rate = "20MB/s"
copy_kinds = ["video", "snapshots"]
keep = "30d"
[server.srv-1]
group = "hall-a"
role = "recorder-host"
[recorder.rec-1]
home = "srv-1"
addresses = ["10.77.0.101/32", "10.77.0.100/24"]
fencing = "record-first"
copy = "redirect"
copy_kinds = []
keep = "0s"
"#;

#[test]
fn fencing_and_material_are_the_groups_unless_the_recorder_says_otherwise() {
    let fleet = parse(MATERIAL).unwrap().fleet;
    let group = fleet.groups.values().next().unwrap();
    assert_eq!((group.fencing, group.copy), (Fencing::FenceFirst, CopyPolicy::Manual));
    assert_eq!((group.copy_rate, group.keep.as_secs()), (20_000_000, 30 * 24 * 3600));
    let kinds: Vec<_> = group.copy_kinds.iter().collect();
    assert_eq!(kinds, [MaterialKind::Video, MaterialKind::Snapshots]);
    let policy = fleet.policy("rec-1".parse().unwrap());
    assert_eq!((policy.fencing, policy.copy), (Fencing::RecordFirst, CopyPolicy::Redirect));
    assert!(policy.copy_kinds.contains(MaterialKind::Audio), "none named: all");
    assert_eq!((policy.keep, policy.copy_rate), (Duration::ZERO, 20_000_000));
    let addresses = &fleet.recorders.values().next().unwrap().addresses;
    let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.77.0.100/24", "10.77.0.101/32"]);
    assert_eq!(parse(&export(&fleet)).unwrap().fleet, fleet);
    let silent = parse(SOUND).unwrap().fleet;
    assert_eq!(silent.recorders.values().next().unwrap().own, Overrides::default());
}

#[test]
fn what_is_wrong_with_material_is_named() {
    let cases = [
        ("\"20MB/s\"", "\"20MB\"", "group.hall-a.copy_rate", "write \"20MB/s\""),
        ("\"20MB/s\"", "\"-2MB/s\"", "group.hall-a.copy_rate", "is not a rate"),
        ("\"snapshots\"", "\"smell\"", "group.hall-a.copy_kinds", "or \"snapshots\""),
        ("\"30d\"", "\"3s\"", "group.hall-a.keep", "between 1min and 100 years"),
        ("101/32", "101", "recorder.rec-1.addresses", "an IP address with its prefix"),
        ("101/32", "100/32", "recorder.rec-1.addresses", "is in it twice"),
        ("\"redirect\"", "\"move\"", "recorder.rec-1.copy", "use \"auto\" or \"manual\""),
    ];
    for (old, new, key, words) in cases {
        let text = MATERIAL.replacen(old, new, 1);
        let bad = parse(&text).unwrap_err();
        assert_eq!(bad.key, key, "{bad}");
        assert!(bad.line > 1 && bad.problem.contains(words), "{words}: {bad}");
    }
    let second = "[server.srv-2]\ngroup = \"hall-a\"\nrole = \"recorder-host\"\n\
                  [recorder.rec-2]\nhome = \"srv-2\"\naddresses = [\"10.77.0.100/32\"]\n";
    let bad = parse(&format!("{MATERIAL}{second}")).unwrap_err();
    assert_eq!((bad.line, bad.key.as_str()), (23, "recorder.rec-2.addresses"));
    assert!(bad.problem.contains("have the same address 10.77.0.100"), "{bad}");
}

#[test]
fn what_is_exported_reads_as_the_same_fleet() {
    let fleet = parse(SOUND).unwrap().fleet;
    let text = export(&fleet);
    assert_eq!(parse(&text).unwrap().fleet, fleet);
    assert_eq!(export(&parse(&text).unwrap().fleet), text, "canonical");
    assert_eq!(
        parse("api_version = 1\n").unwrap().fleet.limits.commands_per_second,
        COMMANDS_PER_SECOND
    );
}

#[test]
fn a_difference_is_named_by_its_key() {
    let one = parse(SOUND).unwrap().fleet;
    let other = SOUND.replace("priority = 100", "priority = 7").replace("timeout = \"4s\"\n", "");
    let changes = diff(&one, &parse(&other).unwrap().fleet);
    let shown: Vec<_> =
        changes.iter().map(|c| (c.key.as_str(), c.from.as_deref(), c.to.as_deref())).collect();
    let wanted = [
        ("recorder.rec-1.priority", Some("100"), Some("7")),
        ("server.srv-1.timeout", Some("\"4s\""), None),
    ];
    assert_eq!(shown, wanted);
    assert!(diff(&one, &one).is_empty());
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_the_remedy() {
    // What is replaced by what; then line, column, key, and words of the message.
    let cases: &[(&str, &str, usize, usize, &str, &str)] = &[
        ("api_version = 1", "api_version = 2", 1, 15, "api_version", "this program reads 1"),
        ("timeout = \"2s\"", "timeuot = \"2s\"", 6, 1, "group.hall-a.timeuot", "unknown field"),
        ("timeout = \"2s\"", "timeout = 2", 6, 11, "group.hall-a.timeout", "invalid type: integer"),
        (
            "timeout = \"2s\"",
            "timeout = \"900ms\"",
            6,
            11,
            "group.hall-a.timeout",
            "between 1s and 60min",
        ),
        (
            "timeout = \"2s\"",
            "timeout = \"61min\"",
            6,
            11,
            "group.hall-a.timeout",
            "between 1s and 60min",
        ),
        ("timeout = \"2s\"", "timeout = \"soon\"", 6, 11, "group.hall-a.timeout", "write \"2s\""),
        (
            "timeout = \"4s\"",
            "timeout = \"0s\"",
            13,
            11,
            "server.srv-1.timeout",
            "between 1s and 60min",
        ),
        (
            "mode = \"auto\"",
            "mode = \"ask\"",
            5,
            8,
            "group.hall-a.mode",
            "comes with a later release",
        ),
        (
            "mode = \"auto\"",
            "mode = \"on\"",
            5,
            8,
            "group.hall-a.mode",
            "use \"observe\" or \"auto\"",
        ),
        (
            "\"record-first\"",
            "\"addresses-first\"",
            9,
            11,
            "group.hall-a.fencing",
            "use \"record-first\" or \"fence-first\"",
        ),
        ("\"recorder-host\"", "\"host\"", 12, 8, "server.srv-1.role", "use \"recorder-host\""),
        ("[server.srv-1]", "[server.Srv_1]", 10, 9, "server.Srv_1", "is not a name"),
        ("[server.srv-3]", "[server.srv-1]", 14, 9, "server.srv-1", "duplicate key"),
        ("role = \"standby\"", "", 14, 1, "server.srv-3", "missing field `role`"),
        (
            "home = \"srv-1\"",
            "home = \"srv-2\"",
            18,
            8,
            "recorder.rec-1.home",
            "not in the document",
        ),
        ("home = \"srv-1\"", "home = \"srv-3\"", 18, 8, "recorder.rec-1.home", "is a standby"),
        (
            "group = \"hall-a\"",
            "group = \"hall-b\"",
            11,
            9,
            "server.srv-1.group",
            "not in the document",
        ),
        ("channels = 4", "channels = 0", 20, 12, "recorder.rec-1.channels", "allowed are 1 to"),
        ("channels = 4", "channels = -1", 20, 12, "recorder.rec-1.channels", "between 0 and"),
        (
            "priority = 100",
            "priority = 3000000000",
            19,
            12,
            "recorder.rec-1.priority",
            "between -2147483648",
        ),
        (
            "commands_per_second = 0",
            "commands_per_second = \"0\"",
            3,
            23,
            "limits.commands_per_second",
            "invalid type: string",
        ),
        ("[limits]", "[limit]", 2, 2, "limit", "unknown field `limit`"),
        ("channels = 4", "channels = ", 20, 12, "recorder.rec-1.channels", ""),
    ];
    for (old, new, line, column, key, words) in cases {
        let text = SOUND.replacen(old, new, 1);
        assert_ne!(&text, SOUND, "{old}");
        let bad = parse(&text).unwrap_err();
        assert_eq!(
            (bad.line, bad.column, bad.key.as_str()),
            (*line, *column, *key),
            "{new}: {bad}"
        );
        assert!(bad.problem.contains(words), "{words}: {bad}");
    }
}

#[test]
fn a_home_is_shared_by_nobody_and_a_document_has_an_end() {
    let second = format!("{SOUND}[recorder.rec-2]\nhome = \"srv-1\"\n");
    let bad = parse(&second).unwrap_err();
    assert_eq!((bad.line, bad.key.as_str()), (22, "recorder.rec-2.home"));
    assert!(bad.problem.contains("rec-1 and recorder.rec-2 have the same home"), "{bad}");
    let long = format!("{SOUND}#{}", "x".repeat(TEXT_MAX));
    assert!(parse(&long).unwrap_err().problem.contains("at most 4194304"));
}
