//! How the story is told: a line a step, for people or for programs.
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What was said so far.
#[derive(Debug)]
pub(super) struct Telling {
    lines: bool,
    began: Instant,
    all_met: bool,
}

/// One step that was taken.
#[derive(Debug)]
pub(super) struct Step {
    name: &'static str,
    took: Duration,
    bound: Option<Duration>,
    right: bool,
    detail: Value,
}

impl Step {
    /// The step `name`, as in CONTRACT. Without a bound it may take whatever it takes.
    pub(super) fn of(name: &'static str, took: Duration) -> Self {
        Self { name, took, bound: None, right: true, detail: json!({}) }
    }

    pub(super) fn bound(self, bound: Duration) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// Beside the bound: did it come out right?
    pub(super) fn right(self, right: bool) -> Self {
        Self { right, ..self }
    }

    pub(super) fn detail(self, detail: Value) -> Self {
        Self { detail, ..self }
    }
}

impl Telling {
    /// Says what will happen, and where the files lie.
    pub(super) fn begin(lines: bool, dir: &Path) -> Self {
        if !lines {
            println!(
                "Three coordinators, two recorder hosts and one standby start as processes on this\n\
                 machine, with certificates of their own. Every agent records ticks of 20 ms into\n\
                 files. One recorder host is killed, then the leading coordinator; the host comes\n\
                 back, and the material of the failover comes home. What was recorded is read from\n\
                 the files, not asked of a coordinator. Failover timeout: 2 s.\n\
                 Files: {}\n",
                dir.display()
            );
        }
        Self { lines, began: Instant::now(), all_met: true }
    }

    /// Tells one step; `words` are for people.
    pub(super) fn step(&mut self, step: Step, words: &str) {
        let Step { name, took, bound, right, detail } = step;
        let ok = right && bound.is_none_or(|bound| took <= bound);
        self.all_met &= ok;
        let at = self.began.elapsed();
        if self.lines {
            let line = json!({
                "step": name, "t_ms": ms(at), "took_ms": ms(took), "bound_ms": bound.map(ms),
                "ok": ok, "detail": detail,
            });
            println!("{line}");
            return;
        }
        let bound = bound.map_or(String::new(), |bound| format!(" (bound {})", seconds(bound)));
        let mark = if ok { "ok" } else { "MISSED" };
        println!("{:>8}  {mark:<6} {words}{bound}", seconds(at));
    }

    /// True if no step missed its bound or came out wrong.
    pub(super) fn all_met(&self) -> bool {
        self.all_met
    }
}

/// Whole milliseconds.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `1.234 s`.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
