//! Scripts: one line is one thing that happens; what is decided because of it is written below it.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{CopyPolicy, Failback, Mode};
use interrex_core::*;

use crate::brief::{brief, show};
use crate::world::*;

/// Runs `line` in `world` and returns what was decided, a line an event.
///
/// ```text
/// fleet hosts=2 standbys=1 mode=auto failback=auto recovery=5s timeout=2s
/// silent srv-1 [by 1,2]        heard srv-1 [for 5s] [by 1,2]      late srv-3      fresh 1,2
/// agent srv-3 rec-1 e2 prepared | acting 2500 | failed            ended srv-1 rec-1 e1 1000
/// reboot srv-3                 clear rec-1 e1 [by 1,2]            wait 30s
/// failover rec-1 [to srv-3] [expect 1] [override]                 failback rec-1 ..
/// pause all|group hall-a|server srv-1 [scope all] for 2h          resume all|..
/// note KEY TEXT [expect 3]     priority rec-1 200                 remove rec-1       show
/// copying srv-1 1 running 3 9  erased 1            listens srv-3 h:1  copy start|stop|.. 1|rec-1
/// ```
///
/// `once LINE` forms one decision only; otherwise decisions follow until nothing is due.
pub(crate) fn run(world: &mut World, line: &str) -> Vec<String> {
    let (once, line) = match line.strip_prefix("once ") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let words: Vec<_> = line.split_whitespace().collect();
    if words == ["show"] {
        return show(&world.state);
    }
    let request = happen(world, &words).map(|command| world.wish(command));
    let requests = request.as_slice();
    let decisions =
        if once { world.once(requests).into_iter().collect() } else { world.settle(requests) };
    let acts = decisions.iter().flat_map(|decision| {
        decision.acts.iter().map(|act| (decision.basis, act)).collect::<Vec<_>>()
    });
    let mut last = None;
    let mut lines = Vec::new();
    for (basis, act) in acts {
        // A new decision is marked, so that one can see what stood together.
        let mark = if last.replace(basis) == Some(basis) { " " } else { "*" };
        match &act.outcome {
            Verdict::Done(events) => {
                lines.extend(events.iter().map(|event| format!("{mark} {}", brief(event))));
            }
            Verdict::Refused(Refused { code, message, .. }) => {
                lines.push(format!("{mark} refused {code}: {message}"));
            }
        }
    }
    lines
}

/// Changes the world; a command is returned, to be judged.
fn happen(world: &mut World, words: &[&str]) -> Option<Command> {
    let by = option(words, "by").map_or_else(
        || world.everybody(),
        |list| list.split(',').map(|c| CoordinatorId(c.parse().unwrap())).collect(),
    );
    let subject = |of: &[&str]| match of {
        ["all", ..] => Subject::Everything,
        ["group", name, ..] => Subject::Group(group(name)),
        ["server", name, ..] => Subject::Server(server(name)),
        other => panic!("whom? {other:?}"),
    };
    let expect = option(words, "expect").map(|n| n.parse().unwrap());
    let despite = words.contains(&"override");
    match words {
        ["fleet", ..] => return Some(fleet(words)),
        ["silent", name, ..] => world.silence(server(name), &by),
        ["heard", name, ..] => {
            let long = option(words, "for").map_or(Duration::from_secs(3600), duration);
            world.hear(server(name), long, &by);
        }
        ["late", name] => {
            world.evidence.late.insert(server(name));
        }
        ["fresh", ..] => world.evidence.fresh = by,
        ["agent", name, of, epoch, said @ ..] => {
            world.tell(server(name), duty(recorder(of), number(epoch), said));
        }
        ["ended", name, of, epoch, last] => {
            let (recorder, epoch, last_ms) = (recorder(of), number(epoch), last.parse().ok());
            world.tell_end(server(name), ended(recorder, epoch, last_ms));
        }
        ["copying", name, id, standing, done, total] => {
            let progress = Progress {
                segments_done: done.parse().unwrap(),
                segments_total: total.parse().unwrap(),
                ..Progress::default()
            };
            let (copy, standing) = (copy_id(id), standing_of(standing));
            world.tell_copy(server(name), CopyStatus { copy, progress, standing });
        }
        ["erased", ids @ ..] => world.evidence.erased = ids.iter().map(|id| copy_id(id)).collect(),
        ["listens", name, at] => {
            let facts = Facts { listen: Some(at.parse().unwrap()) };
            world.evidence.facts.insert(server(name), facts);
        }
        ["copy", wish, of] => {
            let subject = match of.parse() {
                Ok(id) => CopySubject::Id(CopyId(id)),
                Err(_) => CopySubject::Recorder(recorder(of)),
            };
            return Some(Command::Copy { subject, wish: wish_of(wish) });
        }
        ["reboot", name] => world.reboot(server(name)),
        ["clear", of, epoch, ..] => {
            world.evidence.clear.insert((recorder(of), number(epoch)), by);
        }
        ["wait", long] => world.wait(duration(long)),
        ["failover", of, ..] => {
            let (recorder, to) = (recorder(of), option(words, "to").map(server));
            return Some(Command::FailOver { recorder, to, expect: expect.map(Epoch), despite });
        }
        ["failback", of, ..] => {
            let recorder = recorder(of);
            return Some(Command::FailBack { recorder, expect: expect.map(Epoch), despite });
        }
        ["pause", of @ ..] => {
            let scope = match option(words, "scope") {
                Some("all") => Scope::All,
                Some(_) | None => Scope::Failback,
            };
            let lasts = duration(option(words, "for").unwrap());
            return Some(Command::Pause { subject: subject(of), scope, lasts });
        }
        ["resume", of @ ..] => return Some(Command::Resume { subject: subject(of) }),
        ["note", key, text, ..] => {
            let (key, text) = (key.to_string(), text.to_string());
            return Some(Command::Note { key, text, expect: expect.map(Revision) });
        }
        ["priority", of, priority] => {
            let mut fleet = Fleet::clone(world.state.fleet.document());
            fleet.recorders.get_mut(&recorder(of)).unwrap().priority = priority.parse().unwrap();
            return Some(Command::ApplyFleet { fleet: Arc::new(fleet), expect: None });
        }
        ["remove", name] => {
            let mut fleet = Fleet::clone(world.state.fleet.document());
            fleet.recorders.retain(|recorder, _| recorder.as_str() != *name);
            fleet.servers.retain(|server, _| server.as_str() != *name);
            return Some(Command::ApplyFleet { fleet: Arc::new(fleet), expect: None });
        }
        other => panic!("what is {other:?}?"),
    }
    None
}

use interrex_core::fleet::Fleet;

fn fleet(words: &[&str]) -> Command {
    let mut plan = Plan::default();
    for word in &words[1..] {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "hosts" => plan.hosts = value.parse().unwrap(),
            "standbys" => plan.standbys = value.parse().unwrap(),
            "mode" if value == "observe" => plan.mode = Mode::Observe,
            "mode" => plan.mode = Mode::Auto,
            "failback" if value == "auto" => plan.failback = Failback::Auto,
            "failback" => plan.failback = Failback::Manual,
            "recovery" => plan.recovery = duration(value),
            "copy" => plan.copy = policy_of(value),
            "timeout" => plan.timeout = duration(value),
            _ => panic!("fleet has no {key}"),
        }
    }
    Command::ApplyFleet { fleet: Arc::new(plan.fleet()), expect: None }
}

fn duty(recorder: RecorderId, epoch: Epoch, said: &[&str]) -> DutyStatus {
    let (phase, first_ms, failed) = match said {
        ["preparing"] => (Phase::Preparing, None, false),
        ["prepared"] => (Phase::Prepared, None, false),
        ["acting"] => (Phase::Acting, None, false),
        ["acting", first] => (Phase::Acting, Some(first.parse().unwrap()), false),
        ["failed"] => (Phase::Preparing, None, true),
        other => panic!("says what? {other:?}"),
    };
    let recording = if first_ms.is_some() { 4 } else { 0 };
    let (config, channels, last_ms, tick_ms) = (ConfigHash::default(), 4, None, 20);
    DutyStatus {
        recorder,
        epoch,
        phase,
        config,
        recording,
        channels,
        first_ms,
        last_ms,
        tick_ms,
        failed,
    }
}

fn copy_id(text: &str) -> CopyId {
    CopyId(text.parse().unwrap())
}

fn policy_of(word: &str) -> CopyPolicy {
    match word {
        "auto" => CopyPolicy::Auto,
        "manual" => CopyPolicy::Manual,
        "discard" => CopyPolicy::Discard,
        "redirect" => CopyPolicy::Redirect,
        other => panic!("no policy {other}"),
    }
}

fn standing_of(word: &str) -> CopyStanding {
    use CopyStanding::{DiskFull, Durable, Failed, NoRoute, Running};
    let all = [Running, DiskFull, NoRoute, Failed, Durable];
    all.into_iter().find(|standing| standing.name() == word).unwrap()
}

fn wish_of(word: &str) -> CopyWish {
    use CopyWish::{Discard, GiveUp, Pause, Resume, Retry, Start, Stop};
    let all = [Start, Pause, Resume, Retry, Stop, Discard, GiveUp];
    all.into_iter().find(|wish| wish.name() == word).unwrap()
}

fn number(epoch: &str) -> Epoch {
    Epoch(epoch.strip_prefix('e').unwrap().parse().unwrap())
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().skip_while(|word| **word != name).nth(1).copied()
}

fn duration(text: &str) -> Duration {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap());
    let n: u64 = digits.parse().unwrap();
    match unit {
        "ms" => Duration::from_millis(n),
        "s" => Duration::from_secs(n),
        "m" => Duration::from_secs(60 * n),
        "h" => Duration::from_secs(3600 * n),
        _ => panic!("{text}"),
    }
}
