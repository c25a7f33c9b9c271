//! What happened, a line each: hashed always, kept for people on demand.
use crate::clock::At;

/// The lines of one run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hasher: blake3::Hasher,
    /// Kept only for `--story`.
    story: Option<Vec<String>>,
}

impl Trace {
    /// Keeps the lines if `story`.
    pub(crate) fn new(story: bool) -> Self {
        Self { story: story.then(Vec::new), ..Self::default() }
    }

    /// One more line.
    pub(crate) fn line(&mut self, at: At, text: &str) {
        let line = format!("{:>9.3} {text}\n", at.0 as f64 / 1e6);
        self.hasher.update(line.as_bytes());
        if let Some(story) = &mut self.story {
            story.push(line);
        }
    }

    /// A number that is hashed and not shown.
    pub(crate) fn mix(&mut self, number: u64) {
        self.hasher.update(&number.to_le_bytes());
    }

    /// BLAKE3 over all of it, and the lines themselves if they were kept.
    pub(crate) fn end(self) -> (String, Vec<String>) {
        (self.hasher.finalize().to_hex().to_string(), self.story.unwrap_or_default())
    }
}
