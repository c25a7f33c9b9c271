//! Names as people write them: short, and the same on every screen, file and wire.
use std::fmt;
use std::str::FromStr;

/// Longest name, in bytes (CONTRACT: a letter or digit, then at most 62 more).
pub const NAME_MAX: usize = 63;

/// `[a-z0-9][a-z0-9-]{0,62}`. Kept in place, so that ids are cheap to copy and to compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Zero-padded, so that comparing the bytes compares the text.
    bytes: [u8; NAME_MAX],
    length: u8,
}

/// Not a name. Nothing was changed; choose another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: a lower-case letter or digit, then up to 62 of a-z, 0-9 and '-'")]
pub struct BadName(pub String);

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let (mut bytes, mut rest) = ([0; NAME_MAX], text.bytes());
        let sound = text.len() <= NAME_MAX
            && rest.next().is_some_and(plain)
            && rest.all(|byte| plain(byte) || byte == b'-');
        if !sound {
            return Err(BadName(text.chars().take(80).collect()));
        }
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self { bytes, length: u8::try_from(text.len()).unwrap_or_default() })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
