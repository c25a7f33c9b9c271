//! How many commands of one identity are judged in a second (O4). Volatile: a new leader begins
//! anew.
use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Actor, Mono};

/// Identities remembered before those that are at rest are dropped.
const REMEMBERED: usize = 4_096;
const SECOND: Duration = Duration::from_secs(1);

/// Of each identity, the time up to which its allowance is used.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates(BTreeMap<Actor, Mono>);

impl Rates {
    /// Counts a command of `actor`, if fewer than `limit` were in the last second. 0 = no limit.
    pub(super) fn admit(&mut self, actor: Actor, limit: u32, now: Mono) -> bool {
        let Some(share) = SECOND.checked_div(limit) else { return true };
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, used| *used > now);
        }
        let used = self.0.entry(actor).or_default();
        let next = used.0.max(now.0) + share;
        let admitted = next <= now.0 + SECOND;
        if admitted {
            used.0 = next;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PersonId;

    const ANN: Actor = Actor::Person(PersonId(1));
    const BOB: Actor = Actor::Person(PersonId(2));

    fn admitted(rates: &mut Rates, actor: Actor, limit: u32, ms: u64) -> usize {
        let now = Mono(Duration::from_millis(ms));
        (0..200).filter(|_| rates.admit(actor, limit, now)).count()
    }

    #[test]
    fn each_identity_has_its_own_allowance() {
        let mut rates = Rates::default();
        assert_eq!(admitted(&mut rates, ANN, 50, 5_000), 50);
        assert_eq!(admitted(&mut rates, ANN, 50, 5_100), 5, "a tenth of a second later");
        assert_eq!(admitted(&mut rates, BOB, 50, 5_100), 50);
        assert_eq!(admitted(&mut rates, ANN, 50, 7_000), 50);
        assert_eq!(admitted(&mut rates, ANN, 0, 7_000), 200, "no limit");
    }
}
