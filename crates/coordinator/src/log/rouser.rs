//! Ends calls of the database that would never end. sled 0.34.7 can sleep for ever on a disk that
//! failed: the thread of its pool that met the error notes it and wakes nobody
//! (`Log::exit_reservation`). Any other call that waits for the disk finds the note, and wakes all
//! who sleep: so where a call takes long, one is made from here.
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How often a look is taken; twice as long after each look that found a call that takes long.
const LOOK: Duration = Duration::from_millis(200);
/// Looks, one after another, that may find nothing ended: 51 s in all.
const LOOKS_MAX: u32 = 8;

/// What `poke` does: a call that waits for the disk.
type Poke = Arc<dyn Fn() + Send + Sync>;

/// Calls that may sleep, counted.
#[derive(Debug, Default)]
struct Calls {
    begun: AtomicU64,
    ended: AtomicU64,
    stuck: AtomicBool,
}

/// Watches the calls of one database, from its first to its last.
#[derive(Debug)]
pub(super) struct Rouser {
    calls: Arc<Calls>,
    /// Dropped to end the thread.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Rouser {
    pub(super) fn start(poke: Poke) -> io::Result<Self> {
        let (alive, ended) = channel::<()>();
        let calls = Arc::new(Calls::default());
        let watched = Arc::clone(&calls);
        let thread = Builder::new().name("log-rouser".into()).spawn(move || {
            let (mut looks, mut last) = (0, 0);
            while ended.recv_timeout(LOOK * (1 << looks)) == Err(RecvTimeoutError::Timeout) {
                let stands = watched.stand(&mut last);
                looks = if stands { looks + 1 } else { 0 };
                if looks > LOOKS_MAX {
                    watched.stuck.store(true, Ordering::Release);
                    return;
                }
                if stands {
                    // It may sleep as well, until the next one wakes both.
                    let poke = Arc::clone(&poke);
                    let _ = Builder::new().name("log-poke".into()).spawn(move || poke());
                }
            }
        })?;
        Ok(Self { calls, alive: Some(alive), thread: Some(thread) })
    }

    /// Makes a call that may sleep.
    pub(super) fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        let _counted = Counted::begin(&self.calls);
        call()
    }

    /// A call did not end, whatever was tried: nobody may wait for it any longer.
    pub(super) fn is_stuck(&self) -> bool {
        self.calls.stuck.load(Ordering::Acquire)
    }
}

impl Drop for Rouser {
    fn drop(&mut self) {
        self.alive = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Calls {
    /// True if something is under way and nothing has ended since the last look.
    fn stand(&self, last: &mut u64) -> bool {
        let ended = self.ended.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Acquire);
        std::mem::replace(last, ended) == ended && begun > ended
    }
}

/// A call that is under way; ended when dropped, also by a panic.
struct Counted<'c>(&'c Calls);

impl<'c> Counted<'c> {
    fn begin(calls: &'c Calls) -> Self {
        calls.begun.fetch_add(1, Ordering::AcqRel);
        Self(calls)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}
