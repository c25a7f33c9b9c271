//! Whom the leader reaches: who fell silent and who answers again, each told once. Pure: fed by
//! `watch` with what openraft's metrics say.
use std::collections::BTreeSet;
use std::time::Duration;

/// Shorter silences are hiccups: of a network, of a disk, of a process that was paused.
const AWAY: Duration = Duration::from_secs(1);

/// Whom we do not reach, as it was last told.
#[derive(Debug, Default)]
pub(super) struct Reach {
    away: BTreeSet<u64>,
}

/// What is new of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Away(u64),
    Back(u64),
}

impl Reach {
    /// Looks at how long each peer has been silent; none: since we began to lead, which was `led`
    /// ago.
    pub(super) fn look(
        &mut self,
        peers: impl Iterator<Item = (u64, Option<Duration>)>,
        led: Duration,
    ) -> Vec<News> {
        let (mut news, mut away) = (Vec::new(), BTreeSet::new());
        for (peer, silent) in peers {
            let was_away = self.away.contains(&peer);
            let is_away = silent.map_or(led, |silent| silent.min(led)) >= AWAY;
            if is_away {
                away.insert(peer);
            }
            if is_away != was_away {
                news.push(if is_away { News::Away(peer) } else { News::Back(peer) });
            }
        }
        self.away = away;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(100);

    fn look(reach: &mut Reach, silent: &[(u64, Option<u64>)], led: Duration) -> Vec<News> {
        let peers = silent.iter().map(|(peer, ms)| (*peer, ms.map(Duration::from_millis)));
        reach.look(peers, led)
    }

    #[test]
    fn a_peer_that_falls_silent_and_comes_back_is_told_once_each() {
        let mut reach = Reach::default();
        assert_eq!(look(&mut reach, &[(2, Some(40)), (3, Some(60))], LONG), []);
        assert_eq!(look(&mut reach, &[(2, Some(1_000)), (3, Some(60))], LONG), [News::Away(2)]);
        assert_eq!(look(&mut reach, &[(2, Some(9_000)), (3, Some(60))], LONG), []);
        assert_eq!(look(&mut reach, &[(2, Some(10)), (3, Some(60))], LONG), [News::Back(2)]);
        assert_eq!(look(&mut reach, &[(2, Some(10)), (3, Some(60))], LONG), []);
    }

    /// What it did not answer to others proves nothing.
    #[test]
    fn a_new_leader_gives_its_peers_time() {
        let mut reach = Reach::default();
        assert_eq!(look(&mut reach, &[(2, None)], Duration::from_millis(900)), []);
        assert_eq!(look(&mut reach, &[(2, Some(5_000))], Duration::from_millis(900)), []);
        assert_eq!(look(&mut reach, &[(2, None)], Duration::from_secs(1)), [News::Away(2)]);
    }

    /// A member that was removed is nobody's loss.
    #[test]
    fn a_peer_that_is_no_member_any_more_is_forgotten() {
        let mut reach = Reach::default();
        assert_eq!(look(&mut reach, &[(2, Some(2_000))], LONG), [News::Away(2)]);
        assert_eq!(look(&mut reach, &[], LONG), []);
        assert_eq!(look(&mut reach, &[(2, Some(2_000))], LONG), [News::Away(2)]);
    }
}
