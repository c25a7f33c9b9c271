//! `interrex note`: an operator's note on any key.
use clap::Args;
use interrex_core::{Command, Revision};

use super::change;
use crate::args::{Global, Mutating};
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Note {
    /// What it is about
    key: String,
    /// At most 4 KiB
    text: String,
    /// Only if the key's last note has this revision; 0 = there is none
    #[arg(long, value_name = "N")]
    expect: Option<u64>,
    #[command(flatten)]
    mutating: Mutating,
}

impl Note {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let Self { key, text, expect, mutating } = self;
        let command = Command::Note { key, text, expect: expect.map(Revision) };
        change::run(global, &mutating.wish(command), &[]).await
    }
}
