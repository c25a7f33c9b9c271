//! Evidence is true, and of now: judged when a leader proposes, with true time.
use std::time::Duration;

use interrex_core::{Decision, Event, Testimony};

use crate::nodes;
use crate::setup;
use crate::world::World;

/// A report may be as old as the tick that it echoes: 250 ms by a clock that is 1 % wrong (P9).
const AGE_MAX: Duration = Duration::from_millis(255);

impl World {
    /// A leader proposes: all that it rests on is so.
    pub(crate) fn judge_evidence(&mut self, decision: &Decision) {
        self.checker.tick(self.now);
        for event in decision.events() {
            if let Event::HeartbeatExpired { server, testimony } = event {
                self.judge_silence(setup::place(*server), testimony);
            }
        }
    }

    /// D1, P1, P2, P9, L5: whoever testifies has in truth not heard the server for so long, and
    /// that was so a moment ago.
    fn judge_silence(&mut self, host: usize, testimony: &Testimony) {
        for (&coordinator, &claimed) in &testimony.by {
            let hearing = &self.checker.hearing[nodes::place(coordinator)][host];
            // Clocks run 1 % wrong.
            let least = claimed.mul_f64(0.989).saturating_sub(Duration::from_millis(2));
            let open = self.now.since(hearing.last);
            let was = |(silence, until): &(Duration, _)| {
                *silence >= least && self.now.since(*until) <= AGE_MAX
            };
            if open < least && !hearing.silences.iter().any(was) {
                let what = format!(
                    "{coordinator} claims {claimed:?} without {}, in truth {open:?}",
                    setup::server(host)
                );
                self.checker.blame("silence is true", what);
            }
        }
    }
}
