//! Tests of the wire, through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what helpers of tests stop is a test"
)]
mod any;
mod golden;
mod hostile;
mod malformed;
mod material;
mod round_trip;
mod samples;
mod segments;
mod verifier;
