//! The guard (A6): a small process that outlives the agent, is the parent of all recorders, and ends
//! a duty at its deadline though the agent is dead or frozen. Here is what the agent sees of it.
mod spawner;

#[allow(unused_imports, reason = "as above, in the crate root")]
pub(crate) use spawner::{
    Child, Ended, Exit, Key, Launch, SpawnError, Spawner, Stopping, TOLD_MAX, Told,
};
