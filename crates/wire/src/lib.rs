//! Everything that crosses a border or lasts, as bytes: the generated messages and services, one
//! conversion per file between them and the core's types, and the segments of the history.
//!
//! Deliberately absent: files, sockets, clocks. Bytes in, bytes out.

pub mod account;
mod agent;
mod choice;
mod codec;
pub mod command;
mod copy;
pub mod decision;
mod event;
mod fields;
pub mod fleet;
pub mod limits;
mod malformed;
pub mod material;
pub mod members;
pub mod peer;
pub mod segment;

pub use malformed::Malformed;

/// Messages, clients and servers, generated from `proto/interrex/v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated; the proto files hold the words"
)]
pub mod pb {
    tonic::include_proto!("interrex.v1");
}

/// Every proto file, compiled: for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/interrex.bin"));
