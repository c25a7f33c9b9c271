//! What coordinators say to each other. Twin of `interrex_core::message` and of `peer.proto`.
//! The envelope around these is the shell's.
use std::time::Duration;

use interrex_core::name::Name;
use interrex_core::{
    AgentBoot, Answer, BeatSeq, Boot, CoordinatorId, CopyStatus, Facts, Level, LogIndex, Report,
    ReportSeq, Revision, ServerDuties, ServerId, SetId, Term, Tick, TickSeq, Wall,
};

use crate::limits::{ADDRESS_MAX, CODE_MAX, FOUNDERS_MAX, REPORT_MAX, VERSION_MAX};
use crate::{Malformed, agent, copy, fields, pb};

impl From<Term> for pb::LeaderTerm {
    fn from(term: Term) -> Self {
        Self { number: term.number, leader: term.leader.0, boot: term.boot.0 }
    }
}

impl From<pb::LeaderTerm> for Term {
    fn from(term: pb::LeaderTerm) -> Self {
        Self { number: term.number, leader: CoordinatorId(term.leader), boot: Boot(term.boot) }
    }
}

impl From<&Tick> for pb::Tick {
    fn from(tick: &Tick) -> Self {
        Self { term: Some(tick.term.into()), seq: tick.seq.0 }
    }
}

impl TryFrom<pb::Tick> for Tick {
    type Error = Malformed;

    fn try_from(tick: pb::Tick) -> Result<Self, Malformed> {
        let term = fields::present("Tick.term", tick.term)?.into();
        Ok(Self { term, seq: TickSeq(tick.seq) })
    }
}

impl From<&Answer> for pb::Answer {
    fn from(answer: &Answer) -> Self {
        Self {
            term: Some(answer.term.into()),
            boot: answer.boot.0,
            seq: answer.seq.0,
            barrier: answer.barrier.0,
        }
    }
}

impl TryFrom<pb::Answer> for Answer {
    type Error = Malformed;

    fn try_from(answer: pb::Answer) -> Result<Self, Malformed> {
        Ok(Self {
            term: fields::present("Answer.term", answer.term)?.into(),
            boot: Boot(answer.boot),
            seq: ReportSeq(answer.seq),
            barrier: LogIndex(answer.barrier),
        })
    }
}

impl From<&Report> for pb::Report {
    fn from(report: &Report) -> Self {
        Self {
            from: report.from.0,
            term: Some(report.term.into()),
            boot: report.boot.0,
            seq: report.seq.0,
            echo: report.echo.0,
            set: report.set.0,
            applied: report.applied.0,
            revision: report.revision.0,
            wall_ms: report.wall.0,
            reads: report.reads.0,
            version: report.version.clone(),
            address: report.address.clone(),
            silent: write_times(&report.silent),
            heard: write_times(&report.heard),
            clear: report.clear.iter().map(agent::write_tenure).collect(),
            quiet: report.quiet.iter().map(ServerId::to_string).collect(),
            late: report.late.iter().map(ServerId::to_string).collect(),
            duties: report.duties.iter().map(Into::into).collect(),
            facts: report.facts.iter().map(write_facts).collect(),
            copies: report.copies.iter().map(write_copies).collect(),
            erased: report.erased.iter().map(|copy| copy.0).collect(),
        }
    }
}

impl TryFrom<pb::Report> for Report {
    type Error = Malformed;

    fn try_from(report: pb::Report) -> Result<Self, Malformed> {
        let tenure = agent::read_tenure;
        Ok(Self {
            from: CoordinatorId(report.from),
            term: fields::present("Report.term", report.term)?.into(),
            boot: Boot(report.boot),
            seq: ReportSeq(report.seq),
            echo: TickSeq(report.echo),
            set: SetId(report.set),
            applied: LogIndex(report.applied),
            revision: Revision(report.revision),
            wall: Wall(report.wall_ms),
            reads: Level(report.reads),
            version: fields::text("Report.version", report.version, VERSION_MAX)?,
            address: fields::text("Report.address", report.address, ADDRESS_MAX)?,
            silent: read_times("Report.silent", report.silent)?,
            heard: read_times("Report.heard", report.heard)?,
            clear: fields::list("Report.clear", report.clear, REPORT_MAX, tenure)?,
            quiet: read_servers("Report.quiet", report.quiet)?,
            late: read_servers("Report.late", report.late)?,
            duties: fields::list("Report.duties", report.duties, REPORT_MAX, TryInto::try_into)?,
            facts: fields::list("Report.facts", report.facts, REPORT_MAX, read_facts)?,
            copies: fields::list("Report.copies", report.copies, REPORT_MAX, read_copies)?,
            erased: copy::ids("Report.erased", report.erased, REPORT_MAX)?,
        })
    }
}

fn write_facts((server, facts): &(ServerId, Facts)) -> pb::ServerFacts {
    pb::ServerFacts { server: server.to_string(), facts: Some(facts.into()) }
}

fn read_facts(said: pb::ServerFacts) -> Result<(ServerId, Facts), Malformed> {
    let facts = said.facts.unwrap_or_default().try_into()?;
    Ok((fields::name("ServerFacts.server", &said.server)?, facts))
}

fn write_copies((server, copies): &(ServerId, Vec<CopyStatus>)) -> pb::ServerCopies {
    let copies = copies.iter().map(Into::into).collect();
    pb::ServerCopies { server: server.to_string(), copies }
}

fn read_copies(said: pb::ServerCopies) -> Result<(ServerId, Vec<CopyStatus>), Malformed> {
    let copies = copy::statuses("ServerCopies.copies", said.copies)?;
    Ok((fields::name("ServerCopies.server", &said.server)?, copies))
}

/// Durations by server, to the microsecond.
pub fn write_times(times: &[(ServerId, Duration)]) -> Vec<pb::ServerTime> {
    let time = |&(server, time): &(ServerId, Duration)| pb::ServerTime {
        server: server.to_string(),
        us: fields::micros(time),
    };
    times.iter().map(time).collect()
}

/// Durations by server.
///
/// # Errors
///
/// `field` holds too many, or something that is not a name.
pub fn read_times(
    field: &'static str,
    times: Vec<pb::ServerTime>,
) -> Result<Vec<(ServerId, Duration)>, Malformed> {
    fields::list(field, times, REPORT_MAX, |time| {
        Ok((fields::name(field, &time.server)?, Duration::from_micros(time.us)))
    })
}

/// Where clients reach a member, as it says.
///
/// # Errors
///
/// It is longer than any address.
pub fn read_address(field: &'static str, address: String) -> Result<String, Malformed> {
    fields::text(field, address, ADDRESS_MAX)
}

/// An answer of the founding, if nothing in it is longer than it may be.
///
/// # Errors
///
/// Something is.
pub fn read_found(reply: pb::FoundReply) -> Result<pb::FoundReply, Malformed> {
    if !reply.cluster.is_empty() {
        fields::array::<16>("FoundReply.cluster", &reply.cluster)?;
    }
    Ok(pb::FoundReply {
        founders: fields::text("FoundReply.founders", reply.founders, FOUNDERS_MAX)?,
        why: fields::text("FoundReply.why", reply.why, CODE_MAX + FOUNDERS_MAX)?,
        ..reply
    })
}

/// A question of the founding, if nothing in it is longer than it may be.
///
/// # Errors
///
/// Something is.
pub fn read_founding(request: pb::FoundRequest) -> Result<pb::FoundRequest, Malformed> {
    if !request.cluster.is_empty() {
        fields::array::<16>("FoundRequest.cluster", &request.cluster)?;
    }
    let _: Name = fields::name("FoundRequest.name", &request.name)?;
    let founders = fields::text("FoundRequest.founders", request.founders, FOUNDERS_MAX)?;
    Ok(pb::FoundRequest { founders, ..request })
}

fn read_servers(field: &'static str, names: Vec<String>) -> Result<Vec<ServerId>, Malformed> {
    fields::list(field, names, REPORT_MAX, |name| fields::name(field, &name))
}

impl From<&ServerDuties> for pb::ServerDuties {
    fn from(duties: &ServerDuties) -> Self {
        Self {
            server: duties.server.to_string(),
            boot: duties.boot.0,
            seq: duties.seq.0,
            duties: duties.duties.iter().map(Into::into).collect(),
            ended: duties.ended.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::ServerDuties> for ServerDuties {
    type Error = Malformed;

    fn try_from(duties: pb::ServerDuties) -> Result<Self, Malformed> {
        Ok(Self {
            server: fields::name("ServerDuties.server", &duties.server)?,
            boot: AgentBoot(duties.boot),
            seq: BeatSeq(duties.seq),
            duties: agent::duties("ServerDuties.duties", duties.duties)?,
            ended: agent::ended("ServerDuties.ended", duties.ended)?,
        })
    }
}
