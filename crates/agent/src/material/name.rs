//! Names of segments: `START-END-EPOCH-SERVER.seg`, and `START--EPOCH-SERVER.part` while one grows.
//! They cross the border between agents, so they are read and written in `wire`.
pub(crate) use interrex_wire::material::SegmentName;
