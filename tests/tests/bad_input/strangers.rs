//! Programs of another cluster, and a member that nobody knows: kept out, and told so.
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use interrex_tests::bad::{Said, assert_nobody_panicked, run};
use interrex_tests::{World, fleet};

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Waits until the log of `name` holds all of `words`.
fn await_log(world: &World, name: &str, words: &[&str]) {
    let path = world.place.dir().join("log").join(format!("{name}.log"));
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.lines().any(|line| words.iter().all(|word| line.contains(word))) {
            return;
        }
        assert!(Instant::now() < end, "{name} says nothing of {words:?}: {text}");
        // A file is written by another process: there is nothing to be told by.
        thread::sleep(Duration::from_millis(50));
    }
}

/// The command of `name` with the value of each flag replaced, as JSON.
fn with(world: &World, name: &str, flags: &[(&str, String)]) -> Command {
    let own = world.place.command(name).unwrap();
    let args: Vec<_> = own.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let mut command = Command::new(world.place.program());
    command.arg(&args[0]).args(["-o", "json"]);
    for pair in args[1..].chunks_exact(2) {
        let other = flags.iter().find(|(flag, _)| pair[0] == *flag);
        command.arg(&pair[0]).arg(other.map_or(&pair[1], |(_, value)| value));
    }
    command
}

#[test]
fn strangers_are_kept_out_by_name() {
    let mut other = World::on_loopback("other-cluster");
    other.place.start_coordinators().unwrap();
    other.ok(&["note", "where", "in the other cluster"]);
    let theirs = other.ok(&["status"])["cluster"].as_str().unwrap().replace('-', "");
    for name in other.place.coordinators() {
        other.place.terminate(&name, Duration::from_secs(15)).unwrap();
    }
    let mut world = World::on_loopback("strangers");
    world.place.start_coordinators().unwrap();
    world.apply(&fleet("2s", "auto"));
    world.ok(&["note", "where", "in this cluster"]);

    // An agent that belongs to the other cluster.
    let data = world.place.data("srv-1");
    fs::create_dir_all(&data).unwrap();
    let identity =
        format!(r#"{{"format":1,"server":"srv-1","cluster":"{theirs}","generation":1}}"#);
    fs::write(data.join("identity.json"), identity).unwrap();
    let mut command = world.place.command("srv-1").unwrap();
    command.args(["-o", "json"]);
    let said =
        Said { exit: 1, code: "wrong_cluster", names: &["cluster"], remedy: "--coordinators" };
    said.assert("an agent of another cluster", &run(command));
    assert_eq!(world.item(&["get", "servers", "srv-1"])["health"], "unknown");

    // A coordinator with the folder of the other cluster's member of the same name.
    world.place.terminate("c3", Duration::from_secs(15)).unwrap();
    let (data, own) = (world.place.data("c3"), world.place.dir().join("own"));
    copy(&data, &own);
    copy(&other.place.data("c3"), &data);
    let mut command = world.place.command("c3").unwrap();
    command.args(["-o", "json"]);
    world.place.launch_as("c3", command).unwrap();
    await_log(&world, "c3", &["wrong_cluster"]);
    let (exit, status, _) = world.run(&["status"]);
    assert_eq!(exit, Some(3), "{status}");
    assert_eq!(status["problems"][0]["subject"], "coordinator/c3", "{status}");
    world.place.kill("c3").unwrap();
    copy(&own, &data);
    world.place.start("c3").unwrap();

    // A member that nobody knows, with an empty folder: it has no place to take.
    world.place.issue("coordinator", "c4", "127.0.0.1").unwrap();
    let initial = with(&world, "c1", &[]);
    let initial: Vec<_> =
        initial.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let at = initial.iter().position(|arg| arg == "--initial").unwrap();
    let folder = world.place.dir().join("data/c4");
    let flags = [
        ("--name", "c4".to_owned()),
        ("--initial", format!("{},c4=127.0.0.1:9", initial[at + 1])),
        ("--data", folder.to_string_lossy().into_owned()),
        ("--tls", world.place.tls("c4").to_string_lossy().into_owned()),
        ("--listen", "127.0.0.1:17".to_owned()),
        ("--peer-listen", "127.0.0.1:18".to_owned()),
        ("--http", "127.0.0.1:19".to_owned()),
    ];
    let said = Said { exit: 1, code: "wrong_cluster", names: &["c4"], remedy: "member add" };
    said.assert("an unknown member", &run(with(&world, "c1", &flags)));

    assert_eq!(world.item(&["get", "notes", "where"])["text"], "in this cluster");
    let (exit, status, _) = world.run(&["status"]);
    assert_eq!(status["coordinators"].as_array().unwrap().len(), 3, "{exit:?} {status}");
    world.assert_verified();
    assert_nobody_panicked(&world);
}
