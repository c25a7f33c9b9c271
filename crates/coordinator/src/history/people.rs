//! Who the numbers in the history are: `history/people.jsonl`, a line a person, beside the chained
//! records, so that a name can be forgotten. A number is a hash of the name, so a damaged line
//! shows; it is dropped, and the log fills it in again while it still has it.
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use interrex_core::PersonId;

use crate::folder::{FolderError, sealed};
use crate::log::types::Person;

/// The table, in memory and on disk.
#[derive(Debug)]
pub(crate) struct People {
    known: BTreeMap<PersonId, Person>,
    file: File,
    unsynced: bool,
}

impl People {
    /// Reads the table, dropping what is damaged.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(FolderError::io("read", path)(error)),
        };
        let sound = |line: &str| {
            let person = serde_json::from_str::<Person>(line).ok()?;
            (Person::new(&person.role, &person.name) == person).then_some((person.id, person))
        };
        let known: BTreeMap<PersonId, Person> = text.lines().filter_map(sound).collect();
        let lines: String = known.values().map(line).collect();
        if lines.len() != text.len() || !path.exists() {
            sealed::replace(path, lines.as_bytes())?;
        }
        let file = OpenOptions::new().append(true).open(path);
        Ok(Self { known, file: file.map_err(FolderError::io("open", path))?, unsynced: false })
    }

    /// A person, unless forgotten.
    pub(crate) fn get(&self, id: PersonId) -> Option<Person> {
        self.known.get(&id).cloned()
    }

    /// Adds those who are new. Synced with the history.
    pub(crate) fn add(&mut self, people: &[Person]) -> Result<(), FolderError> {
        for person in people {
            if self.known.contains_key(&person.id) {
                continue;
            }
            let written = self.file.write_all(line(person).as_bytes());
            written.map_err(|error| FolderError::disk("write people.jsonl", &error))?;
            self.known.insert(person.id, person.clone());
            self.unsynced = true;
        }
        Ok(())
    }

    /// Makes the new ones durable.
    pub(crate) fn sync(&mut self) -> Result<(), FolderError> {
        if std::mem::take(&mut self.unsynced) {
            let synced = self.file.sync_data();
            synced.map_err(|error| FolderError::disk("sync people.jsonl", &error))?;
        }
        Ok(())
    }
}

fn line(person: &Person) -> String {
    let json = serde_json::to_string(person).unwrap_or_default();
    format!("{json}\n")
}
