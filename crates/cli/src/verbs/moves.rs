//! `interrex failover` and `interrex failback`: they return when it is decided; `--wait` waits for
//! the end state.
use std::time::Duration;

use clap::Args;
use interrex_client::Client;
use interrex_client::views::{List, Recorder, RecorderState};
use interrex_core::{Command, Epoch, RecorderId};
use interrex_wire::pb::View;

use super::change;
use crate::args::{Global, Mutating, duration, named};
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Failover {
    /// recorder/NAME or NAME
    recorder: String,
    /// The standby; otherwise the automaton's choice
    #[arg(long, value_name = "SERVER")]
    to: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(crate) struct Failback {
    /// recorder/NAME or NAME
    recorder: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// Only if it is in this epoch; otherwise the one read now
    #[arg(long, value_name = "N")]
    expect_epoch: Option<u64>,
    /// Though the group only observes, or a pause holds
    #[arg(long = "override")]
    despite: bool,
    /// Wait for the end state
    #[arg(long, value_name = "30s", value_parser = duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    mutating: Mutating,
}

impl Failover {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let recorder: RecorderId = named("recorder", &self.recorder)?;
        let to = self.to.as_deref().map(|to| named("server", to)).transpose()?;
        let despite = self.common.despite;
        let command = |expect| Command::FailOver { recorder, to, expect: Some(expect), despite };
        let ends = [RecorderState::Substituted, RecorderState::Recording];
        self.common.run(global, recorder, command, &ends).await
    }
}

impl Failback {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let recorder: RecorderId = named("recorder", &self.recorder)?;
        let despite = self.common.despite;
        let command = |expect| Command::FailBack { recorder, expect: Some(expect), despite };
        self.common.run(global, recorder, command, &[RecorderState::Recording]).await
    }
}

impl Common {
    async fn run(
        &self,
        global: &Global,
        recorder: RecorderId,
        command: impl FnOnce(Epoch) -> Command,
        ends: &[RecorderState],
    ) -> Result<u8, Failure> {
        let client = global.client()?;
        let expect = match self.expect_epoch {
            Some(epoch) => epoch,
            None => epoch(&client, recorder).await?,
        };
        let fixed = ["--expect-epoch".to_owned(), expect.to_string()];
        let wish = self.mutating.wish(command(Epoch(expect)));
        let changed = change::send(&client, &wish, &fixed).await?;
        change::print(global, &changed)?;
        let Some(wait) = self.wait.filter(|_| changed.recorded) else { return Ok(0) };
        let reached = tokio::time::timeout(wait, reached(&client, recorder, expect, ends));
        match reached.await {
            Ok(done) => done.map(|()| 0),
            Err(_) => Err(Failure::no(
                "not_in_time",
                format!("recorder/{recorder} did not get there within {wait:?}; it goes on"),
                &format!("see `interrex get recorders {recorder}`"),
            )),
        }
    }
}

/// O6: the epoch that is moved away from.
async fn epoch(client: &Client, recorder: RecorderId) -> Result<u64, Failure> {
    let read = interrex_client::client::Read {
        name: recorder.to_string(),
        ..interrex_client::client::Read::all(View::Recorders)
    };
    let found: List<Recorder> = client.read(&read).await?;
    found.items.first().map(|item| item.epoch).ok_or_else(|| {
        let message = format!("there is no recorder {:?}", recorder.as_str());
        Failure::refused("unknown_name", message, "see `interrex get recorders`")
    })
}

async fn reached(
    client: &Client,
    recorder: RecorderId,
    left: u64,
    ends: &[RecorderState],
) -> Result<(), Failure> {
    let mut read = interrex_client::client::Read::all(View::Recorders);
    read.name = recorder.to_string();
    let mut watch = client.watch(read);
    loop {
        let found: List<Recorder> = watch.next().await?;
        if found.items.iter().any(|item| item.epoch > left && ends.contains(&item.state)) {
            return Ok(());
        }
    }
}
