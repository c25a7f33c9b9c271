//! `interrex pause` and `interrex resume`: a pause has an end, always.
use std::time::Duration;

use clap::{Args, ValueEnum};
use interrex_core::{Command, Scope, Subject};

use super::change;
use crate::args::{Global, Mutating, duration, named};
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    whom: Whom,
    /// Whether failovers are held back, too
    #[arg(long, value_enum, default_value_t = Scoped::Failback)]
    scope: Scoped,
    /// For how long
    #[arg(long = "for", value_name = "2h", value_parser = duration)]
    lasts: Duration,
    #[command(flatten)]
    mutating: Mutating,
}

#[derive(Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    mutating: Mutating,
}

#[derive(Args)]
struct Whom {
    /// Only this group; otherwise everything
    #[arg(long, value_name = "G", conflicts_with = "server")]
    group: Option<String>,
    /// Only this server, and what it holds or is home of
    #[arg(long, value_name = "S")]
    server: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scoped {
    Failback,
    All,
}

impl Pause {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let scope = match self.scope {
            Scoped::Failback => Scope::Failback,
            Scoped::All => Scope::All,
        };
        let command = Command::Pause { subject: self.whom.subject()?, scope, lasts: self.lasts };
        change::run(global, &self.mutating.wish(command), &[]).await
    }
}

impl Resume {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let command = Command::Resume { subject: self.whom.subject()? };
        change::run(global, &self.mutating.wish(command), &[]).await
    }
}

impl Whom {
    fn subject(&self) -> Result<Subject, Failure> {
        Ok(match (&self.group, &self.server) {
            (Some(group), _) => Subject::Group(named("group", group)?),
            (None, Some(server)) => Subject::Server(named("server", server)?),
            (None, None) => Subject::Everything,
        })
    }
}
