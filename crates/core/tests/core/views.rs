//! Views at their limits: what was answered to whom, and what is forgotten when.
use interrex_core::views::{Known, OPERATIONS_KEPT, Operations, Stamp};
use interrex_core::*;

fn act(id: u128, command: u64, outcome: Verdict) -> Act {
    Act {
        actor: Actor::Person(PersonId(1)),
        operation: Some(OperationKey { id: OperationId(id), command }),
        reason: String::new(),
        ticket: String::new(),
        outcome,
    }
}

fn asked(id: u128, command: u64, seen: Option<u64>) -> Operation {
    Operation { key: OperationKey { id: OperationId(id), command }, seen }
}

fn refused() -> Verdict {
    let text = || "busy".to_owned();
    Verdict::Refused(Refused { code: text(), message: text(), remedy: text() })
}

/// O1, O2, O3.
#[test]
fn a_forgotten_operation_is_not_judged_again() {
    let mut operations = Operations::default();
    let first = asked(0, 1, Some(0));
    assert_eq!(operations.known(first), Known::New);
    assert_eq!(operations.known(asked(0, 1, None)), Known::Unheard, "only asked");
    for id in 0..=u128::from(OPERATIONS_KEPT) {
        let act = act(id, 1, refused());
        operations.apply(&Stamp { revision: Revision(3), at: LogTime(4), act: &act });
        if id == 0 {
            let Known::Answered(answered) = operations.known(asked(0, 1, None)) else { panic!() };
            assert_eq!(answered.outcome.as_ref().unwrap_err().code, "busy");
            assert_eq!((answered.revision, answered.operations), (Revision(3), 1));
            assert!(matches!(operations.known(asked(0, 2, Some(0))), Known::Reused(_)));
        }
    }
    assert_eq!(operations.applied(), OPERATIONS_KEPT + 1);
    assert_eq!(operations.known(first), Known::TooOld);
    assert_eq!(operations.known(asked(0, 1, Some(2))), Known::New, "made after it was forgotten");
    assert!(matches!(operations.known(asked(1, 1, Some(0))), Known::Answered(_)), "still kept");
}

/// The answer names the failover that it began, and the events by CONTRACT's kinds.
#[test]
fn an_answer_tells_kinds_and_failover() {
    let (mut operations, id) = (Operations::default(), |name: &str| name.parse().unwrap());
    let (failover, cause) = (FailoverId(9), Cause::Manual);
    let queued = Event::FailoverQueued {
        recorder: RecorderId(id("rec-1")),
        holder: ServerId(id("srv-1")),
        failover,
        cause,
    };
    let act = act(5, 1, Verdict::Done(vec![queued]));
    operations.apply(&Stamp { revision: Revision(1), at: LogTime(1), act: &act });
    let Known::Answered(answered) = operations.known(asked(5, 1, None)) else { panic!() };
    assert_eq!(answered.outcome, Ok(vec!["failover_queued"]));
    assert_eq!(answered.failover, Some(failover));
}

/// L2: on whatever stands behind another entry than its basis, nothing happens.
#[test]
fn a_decision_stands_directly_behind_its_basis_or_nowhere() {
    let noted = Event::Noted { key: "k".into(), text: "t".into() };
    let acts = vec![act(1, 1, Verdict::Done(vec![noted]))];
    let decision = Decision { basis: LogIndex(4), at: LogTime(9), level: LEVEL, acts };
    for index in [0, 3, 4, 6, 7] {
        let mut state = State::default();
        assert_eq!(state.commit(LogIndex(index), &decision), Outcome::Stale, "at {index}");
        let applied = LogIndex(index);
        assert_eq!(state, State { applied, ..State::default() });
    }
    let mut state = State::default();
    assert_eq!(state.commit(LogIndex(5), &decision), Outcome::Applied(Revision(1)));
    assert_eq!((state.now, state.notes.len()), (LogTime(9), 1));
    // A leader with a late clock does not turn log time back.
    let decision = Decision { basis: LogIndex(5), at: LogTime(3), level: LEVEL, acts: vec![] };
    state.commit(LogIndex(6), &decision);
    assert_eq!((state.now, state.revision), (LogTime(9), Revision(2)));
}
