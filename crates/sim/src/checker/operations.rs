//! What operators were told is what the log holds: once, in the order in which it was told.
use std::collections::{BTreeMap, BTreeSet};

use interrex_core::coordinator::io::Judged;
use interrex_core::{Command, Decision, OperationId, Revision, Verdict};

use crate::clock::At;
use crate::operators::{Record, Seen};
use crate::reach::Situation;
use crate::world::World;

/// The operators' history, and the log's.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    /// In order of their beginning.
    pub(crate) records: Vec<Record>,
    /// What the log holds of each.
    judged: BTreeMap<OperationId, (Revision, Result<Vec<&'static str>, String>)>,
    /// Told to be refused without a judgement, at the first attempt.
    never: BTreeSet<OperationId>,
    /// The newest revision that anybody was told of, by when.
    told: BTreeMap<At, Revision>,
    /// The newest note of each key, by the commands' own words.
    notes: BTreeMap<String, Revision>,
}

impl World {
    /// An applied decision judged operations.
    pub(crate) fn judge_operations(&mut self, decision: &Decision, revision: Revision) {
        for act in &decision.acts {
            let Some(key) = act.operation else { continue };
            let outcome = match &act.outcome {
                Verdict::Done(events) => Ok(events.iter().map(|event| event.kind()).collect()),
                Verdict::Refused(refused) => Err(refused.code.clone()),
            };
            if outcome.as_ref().is_err_and(|code| code == "stale_epoch") {
                self.reach.count(Situation::StaleEpochRefused);
            }
            self.judge_note(key.id, outcome.is_ok(), revision);
            let operations = &mut self.checker.operations;
            if operations.never.contains(&key.id) {
                let what = format!("{} was refused, and stands in the log", key.id);
                self.checker.blame("what was refused has no effect", what);
            } else if operations.judged.insert(key.id, (revision, outcome)).is_some() {
                let what = format!("{} again at {revision}", key.id);
                self.checker.blame("an operation is applied at most once", what);
            }
        }
    }

    /// A note is written exactly if the key's last one is the expected one.
    fn judge_note(&mut self, id: OperationId, done: bool, revision: Revision) {
        let operations = &mut self.checker.operations;
        let Some(record) = operations.records.iter().rev().find(|record| record.id == id) else {
            return self.checker.blame("operations come from operators", format!("{id}"));
        };
        let Command::Note { key, expect, .. } = &record.command else { return };
        let held = operations.notes.get(key).copied().unwrap_or_default();
        let fits = expect.is_none_or(|expect| expect == held);
        let key = key.clone();
        if done {
            operations.notes.insert(key.clone(), revision);
        }
        if done && !fits {
            let what =
                format!("{key} expected otherwise than {held}, and was written at {revision}");
            self.checker.blame("a note is compared and set", what);
        }
    }

    /// An operator was answered.
    pub(crate) fn check_answer(&mut self, record: usize, seen: &Seen) {
        self.checker.tick(self.now);
        let record = &self.checker.operations.records[record];
        let (id, invoked) = (record.id, record.invoked);
        match seen {
            Seen::Info => {}
            Seen::NotNow(refused) => {
                self.say(&format!("an operator is told: not now, {}", refused.code));
                let operations = &mut self.checker.operations;
                operations.never.insert(id);
                if operations.judged.contains_key(&id) {
                    let what = format!("{id} was refused, and stands in the log");
                    self.checker.blame("what was refused has no effect", what);
                }
            }
            Seen::Ok(judged) | Seen::Fail(judged) => self.check_judged(id, invoked, judged),
        }
    }

    fn check_judged(&mut self, id: OperationId, invoked: At, judged: &Judged) {
        let now = self.now;
        let operations = &mut self.checker.operations;
        let told = judged.outcome.clone().map_err(|refused| refused.code);
        let before = operations.told.range(..=invoked).next_back().map(|(_, revision)| *revision);
        let newest = operations.told.values().next_back().copied().unwrap_or_default();
        operations.told.insert(now, newest.max(judged.revision));
        let held = operations.judged.get(&id).cloned();
        if held != Some((judged.revision, told.clone())) {
            let what =
                format!("{id}: told {told:?} at {}, the log holds {held:?}", judged.revision);
            self.checker.blame("what is acknowledged stands in the log", what);
        }
        if before.is_some_and(|before| judged.revision <= before) {
            let what = format!("{id} at {}, begun after {before:?} was told", judged.revision);
            self.checker.blame("answers are in the order of the log", what);
        }
    }
}
