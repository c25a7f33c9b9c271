//! `interrex coordinator`.
use interrex_coordinator::CoordinatorArgs;

use crate::failure::Failure;

pub(crate) fn run(args: &CoordinatorArgs) -> Result<u8, Failure> {
    interrex_coordinator::run(args).map(|()| 0).map_err(|failure| Failure {
        exit: failure.exit,
        kind: if failure.exit == 78 { "config" } else { "refused" },
        code: failure.code.to_owned(),
        message: failure.message,
        remedy: failure.remedy,
        operation: None,
        seen: None,
    })
}
