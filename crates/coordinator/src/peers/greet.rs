//! Greeting the other members: who each is in its present start, and what its disk holds (M6).
//! Nothing else is said to a member, or taken from it, before the two have greeted. Where the others
//! refuse this member, its process ends: what a greeting means is in `known`, who may come in is in
//! `door`.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use interrex_client::identity::Peer;
use interrex_wire::pb;
use tokio::sync::watch;
use tonic::Status;

use super::line::Line;
use super::{Circle, Dialer, Refused};
use crate::failure::Failure;
use crate::log::types::MemberNode;
use crate::raft::Consensus;

/// Between two greetings of members that know each other.
const EVERY: Duration = Duration::from_secs(1);
/// The first and the longest wait where somebody has not answered.
const AGAIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// A greeting waits for a disk at the other end.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// What is learnt of a member within one start is kept this often; a new start at once.
const SAVE_ROUNDS: u32 = 10;

/// Greets all the others.
pub(crate) struct Greeter {
    circle: Arc<Circle>,
    consensus: Arc<Consensus>,
    dialer: Dialer,
    /// Named where this member is refused.
    data: PathBuf,
    lines: BTreeMap<(u64, String), Line>,
    /// The last refusal of each, until it lets us in.
    refusals: BTreeMap<u64, Refused>,
}

/// What came of one greeting.
enum Answer {
    Met,
    Refused(Refused),
    /// Nobody there, or not yet; or refused by us.
    Away,
}

impl Circle {
    /// Somebody greets; the answer, if it may come in.
    pub(super) async fn greeted(
        self: &Arc<Self>,
        hello: pb::Hello,
        caller: &Peer,
        consensus: &Consensus,
    ) -> Result<pb::Hello, Status> {
        let envelope = hello.envelope.clone().unwrap_or_default();
        let (sender, name, came) = self.introduced(hello, caller).map_err(|status| *status)?;
        // Writes and syncs: not on a thread that Raft waits for.
        let circle = Arc::clone(self);
        let admit = move || circle.door.admit(sender.0, name.as_str(), came);
        let admitted = tokio::task::spawn_blocking(admit).await;
        let admitted = admitted.map_err(|gone| Status::unavailable(gone.to_string()))?;
        admitted.map_err(|refused| {
            self.tell(&envelope, caller, &refused);
            refused.status()
        })?;
        Ok(self.hello(sender.0, consensus.holds()))
    }
}

impl Greeter {
    pub(crate) fn new(
        circle: Arc<Circle>,
        consensus: Arc<Consensus>,
        dialer: Dialer,
        data: PathBuf,
    ) -> Self {
        let (lines, refusals) = (BTreeMap::new(), BTreeMap::new());
        Self { circle, consensus, dialer, data, lines, refusals }
    }

    /// Greets for ever; `reached` is true once a majority has answered this process. Returns why
    /// it must end.
    pub(crate) async fn run(mut self, reached: watch::Receiver<bool>) -> Failure {
        let (mut rest, mut rounds, mut was_reached) = (AGAIN.0, 0, false);
        loop {
            if let Some(failure) = self.misplaced() {
                return failure;
            }
            self.circle.door.round();
            let all_met = self.round().await;
            was_reached |= *reached.borrow();
            if let Some(failure) = self.verdict(was_reached) {
                return failure;
            }
            rounds += 1;
            if rounds % SAVE_ROUNDS == 0 {
                let circle = Arc::clone(&self.circle);
                let saved = tokio::task::spawn_blocking(move || circle.door.save()).await;
                if let Ok(Err(error)) = saved {
                    return error.into();
                }
            }
            if all_met {
                rest = AGAIN.0;
                let _ = tokio::time::timeout(EVERY, self.circle.unmet.notified()).await;
                // A stranger may speak often.
                tokio::time::sleep(AGAIN.0).await;
            } else {
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(AGAIN.1);
            }
        }
    }

    /// Greets every other member once, all at once. True if all have answered.
    async fn round(&mut self) -> bool {
        let mut members = self.circle.members();
        members.remove(&self.circle.id.0);
        self.refusals.retain(|id, _| members.contains_key(id));
        self.lines.retain(|(id, address), _| {
            members.get(id).is_some_and(|member| member.addr == *address)
        });
        let (dialer, lines) = (&self.dialer, &mut self.lines);
        let greetings: Vec<_> = members
            .into_iter()
            .map(|(id, member)| {
                let line = lines
                    .entry((id, member.addr.clone()))
                    .or_insert_with(|| Line::new(dialer, &member.name, &member.addr));
                (id, member, line.clone())
            })
            .collect();
        let greet = |(id, member, line)| {
            let this = &*self;
            async move { (id, this.greet(id, member, line).await) }
        };
        let answers = futures::future::join_all(greetings.into_iter().map(greet)).await;
        let mut all_met = true;
        for (id, answer) in answers {
            all_met &= matches!(answer, Answer::Met);
            match answer {
                Answer::Met => drop(self.refusals.remove(&id)),
                Answer::Refused(refused) => drop(self.refusals.insert(id, refused)),
                Answer::Away => {}
            }
        }
        all_met
    }

    async fn greet(&self, id: u64, member: MemberNode, line: Line) -> Answer {
        let hello = self.circle.hello(id, self.consensus.holds());
        let mut client = line.client();
        let reply = match tokio::time::timeout(ANSWER_MAX, client.greet(hello)).await {
            Ok(Ok(reply)) => reply.into_inner(),
            Ok(Err(status)) => {
                line.failed();
                let Some(refused) = Refused::from_status(&status) else { return Answer::Away };
                let words = format!("{} refuses this member: {}", member.name, refused.words);
                self.circle.door.turn_away(id, Refused { words, ..refused.clone() });
                return Answer::Refused(refused);
            }
            Err(_) => {
                line.failed();
                return Answer::Away;
            }
        };
        line.worked();
        // Who is at the other end of a line was looked at when it was dialled.
        let nobody = Peer { address: None, identity: None };
        let envelope = reply.envelope.clone().unwrap_or_default();
        let Ok((sender, name, came)) = self.circle.introduced(reply, &nobody) else {
            return Answer::Away;
        };
        if sender.0 != id {
            return Answer::Away;
        }
        let circle = Arc::clone(&self.circle);
        let admit = move || circle.door.admit(id, name.as_str(), came);
        match tokio::task::spawn_blocking(admit).await {
            Ok(Ok(())) => Answer::Met,
            Ok(Err(refused)) => {
                // It greets us, too, and is told then.
                self.circle.tell(&envelope, &nobody, &refused);
                Answer::Away
            }
            Err(_) => Answer::Away,
        }
    }

    /// Our own log gives our place to another one: somebody changed the identity.
    fn misplaced(&self) -> Option<Failure> {
        let (id, name) = (self.circle.id.0, self.circle.name);
        let place = self.circle.members().remove(&id)?;
        if place.name == name.as_str() {
            return None;
        }
        let words = format!("{name} says that it is member {id}, which is {}", place.name);
        Some(Refused::unknown_member(words).failure("its own log", &self.data))
    }

    /// Why this process must end, if it must. One member that remembers more than our disk is
    /// enough. To be foreign takes a majority of the others, before any majority was ever reached:
    /// one may be wrong itself.
    fn verdict(&self, reached: bool) -> Option<Failure> {
        let members = self.circle.members();
        let others = members.keys().filter(|id| **id != self.circle.id.0).count();
        // Who belongs to another cluster may not even be where our log says: then it calls us.
        let mut refusals = self.circle.door.turned_away();
        refusals.retain(|id, refused| refused.is_mutual() && members.contains_key(id));
        refusals.extend(self.refusals.iter().map(|(id, refused)| (*id, refused.clone())));
        let foreign = refusals.values().filter(|refused| refused.is_foreign()).count();
        let elsewhere = !reached && 2 * foreign > others;
        let counts = |refused: &Refused| refused.is_final() || elsewhere && refused.is_foreign();
        let (id, refused) = refusals.iter().find(|(_, refused)| counts(refused))?;
        let name = members.get(id).map_or_else(|| id.to_string(), |member| member.name.clone());
        Some(refused.failure(&name, &self.data))
    }
}
