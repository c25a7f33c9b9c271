//! `interrex demo`: a whole cluster on this machine, two deaths, and what became of the recording.
//! The story is in `story`; here is how it is started, ended and paid for.
mod bounds;
mod copying;
mod eyes;
mod story;
mod telling;

use std::io::{IsTerminal, Read, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::local::end_all;
use bounds::Bounds;
use story::Story;
use telling::Telling;

/// Exit status: a bound was missed.
const MISSED: u8 = 3;
/// Exit status: interrupted by a signal.
const INTERRUPTED: i32 = 130;

/// Which bounds to hold the steps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Those of a quiet machine.
    Real,
    /// Five times as wide, 2 s between ticks: for busy machines such as CI.
    Relaxed,
}

/// Arguments of `interrex demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// End after the last step, though this is a terminal.
    #[arg(long)]
    pub once: bool,
    /// Keep all files in this folder.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Bounds that the steps must meet.
    #[arg(long, value_enum, default_value_t = Which::Real)]
    pub bounds: Which,
}

/// Runs the demo. `lines` = one JSON object a step instead of words.
///
/// # Errors
///
/// It could not run: the message names what is missing. A missed bound is not an error but an exit
/// status (3).
pub fn run(args: &DemoArgs, lines: bool) -> Result<u8> {
    end_with_signals()?;
    let bounds = match args.bounds {
        Which::Real => Bounds::real(),
        Which::Relaxed => Bounds::relaxed(),
    };
    let own = std::env::temp_dir().join(format!("interrex-demo-{}", std::process::id()));
    let dir = args.keep.clone().unwrap_or_else(|| own.clone());
    let program = std::env::current_exe().context("where is this program?")?;
    let story = Story::run(&dir, &program, bounds, Telling::begin(lines, &dir));
    let all_met = story.as_ref().is_ok_and(Story::all_met);
    if let (Ok(story), false, true) = (&story, args.once || lines, stdout().is_terminal()) {
        stay_open(story)?;
    }
    let outcome = story.map(drop);
    // The processes have ended with the story; what they wrote goes, unless it was asked for or is
    // needed to see what went wrong.
    if args.keep.is_none() && outcome.is_ok() {
        std::fs::remove_dir_all(&own).context("the folder of the demo")?;
    }
    outcome.map(|()| if all_met { 0 } else { MISSED })
}

/// Shows how to look around, and waits for a key.
fn stay_open(story: &Story) -> Result<()> {
    println!(
        "\nThe cluster goes on. Look around from another terminal:\n\n    {}\n",
        story.status()
    );
    println!("Any key ends it.");
    if !stdin().is_terminal() {
        return Ok(());
    }
    let before = tcgetattr(stdin())?;
    let mut raw = before.clone();
    raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(stdin(), OptionalActions::Now, &raw)?;
    let read = stdin().read(&mut [0]);
    tcsetattr(stdin(), OptionalActions::Now, &before)?;
    read.context("cannot read the terminal").map(drop)
}

/// Interrupted or terminated, the demo leaves no process behind.
fn end_with_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            end_all();
            std::process::exit(INTERRUPTED);
        });
    });
    Ok(())
}
