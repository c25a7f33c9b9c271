//! Tests of the wire, through its public interface.
mod any;
mod golden;
mod hostile;
mod malformed;
mod round_trip;
mod samples;
mod segments;
mod verifier;
