//! Passes against a source that is played: whole, cut short, and lied to.
use bytes::Bytes;
use interrex_core::fleet::MaterialKind;

use super::*;

const HASH: SegmentHash = [1; 32];
const OTHER: SegmentHash = [2; 32];

fn listed(number: u64, length: u64) -> Listed {
    let name = format!("{}-{}-3-srv-3.seg", 1_000 + number, 1_001 + number);
    let (channel, name) = ("ch-1".parse().unwrap(), name.parse().unwrap());
    let key = SegmentKey { channel, name, kind: MaterialKind::Video };
    Listed { key, length, blake3: Some(HASH) }
}

fn page(segments: &[Listed], complete: bool) -> Frame {
    let totals = Totals {
        segments: segments.len() as u64,
        bytes: segments.iter().map(|one| one.length).sum(),
    };
    Frame::Page(Page { segments: segments.to_vec(), complete, totals })
}

fn data(length: u64, last: bool) -> Frame {
    let bytes = Bytes::from(vec![0; usize::try_from(length).unwrap()]);
    Frame::Data { bytes, last, blake3: None }
}

fn fault(code: FaultCode) -> Frame {
    Frame::Fault { code, text: "it says so".into() }
}

/// A pass that has heard of `segments`.
fn begun(place: Place, segments: &[Listed], retry: bool) -> Plan {
    let mut plan = Plan::new(place, Kinds::default(), retry);
    assert!(matches!(plan.next(), Next::Ask(Frame::List { .. })));
    plan.hear(&page(segments, true)).unwrap();
    plan
}

/// The next one to be looked for is asked for, and nothing of it is here.
fn ask(plan: &mut Plan) -> (SegmentKey, u64) {
    let Next::Look(listed) = plan.next() else { panic!("nothing to look for") };
    let Some(Frame::Read { key, offset, .. }) = plan.found(listed, Here::Nothing) else { panic!() };
    (key, offset)
}

#[test]
fn a_pass_from_the_beginning_to_the_end() {
    let all = [listed(1, 10), listed(2, 0), listed(3, 5)];
    let mut plan = begun(Place::default(), &all, false);
    for one in &all {
        assert_eq!(ask(&mut plan), (one.key, 0), "asked ahead");
    }
    assert_eq!(plan.next(), Next::Wait);
    let bytes = |number: usize, offset, last| Heard::Bytes { key: all[number].key, offset, last };
    assert_eq!(plan.hear(&data(4, false)), Ok(bytes(0, 0, false)));
    assert_eq!(plan.hear(&data(6, true)), Ok(bytes(0, 4, true)));
    assert_eq!(plan.arrived(HASH, None), Ok(Arrived::Whole));
    assert_eq!(plan.hear(&data(0, true)), Ok(bytes(1, 0, true)));
    assert_eq!(plan.arrived(HASH, None), Ok(Arrived::Whole));
    // The second is durable before the first: the place waits.
    plan.durable(&all[1].key, 0);
    assert_eq!(plan.place().after, None);
    plan.durable(&all[0].key, 10);
    assert_eq!(plan.place().after, Some(all[1].key));
    assert_eq!(plan.hear(&data(5, true)), Ok(bytes(2, 0, true)));
    assert_eq!(plan.arrived(HASH, None), Ok(Arrived::Whole));
    assert_eq!(plan.next(), Next::Wait);
    plan.durable(&all[2].key, 5);
    assert_eq!(plan.next(), Next::Over);
    let place = plan.place();
    assert_eq!((place.done, place.complete), (Totals { segments: 3, bytes: 15 }, true));
    let progress = place.progress();
    assert_eq!((progress.segments_total, progress.bytes_total), (3, 15));
}

#[test]
fn it_goes_on_behind_its_place_and_within_a_segment() {
    let place = Place { after: Some(listed(1, 0).key), ..Place::default() };
    let mut plan = Plan::new(place, Kinds::default(), false);
    let after = Some(listed(1, 0).key);
    assert_eq!(plan.next(), Next::Ask(Frame::List { after }));
    let one = listed(2, 10);
    plan.hear(&page(&[one], true)).unwrap();
    assert_eq!(plan.next(), Next::Look(one));
    let asks = Frame::Read { key: one.key, offset: 7, hash: false };
    assert_eq!(plan.found(one, Here::Staged(7)), Some(asks));
    let bytes = Heard::Bytes { key: one.key, offset: 7, last: true };
    assert_eq!(plan.hear(&data(3, true)), Ok(bytes));
}

#[test]
fn what_is_here_already_is_not_fetched_and_what_is_different_is() {
    let held = |length, blake3| Here::Held(Held { length, blake3 });
    let unknown = Listed { blake3: None, ..listed(3, 10) };
    let all = [listed(1, 10), listed(2, 10), unknown, listed(4, 10)];
    let mut plan = begun(Place::default(), &all, false);
    let asks = |one: usize, offset, hash| Some(Frame::Read { key: all[one].key, offset, hash });
    let find = |plan: &mut Plan, here| {
        let Next::Look(listed) = plan.next() else { panic!() };
        plan.found(listed, here)
    };
    assert_eq!(find(&mut plan, held(10, HASH)), None);
    assert_eq!(plan.place().after, Some(all[0].key));
    assert_eq!(find(&mut plan, held(10, OTHER)), asks(1, 0, false));
    assert_eq!(find(&mut plan, held(10, OTHER)), asks(2, 10, true), "the source must look");
    assert_eq!(find(&mut plan, Here::Staged(11)), asks(3, 0, false), "too long");
    plan.hear(&data(10, true)).unwrap();
    assert_eq!(plan.arrived(HASH, None), Ok(Arrived::Whole));
    plan.hear(&data(0, true)).unwrap();
    assert_eq!(plan.arrived(OTHER, Some(OTHER)), Ok(Arrived::Same));
}

#[test]
fn a_segment_that_comes_out_wrong_is_asked_for_again_and_then_given_up() {
    let one = listed(1, 4);
    let mut plan = begun(Place::default(), &[one], false);
    ask(&mut plan);
    plan.hear(&data(4, true)).unwrap();
    assert_eq!(plan.arrived(OTHER, None), Ok(Arrived::Again));
    let asks = Frame::Read { key: one.key, offset: 0, hash: true };
    assert_eq!(plan.next(), Next::Ask(asks.clone()));
    plan.hear(&data(4, true)).unwrap();
    // The source reads what it recorded: the way here is bad. Once more.
    assert_eq!(plan.arrived(OTHER, Some(HASH)), Ok(Arrived::Again));
    assert_eq!(plan.next(), Next::Ask(asks));
    plan.hear(&data(4, true)).unwrap();
    assert_eq!(plan.arrived(OTHER, Some(HASH)), Ok(Arrived::Lost));
    assert_eq!(plan.next(), Next::Over);
    assert_eq!(plan.place().failed, BTreeSet::from([one.key]));
}

#[test]
fn a_corrupt_or_missing_segment_stops_no_other_and_is_tried_again_later() {
    let all = [listed(1, 4), listed(2, 4), listed(3, 4)];
    let mut plan = begun(Place::default(), &all, false);
    for _ in &all {
        ask(&mut plan);
    }
    plan.hear(&data(4, true)).unwrap();
    assert_eq!(plan.arrived(OTHER, Some(OTHER)), Ok(Arrived::Lost), "not what it recorded");
    let why = "it says so".to_owned();
    let lost = Heard::Lost { key: all[1].key, why };
    assert_eq!(plan.hear(&fault(FaultCode::Missing)), Ok(lost));
    plan.hear(&data(4, true)).unwrap();
    assert_eq!(plan.arrived(HASH, None), Ok(Arrived::Whole));
    plan.durable(&all[2].key, 4);
    assert_eq!(plan.next(), Next::Over);
    let place = plan.place().clone();
    assert_eq!((place.done.segments, place.failed.len()), (1, 2));
    // The next pass looks at those two only.
    let mut plan = begun(place, &all, true);
    assert_eq!((ask(&mut plan).0, ask(&mut plan).0), (all[0].key, all[1].key));
    assert_eq!(plan.next(), Next::Wait);
    plan.hear(&data(4, true)).unwrap();
    assert_eq!(plan.arrived(HASH, None), Ok(Arrived::Whole));
    plan.durable(&all[0].key, 4);
    plan.hear(&fault(FaultCode::Missing)).unwrap();
    assert_eq!(plan.next(), Next::Over);
    let place = plan.place();
    assert_eq!((place.done.segments, place.after), (2, Some(all[2].key)));
    assert_eq!(place.failed, BTreeSet::from([all[1].key]));
}

#[test]
fn kinds_that_are_not_wanted_are_passed_over() {
    let (one, mut two) = (listed(1, 4), listed(2, 6));
    two.key.kind = MaterialKind::Audio;
    let kinds = Kinds::from_iter([MaterialKind::Video]);
    let mut plan = Plan::new(Place::default(), kinds, false);
    plan.next();
    plan.hear(&page(&[one, two], true)).unwrap();
    ask(&mut plan);
    plan.hear(&data(4, true)).unwrap();
    plan.arrived(HASH, None).unwrap();
    plan.durable(&one.key, 4);
    assert_eq!(plan.next(), Next::Over);
    assert_eq!(plan.place().passed, Totals { segments: 1, bytes: 6 });
    assert_eq!(plan.place().progress().bytes_total, 4);
}

#[test]
fn no_more_is_asked_ahead_than_fits() {
    let many: Vec<Listed> = (0..400).map(|number| listed(number, 1 << 20)).collect();
    let mut plan = begun(Place::default(), &many, false);
    let mut asked = 0;
    while let Next::Look(listed) = plan.next() {
        plan.found(listed, Here::Nothing);
        asked += 1;
    }
    assert_eq!(asked, 8);
    let small: Vec<Listed> = (0..400).map(|number| listed(number, 1)).collect();
    let mut plan = begun(Place::default(), &small, false);
    let mut asked = 0;
    while let Next::Look(listed) = plan.next() {
        plan.found(listed, Here::Nothing);
        asked += 1;
    }
    assert_eq!(asked, AHEAD);
}

#[test]
fn whoever_breaks_the_order_of_things_is_left() {
    let one = listed(1, 4);
    let refused = |code| Err(Breach::Refused(code, "it says so".into()));
    let mut plan = begun(Place::default(), &[one], false);
    assert_eq!(plan.clone().hear(&data(1, false)), Err(Breach::Unasked("data")));
    assert_eq!(plan.clone().hear(&page(&[], true)), Err(Breach::Unasked("a page")));
    ask(&mut plan);
    let more = Err(Breach::Unasked("more of a segment than there is"));
    assert_eq!(plan.clone().hear(&data(5, true)), more);
    assert_eq!(plan.clone().hear(&fault(FaultCode::Denied)), refused(FaultCode::Denied));
    assert_eq!(plan.hear(&Frame::List { after: None }), Err(Breach::Unasked("a question")));
    let mut plan = Plan::new(Place::default(), Kinds::default(), false);
    plan.next();
    assert_eq!(plan.clone().hear(&fault(FaultCode::Busy)), refused(FaultCode::Busy));
    let nowhere = Err(Breach::Unasked("a page that leads nowhere"));
    assert_eq!(plan.hear(&page(&[], false)), nowhere);
}
