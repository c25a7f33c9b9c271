//! The agent: leases and obedience, sans IO.
pub mod io;
