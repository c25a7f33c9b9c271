//! Opening the log: guarded against what sled does with damaged files, read whole, checked against
//! what was surely durable, and made to agree with the history before openraft reads either.
use std::fs::{self, OpenOptions};
use std::path::Path;

use interrex_core::{Actor, LogIndex};
use interrex_wire::decision;

use super::Opened;
use super::disk::{self, Batch, Disk, Meta};
use super::feed::{self, Feed};
use super::records::{BodyRecord, EntryRecord, LogIdRecord, PersonRecord};
use super::store::{LogStore, size_of_record};
use super::tail::Tail;
use super::types::{ClusterId, LogId, Person, RaftEntry, Vote};
use crate::folder::{Folder, FolderError, sealed};
use crate::history::{self, Body, Frame, History, Replayed};

/// Bytes of entries that one batch of a repair takes.
const REPAIR_BYTES: usize = 8 << 20;

/// See [`super::open`].
pub(super) fn open(
    folder: &Folder,
    fold: &mut dyn FnMut(LogIndex, interrex_core::Entry),
) -> Result<Opened, FolderError> {
    let Some(identity) = folder.identity() else {
        return Err(FolderError::WrongCluster(format!(
            "data folder {} has no place in a cluster yet",
            folder.path().display()
        )));
    };
    let (cluster, generation) = (identity.cluster, identity.generation);
    let (feed, notices) = feed::feed();
    let replayed = history::open(folder.path(), (cluster, generation), fold)?;
    let opened = guarded(folder.path(), replayed.head.index.is_some());
    let log = opened.and_then(|log| agree(log, &replayed, cluster, feed.clone()));
    match log {
        Ok(log) => {
            let machine = replayed.machine(cluster, feed)?;
            Ok(Opened { log, machine, history: replayed.history, notices })
        }
        Err(error) => {
            replayed.history.close();
            Err(error)
        }
    }
}

/// A log as it was read.
struct Read {
    disk: Disk,
    meta: Meta,
    tail: Tail,
    /// Index and term of each entry that began a term.
    terms: Vec<(u64, u64)>,
    /// Everybody named in it.
    people: Vec<Person>,
}

/// sled panics on much that it does not expect: in a thread of its own that is an error.
fn guarded(root: &Path, has_history: bool) -> Result<Read, FolderError> {
    let path = root.to_path_buf();
    let opened = std::thread::Builder::new()
        .name("log-open".into())
        .spawn(move || read(&path, has_history))
        .map_err(|error| FolderError::disk("start a thread", &error))?;
    opened.join().unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let detail = said.unwrap_or_else(|| "the database cannot read its files".into());
        Err(FolderError::corrupt(format!("the log in {}", root.join("log").display()), detail))
    })
}

/// Opens the database and reads all of it.
fn read(root: &Path, has_history: bool) -> Result<Read, FolderError> {
    let (path, made, noted) = (root.join("log"), root.join("log.made"), root.join("log.bound"));
    let corrupt = |detail: String| FolderError::corrupt(path.display(), detail);
    let open =
        || OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&noted);
    let bound_file = open().map_err(FolderError::io("open", &noted))?;
    let bound = disk::read_bound(&bound_file);
    let is_new = sealed::read(&made)?.is_none();
    if is_new {
        if bound > 1 || has_history {
            return Err(corrupt(format!("{} is missing", made.display())));
        }
        // Its creation was cut short: nothing in it was ever acknowledged.
        match fs::remove_dir_all(&path) {
            Err(error) if path.exists() => return Err(FolderError::io("remove", &path)(error)),
            Ok(()) | Err(_) => sealed::create_dir(&path)?,
        }
    } else if !path.join("db").exists() {
        return Err(corrupt("its file `db` is missing".into()));
    }
    let disk = Disk::open(&path, bound_file)?;
    if is_new {
        disk.apply(Batch::default(), &Meta { batch: 1, ..Meta::default() })?;
        disk.sync(1)?;
        disk.sync_names()?;
        sealed::write(&made, "interrex log 1")?;
    }
    let meta = disk.meta()?.ok_or_else(|| corrupt("everything in it is gone".into()))?;
    if meta.batch < bound {
        let (last, bound) = (meta.batch, bound);
        return Err(corrupt(format!(
            "its end is missing: write {bound} was durable, {last} is last"
        )));
    }
    let blobs = path.join("blobs");
    if fs::read_dir(&blobs).is_ok_and(|mut files| files.next().is_some()) {
        return Err(corrupt("it holds values that it should not: `blobs` is not empty".into()));
    }
    let read = scan(disk, meta)?;
    // What was read may still be only in the kernel's memory, if a process was killed.
    read.disk.sync(meta.batch)?;
    read.disk.sync_bound()?;
    Ok(read)
}

/// Every entry, in order, without a hole, and nothing else.
fn scan(disk: Disk, meta: Meta) -> Result<Read, FolderError> {
    let (vote, purged) = (meta.vote.map(Vote::from), meta.purged.map(LogId::from));
    let mut tail = Tail::behind(vote, purged);
    let (mut terms, mut people, mut known) =
        (Vec::new(), Vec::new(), std::collections::BTreeSet::new());
    let (first, last) = (tail.first(), meta.last.map(LogId::from));
    if let Some(last) = last.filter(|last| last.index >= first) {
        disk.scan((first, last.index), &mut |entry, bytes| {
            let term = entry.log_id.leader_id.term;
            if terms.last().is_none_or(|(_, last)| *last != term) {
                terms.push((entry.log_id.index, term));
            }
            if let openraft::EntryPayload::Normal(proposal) = &entry.payload {
                let new = |person: &&Person| known.insert(person.id);
                people.extend(proposal.people.iter().filter(new).cloned());
            }
            tail.push(entry, bytes, 0) && {
                tail.durable(0);
                true
            }
        })?;
    }
    tail.committed = meta.committed.map(LogId::from).filter(|committed| Some(*committed) <= last);
    if tail.last != last.max(purged) || disk.strays((first, tail.next())) {
        return Err(disk.corrupt("its entries are not those that it counts"));
    }
    Ok(Read { disk, meta, tail, terms, people })
}

/// Where the log and the history tell of one index differently, or the log ends first, the history
/// is right: it holds what was committed. A follower may apply before its own log is durable, so
/// a power cut can leave an old tail, or too short a log.
fn agree(
    mut log: Read,
    replayed: &Replayed,
    cluster: ClusterId,
    feed: Feed,
) -> Result<LogStore, FolderError> {
    replayed.history.add_people(&log.people)?;
    if let Some(last) = replayed.head.index.map(|index| index.0) {
        let common = log.tail.next().min(last + 1);
        let parted = part(&log.terms, &replayed.terms, log.tail.first()..common);
        if let Some(first) = parted {
            cut(&mut log, &replayed.terms, first)?;
        }
        if log.tail.next() <= last {
            refill(&mut log, &replayed.history, cluster)?;
        }
    }
    LogStore::start(log.disk, log.meta, log.tail, feed)
        .map_err(|error| FolderError::disk("start the log's thread", &error))
}

/// The first index within the range at which the terms differ.
fn part(log: &[(u64, u64)], history: &[(u64, u64)], range: std::ops::Range<u64>) -> Option<u64> {
    let starts = log.iter().chain(history).map(|(index, _)| *index).chain([range.start]);
    let differ = |index: &u64| range.contains(index) && term(log, *index) != term(history, *index);
    starts.filter(differ).min()
}

fn term(terms: &[(u64, u64)], index: u64) -> Option<u64> {
    terms.iter().rev().find(|(first, _)| *first <= index).map(|(_, term)| *term)
}

/// Durably removes every entry from `first` on.
fn cut(log: &mut Read, history: &[(u64, u64)], first: u64) -> Result<(), FolderError> {
    tracing::warn!(first, last = log.tail.next() - 1, "an old tail of the log is cut");
    let kept = first.checked_sub(1).filter(|kept| *kept >= log.tail.first());
    let kept = kept.and_then(|index| Some(LogIdRecord { term: term(history, index)?, index }));
    let mut batch = Batch::default();
    log.disk.remove((first, log.tail.next() - 1), &mut batch)?;
    log.tail.cut(kept.map(Into::into));
    commit(log, batch)
}

/// Durably appends the entries that only the history has.
fn refill(log: &mut Read, history: &History, cluster: ClusterId) -> Result<(), FolderError> {
    tracing::warn!(first = log.tail.next(), "the log is filled up from the history");
    let mut cursor = history.read_at(LogIndex(log.tail.next()));
    loop {
        let frames = cursor.next(REPAIR_BYTES)?;
        if frames.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        for frame in frames {
            let index = frame.index;
            let entry = entry(frame, history, cluster)?;
            batch.entry(&entry)?;
            let bytes = size_of_record(&entry);
            if !log.tail.push(entry, bytes, 0) {
                return Err(log.disk.corrupt(format!("{index} is not the next entry")));
            }
        }
        commit(log, batch)?;
    }
}

fn commit(log: &mut Read, batch: Batch) -> Result<(), FolderError> {
    log.meta.batch += 1;
    log.meta.last = log.tail.last.map(Into::into);
    let kept = log.tail.committed.filter(|committed| Some(*committed) <= log.tail.last);
    log.tail.committed = kept;
    log.meta.committed = kept.map(Into::into);
    log.disk.apply(batch, &log.meta)?;
    log.disk.sync(log.meta.batch)?;
    log.tail.durable(0);
    Ok(())
}

/// The entry that became this frame.
fn entry(frame: Frame, history: &History, cluster: ClusterId) -> Result<RaftEntry, FolderError> {
    let id = LogIdRecord { term: frame.term, index: frame.index.0 };
    let body = match frame.body {
        Body::Blank => BodyRecord::Blank,
        Body::Members(members) => BodyRecord::Members(history::record_of(&members, cluster)),
        Body::Decision { bytes, .. } | Body::Stale(bytes) => {
            let decided = decision::decode(&bytes);
            let acts = decided.map(|decided| decided.acts).unwrap_or_default();
            let person = |act: &interrex_core::Act| match act.actor {
                Actor::Person(id) => history.person(id),
                Actor::Automaton => None,
            };
            let people = acts.iter().filter_map(person).map(|p| PersonRecord::from(&p)).collect();
            BodyRecord::Decision { bytes, people }
        }
    };
    let damaged = |error| FolderError::corrupt(format!("the history at {}", id.index), error);
    EntryRecord { id, body }.entry().map_err(damaged)
}
