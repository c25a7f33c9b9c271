//! The network: who reaches whom, how late, how often. Knows nothing of what it carries.
use std::time::Duration;

use crate::rng::Rng;
use crate::setup::{CLIENTS, SERVERS};

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Coordinator(usize),
    Agent(usize),
    Client(usize),
}

/// One direction between two places.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    /// Faults that cut it at present.
    cuts: u32,
}

/// All links, and the weather.
#[derive(Debug)]
pub(crate) struct Network {
    rng: Rng,
    coordinators: usize,
    links: Vec<Link>,
    /// Letters lost everywhere, of a thousand.
    pub(crate) loss: u64,
    /// Letters doubled everywhere, of a thousand.
    pub(crate) doubled: u64,
    /// Slowest letter of good weather, in microseconds.
    pub(crate) slowest_us: u64,
}

impl Network {
    /// All links whole.
    pub(crate) fn new(rng: Rng, coordinators: usize) -> Self {
        let places = coordinators + SERVERS + CLIENTS;
        let links = vec![Link::default(); places * places];
        Self { rng, coordinators, links, loss: 0, doubled: 0, slowest_us: 1_000 }
    }

    fn place(&self, place: Place) -> usize {
        match place {
            Place::Coordinator(i) => i,
            Place::Agent(i) => self.coordinators + i,
            Place::Client(i) => self.coordinators + SERVERS + i,
        }
    }

    fn link(&mut self, from: Place, to: Place) -> &mut Link {
        let places = self.coordinators + SERVERS + CLIENTS;
        let at = self.place(from) * places + self.place(to);
        &mut self.links[at]
    }

    /// Nothing passes from here to there until it is mended as often as it was cut.
    pub(crate) fn cut(&mut self, from: Place, to: Place) {
        self.link(from, to).cuts += 1;
    }

    /// Takes one cut back.
    pub(crate) fn mend(&mut self, from: Place, to: Place) {
        let link = self.link(from, to);
        link.cuts = link.cuts.saturating_sub(1);
    }

    /// Good weather again; cuts stay.
    pub(crate) fn clear_up(&mut self) {
        (self.loss, self.doubled, self.slowest_us) = (0, 0, 1_000);
    }

    /// All links whole, good weather.
    pub(crate) fn heal(&mut self) {
        self.clear_up();
        self.links.fill(Link::default());
    }

    /// Takes all cuts back.
    pub(crate) fn make_whole(&mut self, from: Place, to: Place) {
        self.link(from, to).cuts = 0;
    }

    /// Letters from here reach there.
    pub(crate) fn passes(&mut self, from: Place, to: Place) -> bool {
        self.link(from, to).cuts == 0
    }

    /// How long each copy of a letter takes: none if it is lost, two if it is doubled.
    pub(crate) fn carry(&mut self, from: Place, to: Place) -> [Option<Duration>; 2] {
        let link = *self.link(from, to);
        if link.cuts > 0 || self.rng.chance(self.loss) {
            return [None, None];
        }
        let first = Some(self.delay());
        // Operators' requests are doubled by their clients only: a connection does not.
        let human = matches!(from, Place::Client(_)) || matches!(to, Place::Client(_));
        let again = !human && self.rng.chance(self.doubled);
        [first, again.then(|| self.delay() * 3)]
    }

    fn delay(&mut self) -> Duration {
        let slowest_us = if self.rng.chance(10) { self.slowest_us * 20 } else { self.slowest_us };
        Duration::from_micros(self.rng.within(100..slowest_us.max(200)))
    }
}
