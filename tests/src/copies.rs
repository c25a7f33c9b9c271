//! Copies, seen from outside: bulk material of a tenure, what lies on whose disk with which hash,
//! and how the coordinators say that it stands.
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use interrex_cli::local::material;
use serde_json::Value;

use crate::World;

/// Whole segments of one tenure on one disk: `CHANNEL/FILE`, and BLAKE3 of what it holds.
pub type Found = BTreeMap<String, String>;

/// The fleet of [`crate::fleet`] with a rate of copying, such as `20MB/s`.
pub fn fleet_at(rate: &str) -> String {
    let group = "[group.hall-a]\n";
    crate::fleet("2s", "auto").replace(group, &format!("{group}copy_rate = \"{rate}\"\n"))
}

impl World {
    /// Moves `rec-1` to `srv-3` by the death of its host, and home again, with `srv-3` dead before
    /// it could tell where its tenure ended: epoch 2 is over, and lies on the dead one's disk.
    pub fn fail_over_and_back(&mut self) {
        self.place.kill("srv-1").expect("srv-1 runs");
        self.wait("recorder/rec-1", "state=substituted", 60);
        self.until("the substitute records", 60, |world| {
            let ticks = world.ticks("rec-1");
            material::first_ms(&ticks, "srv-3", 2)
        });
        self.place.kill("srv-3").expect("srv-3 runs");
        self.wait("recorder/rec-1", "state=queued", 60);
        self.place.start("srv-1").expect("srv-1 starts");
        self.wait("recorder/rec-1", "state=recording", 60);
    }

    /// Puts `count` segments of `bytes` each into the tenure of `rec-1` that ended on the stopped
    /// `srv-3`, half of them into each channel, of times before its own. No hash of them was
    /// written down anywhere.
    pub fn bulk(&self, epoch: u64, count: usize, bytes: usize) {
        let mut content = vec![0_u8; bytes];
        for number in 0..count {
            let channel = if number % 2 == 0 { "ch-1" } else { "ch-2" };
            let dir = self.place.data("srv-3").join("material/rec-1").join(channel);
            let start = 1_700_000_000_000_u64 + 10_000 * u64::try_from(number).expect("few");
            // The first bytes differ, and so does what BLAKE3 says.
            for (byte, at) in content.iter_mut().zip(start.to_le_bytes().iter().cycle()) {
                *byte = byte.wrapping_mul(31).wrapping_add(*at);
            }
            let name = format!("{start}-{}-{epoch}-srv-3.seg", start + 10_000);
            fs::write(dir.join(name), &content).expect("bulk material");
        }
    }

    /// Writes into the journal of the stopped `srv-3` that a segment has this hash.
    pub fn write_down(&self, epoch: u64, segment: &str, hash: &str) {
        let line = serde_json::json!({
            "event": "segment", "epoch": epoch, "blake3": hash,
            "file": format!("material/rec-1/{segment}"),
        });
        let path = self.place.data("srv-3").join("journal.jsonl");
        let mut journal = fs::File::options().append(true).open(path).expect("a journal");
        writeln!(journal, "{line}").expect("a line");
    }

    /// What `server` has of a tenure of `rec-1` that was recorded on `srv-3`; what grows, or was
    /// left open by a death, does not count.
    pub fn found(&self, server: &str, epoch: u64) -> Found {
        let all = material::segments(&[self.place.data(server)]).expect("material");
        let of = all.into_iter().filter(|one| {
            let tenure = (one.recorder.as_str(), one.server.as_str(), one.epoch);
            !one.part && tenure == ("rec-1", "srv-3", epoch)
        });
        let entry = |one: material::Segment| {
            let name = one.path.file_name().expect("a file").to_string_lossy().into_owned();
            (format!("{}/{name}", one.channel), hash(&one.path))
        };
        of.map(entry).collect()
    }

    /// The copy of a tenure of `rec-1`.
    pub fn copy_of(&self, epoch: u64) -> Option<Value> {
        let opened = self.history().into_iter().find(|event| {
            event["kind"] == "copy_opened" && event["data"]["epoch"].as_u64() == Some(epoch)
        })?;
        let id = opened["subject"]["copy"].as_u64();
        let copies = self.items(&["get", "copies"]);
        copies.into_iter().find(|copy| copy["id"].as_u64() == id)
    }

    /// Waits until the copy of a tenure is in `state`, and returns it.
    pub fn copy_is(&self, epoch: u64, state: &str, seconds: u64) -> Value {
        self.until(&format!("the copy of e{epoch} is {state}"), seconds, |world| {
            world.copy_of(epoch).filter(|copy| copy["state"] == state)
        })
    }

    /// Waits until at least `bytes` of the copy of a tenure are at home.
    pub fn copied(&self, epoch: u64, bytes: u64) {
        self.until(&format!("{bytes} bytes are copied"), 120, |world| {
            let copy = world.copy_of(epoch)?;
            (copy["bytes_done"].as_u64()? >= bytes).then_some(())
        });
    }

    /// Waits for something that nothing can be told of.
    pub fn until<T>(&self, what: &str, seconds: u64, holds: impl Fn(&Self) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(found) = holds(self) {
                return found;
            }
            let (_, copies, error) = self.run(&["get", "copies"]);
            assert!(Instant::now() < end, "never: {what}: {copies} {error}");
            // Each question is a process: the machine has better things to do.
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// All that was recorded in the tenure is at home, as it was recorded, once; and `srv-3` has
    /// nothing of it any more, since the log said that it is at home.
    pub fn assert_came_home(&self, epoch: u64, recorded: &Found) {
        let home = self.found("srv-1", epoch);
        for (name, hash) in recorded {
            assert_eq!(home.get(name), Some(hash), "{name} is at home as it was recorded");
        }
        self.until("the substitute is emptied", 30, |world| {
            world.found("srv-3", epoch).is_empty().then_some(())
        });
        let copy = self.copy_of(epoch).expect("a copy");
        assert_eq!(copy["segments_done"].as_u64(), u64::try_from(home.len()).ok(), "{copy}");
        assert_eq!(copy["segments_total"], copy["segments_done"], "{copy}");
        let id = copy["id"].as_u64();
        let at = |kind: &str| {
            self.until(kind, 30, |world| {
                let history = world.history();
                history.iter().position(|event| {
                    event["kind"] == kind && event["subject"]["copy"].as_u64() == id
                })
            })
        };
        assert!(at("copy_opened") < at("copy_closed"));
        assert!(at("copy_closed") < at("material_erased"), "erased before the log said so");
    }
}

fn hash(path: &PathBuf) -> String {
    blake3::hash(&fs::read(path).expect("a segment")).to_hex().to_string()
}
