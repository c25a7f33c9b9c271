//! `interrex completions` and `interrex man`: what a package installs beside the program, made from
//! the same arguments that it reads, so that neither can lie.
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::args::Cli;
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Completions {
    /// For which shell
    shell: clap_complete::Shell,
}

#[derive(Args)]
pub(crate) struct Man {
    /// Folder for the pages; made if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        // The generator itself stops the program when its writer fails: memory does not.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "interrex", &mut text);
        io::stdout().write_all(&text).map_err(|error| {
            let remedy = "write into a file: interrex completions bash >FILE";
            Failure::refused("output", format!("standard output: {error}"), remedy)
        })?;
        Ok(0)
    }
}

impl Man {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let written = std::fs::create_dir_all(&self.out)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.out));
        written.map_err(|error| {
            let remedy = "give --out a folder that can be written";
            Failure::refused("output", format!("{}: {error}", self.out.display()), remedy)
        })?;
        Ok(0)
    }
}
