//! What the program `interrex` shares with the tests: a cluster of child processes on this machine,
//! the reading of recorded files, and the demo that puts both to use. The verbs are in the program
//! itself.
pub mod demo;
pub mod local;
