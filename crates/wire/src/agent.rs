//! What agents and coordinators say to each other. Twin of `interrex_core::message` and of
//! `agent.proto`. Cluster id and generation stand around these; the shell checks them.
use std::sync::Arc;
use std::time::Duration;

use interrex_core::fleet::{ADDRESSES_MAX, Fencing};
use interrex_core::{
    Account, Ack, AgentBoot, Assignment, AssignmentId, BeatSeq, Boot, COPIES_MAX, ConfigHash,
    CoordinatorId, Duty, DutyStatus, ENDED_MAX, EndedTenure, Epoch, Facts, Generation, Grant,
    Heartbeat, LogIndex, LogicalAddress, RecorderId, SetId, Wall,
};

use crate::limits::DUTIES_MAX;
use crate::{Malformed, choice, copy, fields, members, pb};

impl From<&Heartbeat> for pb::Heartbeat {
    fn from(beat: &Heartbeat) -> Self {
        Self {
            server: beat.server.to_string(),
            boot: beat.boot.0,
            follows: beat.follows.map(|boot| boot.0),
            seq: beat.seq.0,
            holds: beat.holds.map(Into::into),
            duties: beat.duties.iter().map(Into::into).collect(),
            ended: beat.ended.iter().map(Into::into).collect(),
            wall_ms: beat.wall.0,
            facts: (beat.facts != Facts::default()).then(|| (&beat.facts).into()),
            copies: beat.copies.iter().map(Into::into).collect(),
            erased: beat.erased.iter().map(|copy| copy.0).collect(),
        }
    }
}

impl TryFrom<pb::Heartbeat> for Heartbeat {
    type Error = Malformed;

    fn try_from(beat: pb::Heartbeat) -> Result<Self, Malformed> {
        Ok(Self {
            server: fields::name("Heartbeat.server", &beat.server)?,
            boot: AgentBoot(beat.boot),
            follows: beat.follows.map(AgentBoot),
            seq: BeatSeq(beat.seq),
            holds: beat.holds.map(Into::into),
            duties: duties("Heartbeat.duties", beat.duties)?,
            ended: ended("Heartbeat.ended", beat.ended)?,
            wall: Wall(beat.wall_ms),
            facts: beat.facts.map(TryInto::try_into).transpose()?.unwrap_or_default(),
            copies: copy::statuses("Heartbeat.copies", beat.copies)?,
            erased: copy::ids("Heartbeat.erased", beat.erased, COPIES_MAX)?,
        })
    }
}

pub(crate) fn duties(
    field: &'static str,
    duties: Vec<pb::DutyStatus>,
) -> Result<Vec<DutyStatus>, Malformed> {
    fields::list(field, duties, DUTIES_MAX, TryInto::try_into)
}

pub(crate) fn ended(
    field: &'static str,
    ended: Vec<pb::EndedTenure>,
) -> Result<Vec<EndedTenure>, Malformed> {
    fields::list(field, ended, ENDED_MAX, TryInto::try_into)
}

impl From<AssignmentId> for pb::AssignmentId {
    fn from(id: AssignmentId) -> Self {
        Self { generation: id.generation.0, index: id.index.0 }
    }
}

impl From<pb::AssignmentId> for AssignmentId {
    fn from(id: pb::AssignmentId) -> Self {
        Self { generation: Generation(id.generation), index: LogIndex(id.index) }
    }
}

impl From<&DutyStatus> for pb::DutyStatus {
    fn from(duty: &DutyStatus) -> Self {
        Self {
            recorder: duty.recorder.to_string(),
            epoch: duty.epoch.0,
            phase: choice::number(duty.phase),
            config: duty.config.0.to_vec(),
            recording: duty.recording,
            channels: duty.channels,
            first_ms: duty.first_ms,
            last_ms: duty.last_ms,
            tick_ms: duty.tick_ms,
            failed: duty.failed,
        }
    }
}

impl TryFrom<pb::DutyStatus> for DutyStatus {
    type Error = Malformed;

    fn try_from(duty: pb::DutyStatus) -> Result<Self, Malformed> {
        Ok(Self {
            recorder: fields::name("DutyStatus.recorder", &duty.recorder)?,
            epoch: Epoch(duty.epoch),
            phase: choice::read(duty.phase)?,
            config: ConfigHash(fields::array("DutyStatus.config", &duty.config)?),
            recording: duty.recording,
            channels: duty.channels,
            first_ms: duty.first_ms,
            last_ms: duty.last_ms,
            tick_ms: duty.tick_ms,
            failed: duty.failed,
        })
    }
}

impl From<&EndedTenure> for pb::EndedTenure {
    fn from(ended: &EndedTenure) -> Self {
        let EndedTenure { recorder, epoch, last_ms, account } = ended;
        let account =
            (!account.is_empty() || account.precision_ms > 0).then(|| (&**account).into());
        Self { recorder: recorder.to_string(), epoch: epoch.0, last_ms: *last_ms, account }
    }
}

impl TryFrom<pb::EndedTenure> for EndedTenure {
    type Error = Malformed;

    fn try_from(ended: pb::EndedTenure) -> Result<Self, Malformed> {
        let recorder = fields::name("EndedTenure.recorder", &ended.recorder)?;
        let account: Option<Account> = ended.account.map(TryInto::try_into).transpose()?;
        let account = Arc::new(account.unwrap_or_default());
        Ok(Self { recorder, epoch: Epoch(ended.epoch), last_ms: ended.last_ms, account })
    }
}

impl From<&Ack> for pb::Ack {
    fn from(ack: &Ack) -> Self {
        Self {
            coordinator: ack.coordinator.0,
            boot: ack.boot.0,
            agent: ack.agent.0,
            seq: ack.seq.0,
            set: ack.set.0,
            voters: members::write_voters(&ack.voters),
            applied: ack.applied.0,
            grants: ack.grants.iter().map(Into::into).collect(),
            interval_us: fields::micros(ack.interval),
            deaf_us: fields::micros(ack.deaf),
            assignment: ack.assignment.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<pb::Ack> for Ack {
    type Error = Malformed;

    fn try_from(ack: pb::Ack) -> Result<Self, Malformed> {
        Ok(Self {
            coordinator: CoordinatorId(ack.coordinator),
            boot: Boot(ack.boot),
            agent: AgentBoot(ack.agent),
            seq: BeatSeq(ack.seq),
            set: SetId(ack.set),
            voters: members::read_voters("Ack.voters", ack.voters)?,
            applied: LogIndex(ack.applied),
            grants: fields::list("Ack.grants", ack.grants, DUTIES_MAX, TryInto::try_into)?,
            interval: Duration::from_micros(ack.interval_us),
            deaf: Duration::from_micros(ack.deaf_us),
            assignment: ack.assignment.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&Grant> for pb::Grant {
    fn from(grant: &Grant) -> Self {
        let (recorder, epoch) = (grant.recorder.to_string(), grant.epoch.0);
        Self { recorder, epoch, lease_us: fields::micros(grant.lease) }
    }
}

impl TryFrom<pb::Grant> for Grant {
    type Error = Malformed;

    fn try_from(grant: pb::Grant) -> Result<Self, Malformed> {
        let recorder = fields::name("Grant.recorder", &grant.recorder)?;
        let lease = Duration::from_micros(grant.lease_us);
        Ok(Self { recorder, epoch: Epoch(grant.epoch), lease })
    }
}

impl From<&Assignment> for pb::Assignment {
    fn from(assignment: &Assignment) -> Self {
        Self {
            server: assignment.server.to_string(),
            id: Some(assignment.id.into()),
            duties: assignment.duties.iter().map(Into::into).collect(),
            ends_wanted: assignment.ends_wanted.iter().map(write_tenure).collect(),
            copies: assignment.copies.iter().map(Into::into).collect(),
            keep: assignment.keep.iter().map(write_keep).collect(),
        }
    }
}

impl TryFrom<pb::Assignment> for Assignment {
    type Error = Malformed;

    fn try_from(assignment: pb::Assignment) -> Result<Self, Malformed> {
        let pb::Assignment { server, id, duties, ends_wanted, copies, keep } = assignment;
        Ok(Self {
            server: fields::name("Assignment.server", &server)?,
            id: fields::present("Assignment.id", id)?.into(),
            duties: fields::list("Assignment.duties", duties, DUTIES_MAX, TryInto::try_into)?,
            ends_wanted: fields::list(
                "Assignment.ends_wanted",
                ends_wanted,
                DUTIES_MAX,
                read_tenure,
            )?,
            copies: copy_duties(copies)?,
            keep: fields::list("Assignment.keep", keep, DUTIES_MAX, read_keep)?,
        })
    }
}

/// In ascending order: agents look them up by id.
fn copy_duties(copies: Vec<pb::CopyDuty>) -> Result<Vec<interrex_core::CopyDuty>, Malformed> {
    if !copies.iter().map(|duty| duty.copy).is_sorted_by(|one, next| one < next) {
        return Err(Malformed::NotAscending("Assignment.copies"));
    }
    fields::list("Assignment.copies", copies, COPIES_MAX, TryInto::try_into)
}

fn write_keep(&(recorder, keep): &(RecorderId, Duration)) -> pb::Keep {
    pb::Keep { recorder: recorder.to_string(), keep_ms: fields::millis(keep) }
}

fn read_keep(keep: pb::Keep) -> Result<(RecorderId, Duration), Malformed> {
    let recorder = fields::name("Keep.recorder", &keep.recorder)?;
    Ok((recorder, Duration::from_millis(keep.keep_ms)))
}

impl From<&Duty> for pb::Duty {
    fn from(duty: &Duty) -> Self {
        Self {
            recorder: duty.recorder.to_string(),
            epoch: duty.epoch.0,
            kind: choice::number(duty.kind),
            channels: duty.channels,
            config: duty.config.0.to_vec(),
            fencing: match duty.fencing {
                Fencing::RecordFirst => 0,
                Fencing::FenceFirst => choice::number(duty.fencing),
            },
            addresses: duty.addresses.iter().map(LogicalAddress::to_string).collect(),
        }
    }
}

impl TryFrom<pb::Duty> for Duty {
    type Error = Malformed;

    fn try_from(duty: pb::Duty) -> Result<Self, Malformed> {
        Ok(Self {
            recorder: fields::name("Duty.recorder", &duty.recorder)?,
            epoch: Epoch(duty.epoch),
            kind: choice::read(duty.kind)?,
            channels: duty.channels,
            config: ConfigHash(fields::array("Duty.config", &duty.config)?),
            fencing: if duty.fencing == 0 {
                Fencing::RecordFirst
            } else {
                choice::read(duty.fencing)?
            },
            addresses: fields::list("Duty.addresses", duty.addresses, ADDRESSES_MAX, |text| {
                copy::logical("Duty.addresses", &text)
            })?
            .into(),
        })
    }
}

pub(crate) fn write_tenure(&(recorder, epoch): &(RecorderId, Epoch)) -> pb::Tenure {
    pb::Tenure { recorder: recorder.to_string(), epoch: epoch.0 }
}

pub(crate) fn read_tenure(tenure: pb::Tenure) -> Result<(RecorderId, Epoch), Malformed> {
    Ok((fields::name("Tenure.recorder", &tenure.recorder)?, Epoch(tenure.epoch)))
}
