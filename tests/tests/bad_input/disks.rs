//! Disks that cannot be written: read-only, and full. On small file systems of their own.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use interrex_tests::bad::{Said, run};
use interrex_tests::{World, is_root};

/// A tmpfs of its own; gone with its owner.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        mount(&["-t", "tmpfs", "-o", options, "interrex-test"], &at).then_some(Self(at))
    }

    fn make_read_only(&self) {
        assert!(mount(&["-o", "remount,ro"], &self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is left of it goes with the machine.
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

fn mount(args: &[&str], at: &Path) -> bool {
    is_root() && Command::new("mount").args(args).arg(at).output().is_ok_and(|o| o.status.success())
}

#[test]
fn a_disk_that_cannot_be_written_is_named() {
    let world = World::on_loopback("bad-disks");
    let said = |code, names, remedy| Said { exit: 1, code, names, remedy };
    let rows: [(&str, &str, &str, bool, Said); 4] = [
        (
            "c1 on a read-only disk",
            "c1",
            "size=200m",
            true,
            said("disk_failed", &["data/c1", "Read-only file system"], "mount"),
        ),
        (
            "srv-1 on a read-only disk",
            "srv-1",
            "size=200m",
            true,
            said("disk_failed", &["data/srv-1", "Read-only file system"], "mount options"),
        ),
        (
            "c2 without space for the reserve",
            "c2",
            "size=20m",
            false,
            said("disk_full", &["data/c2", "64 MiB"], "make space"),
        ),
        (
            "srv-2 without space",
            "srv-2",
            "size=4k",
            false,
            said("disk_full", &["data/srv-2", "No space left"], "make space"),
        ),
    ];
    for (what, name, options, read_only, said) in rows {
        let Some(disk) = Disk::mount(world.place.data(name), options) else {
            println!("not run: bad disks need root, and mounts");
            return;
        };
        if name == "srv-2" {
            fs::write(world.place.data(name).join("filler"), [0; 4096]).ok();
        }
        if read_only {
            disk.make_read_only();
        }
        let mut command = world.place.command(name).unwrap();
        command.args(["-o", "json"]);
        said.assert(what, &run(command));
    }
}

#[test]
fn a_cluster_on_full_disks_refuses_commands_and_loses_nothing() {
    let mut world = World::on_loopback("full-disks");
    let mut disks = Vec::new();
    for name in world.place.coordinators() {
        let Some(disk) = Disk::mount(world.place.data(&name), "size=200m") else {
            println!("not run: full disks need root, and mounts");
            return;
        };
        disks.push(disk);
    }
    world.place.start_coordinators().unwrap();
    world.ok(&["note", "before", "there is space"]);
    let fillers: Vec<_> = disks.iter().map(|disk| disk.0.join("filler")).collect();
    for filler in &fillers {
        fs::write(filler, vec![0; 100 << 20]).unwrap();
    }
    let refused = world.place.interrex(&["note", "while", "there is none", "-o", "json"]).unwrap();
    let said = Said { exit: 1, code: "disk_full", names: &["disk of c"], remedy: "make room" };
    said.assert("a note on full disks", &refused);
    assert_eq!(world.item(&["get", "notes", "before"])["text"], "there is space");
    for filler in &fillers {
        fs::remove_file(filler).unwrap();
    }
    world.ok(&["note", "after", "there is space again"]);
    world.assert_verified();
    interrex_tests::bad::assert_nobody_panicked(&world);
    drop(world);
}
