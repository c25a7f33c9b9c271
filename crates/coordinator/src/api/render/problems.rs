//! What somebody should look at: each with the next command to type. Volatile alarms come from the
//! core; the rest is read off the state.
use std::time::Duration;

use interrex_client::views::{Automation, Coordinator, Problem, RecorderState, word};
use interrex_core::coordinator::io::Alarm;
use interrex_core::fleet::Role;
use interrex_core::{Brake, CoordinatorId, recorder_state};

use super::Sight;

/// A certificate that ends within this is told about.
const CERTIFICATE_SOON: Duration = Duration::from_secs(30 * 24 * 3600);
/// With fewer voters no coordinator may be lost.
const VOTERS_MIN: usize = 3;

impl Sight<'_> {
    pub(super) fn problems(&self, coordinators: &[Coordinator]) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.of_the_cluster(coordinators, &mut problems);
        self.of_servers(&mut problems);
        self.of_recorders(&mut problems);
        self.of_copies(&mut problems);
        problems.extend(self.inside.core.alarms().into_iter().map(|alarm| self.alarm(alarm)));
        problems.sort();
        problems
    }

    fn of_the_cluster(&self, coordinators: &[Coordinator], problems: &mut Vec<Problem>) {
        if !self.has_quorum() {
            problems.push(problem(
                "no_quorum",
                "cluster",
                "no majority of the coordinators is heard: nothing can be decided".into(),
                "start the missing coordinators; look at the network between them",
            ));
        }
        for down in coordinators.iter().filter(|member| member.reachable == Some(false)) {
            problems.push(problem(
                "coordinator_unreachable",
                &format!("coordinator/{}", down.name),
                format!("coordinator {} does not answer", down.name),
                "look at its log and its machine; start it again with its data folder",
            ));
        }
        for (id, refused) in &self.context.refused {
            let id = CoordinatorId(*id);
            // Of a member that was removed there is nothing to tell.
            if self.state.members.nodes.contains_key(&id) {
                problems.push(problem(
                    refused.code,
                    &format!("coordinator/{}", self.member(id)),
                    refused.words.clone(),
                    refused.remedy(),
                ));
            }
        }
        let voters = self.state.members.voters.iter().count();
        if voters < VOTERS_MIN {
            problems.push(problem(
                "few_voters",
                "cluster",
                format!("{voters} voters: the loss of one stops all decisions"),
                "run three or five coordinators",
            ));
        }
        if self.automation() == Automation::Paused {
            problems.push(problem(
                "automation_paused",
                "cluster",
                "the automaton begins nothing: a pause of scope all holds".into(),
                "interrex resume",
            ));
        }
        if let Some(left) = self.context.certificate.filter(|left| *left < CERTIFICATE_SOON) {
            problems.push(problem(
                "certificate_expiring",
                &format!("coordinator/{}", self.member(self.context.id)),
                format!("its certificate ends in {} days", left.as_secs() / 86_400),
                "interrex cert issue --role coordinator, then start it again",
            ));
        }
    }

    fn of_servers(&self, problems: &mut Vec<Problem>) {
        let fleet = self.state.fleet.document();
        for (server, document) in &fleet.servers {
            let expired = self.state.health.is_expired(*server);
            let what = match (document.role, expired) {
                (Role::RecorderHost, true) => "server_expired",
                (Role::Standby, true) => "standby_expired",
                (_, false) => continue,
            };
            problems.push(problem(
                what,
                &format!("server/{server}"),
                format!("{server} is not heard by a majority of the coordinators"),
                "look at its machine, its agent and its network; it returns by itself",
            ));
        }
        for group in fleet.groups.keys() {
            let of_group = || fleet.servers.iter().filter(|(_, known)| known.group == *group);
            let hosts = of_group().any(|(_, known)| known.role == Role::RecorderHost);
            let free = of_group().any(|(server, known)| {
                known.role == Role::Standby
                    && self.state.health.is_up(*server)
                    && self.state.roles.is_idle(*server)
            });
            if hosts && !free {
                problems.push(problem(
                    "no_free_standby",
                    &format!("group/{group}"),
                    format!("the next loss in group {group} cannot be covered"),
                    "bring a standby of the group back, or add one to the fleet document",
                ));
            }
        }
    }

    fn of_recorders(&self, problems: &mut Vec<Problem>) {
        for recorder in self.state.fleet.document().recorders.keys() {
            let Some((state, brake)) = recorder_state(self.state, *recorder) else { continue };
            let subject = format!("recorder/{recorder}");
            let (code, message, remedy) = match (state, brake) {
                (interrex_core::RecorderState::Queued, _) => (
                    "recorder_queued",
                    format!("{recorder} waits for a standby: nobody records it"),
                    "free a standby, or bring its home back: interrex get queue",
                ),
                (interrex_core::RecorderState::Held, Some(Brake::Paused)) => (
                    "recorder_held",
                    format!("{recorder} has lost its holder, and a pause holds its move back"),
                    "interrex resume, or interrex failover RECORDER --override",
                ),
                (interrex_core::RecorderState::Held, _) => (
                    "recorder_held",
                    format!("{recorder} has lost its holder, and its group only observes"),
                    "interrex failover RECORDER --override, or mode = \"auto\" in its group",
                ),
                (interrex_core::RecorderState::Down, _) => (
                    "recorder_down",
                    format!("nobody is known to record {recorder}"),
                    "start the agent of its home",
                ),
                (interrex_core::RecorderState::Substituted, _) => (
                    "recorder_substituted",
                    format!("{recorder} is away from home"),
                    "interrex failback RECORDER, once its home is well",
                ),
                (
                    interrex_core::RecorderState::Recording
                    | interrex_core::RecorderState::TakingOver
                    | interrex_core::RecorderState::HandingOver
                    | interrex_core::RecorderState::FailingBack,
                    _,
                ) => continue,
            };
            let remedy = remedy.replace("RECORDER", recorder.as_str());
            problems.push(problem(code, &subject, message, &remedy));
        }
        debug_assert_eq!(word(&RecorderState::Queued), "queued");
    }

    fn alarm(&self, alarm: Alarm) -> Problem {
        match alarm {
            Alarm::SplitView { server, missed_by } => {
                let by: Vec<_> = missed_by.iter().map(|id| self.member(*id)).collect();
                problem(
                    "split_view",
                    &format!("server/{server}"),
                    format!("{server} is missed by {}, and heard by the others", by.join(", ")),
                    "look at the network between them",
                )
            }
            Alarm::DuplicateIdentity { server, .. } => problem(
                "duplicate_identity",
                &format!("server/{server}"),
                format!("two agents speak for {server}: neither gets a lease"),
                "stop one of them; issue it an identity of its own",
            ),
            Alarm::ClockSkew { coordinator, off } => {
                let name = self.member(coordinator);
                problem(
                    "clock_skew",
                    &format!("coordinator/{name}"),
                    format!("the wall clock of {name} is {} ms off", off.as_millis()),
                    "set the clock of that machine (NTP)",
                )
            }
        }
    }
}

fn problem(code: &str, subject: &str, message: String, remedy: &str) -> Problem {
    Problem { code: code.into(), subject: subject.into(), message, remedy: remedy.into() }
}
