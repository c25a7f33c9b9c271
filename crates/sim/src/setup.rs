//! What a seed stands for: how many coordinators, which fleet, which faults are in the mix.
//! Each seed leaves out some kinds of faults altogether (swarm testing): what is always there
//! hides what it hides.
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use interrex_core::fleet::{
    Failback, Fleet, Group, Limits, Mode, Overrides, Recorder, Role, Server,
};
use interrex_core::numbers::Timeout;
use interrex_core::{ConfigHash, GroupId, RecorderId, ServerId};

use crate::clock::At;
use crate::faults::{self, Kind, Reaction};
use crate::rng::Rng;

/// Servers: five recorder hosts, then three standbys.
pub(crate) const SERVERS: usize = 8;
/// Of which so many are homes.
pub(crate) const HOMES: usize = 5;
/// Operators at work.
pub(crate) const CLIENTS: usize = 3;
/// Virtual time of one run.
pub(crate) const RUN: Duration = Duration::from_secs(600);
/// Faults stop here, and everything is mended; the rest of the run must bring order.
pub(crate) const HEALED: Duration = Duration::from_secs(470);
/// No run has fewer planned faults.
pub(crate) const FAULTS_MIN: usize = 20;

/// One seed, spelled out.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Three or five.
    pub(crate) coordinators: usize,
    /// Step of coordinators, in microseconds: 10 ms, or more on a slow machine.
    pub(crate) grid_us: u64,
    /// Step of agents, in microseconds.
    pub(crate) agent_grid_us: u64,
    /// What operators apply first.
    pub(crate) fleet: Arc<Fleet>,
    /// Begun by the clock.
    pub(crate) faults: Vec<(At, Kind)>,
    /// Begun by what happens.
    pub(crate) reactions: Vec<Reaction>,
    /// The leader's disk is slow just when an expiry is to be written.
    pub(crate) slow_expiries: bool,
    /// Median pause between two wishes of one operator, in milliseconds.
    pub(crate) leisure_ms: u64,
}

impl Setup {
    /// Everything that follows from the seed before the run begins.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let coordinators = if rng.chance(700) { 3 } else { 5 };
        let kinds = faults::mix(&mut rng);
        Self {
            coordinators,
            grid_us: rng.pick(&[10_000, 30_000, 40_000, 50_000, 50_000, 60_000]),
            agent_grid_us: rng.pick(&[30_000, 50_000, 60_000, 80_000]),
            fleet: Arc::new(fleet(&mut rng)),
            faults: plan(&mut rng, &kinds),
            reactions: faults::reactions(&mut rng),
            slow_expiries: rng.chance(300),
            leisure_ms: rng.pick(&[1_500, 4_000, 10_000]),
        }
    }
}

/// At least [`FAULTS_MIN`], spread over the time before all is mended.
fn plan(rng: &mut Rng, kinds: &[Kind]) -> Vec<(At, Kind)> {
    let count = FAULTS_MIN + rng.index(40);
    let last_us = u64::try_from(HEALED.as_micros()).unwrap_or_default();
    let mut plan: Vec<_> =
        (0..count).map(|_| (At(rng.within(8_000_000..last_us)), rng.pick(kinds))).collect();
    plan.sort_by_key(|(at, _)| *at);
    plan
}

static NAMES: LazyLock<Vec<ServerId>> = LazyLock::new(|| {
    let hosts = (1..=HOMES).map(|n| format!("srv-{n}"));
    let standbys = (1..=SERVERS - HOMES).map(|n| format!("sb-{n}"));
    hosts.chain(standbys).map(|name| name.parse().expect("a name")).collect()
});

/// The name of the server at that place.
pub(crate) fn server(at: usize) -> ServerId {
    NAMES[at]
}

/// The place of a server.
pub(crate) fn place(server: ServerId) -> usize {
    NAMES.iter().position(|&name| name == server).expect("a server of the fleet")
}

/// The recorder whose home is at that place.
pub(crate) fn recorder(home: usize) -> RecorderId {
    format!("rec-{}", home + 1).parse().expect("a name")
}

/// Two groups that the automaton serves, the first with two standbys and the second with one, and
/// one that it only observes.
pub(crate) fn group_of(server: usize) -> GroupId {
    let name = match server {
        0 | 1 | 5 | 6 => "hall-a",
        2 | 3 | 7 => "hall-b",
        _ => "hall-c",
    };
    name.parse().expect("a name")
}

/// A timeout that may be set: short ones more often, since more happens under them.
pub(crate) fn timeout(rng: &mut Rng) -> Timeout {
    let ms = rng.pick(&[1_000, 1_000, 1_500, 2_000, 2_000, 3_000, 5_000, 10_000]);
    Timeout::new(Duration::from_millis(ms)).unwrap_or_default()
}

fn fleet(rng: &mut Rng) -> Fleet {
    let mut groups = BTreeMap::new();
    for at in [0, 2, 4] {
        let mode = if at == 4 { Mode::Observe } else { Mode::Auto };
        let failback = if at == 0 || rng.chance(500) { Failback::Auto } else { Failback::Manual };
        let recovery = Duration::from_secs(rng.pick(&[0, 0, 2, 10]));
        let timeout = timeout(rng);
        let group = Group { mode, timeout, failback, recovery, ..Group::default() };
        groups.insert(group_of(at), group);
    }
    let servers = (0..SERVERS).map(|at| {
        let role = if at < HOMES { Role::RecorderHost } else { Role::Standby };
        let own = rng.chance(250).then(|| timeout(rng));
        (server(at), Server { group: group_of(at), role, timeout: own })
    });
    let servers = servers.collect();
    let recorders = (0..HOMES).map(|home| {
        let config = ConfigHash([u8::try_from(home).unwrap_or_default() + 1; 32]);
        let priority = rng.pick(&[0, 0, 10, 100]);
        let document = Recorder {
            home: server(home),
            priority,
            channels: 2,
            config,
            own: Overrides::default(),
            addresses: Arc::default(),
        };
        (recorder(home), document)
    });
    let recorders = recorders.collect();
    Fleet { limits: Limits { commands_per_second: 50 }, groups, servers, recorders }
}
