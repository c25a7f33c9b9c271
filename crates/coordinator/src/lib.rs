//! A coordinator: the core's shell. Raft's log, the history, peers, agents and operators around
//! the one task that owns the state.
pub mod folder;
pub mod history;
pub mod log;
