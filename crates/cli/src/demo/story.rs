//! The steps, in the order of CONTRACT. Each is measured by somebody who was not asked: the files,
//! the history's followers, this process's own clock.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::bounds::Bounds;
use super::copying;
use super::eyes::{Eyes, PATIENCE, ask, must, shown};
use super::telling::{Step, Telling, ms, seconds};
use crate::local::material::{self, TICK_MS, Ticks};
use crate::local::{Host, Place};

/// F of the demo's fleet.
const TIMEOUT: Duration = Duration::from_secs(2);
const FLEET: &str = r#"api_version = 1
[group.hall-a]
mode = "auto"
timeout = "2s"
failback = "auto"
recovery = "0s"
[server.srv-1]
group = "hall-a"
role = "recorder-host"
[server.srv-2]
group = "hall-a"
role = "recorder-host"
[server.srv-3]
group = "hall-a"
role = "standby"
[recorder.rec-1]
home = "srv-1"
priority = 100
channels = 4
[recorder.rec-2]
home = "srv-2"
priority = 50
channels = 4
"#;

/// A told story whose cluster still runs.
pub(super) struct Story {
    place: Place,
    eyes: Eyes,
    bounds: Bounds,
    telling: Telling,
    worst_gap: u64,
}

impl Story {
    /// Tells all of it. The cluster runs until the story is dropped.
    pub(super) fn run(
        dir: &Path,
        program: &Path,
        bounds: Bounds,
        mut telling: Telling,
    ) -> Result<Self> {
        let began = Instant::now();
        let with_host = |names: [&str; 3]| names.map(|name| (name.to_owned(), Host::default()));
        let (coordinators, servers) =
            (with_host(["c1", "c2", "c3"]), with_host(["srv-1", "srv-2", "srv-3"]));
        let mut place = Place::lay(dir, program, &coordinators, &servers)?;
        place.start_coordinators()?;
        let fleet = dir.join("fleet.toml");
        std::fs::write(&fleet, FLEET)
            .with_context(|| format!("cannot write {}", fleet.display()))?;
        must(&place, &["apply", "-f", &shown(&fleet), "--reason", "demo"])?;
        place.start_agents()?;
        let step = Step::of("up", began.elapsed()).detail(json!({"coordinators": 3, "servers": 3}));
        telling.step(step, "three coordinators, two recorder hosts and a standby are up");
        let eyes = Eyes::open(&place)?;
        let mut story = Self { place, eyes, bounds, telling, worst_gap: 0 };
        story.recording()?;
        let killed = story.server_killed()?;
        story.failover(killed)?;
        story.leader_lost()?;
        let back = story.failback()?;
        story.copied(back)?;
        story.verified()?;
        story.summary();
        Ok(story)
    }

    /// True if every step met its bound.
    pub(super) fn all_met(&self) -> bool {
        self.telling.all_met()
    }

    /// A line to paste.
    pub(super) fn status(&self) -> String {
        let (program, tls) = (self.place.program().display(), shown(&self.place.tls("admin")));
        format!("{program} status --endpoints {} --tls {tls}", self.place.endpoints())
    }

    fn recording(&mut self) -> Result<()> {
        let began = Instant::now();
        for recorder in ["rec-1", "rec-2"] {
            until(|| Ok(self.ticks(recorder)?.len() == 4 && self.newest(recorder)?.is_some()))?;
        }
        let step = Step::of("recording", began.elapsed()).detail(json!({"channels": 8}));
        self.telling.step(step, "eight channels record, each into files of its own");
        Ok(())
    }

    fn server_killed(&mut self) -> Result<Instant> {
        let killed = Instant::now();
        self.place.kill("srv-1")?;
        let detail = json!({"server": "srv-1", "recorder": "rec-1"});
        let step = Step::of("server_killed", killed.elapsed()).detail(detail);
        self.telling
            .step(step, "srv-1, which holds rec-1, is killed (SIGKILL, with all that it started)");
        Ok(killed)
    }

    fn failover(&mut self, killed: Instant) -> Result<()> {
        let from_ms = now_ms().saturating_sub(10_000);
        let suspicions = self.eyes.suspicions("srv-1", TIMEOUT)?;
        let first = suspicions.values().map(|(at, _)| *at).min().context("three coordinators")?;
        let detail = suspicions
            .iter()
            .map(|(name, (_, silent))| json!({"coordinator": name, "silent_ms": ms(*silent)}));
        let each = suspicions.iter().map(|(name, (at, _))| {
            format!("{name} after {}", seconds(at.saturating_duration_since(killed)))
        });
        let words = each.collect::<Vec<_>>().join(", ");
        let (took, bound) = (first.saturating_duration_since(killed), self.bounds.suspected);
        let step = Step::of("suspected", took).bound(bound).detail(Value::from_iter(detail));
        self.telling.step(step, &format!("each coordinator suspects srv-1: {words}"));
        let expired = self.eyes.event("heartbeat_expired", "srv-1", killed)?;
        let (took, bound) = (expired.at - killed, self.bounds.expired);
        let step = Step::of("expired", took).bound(bound).detail(expired.event.clone());
        self.telling.step(
            step,
            &format!("a majority agrees: srv-1 is expired, {} after the kill", seconds(took)),
        );
        let moved = self.eyes.event("failed_over", "rec-1", killed)?;
        let took = moved.at - killed;
        let step = Step::of("failed_over", took).bound(bound).detail(moved.event.clone());
        self.telling.step(step, "rec-1 is failed over to srv-3, in the same decision");
        let took_over = self.eyes.event("took_over", "rec-1", killed)?;
        until(|| Ok(material::first_ms(&self.ticks("rec-1")?, "srv-3", 2).is_some()))?;
        let gap = self.gap("rec-1", from_ms)?;
        self.worst_gap = self.worst_gap.max(gap);
        let (took, bound) =
            (took_over.at.saturating_duration_since(expired.at), self.bounds.took_over);
        let (detail, right) = (json!({"gap_ms": gap}), gap <= ms(self.bounds.gap));
        let step = Step::of("took_over", took).bound(bound).right(right).detail(detail);
        self.telling.step(step, &format!("all channels record on srv-3; the files miss {gap} ms"));
        Ok(())
    }

    fn leader_lost(&mut self) -> Result<()> {
        let status = ask(&self.place, &["status"])?;
        let leader = status.get("leader").and_then(Value::as_str).context("a leader")?.to_owned();
        let (killed, killed_ms) = (Instant::now(), now_ms());
        self.place.kill(&leader)?;
        let detail = json!({"coordinator": leader});
        let step = Step::of("leader_killed", killed.elapsed()).detail(detail);
        self.telling.step(step, &format!("the leading coordinator, {leader}, is killed"));
        let decided = self.eyes.first_decision(&leader, "demo/after-the-leader")?;
        let (took, bound) = (decided - killed, self.bounds.new_leader);
        let step = Step::of("new_leader", took).bound(bound).detail(json!({}));
        self.telling
            .step(step, &format!("the next leader decides {} after the kill", seconds(took)));
        let after = now_ms() + 500;
        until(|| Ok(self.newest("rec-1")?.is_some_and(|newest| newest > after)))?;
        let channels = self.ticks("rec-1")?;
        let gap = material::worst_gap_ms(&channels, killed_ms - 500, after).context("no ticks")?;
        let (worst, bound) = (Duration::from_millis(gap + TICK_MS), self.bounds.undisturbed);
        let step =
            Step::of("undisturbed", worst).bound(bound).detail(json!({"largest_ms": ms(worst)}));
        self.telling.step(
            step,
            &format!("srv-3 never stopped: at most {} ms between two ticks", ms(worst)),
        );
        self.place.start(&leader)
    }

    fn failback(&mut self) -> Result<Instant> {
        let (began, began_ms) = (Instant::now(), now_ms());
        self.place.start("srv-1")?;
        let step = Step::of("server_back", began.elapsed()).detail(json!({"server": "srv-1"}));
        self.telling.step(step, "srv-1 is back");
        let back = self.eyes.event("failed_back", "rec-1", began)?;
        let epoch = back.event.pointer("/data/epoch").and_then(Value::as_u64).unwrap_or(3);
        self.eyes.event("took_over", "rec-1", back.at)?;
        until(|| Ok(material::first_ms(&self.ticks("rec-1")?, "srv-1", epoch).is_some()))?;
        let gap = self.gap("rec-1", began_ms)?;
        self.worst_gap = self.worst_gap.max(gap);
        let (took, bound) = (back.at - began, self.bounds.failed_back);
        let (detail, right) = (json!({"gap_ms": gap}), gap <= ms(self.bounds.gap));
        let step = Step::of("failed_back", took).bound(bound).right(right).detail(detail);
        self.telling.step(
            step,
            &format!(
                "rec-1 is home again, {} after srv-1 was started; {gap} ms are missing",
                seconds(took)
            ),
        );
        Ok(back.at)
    }

    /// Every segment of the failover period lies at home, with equal hashes and none twice, and
    /// only then is the standby empty.
    fn copied(&mut self, back: Instant) -> Result<()> {
        let (home, standby) = (self.place.data("srv-1"), self.place.data("srv-3"));
        let copies = ask(&self.place, &["get", "copies"])?;
        let copy = copies.pointer("/items/0/id").context("the copy of the failover")?.to_string();
        let closed = self.eyes.event("copy_closed", &copy, back)?;
        let segments = copying::journalled(&standby, "rec-1", 2)?;
        let there = copying::equal(&home, &segments);
        until(|| Ok(copying::present(&standby, &segments) == 0))?;
        let doubled = copying::doubled(&self.ticks("rec-1")?, 2);
        let whole = !segments.is_empty() && there == segments.len() && doubled == 0;
        let detail = json!({"segments": segments.len(), "equal": there, "twice": doubled});
        let (took, bound) = (closed.at - back, self.bounds.copied);
        let step = Step::of("copied", took).bound(bound).right(whole).detail(detail);
        self.telling.step(
            step,
            &format!(
                "{there} of {} segments of the failover came home, hashes equal, {doubled} moments \
                 twice; srv-3 is empty again",
                segments.len()
            ),
        );
        Ok(())
    }

    /// The chains and states of all coordinators agree, all that was acknowledged is there, and the
    /// gap that the log tells is the one in the files.
    fn verified(&mut self) -> Result<()> {
        let began = Instant::now();
        let found = ask(&self.place, &["verify"])?;
        let ok = found.get("ok") == Some(&Value::Bool(true));
        let note = ask(&self.place, &["get", "notes", "demo/after-the-leader"])?;
        let kept = note.pointer("/items/0/text").is_some();
        until(|| Ok(self.told_gap()?.is_some()))?;
        let told = self.told_gap()?.unwrap_or_default();
        let agrees = told.abs_diff(self.worst_gap) <= 2 * TICK_MS;
        let detail = json!({"verify": found, "gap_told_ms": told, "gap_found_ms": self.worst_gap});
        let step = Step::of("verified", began.elapsed()).right(ok && kept && agrees).detail(detail);
        self.telling.step(
            step,
            &format!(
                "chains and states of all coordinators agree; the log tells of {told} ms, the \
                 files miss {} ms",
                self.worst_gap
            ),
        );
        Ok(())
    }

    fn summary(&mut self) {
        let dir = shown(self.place.dir());
        let (gap, right) = (Duration::from_millis(self.worst_gap), self.telling.all_met());
        let detail = json!({"worst_gap_ms": self.worst_gap, "dir": dir});
        let step = Step::of("summary", gap).bound(self.bounds.gap).right(right).detail(detail);
        self.telling.step(step, &format!("largest gap of all: {}", seconds(gap)));
    }

    fn told_gap(&self) -> Result<Option<u64>> {
        let failovers = ask(&self.place, &["get", "failovers", "1"])?;
        Ok(failovers.pointer("/items/0/gap_ms").and_then(Value::as_u64))
    }

    fn gap(&self, recorder: &str, from_ms: u64) -> Result<u64> {
        let gap = material::worst_gap_ms(&self.ticks(recorder)?, from_ms, now_ms());
        gap.with_context(|| format!("{recorder}: a channel has no material"))
    }

    fn newest(&self, recorder: &str) -> Result<Option<u64>> {
        Ok(material::newest_ms(&self.ticks(recorder)?))
    }

    fn ticks(&self, recorder: &str) -> Result<BTreeMap<String, Ticks>> {
        let disks: Vec<PathBuf> =
            self.place.servers().iter().map(|server| self.place.data(server)).collect();
        material::ticks(&disks, recorder)
    }
}

/// Looks again and again until `done`: what is waited for stands in files or in a view.
fn until(done: impl Fn() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() >= end {
            bail!("nothing came of it within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(ms).unwrap_or_default()
}
