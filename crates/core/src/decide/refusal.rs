//! Why a wish was not granted. In the log and in the API: one code and one remedy each.
use crate::fleet::Unsound;
use crate::{CopyId, Epoch, GroupId, LogTime, RecorderId, Refused, Revision, ServerId, Subject};

/// The precondition that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum Refusal {
    /// Not in the fleet document.
    #[error("{kind} \"{name}\" is not in the fleet document")]
    UnknownName { kind: &'static str, name: String },
    /// D11: one hand-over per recorder and per server.
    #[error("{recorder} is on its way from {from} to {to} ({step})")]
    Busy { recorder: RecorderId, from: ServerId, to: ServerId, step: &'static str },
    /// O6: somebody was faster.
    #[error("{recorder} is in {is}, held by {holder}, not in {expected}")]
    StaleEpoch { recorder: RecorderId, is: Epoch, holder: ServerId, expected: Epoch },
    /// D5, and not overridden.
    #[error("moves of {recorder} are paused until {} (unix ms)", .until.0)]
    Paused { recorder: RecorderId, until: LogTime },
    /// D5, and not overridden.
    #[error("{recorder} is in group \"{group}\", which only observes")]
    Observe { recorder: RecorderId, group: GroupId },
    /// MI-05: its group has no standby at all.
    #[error("{recorder} is not protected: group \"{group}\" has no standby")]
    NotProtected { recorder: RecorderId, group: GroupId },
    /// MI-05, D6: nobody can take it now.
    #[error("no standby can take {recorder}{}", PassedOver::list(.passed_over))]
    NoEligibleStandby { recorder: RecorderId, passed_over: Vec<(ServerId, PassedOver)> },
    /// It is away already.
    #[error("{recorder} is already substituted by {holder}")]
    AlreadySubstituted { recorder: RecorderId, holder: ServerId },
    /// MB-01: it is at home.
    #[error("nobody substitutes {recorder}: it is held by its home {home}")]
    NobodySubstitutes { recorder: RecorderId, home: ServerId },
    /// MB-01: the home cannot take it.
    #[error("{home}, the home of {recorder}, {why}")]
    HomeDown { recorder: RecorderId, home: ServerId, why: PassedOver },
    /// The document was replaced since it was read.
    #[error("the fleet document was replaced at {is}, after {expected}")]
    StaleRevision { is: Revision, expected: Revision },
    /// The change would pull away what something away from home rests on.
    #[error("{subject} is in use: {why}")]
    InUse { subject: String, why: String },
    /// The document does not fit together.
    #[error("{0}")]
    Unsound(Unsound),
    /// The note was replaced since it was read.
    #[error("the newest note of {key:?} has {is}, not {expected}")]
    StaleNote { key: String, is: Revision, expected: Revision },
    /// A limit of `command`.
    #[error("the {what} has {bytes} bytes; at most {allowed} are allowed")]
    TooLong { what: &'static str, bytes: usize, allowed: usize },
    /// Nothing to find it by.
    #[error("the key of a note must not be empty")]
    NoKey,
    /// [`crate::NOTES_MAX`].
    #[error("{0} notes are kept already; no new key fits")]
    TooManyNotes(usize),
    /// A pause of no length, or longer than [`crate::PAUSE_MAX`].
    #[error("a pause must last 1 ms to {} days", .longest_days)]
    BadDuration { longest_days: u64 },
    /// It is not what the wish is for.
    #[error("{copy} is {is}: `{wish}` does not apply to it")]
    WrongCopyState { copy: CopyId, is: &'static str, wish: &'static str },
    /// Never opened, or so long ago that only the history has it.
    #[error("there is no {0}")]
    NoCopy(CopyId),
    /// Nothing of it is being brought home.
    #[error("{0} has no open copy")]
    NoOpenCopy(RecorderId),
    /// Nothing to resume.
    #[error("{} is not paused", subject_name(.0))]
    NotPaused(Subject),
}

/// Why a server was not chosen (D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum PassedOver {
    #[error("is no standby")]
    NoStandby,
    #[error("is in another group")]
    OtherGroup,
    #[error("was never heard")]
    NeverHeard,
    #[error("is expired")]
    Expired,
    #[error("is not heard by a majority just now")]
    NotHeard,
    #[error("holds {0}")]
    Holds(RecorderId),
    #[error("is to take {0}")]
    Promised(RecorderId),
    #[error("failed to take it, and has not restarted since")]
    Unfit,
    #[error("gives back material of {0}")]
    Copying(RecorderId),
}

/// As many as a message names one by one.
const LISTED: usize = 8;

impl PassedOver {
    fn list(passed_over: &[(ServerId, PassedOver)]) -> String {
        let mut text = String::new();
        for (n, (server, why)) in passed_over.iter().take(LISTED).enumerate() {
            text += if n == 0 { ": " } else { "; " };
            text += &format!("{server} {why}");
        }
        match passed_over.len().saturating_sub(LISTED) {
            0 => text,
            more => text + &format!("; and {more} more"),
        }
    }
}

fn subject_name(subject: &Subject) -> String {
    match subject {
        Subject::Everything => "the fleet".into(),
        Subject::Group(group) => format!("group {group}"),
        Subject::Server(server) => format!("server {server}"),
    }
}

impl Refusal {
    /// As CONTRACT names it; scripts rely on it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownName { .. } => "unknown_name",
            Self::Busy { .. } => "busy",
            Self::StaleEpoch { .. } => "stale_epoch",
            Self::Paused { .. } => "paused",
            Self::Observe { .. } => "observe",
            Self::NotProtected { .. } => "not_protected",
            Self::NoEligibleStandby { .. } => "no_eligible_standby",
            Self::AlreadySubstituted { .. } => "already_substituted",
            Self::NobodySubstitutes { .. } => "nobody_substitutes",
            Self::HomeDown { .. } => "home_down",
            Self::StaleRevision { .. } => "stale_revision",
            Self::InUse { .. } => "in_use",
            Self::Unsound(_) => "unsound",
            Self::StaleNote { .. } => "stale_note",
            Self::TooLong { .. } => "too_long",
            Self::NoKey => "no_key",
            Self::TooManyNotes(_) => "too_many_notes",
            Self::BadDuration { .. } => "bad_duration",
            Self::NotPaused(_) => "not_paused",
            Self::WrongCopyState { .. } => "wrong_copy_state",
            Self::NoCopy(_) => "unknown_name",
            Self::NoOpenCopy(_) => "no_open_copy",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::UnknownName { kind, .. } => match *kind {
                "server" => "see `interrex get servers`".into(),
                "recorder" => "see `interrex get recorders`".into(),
                _ => "see `interrex export`".into(),
            },
            Self::Busy { recorder, .. } => {
                format!("wait until that is over: `interrex get recorders {recorder}`")
            }
            Self::StaleEpoch { recorder, .. } => {
                format!("see who moved it: `interrex get recorders {recorder}`, then try again")
            }
            Self::Paused { .. } => "`interrex resume`, wait, or add --override".into(),
            Self::Observe { group, .. } => {
                format!("set mode = \"auto\" in [group.{group}], or add --override")
            }
            Self::NotProtected { group, .. } => {
                format!("give group \"{group}\" a server with role = \"standby\"")
            }
            Self::NoEligibleStandby { .. } => "free or repair one of them, then try again".into(),
            Self::AlreadySubstituted { recorder, .. } => {
                format!("`interrex failback {recorder}`, or name another standby with --to")
            }
            Self::NobodySubstitutes { .. } => "nothing to do".into(),
            Self::HomeDown { home, .. } => {
                format!("repair it first: `interrex get servers {home}`")
            }
            Self::StaleRevision { .. } => "`interrex export`, and make the change again".into(),
            Self::InUse { .. } => "bring it home first, or leave that part as it is".into(),
            Self::Unsound(_) => "mend the document".into(),
            Self::StaleNote { key, .. } => {
                format!("read it again: `interrex get notes {key}`")
            }
            Self::TooLong { .. } => "shorten it".into(),
            Self::NoKey => "name a key".into(),
            Self::TooManyNotes(_) => "reuse a key".into(),
            Self::BadDuration { .. } => "choose another duration with --for".into(),
            Self::NotPaused(_) => "nothing to do".into(),
            Self::WrongCopyState { copy, .. } => {
                format!("see `interrex get copies {}`", copy.0)
            }
            Self::NoCopy(_) | Self::NoOpenCopy(_) => "see `interrex get copies`".into(),
        }
    }
}

/// As it is told and recorded: in words that no later release changes.
impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let (code, message) = (refusal.code().into(), refusal.to_string());
        Self { code, message, remedy: refusal.remedy() }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        (&refusal).into()
    }
}
