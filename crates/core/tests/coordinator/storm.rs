//! Seeded random faults on the small world: at the end of each seed all is quiet, whole and told.
//! The simulator does this on a larger scale; here it must end in one precise state.
use interrex_core::*;

use super::world::*;

const SEEDS: u64 = 40;

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn fault(world: &mut World, dice: &mut Dice) {
    let names = ["s1", "s2", "s9"];
    let name = names[dice.below(3) as usize];
    let coordinator = 1 + dice.below(3);
    match dice.below(10) {
        0 => drop(world.agents.remove(&server(name))),
        1 | 2 => drop(world.start_agent_that_follows(name, None)),
        3 => world.cut(name, &format!("c{coordinator}")),
        4 => world.cut(&format!("c{coordinator}"), name),
        5 => world.cut.clear(),
        6 => {
            world.release();
            world.elect(coordinator);
        }
        7 if world.leader != Some(coordinator) => world.start_coordinator(coordinator),
        7 => world.hold = true,
        8 => world.release(),
        _ => {
            let (leader, id) = (world.leader.unwrap(), u128::from(world.now));
            let recorder = recorder(["r1", "r2"][dice.below(2) as usize]);
            let command = if dice.below(2) == 0 {
                Command::FailOver { recorder, to: None, expect: None, despite: false }
            } else {
                Command::FailBack { recorder, expect: None, despite: false }
            };
            world.ask(leader, id, command);
        }
    }
}

/// Nobody acts in an epoch once the next one is committed (section 5, a).
fn fenced(world: &World, seed: u64) {
    for tenure in world.state().roles.tenures() {
        for name in ["s1", "s2", "s9"] {
            let acts = world.acts(name, tenure.recorder.as_str());
            assert!(
                !acts || tenure.holder == server(name),
                "seed {seed}, {} ms: {name} acts for {}, held by {}",
                world.now,
                tenure.recorder,
                tenure.holder
            );
        }
    }
}

/// A2, A5: when all is quiet each agent holds what the state says, whoever told it.
#[test]
fn after_any_faults_all_is_held_acted_and_told() {
    for seed in 1..=SEEDS {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut world = World::at_work();
        for _ in 0..30 {
            fault(&mut world, &mut dice);
            for _ in 0..dice.below(120) {
                world.run(10);
                fenced(&world, seed);
            }
        }
        world.cut.clear();
        world.release();
        for name in ["s1", "s2", "s9"] {
            if !world.agents.contains_key(&server(name)) {
                world.start_agent(name);
            }
        }
        world.run(45_000);
        let states: Vec<&State> = world.coordinators.values().map(|c| c.state()).collect();
        assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}");
        let tenures: Vec<_> = world.state().roles.tenures().collect();
        for tenure in tenures {
            let (holder, of) = (tenure.holder, tenure.recorder);
            assert!(world.acts(holder.as_str(), of.as_str()), "seed {seed}: {tenure:?}");
            assert!(!tenure.release_ordered, "seed {seed}: {tenure:?}");
        }
        for name in ["s1", "s2", "s9"] {
            assert_eq!(world.told(name), assigned(&world, name), "seed {seed}: {name}");
            assert!(!world.is_expired(name), "seed {seed}: {name}");
        }
        let entries = world.log.len();
        world.run(5_000);
        assert_eq!(world.log.len(), entries, "seed {seed}: nothing is decided twice");
    }
}

fn assigned(world: &World, name: &str) -> Vec<Duty> {
    interrex_core::assignment(world.state(), server(name)).duties
}
