//! Data folders that are damaged, half written, newer, or of somebody else.
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use interrex_tests::World;
use interrex_tests::bad::{Said, assert_nobody_panicked, run};

const REBUILD: &str = "interrex member add";
const CORRUPT: Said = Said { exit: 1, code: "corrupt", names: &[], remedy: REBUILD };

fn newest_segment(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("history")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "seg")).max().unwrap()
}

fn flip(path: &Path, at: impl Fn(usize) -> Vec<usize>) {
    let mut bytes = fs::read(path).unwrap();
    for place in at(bytes.len()) {
        bytes[place] ^= 4;
    }
    fs::write(path, bytes).unwrap();
}

fn shorten(path: &Path, by: u64) {
    let length = fs::metadata(path).unwrap().len();
    OpenOptions::new().write(true).open(path).unwrap().set_len(length - by).unwrap();
}

/// A small file as the program writes them: the text, and its sum.
fn sealed(path: &Path, text: &str) {
    let text = format!("{text}\n");
    let sum = blake3::hash(text.as_bytes()).to_hex();
    fs::write(path, format!("{text}blake3 {sum}\n")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

/// Where each stands in the log file of sled that holds a note's text: in the middle of records.
fn notes_in(bytes: &[u8]) -> Vec<usize> {
    let text = b"acknowledged";
    let found = bytes.windows(text.len()).enumerate().filter(|(_, window)| window == text);
    found.map(|(at, _)| at).collect()
}

fn json(command: Command) -> Command {
    let mut command = command;
    command.args(["-o", "json"]);
    command
}

#[test]
fn a_damaged_folder_is_refused_and_a_torn_tail_is_filled_again() {
    let mut world = World::on_loopback("bad-folders");
    world.place.start_coordinators().unwrap();
    for n in 0..20 {
        world.ok(&["note", &format!("key-{n}"), "acknowledged"]);
    }
    world.place.kill("c3").unwrap();
    let (data, sound) = (world.place.data("c3"), world.place.dir().join("sound"));
    // The history is written lazily; a clean end has all of it in the segment.
    world.place.start("c3").unwrap();
    world.place.terminate("c3", std::time::Duration::from_secs(15)).unwrap();
    copy(&data, &sound);

    type Damage = fn(&Path);
    let rows: [(&str, Damage, Said); 10] = [
        (
            "a flipped byte in the middle of a log record",
            |folder| {
                let db = folder.join("log/db");
                let at = notes_in(&fs::read(&db).unwrap());
                assert!(!at.is_empty(), "the note is in the log as it is");
                flip(&db, |_| at.clone());
            },
            Said { names: &["log"], ..CORRUPT },
        ),
        (
            "a flipped byte in the middle of a segment",
            |folder| flip(&newest_segment(folder), |length| vec![length / 2]),
            Said { names: &["history-", ".seg", "offset", "checksum"], ..CORRUPT },
        ),
        (
            "a segment shorter than what was durable",
            |folder| {
                let segment = newest_segment(folder);
                shorten(&segment, fs::metadata(&segment).unwrap().len() / 2);
            },
            Said { names: &["history-", ".seg", "durable"], ..CORRUPT },
        ),
        (
            "half an identity",
            |folder| shorten(&folder.join("identity"), 100),
            Said { names: &["identity"], ..CORRUPT },
        ),
        (
            "no identity, though there is a log",
            |folder| fs::remove_file(folder.join("identity")).unwrap(),
            Said { names: &["identity", "missing"], ..CORRUPT },
        ),
        (
            "half a boot counter",
            |folder| shorten(&folder.join("boot"), 5),
            Said { names: &["boot"], ..CORRUPT },
        ),
        (
            "a lost log",
            |folder| fs::remove_dir_all(folder.join("log")).unwrap(),
            Said { names: &["log"], ..CORRUPT },
        ),
        (
            "a newer format",
            |folder| sealed(&folder.join("format"), "interrex 2"),
            Said {
                code: "newer_format",
                names: &["format 2", "format 1"],
                remedy: "release",
                exit: 1,
            },
        ),
        (
            "the folder of another member",
            |folder| {
                let text = fs::read_to_string(folder.join("identity")).unwrap();
                let text = text.split("\nblake3 ").next().unwrap();
                let text = text.replacen("\"name\": \"c3\"", "\"name\": \"c9\"", 1);
                sealed(&folder.join("identity"), &text);
            },
            Said { code: "wrong_cluster", names: &["c9", "c3"], remedy: "--data", exit: 1 },
        ),
        (
            "a wiped disk with the old unit file",
            |folder| fs::remove_dir_all(folder).unwrap(),
            Said { code: "wrong_cluster", names: &["c3", "empty"], remedy: REBUILD, exit: 1 },
        ),
    ];
    for (what, damage, said) in rows {
        copy(&sound, &data);
        damage(&data);
        said.assert(what, &run(json(world.place.command("c3").unwrap())));
    }

    // What a power cut leaves: half a block behind the last whole one, and a tail that nobody
    // acknowledged (the note of what is durable is older than it).
    let torn: [(&str, Damage); 2] = [
        ("half a block too much", |folder| {
            let mut file = OpenOptions::new().append(true).open(newest_segment(folder)).unwrap();
            file.write_all(&[7; 37]).unwrap();
        }),
        ("a torn tail", |folder| {
            fs::remove_file(folder.join("history.bound")).unwrap();
            shorten(&newest_segment(folder), 7);
        }),
    ];
    for (what, tear) in torn {
        copy(&sound, &data);
        tear(&data);
        world.place.start("c3").unwrap_or_else(|error| panic!("{what}: {error:#}"));
        world.ok(&["note", "after", what]);
        world.assert_verified();
        world.place.terminate("c3", std::time::Duration::from_secs(15)).unwrap();
        let folder = data.to_string_lossy().into_owned();
        assert_eq!(world.ok(&["verify", "--data", &folder])["ok"], true, "{what}");
        // An older copy would take back what this member has acknowledged meanwhile.
        copy(&data, &sound);
    }
    let notes = world.items(&["get", "notes"]);
    let kept = notes.iter().filter(|note| note["text"] == "acknowledged").count();
    assert_eq!(kept, 20, "{notes:?}");
    assert_nobody_panicked(&world);
}

#[test]
fn an_agent_refuses_files_that_it_did_not_write() {
    let world = World::on_loopback("bad-agent-folder");
    let data = world.place.data("srv-1");
    let rows: [(&str, &str, Said); 5] = [
        (
            "identity.json",
            r#"{"format":1,"server":"srv-1","cluster":nu"#,
            Said {
                exit: 1,
                code: "corrupt",
                names: &["identity.json"],
                remedy: "move that file away",
            },
        ),
        (
            "identity.json",
            r#"{"format":2,"server":"srv-1","cluster":null,"generation":0}"#,
            Said {
                exit: 1,
                code: "newer_format",
                names: &["identity.json", "2", "1"],
                remedy: "newer",
            },
        ),
        (
            "identity.json",
            r#"{"format":1,"server":"srv-2","cluster":null,"generation":0}"#,
            Said { exit: 1, code: "wrong_server", names: &["srv-1", "srv-2"], remedy: "--data" },
        ),
        (
            "boot.json",
            r#"{"format":1,"boot":"#,
            Said { exit: 1, code: "corrupt", names: &["boot.json"], remedy: "move that file away" },
        ),
        (
            "last-good.json",
            "\0\0\0\0",
            Said {
                exit: 1,
                code: "corrupt",
                names: &["last-good.json"],
                remedy: "move that file away",
            },
        ),
    ];
    for (file, text, said) in rows {
        if data.exists() {
            fs::remove_dir_all(&data).unwrap();
        }
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join(file), text).unwrap();
        said.assert(text, &run(json(world.place.command("srv-1").unwrap())));
        assert_eq!(fs::read_to_string(data.join(file)).unwrap(), text, "left as it was");
    }
}
