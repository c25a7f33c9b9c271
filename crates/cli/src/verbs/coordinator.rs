//! `interrex coordinator`.
use interrex_coordinator::CoordinatorArgs;

use crate::failure::Failure;

pub(crate) fn run(args: &CoordinatorArgs) -> Result<u8, Failure> {
    Ok(interrex_coordinator::run(args).map(|()| 0)?)
}
