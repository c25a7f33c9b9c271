//! Who of the members may come in: the starts that were greeted and found sound (M6), and those
//! that were turned away, for `status`. What is known of each disk is kept in the file `peers` of
//! the data folder: at once when a member starts anew, otherwise now and then.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use interrex_core::Boot;
use interrex_wire::limits::MEMBERS_MAX;
use serde::{Deserialize, Serialize};

use super::known::{Held, Introduction, Mark, Start};
use super::refused::Refused;
use crate::folder::{FolderError, sealed};

/// A start that was heard within so many rounds of greetings may still run.
const ALIVE_ROUNDS: u64 = 8;

/// See the module.
#[derive(Debug)]
pub(crate) struct Door {
    path: PathBuf,
    table: Mutex<Table>,
    /// Held while the file is written, so that the newest is written last.
    file: Mutex<()>,
}

#[derive(Debug, Default)]
struct Table {
    marks: BTreeMap<u64, Mark>,
    admitted: BTreeMap<u64, Start>,
    /// The round of greetings in which each was heard last.
    heard: BTreeMap<u64, u64>,
    /// Rounds of greetings so far, about one a second.
    rounds: u64,
    refused: BTreeMap<u64, Refused>,
    /// The file does not have all of it.
    changed: bool,
}

/// The JSON of `peers`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    members: Vec<StoredMark>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMark {
    id: u64,
    boot: u64,
    /// As 16 hex digits: JSON readers round integers of 64 bits.
    token: String,
    now: Held,
    before: Held,
}

impl Table {
    /// Two processes on copies of one disk, both alive: whoever came first stays.
    fn is_doubled(&self, id: u64, start: Start) -> bool {
        let other = self
            .admitted
            .get(&id)
            .filter(|known| known.boot == start.boot && known.token != start.token);
        let heard = self.heard.get(&id).copied().unwrap_or_default();
        other.is_some() && self.rounds.saturating_sub(heard) < ALIVE_ROUNDS
    }
}

impl Door {
    /// # Errors
    ///
    /// The file cannot be read, or is damaged.
    pub(crate) fn open(path: PathBuf) -> Result<Self, FolderError> {
        let damaged = |detail: String| FolderError::corrupt(path.display(), detail);
        let mut marks = BTreeMap::new();
        if let Some(text) = sealed::read(&path)? {
            let stored: Stored =
                serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
            for StoredMark { id, boot, token, now, before } in stored.members {
                let token =
                    u64::from_str_radix(&token, 16).map_err(|error| damaged(error.to_string()))?;
                let start = Start { boot: Boot(boot), token };
                marks.insert(id, Mark { start, now, before });
            }
        }
        let table = Mutex::new(Table { marks, ..Table::default() });
        Ok(Self { path, table, file: Mutex::new(()) })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the member `id` in, in the start that it says, from now on and no other. What is known
    /// of it is durable before that. May wait for the disk.
    pub(crate) fn admit(&self, id: u64, name: &str, came: Introduction) -> Result<(), Refused> {
        {
            let mut table = self.table();
            if table.is_doubled(id, came.start) {
                return Err(Refused::doubled(name));
            }
            let mark = match table.marks.get(&id) {
                None if table.marks.len() >= MEMBERS_MAX => {
                    return Err(Refused::unknown_member(format!("{name} is one member too many")));
                }
                None => Mark::new(came),
                Some(known) => {
                    known.met(came).map_err(|reverted| Refused::restored_copy(name, &reverted))?
                }
            };
            table.changed |= table.marks.insert(id, mark) != Some(mark);
            table.refused.remove(&id);
            let round = table.rounds;
            table.heard.insert(id, round);
            if table.admitted.get(&id) == Some(&came.start) {
                return Ok(());
            }
        }
        self.save().map_err(|error| Refused::not_kept(&error))?;
        let mut table = self.table();
        // A later start may have come meanwhile.
        if table.marks.get(&id).is_some_and(|mark| mark.start == came.start) {
            table.admitted.insert(id, came.start);
            tracing::info!(member = name, boot = came.start.boot.0, "met");
        }
        Ok(())
    }

    /// Another round of greetings begins.
    pub(crate) fn round(&self) {
        self.table().rounds += 1;
    }

    /// Nothing is taken from any other start of that member.
    pub(crate) fn is_admitted(&self, id: u64, start: Start) -> bool {
        self.table().admitted.get(&id) == Some(&start)
    }

    /// Its present start was greeted.
    pub(crate) fn has_met(&self, id: u64) -> bool {
        self.table().admitted.contains_key(&id)
    }

    /// The admitted start of `id` has acknowledged entries, durably.
    pub(crate) fn acknowledged(&self, id: u64, held: Held) {
        let mut table = self.table();
        let Table { marks, changed, .. } = &mut *table;
        if let Some(mark) = marks.get_mut(&id) {
            let known = mark.now;
            mark.acknowledged(held);
            *changed |= mark.now != known;
        }
    }

    /// The member `id` and this one do not talk to each other.
    pub(crate) fn turn_away(&self, id: u64, refused: Refused) {
        self.table().refused.insert(id, refused);
    }

    /// With whom this member does not talk, and why.
    pub(crate) fn turned_away(&self) -> BTreeMap<u64, Refused> {
        self.table().refused.clone()
    }

    /// Writes what has changed, durably.
    pub(crate) fn save(&self) -> Result<(), FolderError> {
        let _writing = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let members = {
            let mut table = self.table();
            if !std::mem::take(&mut table.changed) {
                return Ok(());
            }
            let stored = |(id, mark): (&u64, &Mark)| StoredMark {
                id: *id,
                boot: mark.start.boot.0,
                token: format!("{:016x}", mark.start.token),
                now: mark.now,
                before: mark.before,
            };
            table.marks.iter().map(stored).collect()
        };
        let text = serde_json::to_string_pretty(&Stored { members }).unwrap_or_default();
        sealed::write(&self.path, &text).inspect_err(|_| self.table().changed = true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(boot: u64, token: u64, length: u64) -> Introduction {
        let opened = Held { term: 1, length, committed: 0 };
        Introduction { start: Start { boot: Boot(boot), token }, opened, holds: opened }
    }

    #[test]
    fn what_was_met_is_known_in_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let door = Door::open(path.clone()).unwrap();
        door.admit(3, "c3", came(5, u64::MAX, 10)).unwrap();
        assert!(door.is_admitted(3, came(5, u64::MAX, 10).start));
        // Told to nobody, and so not written before the next member comes, or the end.
        door.acknowledged(3, Held { term: 1, length: 12, committed: 12 });
        door.save().unwrap();
        drop(door);

        let door = Door::open(path.clone()).unwrap();
        assert!(!door.has_met(3), "it greets this process first");
        for older in [came(4, 1, 12), came(5, 1, 11), came(6, 1, 11)] {
            let refused = door.admit(3, "c3", older).unwrap_err();
            assert_eq!(refused.code, "restored_copy");
            assert!(refused.words.contains("c3") && refused.words.contains("boot 5"), "{refused}");
        }
        door.turn_away(3, Refused::unknown_member("c3 is a stranger".into()));
        door.admit(3, "c3", came(6, 1, 12)).unwrap();
        assert!(door.turned_away().is_empty(), "it is sound now");
        assert!(!door.is_admitted(3, came(5, u64::MAX, 10).start), "its old process is over");

        // A second process of that boot waits until the first has been silent for long enough.
        let twin = came(6, 2, 12);
        assert_eq!(door.admit(3, "c3", twin).unwrap_err().code, "doubled");
        for _ in 0..ALIVE_ROUNDS {
            door.round();
        }
        door.admit(3, "c3", twin).unwrap();
        assert!(door.is_admitted(3, twin.start) && !door.is_admitted(3, came(6, 1, 12).start));

        std::fs::write(&path, "{\"members\":[]}\n").unwrap();
        assert_eq!(Door::open(path).unwrap_err().code(), "corrupt");
    }
}
