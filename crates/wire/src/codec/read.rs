//! Reading: one call for each field, in ascending order, and `end` at the last.
use std::str::from_utf8;

use interrex_core::name::Name;

use super::{Layout, tag};
use crate::Malformed;
use crate::choice::Choice;

/// What is left of one message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    message: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, message }
    }

    /// Bytes left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// A number; 0 if it is left out.
    pub(crate) fn uint(&mut self, field: u32) -> Result<u64, Malformed> {
        match self.optional_uint(field)? {
            Some(0) => Err(self.not_canonical()),
            found => Ok(found.unwrap_or_default()),
        }
    }

    /// A number of 32 bits; 0 if it is left out.
    pub(crate) fn uint32(&mut self, field: u32, name: &'static str) -> Result<u32, Malformed> {
        let value = self.uint(field)?;
        u32::try_from(value).map_err(|_| Malformed::BadValue { field: name, value: signed(value) })
    }

    /// A number, if it is there.
    pub(crate) fn optional_uint(&mut self, field: u32) -> Result<Option<u64>, Malformed> {
        if self.starts(field, Layout::Varint) { self.varint().map(Some) } else { Ok(None) }
    }

    /// A value out of a closed list: never left out.
    pub(crate) fn choice<T: Choice>(&mut self, field: u32) -> Result<T, Malformed> {
        let value = self.optional_uint(field)?.ok_or(Malformed::Missing(T::NAME))?;
        T::of(value).ok_or(Malformed::BadValue { field: T::NAME, value: signed(value) })
    }

    /// A value out of a closed list, if it is there.
    pub(crate) fn optional_choice<T: Choice>(
        &mut self,
        field: u32,
    ) -> Result<Option<T>, Malformed> {
        let Some(value) = self.optional_uint(field)? else { return Ok(None) };
        T::of(value).map(Some).ok_or(Malformed::BadValue { field: T::NAME, value: signed(value) })
    }

    /// The same where one of the list is left out.
    pub(crate) fn choice_but<T: Choice + PartialEq>(
        &mut self,
        field: u32,
        left_out: T,
    ) -> Result<T, Malformed> {
        match self.optional_choice(field)? {
            Some(value) if value == left_out => Err(self.not_canonical()),
            found => Ok(found.unwrap_or(left_out)),
        }
    }

    /// Eight bytes; 0 if they are left out.
    pub(crate) fn fixed(&mut self, field: u32) -> Result<u64, Malformed> {
        match self.optional_fixed(field)? {
            Some(0) => Err(self.not_canonical()),
            found => Ok(found.unwrap_or_default()),
        }
    }

    /// Eight bytes, if they are there.
    pub(crate) fn optional_fixed(&mut self, field: u32) -> Result<Option<u64>, Malformed> {
        if !self.starts(field, Layout::Fixed64) {
            return Ok(None);
        }
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or(Malformed::Truncated(self.message))?;
        self.rest = rest;
        Ok(Some(u64::from_le_bytes(*bytes)))
    }

    /// Bytes, or a message, if it is there.
    pub(crate) fn optional_bytes(&mut self, field: u32) -> Result<Option<&'a [u8]>, Malformed> {
        if !self.starts(field, Layout::Bytes) {
            return Ok(None);
        }
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let (bytes, rest) =
            self.rest.split_at_checked(length).ok_or(Malformed::Truncated(self.message))?;
        self.rest = rest;
        Ok(Some(bytes))
    }

    /// A message that must be there.
    pub(crate) fn message(
        &mut self,
        field: u32,
        name: &'static str,
    ) -> Result<Reader<'a>, Malformed> {
        let bytes = self.optional_bytes(field)?.ok_or(Malformed::Missing(name))?;
        Ok(Reader::new(name, bytes))
    }

    /// Text of at most `max` bytes; empty if it is left out.
    pub(crate) fn text(
        &mut self,
        field: u32,
        name: &'static str,
        max: usize,
    ) -> Result<&'a str, Malformed> {
        let Some(bytes) = self.optional_bytes(field)? else { return Ok("") };
        if bytes.is_empty() {
            return Err(self.not_canonical());
        }
        if bytes.len() > max {
            return Err(Malformed::TooLong { field: name, length: bytes.len(), max });
        }
        from_utf8(bytes).map_err(|_| Malformed::NotText(name))
    }

    /// A name that must be there.
    pub(crate) fn name(&mut self, field: u32, name: &'static str) -> Result<Name, Malformed> {
        self.optional_name(field, name)?.ok_or(Malformed::Missing(name))
    }

    /// A name; none if it is left out.
    pub(crate) fn optional_name(
        &mut self,
        field: u32,
        name: &'static str,
    ) -> Result<Option<Name>, Malformed> {
        let Some(bytes) = self.optional_bytes(field)? else { return Ok(None) };
        let text = from_utf8(bytes).map_err(|_| Malformed::NotText(name))?;
        text.parse().map(Some).map_err(|source| Malformed::BadName { field: name, source })
    }

    /// The field that comes next, for a oneof; none at the end.
    pub(crate) fn peek(&self) -> Result<Option<u32>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut ahead = Reader { rest: self.rest, message: self.message };
        Ok(Some(u32::try_from(ahead.varint()? >> 3).unwrap_or(u32::MAX)))
    }

    /// Nothing may be left: it would be unknown, out of order, or of another layout.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        match self.peek()? {
            None => Ok(()),
            Some(field) => Err(Malformed::UnknownField { message: self.message, field }),
        }
    }

    pub(crate) fn not_canonical(&self) -> Malformed {
        Malformed::NotCanonical(self.message)
    }

    /// Passes the tag of `field`, if it comes next. Field numbers are below 2048: two bytes.
    fn starts(&mut self, field: u32, layout: Layout) -> bool {
        let tag = tag(field, layout);
        let (low, high) = ((tag & 0x7f) as u8, (tag >> 7) as u8);
        let rest = match (high, self.rest) {
            (0, [first, rest @ ..]) if *first == low => rest,
            (1.., [first, second, rest @ ..]) if (*first, *second) == (low | 0x80, high) => rest,
            (_, _) => return false,
        };
        self.rest = rest;
        true
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) =
                self.rest.split_first().ok_or(Malformed::Truncated(self.message))?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                // A last byte of zero adds nothing: there is a shorter form.
                return if byte == 0 && shift > 0 { Err(self.not_canonical()) } else { Ok(value) };
            }
        }
        Err(self.not_canonical())
    }
}

/// For a message about it only.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
