//! How fast segments are written and verified, and how many bytes an event takes. Run it with
//! `cargo run --release -p interrex-wire --example segments`; prints a line of JSON for each load.
use std::time::{Duration, Instant};

use interrex_core::{
    Act, Actor, Cause, Decision, Epoch, Event, FailoverId, Generation, LEVEL, LogIndex, LogTime,
    OperationId, OperationKey, PersonId, RecorderId, ServerId, Verdict, Why,
};
use interrex_wire::decision;
use interrex_wire::segment::{Body, End, Header, Reader, Tail, Writer};

type Sure<T> = Result<T, Box<dyn std::error::Error>>;

/// Decisions of a run.
struct Load {
    name: &'static str,
    decisions: u64,
    /// Decisions between two durable points.
    per_sync: u64,
    make: fn(u64) -> Sure<Vec<Act>>,
}

fn main() -> Sure<()> {
    for load in [
        Load { name: "moves, 16 a decision", decisions: 125_000, per_sync: 8, make: moves },
        Load { name: "one move a decision and sync", decisions: 200_000, per_sync: 1, make: one },
        Load {
            name: "one move a decision, 64 a sync",
            decisions: 1_000_000,
            per_sync: 64,
            make: one,
        },
        Load { name: "notes, 64 a decision and sync", decisions: 20_000, per_sync: 1, make: notes },
    ] {
        run(&load)?;
    }
    Ok(())
}

fn run(load: &Load) -> Sure<()> {
    let mut proposed = Vec::new();
    let mut encoding = Duration::ZERO;
    for n in 1..=load.decisions {
        let (basis, at) = (LogIndex(n - 1), LogTime(1_795_000_000_000 + n * 7));
        let decision = Decision { basis, at, level: LEVEL, acts: (load.make)(n)? };
        let start = Instant::now();
        proposed.push(decision::encode(&decision));
        encoding += start.elapsed();
    }
    let start = Instant::now();
    let files = write(&proposed, load.per_sync)?;
    let writing = start.elapsed();
    let start = Instant::now();
    let (events, head) = verify(&files)?;
    let verifying = start.elapsed();
    let stored: usize = files.iter().map(Vec::len).sum();
    let raw: usize = proposed.iter().map(Vec::len).sum();
    let each = |time: Duration| events as f64 / time.as_secs_f64();
    println!(
        "{{\"load\":\"{}\",\"events\":{events},\"encoded_bytes\":{:.1},\"stored_bytes\":{:.1},\
         \"encoded_per_s\":{:.0},\"written_per_s\":{:.0},\"verified_per_s\":{:.0},\"head\":\"{head}\"}}",
        load.name,
        raw as f64 / events as f64,
        stored as f64 / events as f64,
        each(encoding),
        each(writing),
        each(verifying),
    );
    Ok(())
}

fn write(proposed: &[Vec<u8>], per_sync: u64) -> Sure<Vec<Vec<u8>>> {
    let mut writer = Writer::create(Header::founding([7; 16], Generation(1)))?;
    writer.append(LogIndex(0), 0, Body::Blank)?;
    let (mut files, mut file) = (Vec::new(), Vec::new());
    for (n, bytes) in (1..).zip(proposed) {
        writer.append(LogIndex(n), 1, Body::Decision(bytes))?;
        if n % per_sync == 0 {
            file.extend(writer.flush()?);
        }
        if writer.is_full() {
            let (seal, next) = writer.seal()?;
            file.extend(seal);
            files.push(std::mem::take(&mut file));
            writer = Writer::create(next)?;
        }
    }
    file.extend(writer.flush()?);
    files.push(file);
    Ok(files)
}

/// Cold: checksums, decompression, chain, every decision decoded.
fn verify(files: &[Vec<u8>]) -> Sure<(usize, String)> {
    let (mut events, mut before): (usize, Option<End>) = (0, None);
    for file in files {
        let mut reader = Reader::open("in memory", file, before.as_ref(), Tail::Whole)?;
        while let Some(frame) = reader.next()? {
            if let Body::Decision(bytes) = frame.body {
                events += decision::decode(bytes)?.events().count();
            }
        }
        before = Some(reader.end());
    }
    let head = before.map(|end| end.place.head.to_string()).unwrap_or_default();
    Ok((events, head))
}

fn one(n: u64) -> Sure<Vec<Act>> {
    Ok(vec![Act {
        actor: Actor::Person(PersonId(0x9e37_79b9_7f4a_7c15 ^ (n % 5))),
        operation: Some(key(n)),
        reason: String::new(),
        ticket: String::new(),
        outcome: Verdict::Done(vec![moved(n)?]),
    }])
}

fn moves(n: u64) -> Sure<Vec<Act>> {
    let act = |n| {
        Ok(Act {
            actor: Actor::Automaton,
            operation: None,
            reason: String::new(),
            ticket: String::new(),
            outcome: Verdict::Done(vec![moved(n)?]),
        })
    };
    (n * 16..(n + 1) * 16).map(act).collect()
}

fn notes(n: u64) -> Sure<Vec<Act>> {
    let act = |n| Act {
        actor: Actor::Person(PersonId(7)),
        operation: Some(key(n)),
        reason: String::new(),
        ticket: String::new(),
        outcome: Verdict::Done(vec![Event::Noted {
            key: format!("bench/{}", n % 1_000),
            text: format!("{n:0>256}"),
        }]),
    };
    Ok((n * 64..(n + 1) * 64).map(act).collect())
}

/// Some recorder out of a thousand, between its home and some standby.
fn moved(n: u64) -> Sure<Event> {
    let some = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let recorder: RecorderId = format!("hall-a-recorder-{:04}", some % 1_000).parse()?;
    let from: ServerId = format!("hall-a-server-{:04}", some % 1_000).parse()?;
    let to: ServerId = format!("hall-a-standby-{:03}", some / 1_000 % 100).parse()?;
    Ok(Event::Moved {
        recorder,
        from,
        to,
        epoch: Epoch(n / 1_000 + 2),
        why: Why::Failover,
        failover: FailoverId(n),
        cause: Cause::Disconnection,
    })
}

/// A UUID v7 and a hash: 18 bytes that no compression takes away.
fn key(n: u64) -> OperationKey {
    let noise = n.wrapping_mul(0xd134_2543_de82_ef95);
    let id = u128::from(1_795_000_000_000 + n) << 80 | 7 << 76 | u128::from(noise);
    OperationKey { id: OperationId(id), command: noise.rotate_left(17).wrapping_mul(n | 1) }
}
