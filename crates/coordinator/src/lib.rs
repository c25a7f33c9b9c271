//! A coordinator: the core's shell. Raft's log, the history, peers, agents and operators around
//! the one task that owns the state (`node`). `running` puts it all together; `run` is the program.
mod api;
pub mod clock;
pub mod config;
pub mod failure;
pub mod folder;
mod founding;
pub mod history;
mod http;
pub mod log;
mod logs;
mod metrics;
mod node;
mod peers;
mod raft;
mod running;

pub use config::CoordinatorArgs;
pub use running::Running;

use std::io::Write;

use config::Config;
use failure::Failure;
use interrex_client::program::log_to_stderr;
use tokio_util::sync::CancellationToken;

/// `interrex coordinator`: runs in the foreground until a signal or a failure ends it. Blocks, and
/// makes its own runtimes.
///
/// # Errors
///
/// Why it could not start, or why it ended: with exit code, code and remedy for whoever prints it.
pub fn run(args: &CoordinatorArgs) -> Result<(), Failure> {
    // A thread of its own: the caller may be in a runtime.
    let outcome = std::thread::scope(|scope| scope.spawn(|| serve(args)).join());
    outcome.unwrap_or_else(|_| {
        Err(Failure::refused(
            "panicked",
            "the program met a state that it does not know; the lines above say where",
            "start it again, and report those lines",
        ))
    })
}

fn serve(args: &CoordinatorArgs) -> Result<(), Failure> {
    let config = Config::load(args)?;
    if args.check {
        running::secure(&config)?;
        return Ok(());
    }
    log_to_stderr(config.log_format, logs::FILTER);
    let name = config.name;
    let signals =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let signals = signals.map_err(failure::disk)?;
    let stop = CancellationToken::new();
    signals.spawn(heed(stop.clone()));
    let running = Running::start(config, stop.clone())?;
    let (mut ready, mut failed) = (running.ready(), running.failed());
    let ended = signals.block_on(async {
        let mut told = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                fate = failed.wait_for(Option::is_some) => return fate.ok().and_then(|f| f.clone()),
                served = ready.wait_for(|ready| *ready), if !told => {
                    told = true;
                    if served.is_ok() {
                        let mut out = std::io::stdout();
                        let _ = writeln!(out, "ready {name}").and_then(|()| out.flush());
                    }
                }
            }
        }
    });
    match ended {
        // Nothing more may be acknowledged: no farewell.
        Some(failure) => {
            drop(running);
            Err(failure)
        }
        None => {
            running.stop();
            Ok(())
        }
    }
}

/// The first signal stops, the second ends the process at once.
async fn heed(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    loop {
        let code = tokio::select! {
            _ = terminate.recv() => 143,
            _ = interrupt.recv() => 130,
        };
        if stop.is_cancelled() {
            std::process::exit(code);
        }
        stop.cancel();
    }
}
