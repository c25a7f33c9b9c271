//! Histories as other people's checkers read them (Knossos, Elle, Porcupine): one operation a line,
//! JSON with the keys of Jepsen's own maps, in the order of one writer's monotonic clock.
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

/// A history that is being written. Clones write to the same file.
#[derive(Clone, Debug)]
pub struct History(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    concurrency: u64,
    file: Mutex<(File, u64)>,
}

/// One client of the history: a thread that does one operation at a time.
#[derive(Debug)]
pub struct Client {
    history: History,
    process: u64,
}

/// An operation that was invoked and has not ended. Dropped without an end, its outcome stays
/// unknown for ever: it is written as `info`.
#[derive(Debug)]
pub struct Open<'a> {
    client: &'a mut Client,
    f: &'static str,
    value: Value,
    ended: bool,
}

impl History {
    /// Begins a history in a new file. `concurrency` = how many clients write to it: the step by
    /// which a process number retires.
    ///
    /// # Errors
    ///
    /// The file exists, or cannot be made.
    pub fn create(path: &Path, concurrency: u64) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        let (began, file) = (Instant::now(), Mutex::new((file, 0)));
        Ok(Self(Arc::new(Shared { began, concurrency, file })))
    }

    /// The client number `process`, below the concurrency.
    pub fn client(&self, process: u64) -> Client {
        Client { history: self.clone(), process }
    }

    /// Writes what a nemesis does.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn nemesis(&self, f: &str, value: &Value) -> io::Result<()> {
        self.write("info", &json!("nemesis"), f, value)
    }

    /// Writes an observation: an `ok` without an invocation, such as a segment found on a disk.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn observe(&self, f: &str, value: &Value) -> io::Result<()> {
        self.write("ok", &json!("observer"), f, value)
    }

    /// Index, time and line are taken under one lock, so that they have one order.
    fn write(&self, kind: &str, process: &Value, f: &str, value: &Value) -> io::Result<()> {
        let mut guard = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, index) = &mut *guard;
        let time = u64::try_from(self.0.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let line = json!({
            "index": *index, "time": time, "type": kind, "process": process, "f": f, "value": value
        });
        writeln!(file, "{line}")?;
        *index += 1;
        Ok(())
    }
}

impl Client {
    /// Writes that the operation `f` with `value` begins.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn invoke(&mut self, f: &'static str, value: Value) -> io::Result<Open<'_>> {
        self.history.write("invoke", &json!(self.process), f, &value)?;
        Ok(Open { client: self, f, value, ended: false })
    }

    /// The number under which the next operation runs.
    pub fn process(&self) -> u64 {
        self.process
    }
}

impl Open<'_> {
    /// It took effect, and gave `value`.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn ok(mut self, value: &Value) -> io::Result<()> {
        self.end("ok", value)
    }

    /// It surely had no effect.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn fail(mut self) -> io::Result<()> {
        let value = self.value.clone();
        self.end("fail", &value)
    }

    /// Nobody knows. The process number retires, since its operation stays open.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn info(mut self) -> io::Result<()> {
        self.unknown()
    }

    fn unknown(&mut self) -> io::Result<()> {
        let value = self.value.clone();
        self.end("info", &value)?;
        self.client.process += self.client.history.0.concurrency;
        Ok(())
    }

    fn end(&mut self, kind: &str, value: &Value) -> io::Result<()> {
        self.ended = true;
        self.client.history.write(kind, &json!(self.client.process), self.f, value)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.unknown().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_has_dense_indices_and_retires_processes_of_unknown_outcome() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let history = History::create(&path, 2).unwrap();
        let mut client = history.client(1);
        client.invoke("write", json!(["k", 1])).unwrap().ok(&json!(["k", 1])).unwrap();
        drop(client.invoke("write", json!(["k", 2])).unwrap());
        assert_eq!(client.process(), 3);
        client.invoke("read", json!(["k", null])).unwrap().fail().unwrap();
        history.nemesis("kill", &json!(["c1"])).unwrap();
        assert!(History::create(&path, 2).is_err(), "a history is never written over");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let row = |v: &Value| format!("{} {} {}", v["index"], v["type"], v["process"]);
        let expected = [
            "0 \"invoke\" 1",
            "1 \"ok\" 1",
            "2 \"invoke\" 1",
            "3 \"info\" 1",
            "4 \"invoke\" 3",
            "5 \"fail\" 3",
            "6 \"info\" \"nemesis\"",
        ];
        assert_eq!(lines.iter().map(row).collect::<Vec<_>>(), expected);
        assert_eq!(lines[3]["value"], json!(["k", 2]), "info repeats the value of its invocation");
        assert!(lines.windows(2).all(|w| w[0]["time"].as_u64() <= w[1]["time"].as_u64()));
    }
}
