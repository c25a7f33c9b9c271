//! Writing: one call for each field, in ascending order.
use interrex_core::name::Name;

use super::{Layout, tag};
use crate::choice::Choice;

/// Appends fields to a buffer.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Bytes written.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What was written, and an empty writer with the same room.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::replace(&mut self.0, Vec::with_capacity(1 << 16))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number; 0 is the default.
    pub(crate) fn uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.set_uint(field, value);
        }
    }

    /// A number whose presence says something.
    pub(crate) fn set_uint(&mut self, field: u32, value: u64) {
        self.varint(tag(field, Layout::Varint).into());
        self.varint(value);
    }

    /// Eight bytes; 0 is the default.
    pub(crate) fn fixed(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.set_fixed(field, value);
        }
    }

    /// Eight bytes whose presence says something.
    pub(crate) fn set_fixed(&mut self, field: u32, value: u64) {
        self.varint(tag(field, Layout::Fixed64).into());
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A value out of a closed list.
    pub(crate) fn choice(&mut self, field: u32, value: impl Choice) {
        self.uint(field, value.number().into());
    }

    /// The same where one of the list is left out.
    pub(crate) fn choice_but<T: Choice + PartialEq>(&mut self, field: u32, value: T, left_out: T) {
        if value != left_out {
            self.choice(field, value);
        }
    }

    /// A value out of a closed list, if there is one.
    pub(crate) fn optional_choice(&mut self, field: u32, value: Option<impl Choice>) {
        if let Some(value) = value {
            self.choice(field, value);
        }
    }

    /// A name.
    pub(crate) fn name(&mut self, field: u32, name: Name) {
        self.bytes(field, name.as_str().as_bytes());
    }

    /// A number, if there is one.
    pub(crate) fn optional_uint(&mut self, field: u32, value: Option<u64>) {
        if let Some(value) = value {
            self.set_uint(field, value);
        }
    }

    /// Eight bytes, if there are any.
    pub(crate) fn optional_fixed(&mut self, field: u32, value: Option<u64>) {
        if let Some(value) = value {
            self.set_fixed(field, value);
        }
    }

    /// A name, if there is one.
    pub(crate) fn optional_name(&mut self, field: u32, name: Option<Name>) {
        if let Some(name) = name {
            self.name(field, name);
        }
    }

    /// Text or bytes; nothing is the default.
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.set_bytes(field, value);
        }
    }

    /// Text or bytes whose presence says something.
    pub(crate) fn set_bytes(&mut self, field: u32, value: &[u8]) {
        self.varint(tag(field, Layout::Bytes).into());
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A message within this one. Its length is not known before: one byte is kept for it, and what
    /// is longer is moved up.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.varint(tag(field, Layout::Bytes).into());
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - at - 1;
        if let (Ok(small @ 0..0x80), Some(byte)) = (u8::try_from(length), self.0.get_mut(at)) {
            *byte = small;
            return;
        }
        let (bytes, used) = varint(length as u64);
        let prefix = bytes.get(..used).unwrap_or_default();
        self.0.splice(at..=at, prefix.iter().copied());
    }

    fn varint(&mut self, value: u64) {
        if let Ok(small) = u8::try_from(value)
            && small < 0x80
        {
            return self.0.push(small);
        }
        let (bytes, used) = varint(value);
        self.0.extend_from_slice(bytes.get(..used).unwrap_or_default());
    }
}

fn varint(mut value: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut used) = ([0; 10], 0);
    for byte in &mut bytes {
        used += 1;
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, used)
}
