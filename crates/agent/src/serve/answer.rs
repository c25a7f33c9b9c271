//! The end that recorded: answers in order what the other end asks, about one tenure and no other.
//! On a thread of its own, since it waits for the disk.
use std::io::Read;

use bytes::Bytes;
use interrex_core::{CopyDuty, CopyKind};
use interrex_wire::limits::{CHUNK_MAX, PAGE_MAX};
use interrex_wire::material::{FaultCode, Frame, Page, SegmentKey, Totals};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::copy::line::Line;
use crate::copy::{Orders, Setup, tenure};
use crate::store::{Listing, Store, StoreError, Tenure};

/// One exchange.
pub(crate) struct Answering {
    store: Arc<dyn Store>,
    duty: CopyDuty,
    tenure: Tenure,
    orders: watch::Receiver<Orders>,
    line: Line,
    runtime: Handle,
    totals: Option<Totals>,
    /// What goes on behind the segment that was listed last.
    listing: Option<(Option<SegmentKey>, Listing)>,
}

/// Why an exchange ends.
type Over = String;

impl Answering {
    /// Nothing is asked yet. Must be called within a tokio runtime.
    pub(crate) fn new(
        setup: &Setup,
        duty: &CopyDuty,
        orders: watch::Receiver<Orders>,
        line: Line,
    ) -> Self {
        Self {
            store: Arc::clone(&setup.store),
            duty: duty.clone(),
            tenure: tenure(duty),
            orders,
            line,
            runtime: Handle::current(),
            totals: None,
            listing: None,
        }
    }

    /// Answers until the exchange is over, and says why it is; keeps `permit` as long.
    pub(crate) fn spawn(mut self, permit: impl Send + 'static) -> JoinHandle<Over> {
        tokio::task::spawn_blocking(move || {
            let copy = self.duty.copy;
            let Err(why) = self.answer();
            tracing::info!(%copy, %why, "an exchange is over");
            drop(permit);
            why
        })
    }

    fn answer(&mut self) -> Result<std::convert::Infallible, Over> {
        loop {
            match self.next()? {
                Frame::List { after } => self.list(after)?,
                Frame::Read { key, offset, hash } => self.read(&key, offset, hash)?,
                Frame::Hello { .. } | Frame::Page(_) | Frame::Data { .. } | Frame::Fault { .. } => {
                    return Err("it says what is not its to say".to_owned());
                }
            }
        }
    }

    /// The next question; ends when the newest assignment names the other end no longer.
    fn next(&mut self) -> Result<Frame, Over> {
        loop {
            self.check()?;
            let heard = self.runtime.block_on(async {
                tokio::select! {
                    changed = self.orders.changed() => Err(changed.is_ok()),
                    frame = self.line.next() => Ok(frame),
                }
            });
            match heard {
                Ok(frame) => return frame,
                Err(true) => {}
                Err(false) => return Err("this agent stops".to_owned()),
            }
        }
    }

    /// WT-16, at every question and every chunk.
    fn check(&mut self) -> Result<(), Over> {
        let now = self.orders.borrow_and_update();
        let serves =
            now.duty(self.duty.copy).is_some_and(|duty| match (&duty.kind, &self.duty.kind) {
                (CopyKind::Serve { to, .. }, CopyKind::Serve { to: begun, .. }) => to == begun,
                (CopyKind::Serve { .. } | CopyKind::Fetch { .. } | CopyKind::Erase, _) => false,
            });
        if serves {
            Ok(())
        } else {
            Err("the copy is not open between these ends any longer".into())
        }
    }

    fn send(&mut self, frame: Frame) -> Result<(), Over> {
        let Self { runtime, line, orders, .. } = self;
        runtime.block_on(async {
            let sending = line.send(frame);
            tokio::pin!(sending);
            loop {
                tokio::select! {
                    biased;
                    sent = &mut sending => return sent,
                    changed = orders.changed() => {
                        changed.map_err(|_| "this agent stops".to_owned())?;
                    }
                }
            }
        })
    }

    /// Says why not, and ends the exchange if it is not about one segment.
    fn fault(&mut self, why: &StoreError) -> Result<(), Over> {
        let (code, ends) = match why {
            StoreError::Busy(_) => (FaultCode::Busy, true),
            StoreError::Missing(_) => (FaultCode::Missing, false),
            StoreError::Broken(_) => (FaultCode::Unreadable, false),
            StoreError::Full(_) | StoreError::Failed(_) => (FaultCode::Busy, true),
        };
        tracing::warn!(copy = %self.duty.copy, %why, "a question about material has no answer");
        let text = why.to_string();
        self.send(Frame::Fault { code, text: text.clone() })?;
        if ends { Err(text) } else { Ok(()) }
    }

    fn list(&mut self, after: Option<SegmentKey>) -> Result<(), Over> {
        if self.orders.borrow().open.contains(&(self.tenure.recorder, self.tenure.epoch)) {
            return self.fault(&StoreError::Busy("it is still recorded here".into()));
        }
        match self.page(after) {
            Ok(page) => self.send(Frame::Page(page)),
            // About the whole tenure, whatever the store says of one.
            Err(StoreError::Missing(what) | StoreError::Broken(what)) => {
                self.fault(&StoreError::Failed(what))
            }
            Err(why @ (StoreError::Busy(_) | StoreError::Full(_) | StoreError::Failed(_))) => {
                self.fault(&why)
            }
        }
    }

    fn page(&mut self, after: Option<SegmentKey>) -> Result<Page, StoreError> {
        let totals = match self.totals {
            Some(totals) => totals,
            None => *self.totals.insert(self.store.totals(&self.tenure)?),
        };
        let mut listing = match self.listing.take() {
            Some((behind, listing)) if behind == after => listing,
            Some(_) | None => self.store.list(&self.tenure, after.as_ref())?,
        };
        let segments = listing.by_ref().take(PAGE_MAX).collect::<Result<Vec<_>, _>>()?;
        let complete = segments.len() < PAGE_MAX;
        if let Some(last) = segments.last() {
            self.listing = Some((Some(last.key), listing));
        }
        Ok(Page { segments, complete, totals })
    }

    /// Sends a segment from `offset` on, chunk by chunk.
    fn read(&mut self, key: &SegmentKey, offset: u64, hash: bool) -> Result<(), Over> {
        if (key.name.epoch, key.name.server) != (self.tenure.epoch, self.tenure.server) {
            let text = format!("{} is not of the tenure of this copy", key.name);
            self.send(Frame::Fault { code: FaultCode::Denied, text: text.clone() })?;
            return Err(text); // WT-16
        }
        // All of it is hashed where that is asked for, what need not be sent, too.
        let begin = if hash { 0 } else { offset };
        let content = match self.store.read(self.tenure.recorder, key, begin) {
            Ok(content) => content,
            Err(why) => return self.fault(&why),
        };
        let mut chunks = Chunks { content, hasher: hash.then(blake3::Hasher::new) };
        let mut ahead = match chunks.skip(offset - begin).and_then(|()| chunks.next()) {
            Ok(chunk) => chunk,
            Err(why) => return self.fault(&unreadable(key, &why)),
        };
        loop {
            let next = if ahead.len() < CHUNK_MAX { Ok(Bytes::new()) } else { chunks.next() };
            let next = match next {
                Ok(next) => next,
                Err(why) => return self.fault(&unreadable(key, &why)),
            };
            let last = next.is_empty();
            let blake3 = if last { chunks.hash() } else { None };
            self.check()?;
            self.send(Frame::Data { bytes: ahead, last, blake3 })?;
            if last {
                return Ok(());
            }
            ahead = next;
        }
    }
}

/// The content of a segment, a chunk at a time.
struct Chunks {
    content: Box<dyn Read + Send>,
    hasher: Option<blake3::Hasher>,
}

impl Chunks {
    /// Full, unless it is the last; empty at the end.
    fn next(&mut self) -> std::io::Result<Bytes> {
        let mut chunk = Vec::with_capacity(CHUNK_MAX);
        let max = u64::try_from(CHUNK_MAX).unwrap_or(u64::MAX);
        self.content.by_ref().take(max).read_to_end(&mut chunk)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
        }
        Ok(chunk.into())
    }

    /// Passes over what is at the other end already.
    fn skip(&mut self, mut bytes: u64) -> std::io::Result<()> {
        let max = u64::try_from(CHUNK_MAX).unwrap_or(u64::MAX);
        while bytes > 0 {
            let mut chunk = Vec::new();
            let read = self.content.by_ref().take(bytes.min(max)).read_to_end(&mut chunk)?;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&chunk);
            }
            if read == 0 {
                return Ok(());
            }
            bytes -= u64::try_from(read).unwrap_or_default();
        }
        Ok(())
    }

    fn hash(&self) -> Option<[u8; 32]> {
        self.hasher.as_ref().map(|hasher| *hasher.finalize().as_bytes())
    }
}

fn unreadable(key: &SegmentKey, why: &std::io::Error) -> StoreError {
    StoreError::Broken(format!("{}/{}: {why}", key.channel, key.name))
}
