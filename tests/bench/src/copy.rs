//! Material of one tenure from one agent to another on loopback with mutual TLS, beside reading,
//! writing, hashing and syncing the same files on the same disk without anybody else. The
//! coordinators are played, so that nothing but copying is measured.
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use interrex_cli::local::{Host, Place};

use crate::Args;
use crate::figure::{Book, OURS};
use crate::played::Played;

/// Whose figure: one program that copies, hashes and syncs file by file.
const ALONE: &str = "cp+fsync+blake3";
/// Each way of cutting the same gigabyte: name, segments, bytes of each.
const CUTS: [(&str, usize, usize); 2] = [("large", 1_000, 1_000_000), ("small", 100_000, 10_000)];
const CHANNELS: usize = 4;
/// A copy that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(300);

/// Rounds of both sides in turn, of both cuts.
pub(crate) async fn measure(args: &Args, book: &mut Book) -> Result<()> {
    for round in 0..args.rounds {
        let mut per_byte = Vec::new();
        for (name, count, bytes) in CUTS {
            let dir = args.dir.join("copy");
            if dir.exists() {
                fs::remove_dir_all(&dir)?;
            }
            let agents = ["srv-1", "srv-3"].map(|name| (name.to_owned(), Host::default()));
            let coordinator = [("c1".to_owned(), Host::default())];
            let mut place = Place::lay(&dir, &args.interrex, &coordinator, &agents)?;
            record(&place.data("srv-3"), count, bytes)?;
            let (mut ours, mut alone) = (0.0, 0.0);
            for turn in 0..2 {
                if (round + turn) % 2 == 0 {
                    ours = copied(&mut place, count, bytes, name, book).await?;
                } else {
                    alone = copied_alone(&place.data("srv-3"), &dir.join("alone"))?;
                }
            }
            let megabytes = megabytes(count, bytes);
            book.enter(OURS, &format!("copy.{name}.mb_per_s"), megabytes / ours);
            book.enter(ALONE, &format!("copy.{name}.mb_per_s"), megabytes / alone);
            book.enter(OURS, &format!("copy.{name}.of_alone"), alone / ours);
            per_byte.push(ours / megabytes);
        }
        if let [large, small] = per_byte[..] {
            book.enter(OURS, "copy.small_to_large_per_byte", small / large);
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
fn megabytes(count: usize, bytes: usize) -> f64 {
    count as f64 * bytes as f64 / 1e6
}

/// Segments of `rec-1` in epoch 2 as `srv-3` would have left them, hashes in its journal.
fn record(data: &Path, count: usize, bytes: usize) -> Result<()> {
    let mut content = vec![0_u8; bytes];
    rand::fill(&mut content[..]);
    fs::create_dir_all(data)?;
    let mut journal = std::io::BufWriter::new(File::create(data.join("journal.jsonl"))?);
    for channel in 0..CHANNELS {
        fs::create_dir_all(data.join(format!("material/rec-1/ch-{}", channel + 1)))?;
    }
    for number in 0..count {
        let start = 1_700_000_000_000 + 10_000 * u64::try_from(number)?;
        for (to, from) in content.iter_mut().zip(start.to_le_bytes()) {
            *to = from;
        }
        let channel = format!("ch-{}", number % CHANNELS + 1);
        let file = format!("material/rec-1/{channel}/{start}-{}-2-srv-3.seg", start + 10_000);
        fs::write(data.join(&file), &content)?;
        let line = serde_json::json!({
            "time_ns": 0, "boot_ns": 0, "server": "srv-3", "recorder": "rec-1", "epoch": 2,
            "event": "segment", "channel": channel, "file": file,
            "blake3": blake3::hash(&content).to_hex().as_str(), "lease_end_ns": null,
            "unfenced": false,
        });
        writeln!(journal, "{line}")?;
    }
    journal.flush()?;
    let synced = Command::new("sync").arg("-f").arg(data).status()?;
    if synced.success() { Ok(()) } else { bail!("sync: {synced}") }
}

/// Seconds from the word of the coordinators to the target's word that all is durable.
async fn copied(
    place: &mut Place,
    count: usize,
    bytes: usize,
    name: &str,
    book: &mut Book,
) -> Result<f64> {
    let endpoint = place.endpoint("c1").context("an endpoint")?;
    let played = Played::start(&endpoint, &place.tls("c1")).await?;
    for agent in ["srv-3", "srv-1"] {
        place.launch(agent)?;
    }
    let source = played.listens("srv-3", PATIENCE).await?;
    played.listens("srv-1", PATIENCE).await?;
    let began = Instant::now();
    played.copy(&source);
    let progress = played.durable("srv-1", PATIENCE).await?;
    let took = began.elapsed().as_secs_f64();
    let all = (u64::try_from(count)?, u64::try_from(count * bytes)?);
    if (progress.segments_done, progress.bytes_done) != all {
        bail!("{progress:?} is not all of {all:?}");
    }
    for (agent, end) in [("srv-1", "target"), ("srv-3", "source")] {
        let peak = peak_mb(place.child(agent)?.id())?;
        book.enter(OURS, &format!("copy.{name}.{end}_peak_mb"), peak);
        place.terminate(agent, Duration::from_secs(30))?;
    }
    Ok(took)
}

/// Seconds for the same files, one after the other: copied, hashed and made durable.
fn copied_alone(from: &Path, to: &Path) -> Result<f64> {
    let began = Instant::now();
    for channel in fs::read_dir(from.join("material/rec-1"))? {
        let channel = channel?.path();
        let into = to.join(channel.file_name().context("a name")?);
        fs::create_dir_all(&into)?;
        for file in fs::read_dir(&channel)? {
            let file = file?.path();
            let copy = into.join(file.file_name().context("a name")?);
            fs::copy(&file, &copy)?;
            let copied = File::open(&copy)?;
            blake3::Hasher::new().update_reader(&copied)?;
            copied.sync_all()?;
        }
        File::open(&into)?.sync_all()?;
    }
    let took = began.elapsed().as_secs_f64();
    fs::remove_dir_all(to)?;
    Ok(took)
}

/// The most memory that a process ever had.
fn peak_mb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("VmHWM")?;
    let kb: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kb / 1e3)
}
