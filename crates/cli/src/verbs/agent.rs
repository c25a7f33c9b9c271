//! `interrex agent`: the same as the program `interrex-agent`.
use interrex_agent::AgentArgs;

use crate::failure::Failure;

pub(crate) async fn run(args: AgentArgs) -> Result<u8, Failure> {
    Ok(interrex_agent::run(args).await.map(|()| 0)?)
}
