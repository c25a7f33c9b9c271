//! What the long-running programs (agent, coordinator) share: how they fail, how they log, and how
//! they read and check what their operator set. Their keys are their own.
mod choices;
mod failure;
mod file;
mod logs;

pub use choices::{Security, address, host_port, is_loopback, required, wrong};
pub use failure::Failure;
pub use file::read_toml;
pub use logs::{LogFormat, log_to_stderr};
