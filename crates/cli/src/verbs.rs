//! The verbs, and who runs them.
mod agent;
mod bench;
mod cert;
mod change;
mod coordinator;
mod copy;
mod driver;
mod fleet;
mod get;
mod history;
mod manual;
mod member;
mod moves;
mod note;
mod pause;
mod status;
mod verify;
mod wait;

use clap::Subcommand;

use crate::args::Cli;
use crate::failure::Failure;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Make a CA, or issue an identity
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Run a coordinator in the foreground
    Coordinator(Box<interrex_coordinator::CoordinatorArgs>),
    /// Run an agent in the foreground
    Agent(Box<interrex_agent::AgentArgs>),
    /// Replace the fleet document
    Apply(fleet::Apply),
    /// Print the fleet document as TOML
    Export,
    /// Compare a file with the fleet document
    Diff(fleet::Diff),
    /// How the cluster is, on one screen
    Status,
    /// List servers, recorders, failovers, the queue, copies, notes
    #[command(subcommand)]
    Get(get::Get),
    /// Every decision, event by event
    History(history::History),
    /// Check chain, replay and every invariant
    Verify(verify::Verify),
    /// Move a recorder off its holder
    Failover(moves::Failover),
    /// Bring a recorder home
    Failback(moves::Failback),
    /// Keep the automaton from moving recorders for some time
    Pause(pause::Pause),
    /// End a pause early
    Resume(pause::Resume),
    /// Steer material on its way home, or give it up
    #[command(subcommand)]
    Copy(copy::Copy),
    /// Write a note on a key
    Note(note::Note),
    /// The coordinators as parts of the cluster
    #[command(subcommand)]
    Member(member::Member),
    /// Wait until a field has a value
    Wait(wait::Wait),
    /// Programs that record for an agent
    #[command(subcommand)]
    Driver(driver::Driver),
    /// Measure notes in a closed loop
    Bench(bench::Bench),
    /// See two deaths and what becomes of the recording, on this machine
    Demo(interrex_cli::demo::DemoArgs),
    /// Print completions for a shell
    Completions(manual::Completions),
    /// Write manual pages, one for each verb
    Man(manual::Man),
}

/// Runs one verb to its end; the exit code.
pub(crate) fn run(cli: Cli) -> Result<u8, Failure> {
    let Cli { global, verb } = cli;
    if let Verb::Completions(completions) = &verb {
        return completions.run();
    }
    if let Verb::Man(man) = &verb {
        return man.run();
    }
    if let Verb::Coordinator(args) = &verb {
        // It makes its own runtimes.
        return coordinator::run(args);
    }
    if let Verb::Demo(args) = &verb {
        let told = interrex_cli::demo::run(args, global.output.is_json());
        let remedy = "look into the files that it left, under `log`";
        return told.map_err(|error| Failure::refused("demo", format!("{error:#}"), remedy));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::refused("machine", format!("no threads: {error}"), "look at the limits")
    })?;
    let work = async {
        match verb {
            Verb::Cert(cert) => cert.run(),
            Verb::Coordinator(_) => Ok(0),
            Verb::Agent(args) => agent::run(*args).await,
            Verb::Apply(apply) => apply.run(&global).await,
            Verb::Export => fleet::export(&global).await,
            Verb::Diff(diff) => diff.run(&global).await,
            Verb::Status => status::run(&global).await,
            Verb::Get(get) => get.run(&global).await,
            Verb::History(history) => history.run(&global).await,
            Verb::Verify(verify) => verify.run(&global).await,
            Verb::Failover(failover) => failover.run(&global).await,
            Verb::Failback(failback) => failback.run(&global).await,
            Verb::Pause(pause) => pause.run(&global).await,
            Verb::Resume(resume) => resume.run(&global).await,
            Verb::Copy(copy) => copy.run(&global).await,
            Verb::Note(note) => note.run(&global).await,
            Verb::Member(member) => member.run(&global).await,
            Verb::Wait(wait) => wait.run(&global).await,
            Verb::Driver(driver) => driver.run(&global).await,
            Verb::Bench(bench) => bench.run(&global).await,
            Verb::Demo(_) | Verb::Completions(_) | Verb::Man(_) => Ok(0),
        }
    };
    let code = runtime.block_on(work);
    runtime.shutdown_background();
    code
}
