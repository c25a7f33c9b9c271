//! Material that recording software keeps where only its driver can reach it (`exec`). Copying it by
//! the driver's verbs is not built yet; so copies wait, with this reason in the log, and nothing is
//! called copied, or erased, that is not.
use std::io::Read;

use interrex_core::RecorderId;
use interrex_wire::material::SegmentKey;

use super::{Fetched, Listing, Store, StoreError, Tenure};

/// Refuses everything.
#[derive(Debug)]
pub(crate) struct Elsewhere;

impl Store for Elsewhere {
    fn list(&self, _tenure: &Tenure, _after: Option<&SegmentKey>) -> Result<Listing, StoreError> {
        Err(refused())
    }

    fn read(
        &self,
        _recorder: RecorderId,
        _key: &SegmentKey,
        _offset: u64,
    ) -> Result<Box<dyn Read + Send>, StoreError> {
        Err(refused())
    }

    fn take_in(&self, _recorder: RecorderId, _fetched: &[Fetched]) -> Result<(), StoreError> {
        Err(refused())
    }

    fn erase(&self, _tenure: &Tenure) -> Result<u64, StoreError> {
        Err(refused())
    }
}

fn refused() -> StoreError {
    let why = "this version does not copy material of the driver exec: \
               `interrex copy give-up` closes the copy, and its material stays where it is";
    StoreError::Failed(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use interrex_core::Epoch;

    #[test]
    fn nothing_is_called_copied_or_erased() {
        let (recorder, server) = ("rec-1".parse().unwrap(), "srv-3".parse().unwrap());
        let tenure = Tenure { recorder, epoch: Epoch(2), server };
        assert!(Elsewhere.totals(&tenure).is_err());
        assert!(Elsewhere.take_in(recorder, &[]).is_err());
        assert_eq!(Elsewhere.erase(&tenure), Err(refused()));
    }
}
