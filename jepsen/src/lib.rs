//! Chaos on real processes. So far: the history writer, which the end-to-end tests use. Nemeses,
//! workloads and checkers come with the chaos issue: see README.md.
mod history;

pub use history::{Client, History, Open};
