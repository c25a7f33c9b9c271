//! The transition table in the docs, printed from the core itself: a change of a rule is a visible
//! change of this table.
use crate::script::run;
use crate::world::World;

const SITUATIONS: &[(&str, &[&str])] = &[
    ("at home", &[]),
    ("at home, no standby is up", &["silent srv-3"]),
    ("at home, the standby is taken", &["silent srv-2"]),
    ("lost, queued", &["silent srv-2", "silent srv-1"]),
    ("lost, held back by a pause", &["pause all scope all for 1h", "silent srv-1"]),
    ("on its way: planned", &["failover rec-1"]),
    ("on its way: prepared", &["failover rec-1", "once agent srv-3 rec-1 e2 prepared"]),
    ("on its way: release ordered", &["failover rec-1", "agent srv-3 rec-1 e2 prepared"]),
    ("being taken over", &["silent srv-1"]),
    ("takeover failed", &["silent srv-1", "agent srv-3 rec-1 e2 failed"]),
    ("substituted", &["silent srv-1", "agent srv-3 rec-1 e2 acting 100"]),
    ("substituted by hand", BY_HAND),
    ("on its way home: planned", PLANNED_HOME),
    ("on its way home: release ordered", RELEASED_HOME),
];

const BY_HAND: &[&str] = &[
    "failover rec-1",
    "agent srv-3 rec-1 e2 prepared",
    "clear rec-1 e1",
    "agent srv-3 rec-1 e2 acting 100",
];
const PLANNED_HOME: &[&str] =
    &["silent srv-1", "agent srv-3 rec-1 e2 acting 100", "heard srv-1", "failback rec-1"];
const RELEASED_HOME: &[&str] = &[
    "silent srv-1",
    "agent srv-3 rec-1 e2 acting 100",
    "heard srv-1",
    "failback rec-1",
    "agent srv-1 rec-1 e3 prepared",
];

const HAPPENINGS: &[(&str, &str)] = &[
    ("home is silent", "silent srv-1"),
    ("home is heard", "heard srv-1"),
    ("the standby is silent", "silent srv-3"),
    ("the standby is heard", "heard srv-3"),
    ("`failover`", "failover rec-1"),
    ("`failback`", "failback rec-1"),
    ("31 s pass", "wait 31s"),
    ("all are clear of it", "clear"),
];

fn table() -> String {
    let mut table = String::from(
        "# What becomes of rec-1\n\nPrinted by `crates/core/tests/core/transitions.rs` from the code; \
         do not edit. Two recorder hosts (srv-1, srv-2) and one standby (srv-3), mode auto, failback \
         by hand. A `/` begins another decision on the same evidence; *refusals* by their code.\n\n\
         | rec-1 is |",
    );
    HAPPENINGS.iter().for_each(|(name, _)| table += &format!(" {name} |"));
    table += "\n|---|";
    HAPPENINGS.iter().for_each(|_| table += "---|");
    for (situation, history) in SITUATIONS {
        table += &format!("\n| {situation} |");
        for (_, happening) in HAPPENINGS {
            let mut world = World::of(3);
            for line in ["fleet", "heard srv-1", "heard srv-2", "heard srv-3"] {
                run(&mut world, line);
            }
            history.iter().for_each(|line| drop(run(&mut world, line)));
            let epoch = world.state.roles.tenure("rec-1".parse().unwrap()).unwrap().epoch;
            let line = match *happening {
                "clear" => format!("clear rec-1 {epoch}"),
                other => other.to_owned(),
            };
            table += &format!(" {} |", cell(&run(&mut world, &line)));
        }
    }
    table + "\n"
}

/// The events in short: what decided nothing stays empty.
fn cell(lines: &[String]) -> String {
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        let (mark, event) = line.split_at(2);
        text += if n == 0 {
            ""
        } else if mark == "* " {
            " / "
        } else {
            "; "
        };
        let mut words = event.split_whitespace();
        match (words.next(), words.next()) {
            (Some("refused"), Some(code)) => {
                text += &format!("*{}*", code.trim_end_matches(':'));
            }
            (Some(kind), _) => {
                text += kind;
                let arrow = event.split(" -> ").nth(1).and_then(|to| to.split(' ').next());
                if let Some(to) = arrow {
                    text += &format!(" to {to}");
                }
            }
            (None, _) => {}
        }
    }
    text
}

#[test]
fn the_documented_transitions_are_the_real_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/transitions.md");
    let real = table();
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).unwrap();
        std::fs::write(path, &real).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), real, "run again with BLESS=1");
}
