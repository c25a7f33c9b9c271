//! `interrex agent`: the same as the program `interrex-agent`.
use interrex_agent::AgentArgs;

use crate::failure::Failure;

pub(crate) async fn run(args: AgentArgs) -> Result<u8, Failure> {
    interrex_agent::run(args).await.map(|()| 0).map_err(|failure| Failure {
        exit: failure.exit,
        kind: if failure.exit == 78 { "config" } else { "refused" },
        code: failure.code.to_owned(),
        message: failure.message,
        remedy: failure.remedy,
        operation: None,
        seen: None,
    })
}
