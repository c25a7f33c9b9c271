//! The one encoding of what lasts: protobuf with every choice taken away. Fields stand in ascending
//! order, numbers at their shortest, defaults are left out, nothing is unknown. So the same value
//! has the same bytes in every release, and bytes that were read can be written again.
//!
//! prost skips fields that it does not know and takes them in any order; that is right for calls
//! (see the other files), and wrong for a history. It also makes a `String` of every name.
mod read;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::Writer;

/// How the value of a field is laid out: the low three bits of a tag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
}

const fn tag(field: u32, layout: Layout) -> u32 {
    field << 3 | layout as u32
}
