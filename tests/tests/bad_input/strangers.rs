//! Programs of another cluster, and a member that nobody knows: kept out, and told so.
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use interrex_tests::bad::{Said, assert_nobody_panicked, await_end, run};
use interrex_tests::{World, fleet};
use serde_json::Value;

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// What `name` itself, with no majority beside it, says of `subject`: soon, or never.
fn own_alarm(world: &World, name: &str, subject: &str) -> Value {
    let endpoint = world.place.endpoint(name).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let args = ["status", "--stale", "-o", "json"];
        let output = world.place.interrex_as("admin", &endpoint, &args).unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        if let Some(found) = problems
            .into_iter()
            .find(|found| found["code"] == "wrong_cluster" && found["subject"] == subject)
        {
            return found;
        }
        assert!(Instant::now() < end, "{name} says nothing of {subject}: {status}");
    }
}

/// Puts another name and id into the identity of a folder, as somebody might who knows its form.
fn forge(folder: &Path, name: &str, id: u64) {
    let text = fs::read_to_string(folder.join("identity")).unwrap();
    let text = text.split("\nblake3 ").next().unwrap();
    let text = text.replacen("\"name\": \"c3\"", &format!("\"name\": \"{name}\""), 1);
    let text = text.replacen("\"id\": 3", &format!("\"id\": {id}"), 1) + "\n";
    let sum = blake3::hash(text.as_bytes()).to_hex();
    fs::write(folder.join("identity"), format!("{text}blake3 {sum}\n")).unwrap();
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

/// c3 with the folder of the other cluster's c3: one that says so is not enough, two are.
fn a_folder_of_another_cluster(world: &mut World, other: &World) {
    let cluster = world.run(&["status"]).1["cluster"].as_str().unwrap().to_owned();
    let theirs = other_id(&other.place.data("c3"));
    let (data, own) = (world.place.data("c3"), world.place.dir().join("own"));
    for name in ["c2", "c3"] {
        world.place.terminate(name, Duration::from_secs(15)).unwrap();
    }
    copy(&data, &own);
    copy(&other.place.data("c3"), &data);
    let mut stranger = with(world, "c3", &[]);
    let stranger = stranger.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for (name, subject) in [("c1", "coordinator/c3"), ("c3", "coordinator/c1")] {
        let alarm = own_alarm(world, name, subject);
        let words = alarm["message"].as_str().unwrap();
        assert!(words.contains(&cluster) && words.contains(&theirs), "{alarm}");
        assert!(alarm["remedy"].as_str().unwrap().contains("--data"), "{alarm}");
    }
    world.place.start("c2").unwrap();
    let names: &[&str] = Vec::leak(vec![cluster.leak(), theirs.leak(), "data/c3"]);
    let said = Said { exit: 1, code: "wrong_cluster", names, remedy: "--data" };
    said.assert("a folder of another cluster", &await_end(stranger));
    let (exit, status, _) = world.run(&["status"]);
    assert_eq!(exit, Some(3), "{status}");
    assert_eq!(status["problems"][0]["subject"], "coordinator/c3", "{status}");
    copy(&own, &data);
    world.place.start("c3").unwrap();
}

/// The cluster id in a folder, as people see it.
fn other_id(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("identity")).unwrap();
    let id = text.split("\"cluster\": \"").nth(1).unwrap().split('"').next().unwrap();
    let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
    parts.join("-")
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

    a_folder_of_another_cluster(&mut world, &other);

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

    // The same with a folder that claims a place.
    copy(&world.place.dir().join("own"), &folder);
    forge(&folder, "c4", 4);
    let said = |names| Said { exit: 1, code: "unknown_member", names, remedy: "member add" };
    said(&["c4", "member 4", "c1 refuses"]).assert("no place", &run(with(&world, "c1", &flags)));
    // And with a folder that claims the place of another one.
    world.place.terminate("c3", Duration::from_secs(15)).unwrap();
    let data = world.place.data("c3");
    let sound = fs::read(data.join("identity")).unwrap();
    forge(&data, "c3", 2);
    said(&["c3", "member 2", "c2"]).assert("another's place", &run(with(&world, "c3", &[])));
    fs::write(data.join("identity"), sound).unwrap();
    world.place.start("c3").unwrap();

    assert_eq!(world.item(&["get", "notes", "where"])["text"], "in this cluster");
    let (exit, status, _) = world.run(&["status"]);
    assert_eq!(status["coordinators"].as_array().unwrap().len(), 3, "{exit:?} {status}");
    world.assert_verified();
    assert_nobody_panicked(&world);
}
