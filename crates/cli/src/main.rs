//! The program `interrex`: reads arguments, calls a verb, ends with CONTRACT's exit code. What the
//! verbs do is in `verbs/`, one file each.
mod args;
mod failure;
mod output;
mod verbs;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use failure::Failure;

fn main() -> ExitCode {
    interrex_client::identity::install_crypto_provider();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return wrong_arguments(&error),
    };
    let is_json = cli.global.output.is_json();
    match verbs::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print(is_json);
            ExitCode::from(failure.exit)
        }
    }
}

/// Help goes to stdout and is no error; everything else is exit 2, in the form that was asked for.
fn wrong_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        let _ = std::io::stdout().flush();
        return ExitCode::SUCCESS;
    }
    let given: Vec<String> = std::env::args().collect();
    let follows = |flag: &str| {
        let after = given.iter().skip_while(|arg| *arg != flag).nth(1);
        after.is_some_and(|value| value.starts_with("json"))
    };
    let joined = |arg: &String| arg.starts_with("-ojson") || arg.starts_with("--output=json");
    if follows("-o") || follows("--output") || given.iter().any(joined) {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Failure::usage(first, "see `interrex --help`").print(true);
    } else {
        let _ = error.print();
    }
    ExitCode::from(failure::USAGE)
}
