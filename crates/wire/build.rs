//! Generates `pb` from the proto files, without protoc, and the descriptor set for reflection.
use std::path::PathBuf;
use std::{env, error, fs};

const PROTO: &str = "../../proto";
const FILES: [&str; 7] =
    ["event", "decision", "agent", "coordinator", "peer", "history", "material"];
/// Messages whose bytes are handed on as they are.
const SHARED: [&str; 5] = ["RaftCall", "RaftAnswer", "ReadReply", "HistoryFrame", "SegmentData"];

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let files = FILES.map(|name| format!("interrex/v1/{name}.proto"));
    let set = protox::compile(files, [PROTO])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("interrex.bin"), prost::Message::encode_to_vec(&set))?;
    let mut builder = tonic_prost_build::configure();
    for message in SHARED {
        builder = builder.bytes(format!(".interrex.v1.{message}"));
    }
    builder.compile_fds(set)?;
    Ok(())
}
