//! Refusals that no story tells: fleet documents, notes, pauses; and their codes and remedies.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{Fleet, Role};
use interrex_core::*;

use crate::script::run;
use crate::world::*;

fn judged(world: &World, command: &Command) -> Result<Vec<Event>, Refusal> {
    decide(&world.state, command, &world.evidence, world.now())
}

fn code(world: &World, command: &Command) -> &'static str {
    judged(world, command).map_or_else(|refusal| refusal.code(), |_| "done")
}

/// The document with one change.
fn edited(world: &World, edit: impl FnOnce(&mut Fleet)) -> Command {
    let mut fleet = Fleet::clone(world.state.fleet.document());
    edit(&mut fleet);
    Command::ApplyFleet { fleet: Arc::new(fleet), expect: None }
}

fn remove(world: &World, names: &[&str]) -> Command {
    edited(world, |fleet| {
        fleet.servers.retain(|server, _| !names.contains(&server.as_str()));
        fleet.recorders.retain(|recorder, _| !names.contains(&recorder.as_str()));
    })
}

/// srv-1 lost, its recorder on srv-3; srv-2 and the standby srv-4 untouched.
fn substituted() -> World {
    let mut world = Plan { standbys: 2, ..Plan::default() }.world();
    run(&mut world, "silent srv-1");
    run(&mut world, "agent srv-3 rec-1 e2 acting 100");
    world
}

#[test]
fn what_a_recorder_away_from_home_rests_on_stays() {
    let world = substituted();
    let rehome = |fleet: &mut Fleet| {
        let rec = fleet.recorders.get_mut(&recorder("rec-2")).unwrap();
        rec.home = server("srv-5");
        fleet.servers.insert(server("srv-5"), fleet.servers[&server("srv-2")]);
    };
    let regroup = |name: &'static str| {
        move |fleet: &mut Fleet| {
            fleet.groups.insert(group("hall-b"), fleet.groups[&group("hall-a")]);
            fleet.servers.get_mut(&server(name)).unwrap().group = group("hall-b");
        }
    };
    let cases = [
        ("the recorder", remove(&world, &["rec-1", "srv-1"]), "in_use"),
        ("its substitute", remove(&world, &["srv-3"]), "in_use"),
        ("another home", edited(&world, rehome), "in_use"),
        ("the substitute's group", edited(&world, regroup("srv-3")), "in_use"),
        ("the home's group", edited(&world, regroup("srv-1")), "in_use"),
        ("an idle standby", remove(&world, &["srv-4"]), "done"),
        ("an idle standby's group", edited(&world, regroup("srv-4")), "done"),
        ("a recorder at home with its server", remove(&world, &["rec-2", "srv-2"]), "done"),
        ("a home without a server", remove(&world, &["srv-2"]), "unsound"),
        (
            "priority and channels",
            edited(&world, |fleet| {
                let rec = fleet.recorders.get_mut(&recorder("rec-1")).unwrap();
                (rec.priority, rec.channels) = (7, 8);
            }),
            "done",
        ),
    ];
    for (what, command, expected) in cases {
        assert_eq!(code(&world, &command), expected, "{what}");
    }
}

#[test]
fn what_a_hand_over_waits_for_stays() {
    let mut world = Plan { standbys: 2, ..Plan::default() }.world();
    run(&mut world, "failover rec-1 to srv-4");
    for names in [&["srv-4"][..], &["rec-1", "srv-1"]] {
        assert_eq!(code(&world, &remove(&world, names)), "in_use", "{names:?}");
    }
    let promote = edited(&world, |fleet| {
        fleet.servers.get_mut(&server("srv-4")).unwrap().role = Role::RecorderHost;
    });
    let Err(Refusal::InUse { subject, .. }) = judged(&world, &promote) else { panic!() };
    assert_eq!(subject, "server srv-4", "it is named");
}

/// A lease of its old tenure may still run.
#[test]
fn a_removed_recorder_comes_back_in_a_new_epoch_and_at_its_old_home_only() {
    let mut world = Plan::default().world();
    let old = Fleet::clone(world.state.fleet.document());
    let command = remove(&world, &["rec-1"]);
    world.command(command);
    assert_eq!(world.state.roles.tenure(recorder("rec-1")), None);
    let elsewhere = edited(&world, |fleet| {
        fleet.servers.insert(server("srv-9"), old.servers[&server("srv-1")]);
        let home = server("srv-9");
        let rec = fleet::Recorder { home, ..old.recorders[&recorder("rec-1")].clone() };
        fleet.recorders.insert(recorder("rec-1"), rec);
    });
    assert_eq!(code(&world, &elsewhere), "in_use");
    world.command(Command::ApplyFleet { fleet: Arc::new(old), expect: None });
    assert_eq!(world.state.roles.tenure(recorder("rec-1")).unwrap().epoch, Epoch(2));
}

#[test]
fn a_document_that_was_replaced_meanwhile_is_stale() {
    let mut world = Plan::default().world();
    let read = world.state.revision;
    let command = edited(&world, |_| ());
    let Command::ApplyFleet { fleet, .. } = command else { unreachable!() };
    let command = Command::ApplyFleet { fleet, expect: Some(read) };
    run(&mut world, "note k t");
    assert_eq!(code(&world, &command), "done", "notes do not count");
    run(&mut world, "priority rec-1 5");
    assert_eq!(code(&world, &command), "stale_revision");
}

#[test]
fn a_note_is_a_register() {
    let mut world = Plan::default().world();
    let note = |key: &str, text: &str, expect: Option<u64>| {
        let (key, text) = (key.to_owned(), text.to_owned());
        Command::Note { key, text, expect: expect.map(Revision) }
    };
    assert_eq!(code(&world, &note("k", "t", Some(1))), "stale_note");
    world.command(note("k", "t", Some(0)));
    let newest = world.state.notes.get("k").unwrap().revision.0;
    assert_eq!(newest, world.state.revision.0);
    let cases = [
        (note("k", "t", Some(0)), "stale_note"),
        (note("k", "t", Some(newest)), "done"),
        (note("k", "t", None), "done"),
        (note("", "t", None), "no_key"),
        (note("k", &"x".repeat(NOTE_MAX), None), "done"),
        (note("k", &"x".repeat(NOTE_MAX + 1), None), "too_long"),
        (note(&"k".repeat(KEY_MAX), "t", None), "done"),
        (note(&"k".repeat(KEY_MAX + 1), "t", None), "too_long"),
    ];
    for (command, expected) in cases {
        assert_eq!(code(&world, &command), expected, "{command:?}");
    }
}

#[test]
fn a_pause_has_an_end_and_a_subject() {
    let world = Plan::default().world();
    let pause = |subject, lasts| Command::Pause { subject, scope: Scope::All, lasts };
    let hour = Duration::from_secs(3600);
    let cases = [
        (pause(Subject::Everything, hour), "done"),
        (pause(Subject::Everything, PAUSE_MAX), "done"),
        (pause(Subject::Everything, PAUSE_MAX + hour), "bad_duration"),
        (pause(Subject::Everything, Duration::ZERO), "bad_duration"),
        (pause(Subject::Server(server("srv-9")), hour), "unknown_name"),
        (pause(Subject::Group(group("hall-9")), hour), "unknown_name"),
        (Command::Resume { subject: Subject::Server(server("srv-9")) }, "unknown_name"),
        (Command::Resume { subject: Subject::Everything }, "not_paused"),
    ];
    for (command, expected) in cases {
        assert_eq!(code(&world, &command), expected, "{command:?}");
    }
}

#[test]
fn an_unprotected_recorder_is_told_apart_from_one_whose_standbys_are_busy() {
    let world = Plan { standbys: 0, ..Plan::default() }.world();
    let failover =
        Command::FailOver { recorder: recorder("rec-1"), to: None, expect: None, despite: false };
    assert_eq!(code(&world, &failover), "not_protected");
    assert_eq!(is_protected(&world.state, recorder("rec-1")), Some(false));
    let mut world = Plan::default().world();
    assert_eq!(is_protected(&world.state, recorder("rec-1")), Some(true));
    run(&mut world, "silent srv-2");
    assert_eq!(code(&world, &failover), "no_eligible_standby");
    assert_eq!(is_protected(&world.state, recorder("rec-1")), Some(false));
    let refused = Refused::from(judged(&world, &failover).unwrap_err());
    assert!(refused.message.contains("srv-3 holds rec-2"), "{}", refused.message);
    assert!(!refused.remedy.is_empty());
}
