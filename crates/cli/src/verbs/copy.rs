//! `interrex copy ..`: material on its way home begins, waits, goes on, or is given up.
use clap::{Args, Subcommand};
use interrex_core::{Command, CopyId, CopySubject, CopyWish};

use super::change;
use crate::args::{Global, Mutating, bare, named};
use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum Copy {
    /// Begin a copy that waits for it (copy = "manual")
    Start(Which),
    /// Let it wait
    Pause(Which),
    /// Let it go on
    Resume(Which),
    /// Try anew what failed
    Retry(Which),
    /// End it: what is not at home yet is removed where it was recorded
    Stop(Which),
    /// Throw the material away
    Discard(Which),
    /// End it: who recorded the material is gone for good
    GiveUp(Which),
}

#[derive(Args)]
pub(crate) struct Which {
    /// A recorder, for all its open copies, or the number of one
    #[arg(value_name = "RECORDER|ID")]
    subject: String,
    #[command(flatten)]
    mutating: Mutating,
}

impl Copy {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let (wish, Which { subject, mutating }) = match self {
            Copy::Start(which) => (CopyWish::Start, which),
            Copy::Pause(which) => (CopyWish::Pause, which),
            Copy::Resume(which) => (CopyWish::Resume, which),
            Copy::Retry(which) => (CopyWish::Retry, which),
            Copy::Stop(which) => (CopyWish::Stop, which),
            Copy::Discard(which) => (CopyWish::Discard, which),
            Copy::GiveUp(which) => (CopyWish::GiveUp, which),
        };
        // A recorder may be named by digits alone: then `recorder/7` says which is meant.
        let subject = match bare("copy", &subject).parse() {
            Ok(id) => CopySubject::Id(CopyId(id)),
            Err(_) => CopySubject::Recorder(named("recorder", &subject)?),
        };
        change::run(global, &mutating.wish(Command::Copy { subject, wish }), &[]).await
    }
}
