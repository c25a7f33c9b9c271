//! One agent under test, with a clock in milliseconds and shorthand for what comes in.
use std::collections::BTreeSet;
use std::time::Duration;

use interrex_core::agent::{
    Agent, AgentIdentity, AgentInput, AgentMoment, AgentOutput, CONNECTION_TIMEOUT, Connection,
    Deed, DriverStatus, Link, Wish,
};
use interrex_core::fleet::Fencing;
use interrex_core::{
    Ack, AgentBoot, Assignment, AssignmentId, BeatSeq, Boot, BootTime, ConfigHash, CoordinatorId,
    Duty, DutyKind, Epoch, Facts, Generation, Grant, Heartbeat, LogIndex, RecorderId, ServerId,
    SetId, Voters, Wall,
};

pub(crate) const BOOT: AgentBoot = AgentBoot(77);
pub(crate) const L: u64 = 750;

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn boot_ms(n: u64) -> BootTime {
    BootTime(ms(n))
}

pub(crate) fn server() -> ServerId {
    "srv-1".parse().unwrap()
}

pub(crate) fn rec(n: u64) -> RecorderId {
    format!("rec-{n}").parse().unwrap()
}

pub(crate) fn voters(halves: &[&[u64]]) -> Voters {
    let half = |ids: &&[u64]| ids.iter().map(|id| CoordinatorId(*id)).collect::<BTreeSet<_>>();
    Voters(halves.iter().map(half).collect())
}

pub(crate) fn duty(n: u64, epoch: u64, kind: DutyKind) -> Duty {
    Duty {
        recorder: rec(n),
        epoch: Epoch(epoch),
        kind,
        channels: 4,
        config: ConfigHash([u8::try_from(epoch).unwrap(); 32]),
        fencing: Fencing::RecordFirst,
        addresses: [].into(),
    }
}

pub(crate) fn assignment(generation: u64, index: u64, duties: &[Duty]) -> Assignment {
    let id = AssignmentId { generation: Generation(generation), index: LogIndex(index) };
    Assignment {
        server: server(),
        id,
        duties: duties.to_vec(),
        ends_wanted: Vec::new(),
        copies: Vec::new(),
        keep: Vec::new(),
    }
}

/// An acknowledgement by `c` of `seq`, by three voters, granting nothing, assigning nothing.
pub(crate) fn ack(c: u64, seq: u64) -> Ack {
    Ack {
        coordinator: CoordinatorId(c),
        boot: Boot(1),
        agent: BOOT,
        seq: BeatSeq(seq),
        set: SetId(1),
        voters: voters(&[&[1, 2, 3]]),
        applied: LogIndex(10),
        grants: Vec::new(),
        interval: ms(200),
        deaf: ms(500),
        assignment: None,
    }
}

pub(crate) fn granting(c: u64, seq: u64, epoch: u64) -> Ack {
    let grant = Grant { recorder: rec(1), epoch: Epoch(epoch), lease: ms(L) };
    Ack { grants: vec![grant], ..ack(c, seq) }
}

pub(crate) fn assigning(c: u64, seq: u64, assignment: Assignment) -> Ack {
    Ack { assignment: Some(assignment), ..ack(c, seq) }
}

pub(crate) struct Bench {
    pub(crate) agent: Agent,
    pub(crate) at: u64,
    pub(crate) dice: u32,
    pub(crate) out: Vec<AgentOutput>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::after(Vec::new())
    }

    /// A process whose predecessor remembered `last_good`.
    pub(crate) fn after(last_good: Vec<Duty>) -> Self {
        let identity = AgentIdentity {
            server: server(),
            boot: BOOT,
            follows: None,
            last_good,
            links: 3,
            connection_timeout: CONNECTION_TIMEOUT,
            facts: Facts::default(),
        };
        let now = AgentMoment { boot: boot_ms(0), wall: Wall(0) };
        Self { agent: Agent::start(identity, now), at: 0, dice: 0, out: Vec::new() }
    }

    pub(crate) fn give(&mut self, input: AgentInput) -> Vec<AgentOutput> {
        let now = AgentMoment { boot: boot_ms(self.at), wall: Wall(self.at) };
        let out = self.agent.handle(input, now);
        self.out.extend(out.iter().cloned());
        out
    }

    pub(crate) fn ack(&mut self, ack: Ack) -> Vec<AgentOutput> {
        let link = Link(u32::try_from(ack.coordinator.0).unwrap() - 1);
        self.give(AgentInput::Ack { via: Connection { link, attempt: 1 }, ack })
    }

    pub(crate) fn step(&mut self) -> Vec<AgentOutput> {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.give(AgentInput::Step { dice: self.dice >> 8 })
    }

    /// Steps of 10 ms up to and with `until`.
    pub(crate) fn run(&mut self, until: u64) -> Vec<AgentOutput> {
        let mut out = Vec::new();
        while self.at < until {
            self.at = (self.at + 10).min(until);
            out.extend(self.step());
        }
        out
    }

    /// The last beat, which must be there.
    pub(crate) fn beat(&self) -> Heartbeat {
        let beats = self.out.iter().rev();
        let beat = beats.filter_map(|out| match out {
            AgentOutput::Beat(beat) => Some(beat.clone()),
            _ => None,
        });
        beat.clone().next().expect("a beat was sent")
    }

    pub(crate) fn seq(&self) -> u64 {
        self.beat().seq.0
    }

    pub(crate) fn wishes(&self) -> Vec<Wish> {
        let wishes = self.out.iter().rev().find_map(|out| match out {
            AgentOutput::Wishes(wishes) => Some(wishes.clone()),
            _ => None,
        });
        wishes.unwrap_or_default()
    }

    pub(crate) fn acts(&self) -> bool {
        !self.agent.acting(boot_ms(self.at)).is_empty()
    }
}

/// Times of the beats among `out` are not known; how many there are is.
pub(crate) fn beats(out: &[AgentOutput]) -> usize {
    out.iter().filter(|out| matches!(out, AgentOutput::Beat(_))).count()
}

pub(crate) fn deeds(out: &[AgentOutput]) -> Vec<(Deed, u64)> {
    let deed = |out: &AgentOutput| match out {
        AgentOutput::Did { deed, epoch, .. } => Some((*deed, epoch.0)),
        _ => None,
    };
    out.iter().filter_map(deed).collect()
}

pub(crate) fn recording(epoch: u64, first_ms: Option<u64>, last_ms: Option<u64>) -> DriverStatus {
    DriverStatus {
        recorder: rec(1),
        epoch: Epoch(epoch),
        config: duty(1, epoch, DutyKind::Act).config,
        recording: 4,
        channels: 4,
        first_ms,
        last_ms,
        tick_ms: 20,
        prepared: true,
        failed: false,
    }
}
