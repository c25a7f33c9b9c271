//! Bad input, end to end: whatever is wrong, the program says what, where and what to do about it,
//! with the exit code and error code that scripts rely on; nothing acknowledged is lost, and nobody
//! panics. Power cuts and flipped bits in bulk are with the storage (`crates/coordinator/tests`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod alarms;
mod configuration;
mod disks;
mod folders;
mod identities;
mod messages;
mod restored;
mod strangers;
