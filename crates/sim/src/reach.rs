//! Which rare situations a run reached. A simulator that never sees them proves nothing.
use std::collections::BTreeMap;

macro_rules! situations {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// A rare situation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation { $($(#[$doc])* $name),* }

        impl Situation {
            /// Every one, in order.
            pub const ALL: &[Situation] = &[$(Situation::$name),*];

            /// As in the output.
            pub fn name(self) -> &'static str {
                match self { $(Situation::$name => $text),* }
            }
        }
    };
}

situations! {
    /// L2.
    StaleDropped = "stale decision dropped",
    /// An entry of a leader that led no more when it was committed or cut.
    LeaderLost = "leader lost between decide and commit",
    /// A server's silence ended while nobody led.
    ExpiryInElection = "expiry during an election",
    /// P4.
    PromiseWithheld = "promise withheld a grant",
    /// A holder whose lease ended though its process ran on.
    LeaseEndedInPartition = "lease ended in a partition",
    /// L5: the queue.
    QueueDrained = "queue drained after a standby came back",
    /// D6.
    SubstituteDied = "substitute died",
    /// D9, before the receiver was ready.
    AbandonedAfter1 = "hand-over abandoned after 1",
    /// D9, between ready and release.
    AbandonedAfter2 = "hand-over abandoned after 2",
    /// D9, the holder takes it anew.
    GivenBackAfter3 = "given back after 3",
    /// D8.
    TakeoverFailedAfter4 = "takeover failed after 4",
    /// P3.
    TimeoutLoweredAcksLost = "timeout lowered while acks are lost",
    /// A3.
    DeafAgent = "deaf agent reconnected",
    /// A8.
    UnknownBootWithheld = "agent came back with another disk",
    /// P9: two letters for one beat.
    LetterDoubled = "letter doubled",
    /// P1.
    CoordinatorWoke = "paused coordinator woke",
    /// A6.
    AgentWoke = "paused agent woke",
    /// The first of several coordinators to come back with their state behind.
    ReplayedBehind = "coordinator came back behind",
    /// D5.
    MoveWithheld = "move withheld",
    /// D4.
    ReturnedWhileQueued = "holder returned while queued",
    /// D2.
    Restored = "expired server restored",
    /// MB-03.
    FailedBack = "failed back",
    /// MI-05.
    ManualFailover = "manual failover",
    /// C3.
    CopySuspended = "copy suspended",
    /// MB-09.
    CopyResumed = "copy resumed",
    /// O2.
    AnsweredAgain = "operation answered from the table",
    /// O5.
    OutcomeUnknown = "operation with unknown outcome",
    /// O6.
    StaleEpochRefused = "operator refused by expect",
    /// A9.
    RecordedByLastKnown = "recorded by the last known configuration",
    /// Record-first.
    RecordedWithoutCoordinators = "recorded while all coordinators were dead",
    /// Rule 4 of the model log.
    TailTruncated = "conflicting tail truncated",
    /// L6.
    SteppedAside = "leader stepped aside",
    /// Refused before it was appended.
    NotAppended = "proposal refused before it was appended",
    /// WT: the holder is expired in the same decision in which it is replaced.
    ExpiredAndMoved = "expired and moved in one decision",
}

/// How often each was reached.
#[derive(Clone, Debug, Default)]
pub struct Reach(BTreeMap<Situation, u64>);

impl Reach {
    /// Once more.
    pub(crate) fn count(&mut self, situation: Situation) {
        *self.0.entry(situation).or_default() += 1;
    }

    /// How often so far.
    pub fn of(&self, situation: Situation) -> u64 {
        self.0.get(&situation).copied().unwrap_or_default()
    }

    /// Another run's numbers added.
    pub fn add(&mut self, other: &Reach) {
        for (&situation, count) in &other.0 {
            *self.0.entry(situation).or_default() += count;
        }
    }

    /// Every situation, those never reached included.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Situation::ALL.iter().map(|&situation| (situation.name(), self.of(situation)))
    }
}
