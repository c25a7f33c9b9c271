//! What the program `interrex` shares with the tests: a cluster of child processes on this machine,
//! and the reading of recorded files. The verbs are in the program itself.
pub mod local;
