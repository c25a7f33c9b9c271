//! One pass over the material of one copy, seen by the end that fetches: what to ask next, what an
//! answer means, and up to where everything is done. Sans IO; questions are answered in order, and
//! several are asked ahead, so that neither end waits for the other.
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use interrex_core::fleet::Kinds;
use interrex_wire::material::{FaultCode, Frame, Listed, Page, SegmentHash, SegmentKey, Totals};

use super::place::{FAILED_MAX, Place};
use crate::store::Held;

/// Bytes asked for and not yet here.
const AHEAD_BYTES: u64 = 8 << 20;
/// Questions not yet answered.
const AHEAD: usize = 256;
/// Segments that are not durable yet, from the first that was asked for on.
const OPEN_MAX: usize = 2_048;
/// A list is asked for while fewer than these wait to be looked at.
const LISTED_MIN: usize = 256;
/// A segment that comes out different each time is given up after so many tries.
const TRIES: u32 = 3;

/// What is here already of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    /// Nothing.
    Nothing,
    /// Its first bytes, from a fetch that was cut short.
    Staged(u64),
    /// Under its name, as it was just read.
    Held(Held),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this.
    Ask(Frame),
    /// Look what is here of it, and tell [`Plan::found`].
    Look(Listed),
    /// Wait for an answer, or for something to become durable.
    Wait,
    /// The pass is over: [`Plan::place`] is all there is to know.
    Over,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing more is to be done about it.
    Nothing,
    /// These bytes of that segment go behind the `offset` that are here. Ask
    /// [`Plan::arrived`] once they are written, if they are the last.
    Bytes { key: SegmentKey, offset: u64, last: bool },
    /// The source has looked at a segment that is here under its name, with this hash. Ask
    /// [`Plan::arrived`].
    Compared(SegmentHash),
    /// That segment cannot be copied (MB-08).
    Lost { key: SegmentKey, why: String },
}

/// What becomes of a segment whose last byte has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// It is what was recorded: take it in, and tell [`Plan::durable`].
    Whole,
    /// It was here, and is the same.
    Same,
    /// It is not what it should be: what is staged of it is worth nothing. It is asked for again.
    Again,
    /// It never is what was recorded: given up.
    Lost,
}

/// The other end does not keep to the order of things: the exchange ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    /// Try again later: this is what it said.
    #[error("{1}")]
    Refused(FaultCode, String),
    /// It says what nobody asked.
    #[error("an answer without a question: {0}")]
    Unasked(&'static str),
    /// More segments fail than can be kept in mind.
    #[error("more than {FAILED_MAX} segments cannot be copied")]
    TooManyFail,
}

/// A question that is not answered yet.
#[derive(Clone, Debug)]
enum Asked {
    List,
    Read(Reading),
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    listed: Listed,
    /// Bytes of it that are here: staged, or held.
    here: u64,
    /// What is held, if it may be the same.
    held: Option<SegmentHash>,
    /// The source was asked what hash it reads.
    hash: bool,
    tries: u32,
}

/// How far a segment is that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Coming,
    Durable(u64),
    Passed(u64),
    Failed,
}

/// One pass.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    place: Place,
    kinds: Kinds,
    /// What failed before, and is tried again in this pass.
    retry: BTreeSet<SegmentKey>,
    /// Behind which the next page begins; none: at the beginning.
    listed_to: Option<SegmentKey>,
    listing: bool,
    complete: bool,
    listed: VecDeque<Listed>,
    again: VecDeque<Reading>,
    asked: VecDeque<Asked>,
    asked_bytes: u64,
    open: BTreeMap<SegmentKey, State>,
}

impl Plan {
    /// Goes on at `place`. `retry`: tries once more what failed.
    pub(super) fn new(place: Place, kinds: Kinds, retry: bool) -> Self {
        let retry = if retry { place.failed.clone() } else { BTreeSet::new() };
        Self {
            listed_to: if retry.is_empty() { place.after } else { None },
            listing: false,
            complete: false,
            listed: VecDeque::new(),
            again: VecDeque::new(),
            asked: VecDeque::new(),
            asked_bytes: 0,
            open: BTreeMap::new(),
            place,
            kinds,
            retry,
        }
    }

    /// How far it is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Bytes that were asked for and are not here; nothing if every question is answered.
    pub(super) fn coming(&self) -> Option<u64> {
        (!self.asked.is_empty()).then_some(self.asked_bytes)
    }

    /// What to do now.
    pub(super) fn next(&mut self) -> Next {
        if !self.listing && !self.complete && self.listed.len() < LISTED_MIN {
            self.listing = true;
            self.asked.push_back(Asked::List);
            return Next::Ask(Frame::List { after: self.listed_to });
        }
        let has_room = self.asked.len() < AHEAD && self.asked_bytes < AHEAD_BYTES;
        if has_room && let Some(reading) = self.again.pop_front() {
            return Next::Ask(self.read(reading));
        }
        while has_room && self.open.len() < OPEN_MAX {
            let Some(listed) = self.listed.pop_front() else { break };
            let before = self.place.after.is_some_and(|after| listed.key <= after);
            if before && !self.retry.contains(&listed.key) {
                continue;
            }
            if self.kinds.contains(listed.key.kind) {
                return Next::Look(listed);
            }
            self.open.insert(listed.key, State::Passed(listed.length));
            self.advance();
        }
        let idle = self.complete && self.listed.is_empty() && self.open.is_empty();
        if idle && self.asked.is_empty() {
            self.place.complete = true;
            return Next::Over;
        }
        Next::Wait
    }

    /// Answers [`Next::Look`]: what to ask, if anything must be.
    pub(super) fn found(&mut self, listed: Listed, here: Here) -> Option<Frame> {
        let whole = |held: &Held| held.length == listed.length;
        let (here, held) = match here {
            Here::Held(held) if whole(&held) && listed.blake3 == Some(held.blake3) => {
                self.open.insert(listed.key, State::Durable(listed.length));
                self.advance();
                return None;
            }
            // Nobody wrote its hash down: the source has to look.
            Here::Held(held) if whole(&held) && listed.blake3.is_none() => {
                (held.length, Some(held.blake3))
            }
            Here::Staged(length) if length <= listed.length => (length, None),
            Here::Held(_) | Here::Staged(_) | Here::Nothing => (0, None),
        };
        self.open.insert(listed.key, State::Coming);
        let hash = listed.blake3.is_none();
        Some(self.read(Reading { listed, here, held, hash, tries: 1 }))
    }

    /// Takes an answer.
    pub(super) fn hear(&mut self, frame: &Frame) -> Result<Heard, Breach> {
        match frame {
            Frame::Page(page) => self.hear_page(page).map(|()| Heard::Nothing),
            Frame::Data { bytes, last, .. } => {
                let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.hear_bytes(bytes, *last)
            }
            Frame::Fault { code, text } => self.hear_fault(*code, text),
            Frame::Hello { .. } => Err(Breach::Unasked("hello")),
            Frame::List { .. } => Err(Breach::Unasked("a question")),
            Frame::Read { .. } => Err(Breach::Unasked("a question")),
        }
    }

    /// The last byte of the segment that was being read is written, and all of it has this `hash`;
    /// `source` is what the source read, if it was asked.
    pub(super) fn arrived(
        &mut self,
        hash: SegmentHash,
        source: Option<SegmentHash>,
    ) -> Result<Arrived, Breach> {
        let Some(Asked::Read(reading)) = self.asked.pop_front() else {
            return Err(Breach::Unasked("data"));
        };
        let key = reading.listed.key;
        let should = reading.listed.blake3.or(source);
        if reading.here == reading.listed.length && should == Some(hash) {
            if reading.held.is_some() {
                self.durable(&key, reading.listed.length);
                return Ok(Arrived::Same);
            }
            return Ok(Arrived::Whole);
        }
        // What the source itself reads is not what it recorded: no further try will mend that.
        let corrupt = matches!((reading.listed.blake3, source), (Some(was), Some(is)) if was != is);
        if corrupt || reading.tries >= TRIES {
            self.fail(key)?;
            return Ok(Arrived::Lost);
        }
        let tries = reading.tries + 1;
        self.again.push_back(Reading { here: 0, held: None, hash: true, tries, ..reading });
        Ok(Arrived::Again)
    }

    /// It is durable, and named as the recorder's own.
    pub(super) fn durable(&mut self, key: &SegmentKey, length: u64) {
        if let Some(state) = self.open.get_mut(key) {
            *state = State::Durable(length);
        }
        self.advance();
    }

    fn read(&mut self, reading: Reading) -> Frame {
        self.asked.push_back(Asked::Read(reading));
        self.asked_bytes += reading.listed.length - reading.here;
        Frame::Read { key: reading.listed.key, offset: reading.here, hash: reading.hash }
    }

    fn hear_page(&mut self, page: &Page) -> Result<(), Breach> {
        let Some(Asked::List) = self.asked.pop_front() else {
            return Err(Breach::Unasked("a page"));
        };
        let onward = page.segments.first().is_none_or(|one| Some(one.key) > self.listed_to);
        if !onward || (page.segments.is_empty() && !page.complete) {
            return Err(Breach::Unasked("a page that leads nowhere"));
        }
        self.listing = false;
        self.complete = page.complete;
        self.place.totals = page.totals;
        self.listed_to = page.segments.last().map(|one| one.key).or(self.listed_to);
        self.listed.extend(&page.segments);
        Ok(())
    }

    fn hear_bytes(&mut self, bytes: u64, last: bool) -> Result<Heard, Breach> {
        let Some(Asked::Read(reading)) = self.asked.front_mut() else {
            return Err(Breach::Unasked("data"));
        };
        let (key, offset) = (reading.listed.key, reading.here);
        let missing = reading.listed.length - offset;
        if bytes > missing {
            return Err(Breach::Unasked("more of a segment than there is"));
        }
        reading.here += bytes;
        self.asked_bytes -= if last { missing } else { bytes };
        match reading.held {
            Some(held) if last => Ok(Heard::Compared(held)),
            Some(_) => Ok(Heard::Nothing),
            None => Ok(Heard::Bytes { key, offset, last }),
        }
    }

    fn hear_fault(&mut self, code: FaultCode, text: &str) -> Result<Heard, Breach> {
        let of_a_segment = match code {
            FaultCode::Denied | FaultCode::Busy => false,
            FaultCode::Missing | FaultCode::Corrupt | FaultCode::Unreadable => true,
        };
        match self.asked.pop_front() {
            Some(Asked::Read(Reading { listed, here, .. })) if of_a_segment => {
                self.asked_bytes -= listed.length - here;
                self.fail(listed.key)?;
                Ok(Heard::Lost { key: listed.key, why: text.to_owned() })
            }
            Some(Asked::Read(_) | Asked::List) | None => {
                Err(Breach::Refused(code, text.to_owned()))
            }
        }
    }

    fn fail(&mut self, key: SegmentKey) -> Result<(), Breach> {
        if self.place.failed.len() >= FAILED_MAX && !self.place.failed.contains(&key) {
            return Err(Breach::TooManyFail);
        }
        self.open.insert(key, State::Failed);
        self.advance();
        Ok(())
    }

    /// Moves the place past everything that is done. One that was tried again lies before it.
    fn advance(&mut self) {
        while let Some(first) = self.open.first_entry() {
            let (key, state) = (*first.key(), *first.get());
            match state {
                State::Coming => return,
                State::Durable(length) => {
                    add(&mut self.place.done, length);
                    self.place.failed.remove(&key);
                }
                State::Passed(length) => add(&mut self.place.passed, length),
                State::Failed => _ = self.place.failed.insert(key),
            }
            first.remove();
            self.place.after = self.place.after.max(Some(key));
        }
    }
}

fn add(totals: &mut Totals, length: u64) {
    totals.segments += 1;
    totals.bytes += length;
}
