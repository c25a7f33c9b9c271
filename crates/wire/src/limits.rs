//! How large anything may be that comes in. Each limit leaves room above what our own programs
//! write, so that it stops strangers and damage, never us.

/// One decision, in bytes: a whole fleet document, and [`interrex_core::EVENTS_MAX`] small events
/// or some thousands of notes beside it. A leader proposes nothing longer.
pub const DECISION_MAX: usize = 16 << 20;
/// Acts in one decision. Each has an event, of which there are at most
/// [`interrex_core::EVENTS_MAX`], or is a refusal.
pub const ACTS_MAX: usize = 2 * interrex_core::EVENTS_MAX;
/// The fleet document, in bytes: 20,000 servers and as many recorders with names of 40 letters.
pub const FLEET_MAX: usize = 4 << 20;
/// Code of a refusal, in bytes.
pub const CODE_MAX: usize = 64;
/// Message or remedy of a refusal, in bytes.
pub const WORDS_MAX: usize = 16 << 10;
/// `host:port` as bytes: the longest DNS name, and a port.
pub const ADDRESS_MAX: usize = 262;
/// A program's version, in bytes.
pub const VERSION_MAX: usize = 64;
/// Members of a cluster, learners included.
pub const MEMBERS_MAX: usize = 64;
/// The founders of a cluster, as `name=host:port,...`, in bytes.
pub const FOUNDERS_MAX: usize = MEMBERS_MAX * (64 + 1 + ADDRESS_MAX);
/// Sets of voters: one, or two while the membership is joint.
pub const HALVES_MAX: usize = 2;
/// Duties (or grants, or ended tenures) of one server: one recorder of its own or one that it
/// substitutes, and what it still has to give up.
pub const DUTIES_MAX: usize = 1_024;
/// Servers (or tenures) in one report: each list, every server of a full fleet.
pub const REPORT_MAX: usize = 2 * interrex_core::fleet::SERVERS_MAX;
/// Persons in one proposal or frame.
pub const PEOPLE_MAX: usize = ACTS_MAX;
/// Bytes of a segment in one frame between agents.
pub const CHUNK_MAX: usize = 256 << 10;
/// Segments in one page of a list.
pub const PAGE_MAX: usize = 512;

/// A gRPC message between agents: a chunk, or a page, and its envelope.
pub const MATERIAL_MESSAGE_MAX: usize = 512 << 10;
/// A gRPC message from an agent or to one.
pub const AGENT_MESSAGE_MAX: usize = 1 << 20;
/// A gRPC request of an operator: a fleet document, and the rest.
pub const REQUEST_MAX: usize = FLEET_MAX + (64 << 10);
/// A gRPC reply to an operator: a view of a full fleet as JSON, or frames of the history.
pub const REPLY_MAX: usize = 64 << 20;
/// A gRPC message between members: entries that hold decisions, or a report on a full fleet.
pub const PEER_MESSAGE_MAX: usize = 64 << 20;
