//! `interrex-agent`: the agent alone, for servers that need nothing else of Interrex.
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use interrex_agent::AgentArgs;

/// The agent of one server.
#[derive(Parser)]
#[command(name = "interrex-agent", version)]
struct Program {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the agent in the foreground
    Run(AgentArgs),
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    interrex_client::identity::install_crypto_provider();
    let Program { verb: Verb::Run(args) } = Program::parse();
    match interrex_agent::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit)
        }
    }
}
