//! Unknown and ill-typed keys in every file: the place, the key, the remedy.
use std::fs;
use std::process::Command;

use interrex_tests::World;
use interrex_tests::bad::{Said, run};

const FLEET: &str = "correct the document at that place";
const COORDINATOR: &str = "interrex coordinator --help";
const AGENT: &str = "--help";

#[test]
fn a_wrong_key_is_told_with_file_line_and_column() {
    let world = World::on_loopback("bad-configuration");
    let file = world.place.dir().join("bad.toml");
    let path = file.to_string_lossy().into_owned();
    let fleet: &[&str] = &["apply", "-f", &path, "--endpoints", "127.0.0.1:9", "--insecure"];
    let coordinator: &[&str] = &["coordinator", "--check", "--config", &path];
    let agent: &[&str] = &["agent", "--check", "--config", &path];
    type Row<'a> = (&'a [&'a str], &'a str, &'static [&'static str], &'static str);
    let rows: [Row<'_>; 11] = [
        (
            fleet,
            "api_version = 1\n[group.hall-a]\ntmeout = \"2s\"\n",
            &["bad.toml", "line 3", "column 1", "group.hall-a.tmeout", "timeout"],
            FLEET,
        ),
        (
            fleet,
            "api_version = 1\n[group.hall-a]\ntimeout = 2\n",
            &["bad.toml", "line 3", "column 11", "group.hall-a.timeout"],
            FLEET,
        ),
        (
            fleet,
            "api_version = 1\n[grup.hall-a]\n",
            &["bad.toml", "line 2", "column 2", "grup"],
            FLEET,
        ),
        (
            fleet,
            "api_version = 1\n[group.Hall_A]\n",
            &["bad.toml", "line 2", "column 8", "Hall_A", "is not a name"],
            FLEET,
        ),
        (fleet, "api_version = 2\n", &["bad.toml", "line 1", "api_version", "2", "1"], FLEET),
        (fleet, "api_version 1\n", &["bad.toml", "line 1"], FLEET),
        (
            coordinator,
            "name = \"c1\"\nlissten = \"127.0.0.1:1\"\n",
            &["bad.toml:2:1", "lissten"],
            COORDINATOR,
        ),
        (
            coordinator,
            "name = \"c1\"\n\nlisten = 7401\n",
            &["bad.toml:3:10", "listen"],
            COORDINATOR,
        ),
        (coordinator, "[group.hall-a]\n", &["bad.toml:1:2", "group"], "interrex apply"),
        (
            agent,
            "server = \"srv-1\"\ncoordinator = \"h:1\"\n",
            &["bad.toml:2:1", "coordinator"],
            AGENT,
        ),
        (agent, "server = 1\n", &["bad.toml:1:10", "server"], AGENT),
    ];
    for (verb, text, names, remedy) in rows {
        fs::write(&file, text).unwrap();
        let mut command = Command::new(world.place.program());
        command.args(verb).args(["-o", "json"]);
        Said { exit: 78, code: "config", names, remedy }.assert(text, &run(command));
    }
}

#[test]
fn a_fleet_document_that_is_too_large_is_refused_before_it_is_sent() {
    let world = World::on_loopback("bad-size");
    let file = world.place.dir().join("large.toml");
    fs::write(&file, format!("api_version = 1\n#{}\n", "x".repeat(4 << 20))).unwrap();
    let mut command = Command::new(world.place.program());
    command.args(["apply", "-o", "json", "--endpoints", "127.0.0.1:9", "--insecure", "-f"]);
    let names = &["large.toml", "4194322", "4194304"];
    let said = Said { exit: 78, code: "config", names, remedy: "split the fleet" };
    command.arg(&file);
    said.assert("4 MiB", &run(command));
}
