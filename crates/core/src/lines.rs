//! Canonical lines: what a state says, as text that is the same on every replica. The digest over
//! them is made outside the core.
use std::fmt;

/// Hands lines on, one by one, through one buffer.
pub(crate) struct Lines<'a> {
    buffer: String,
    sink: &'a mut dyn FnMut(&str),
}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl<'a> Lines<'a> {
    /// Lines that go to `sink`, without their line ends.
    pub(crate) fn to(sink: &'a mut dyn FnMut(&str)) -> Self {
        Self { buffer: String::new(), sink }
    }

    /// One line. What people wrote must be passed with `{:?}`, so that it cannot hold a line end.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        self.buffer.clear();
        // Writing to a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut self.buffer, text);
        (self.sink)(&self.buffer);
    }
}
