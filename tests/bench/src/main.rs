//! Figures of Interrex beside those of a peer (etcd), in alternating rounds of one run on one
//! machine. Prints a JSON line for each figure of each round, and at the end the medians and their
//! ratio. Never a test: these machines are noisy, and a figure is not a verdict.
mod copy;
mod etcd;
mod figure;
mod history;
mod leader_loss;
mod ours;
mod played;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::figure::Book;

#[expect(unreachable_pub, reason = "generated")]
mod pb {
    tonic::include_proto!("etcdserverpb");
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Durable writes of 256 bytes, with one client and with 256.
    Writes,
    /// Leader killed to next write.
    LeaderLoss,
    /// Replay, verification, disk, and start with a million events.
    History,
    /// Material between two agents.
    Copy,
    /// Elections while all processors are busy (stress-ng).
    Elections,
}

#[derive(Debug, Parser)]
#[command(name = "interrex-bench")]
struct Args {
    /// Parts, in order.
    #[arg(value_enum, default_values_t = [Part::Writes, Part::LeaderLoss, Part::History])]
    parts: Vec<Part>,
    /// Alternating rounds of writes, and of copies.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each write window, after a warm-up of 1.5 s.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Kills of the leader, on each side.
    #[arg(long, default_value_t = 30)]
    kills: usize,
    /// Events in the history.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Minutes under load.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The program to measure.
    #[arg(long)]
    interrex: PathBuf,
    /// Where data lies: the same disk for both.
    #[arg(long)]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.dir)?;
    let mut book = Book::default();
    for part in &args.parts {
        match part {
            Part::Writes => writes(&args, &mut book).await?,
            Part::LeaderLoss => leader_loss::measure(&args, &mut book).await?,
            Part::History => history::measure(&args, &mut book)?,
            Part::Copy => copy::measure(&args, &mut book).await?,
            Part::Elections => ours::elections(&args, &mut book)?,
        }
    }
    book.print();
    Ok(())
}

/// A B, B A, A B, ...: whoever goes first in one round goes second in the next.
async fn writes(args: &Args, book: &mut Book) -> Result<()> {
    for round in 0..args.rounds {
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                etcd::writes(args, book).await?;
            } else {
                ours::writes(args, book)?;
            }
        }
    }
    Ok(())
}
