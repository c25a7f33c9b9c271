//! Which driver: what `--driver` and `--driver-config` say.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interrex_client::program::{Failure, required, wrong};
use interrex_core::ServerId;

use super::Driver;
use super::direct::Direct;
use super::exec::{self, Exec};
use super::process::{self, Process};
use super::synthetic::Synthetic;
use crate::clock::Clock;
use crate::journal::Journal;
use crate::material::recover::recover;

/// A driver with its settings, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    Synthetic,
    Process(process::settings::Settings),
    Exec(exec::settings::Settings),
}

/// Where a driver works.
pub(crate) struct Place {
    /// The data folder.
    pub(crate) root: PathBuf,
    pub(crate) server: ServerId,
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Clock,
}

impl Choice {
    /// Reads the driver's own file, if it has one.
    ///
    /// # Errors
    ///
    /// Exit 78, naming the key.
    pub(crate) fn check(name: Option<&str>, file: Option<&Path>) -> Result<Self, Failure> {
        let file = file.map(Path::to_owned);
        match (name.unwrap_or("synthetic"), &file) {
            ("synthetic", None) => Ok(Self::Synthetic),
            ("synthetic", Some(_)) => {
                Err(wrong("driver-config", "the driver synthetic has none; set --driver, too"))
            }
            ("process", file) => {
                let file = required("driver-config", file.as_ref())?;
                Ok(Self::Process(process::settings::Settings::load(file)?))
            }
            ("exec", file) => {
                let file = required("driver-config", file.as_ref())?;
                Ok(Self::Exec(exec::settings::Settings::load(file)?))
            }
            (other, _) => {
                let there_is = "there are: synthetic, process, exec";
                Err(wrong("driver", format_args!("{other:?}; {there_is}")))
            }
        }
    }

    /// True if its material lies in files of ours.
    pub(crate) fn keeps_files(&self) -> bool {
        match self {
            Self::Synthetic | Self::Process(_) => true,
            Self::Exec(_) => false,
        }
    }

    /// Starts it: takes up, or closes, what the process before us left open.
    pub(crate) fn start(self, place: Place) -> Result<Box<dyn Driver>, Failure> {
        let Place { root, server, journal, clock } = place;
        let failed = |why| Failure::disk(&root, &why);
        Ok(match self {
            Self::Synthetic => {
                let closed = recover(&root, server, &journal, clock())?;
                tracing::info!(closed, "segments that were left open");
                Box::new(Synthetic::start(root.clone(), server, journal, clock).map_err(failed)?)
            }
            Self::Process(settings) => {
                let spawner = Arc::new(Direct::default());
                let place = (root.clone(), server);
                Box::new(
                    Process::start(place, settings, (journal, clock), spawner).map_err(failed)?,
                )
            }
            Self::Exec(settings) => {
                let place = (root.clone(), server);
                Box::new(Exec::start(place, settings, (journal, clock)).map_err(failed)?)
            }
        })
    }
}
