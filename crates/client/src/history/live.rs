//! Frames as a living coordinator sends them: the chain is computed again, not believed.
use interrex_core::LogIndex;
use interrex_wire::decision;
use interrex_wire::pb::{self, history_frame};
use interrex_wire::segment::{Body, Chain, Frame, Place};

use super::BadHistory;

/// Where the chain of one coordinator is.
pub struct LiveChain {
    chain: Chain,
    /// None until the first record, if the reading began in the middle.
    place: Option<Place>,
}

impl LiveChain {
    /// From the first record of the cluster.
    pub fn from_genesis(cluster: &[u8; 16]) -> Self {
        Self { chain: Chain::new(), place: Some(Place::genesis(cluster)) }
    }

    /// From some record on: the heads are believed, not computed.
    pub fn from_the_middle() -> Self {
        Self { chain: Chain::new(), place: None }
    }

    /// Where it is, once known.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// Hands the next frame to `each`, with its place in the chain and the one before it.
    ///
    /// # Errors
    ///
    /// It does not follow, or what `each` found.
    pub fn enter(
        &mut self,
        frame: &pb::HistoryFrame,
        each: impl FnOnce(Option<Place>, &Frame<'_>) -> Result<(), BadHistory>,
    ) -> Result<(), BadHistory> {
        let broken =
            |what: &str| BadHistory::Broken { revision: frame.revision, what: what.to_owned() };
        let before = self.place;
        let encoded;
        let body = match &frame.body {
            Some(history_frame::Body::Decision(bytes)) => {
                self.place = Some(self.advance(frame, bytes)?);
                Body::Decision(bytes)
            }
            Some(history_frame::Body::Members(members)) => {
                encoded = interrex_wire::members::encode(members);
                Body::Members(&encoded)
            }
            // A stale decision has no effect; its bytes are not sent.
            Some(history_frame::Body::Blank(_) | history_frame::Body::Stale(_)) => Body::Blank,
            None => return Err(broken("an empty frame")),
        };
        let after = self.place.or(before).unwrap_or_else(|| Place::genesis(&[0; 16]));
        let frame = Frame { index: LogIndex(frame.index), term: frame.term, body, after };
        each(before, &frame)
    }

    fn advance(&mut self, frame: &pb::HistoryFrame, bytes: &[u8]) -> Result<Place, BadHistory> {
        let broken = |what: String| BadHistory::Broken { revision: frame.revision, what };
        let decision =
            decision::decode(bytes).map_err(|malformed| broken(malformed.to_string()))?;
        let told = interrex_wire::segment::Head(
            frame
                .hash
                .as_ref()
                .try_into()
                .map_err(|_| broken("a hash of another length".to_owned()))?,
        );
        let place = match &self.place {
            Some(place) => self.chain.advance(place, decision.at, bytes),
            None => Place {
                revision: interrex_core::Revision(frame.revision),
                at: decision.at,
                head: told,
            },
        };
        if (place.revision.0, place.head) != (frame.revision, told) {
            return Err(broken(format!(
                "the chain is at revision {} with {}, the coordinator says {told}",
                place.revision.0, place.head
            )));
        }
        Ok(place)
    }
}
