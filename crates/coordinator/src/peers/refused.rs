//! Why two members do not talk to each other, as the one tells the other, and as both tell people.
use std::fmt;

use tonic::Status;

use super::known::Reverted;
use crate::failure::Failure;

/// Longest words that are taken from another member, in bytes.
const WORDS_MAX: usize = 512;
/// What a status that carries one begins with; the code, and then the words.
const CODES: [&str; 7] =
    [RESTORED, WRONG_CLUSTER, UNKNOWN, DOUBLED, "wrong_member", "wrong_generation", "disk_failed"];
const RESTORED: &str = "restored_copy";
const WRONG_CLUSTER: &str = "wrong_cluster";
const UNKNOWN: &str = "unknown_member";
const DOUBLED: &str = "doubled";

/// A refusal between members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    /// Name what is wrong.
    pub(crate) words: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.words)
    }
}

impl Refused {
    /// M6: its disk forgot what it has acknowledged.
    pub(super) fn restored_copy(name: &str, reverted: &Reverted) -> Self {
        let words = format!("the data folder of {name} is an older copy of itself: {reverted}");
        Self { code: RESTORED, words }
    }

    /// Another process of its boot was heard a moment ago.
    pub(super) fn doubled(name: &str) -> Self {
        let words = format!("another process speaks for {name}, on a copy of the same folder");
        Self { code: DOUBLED, words }
    }

    /// It belongs to another cluster; ids as people see them.
    pub(super) fn wrong_cluster(ours: &[u8; 16], theirs: &[u8]) -> Self {
        let shown = |id: &[u8]| {
            uuid::Uuid::from_slice(id).map_or_else(|_| "no id".to_owned(), |id| id.to_string())
        };
        let (ours, theirs) = (shown(ours), shown(theirs));
        let words = format!("cluster {ours} is here, the caller belongs to cluster {theirs}");
        Self { code: WRONG_CLUSTER, words }
    }

    /// It is no member, or not the one that it says.
    pub(super) fn unknown_member(words: String) -> Self {
        Self { code: UNKNOWN, words }
    }

    /// An address leads to another member than the caller means.
    pub(super) fn wrong_member(ours: u64, target: u64) -> Self {
        let words = format!("the call is for member {target}, member {ours} is here");
        Self { code: "wrong_member", words }
    }

    /// The one of another forced beginning of the same cluster (M7).
    pub(super) fn wrong_generation(ours: u64, theirs: u64) -> Self {
        let words = format!("generation {ours} is here, the caller is in generation {theirs}");
        Self { code: "wrong_generation", words }
    }

    /// It cannot be remembered, and so not be let in.
    pub(super) fn not_kept(error: &crate::folder::FolderError) -> Self {
        Self { code: "disk_failed", words: error.to_string() }
    }

    /// As the other one is told.
    pub(super) fn status(&self) -> Status {
        Status::failed_precondition(self.to_string())
    }

    /// What another member has told us.
    pub(super) fn from_status(status: &Status) -> Option<Self> {
        let (code, words) = status.message().split_once(": ")?;
        Self::from_words(code, words)
    }

    /// The same, of a third one.
    pub(super) fn from_words(code: &str, words: &str) -> Option<Self> {
        let code = *CODES.iter().find(|known| **known == code)?;
        Some(Self { code, words: bounded(words) })
    }

    /// One member's word is enough to end this process.
    pub(super) fn is_final(&self) -> bool {
        self.code == RESTORED
    }

    /// The two belong to different clusters: that holds both ways.
    pub(super) fn is_mutual(&self) -> bool {
        self.code == WRONG_CLUSTER
    }

    /// A majority's word is enough: one alone may be wrong itself, or behind.
    pub(super) fn is_foreign(&self) -> bool {
        [WRONG_CLUSTER, UNKNOWN].contains(&self.code)
    }

    /// What to do about it, at the member that is refused.
    pub(crate) fn remedy(&self) -> &'static str {
        match self.code {
            RESTORED => {
                "do not start it on this folder: it denies what it has acknowledged; remove the \
                 member, wipe its data folder, and let it join anew: `interrex member remove NAME`, \
                 `interrex member add NAME=H:P`"
            }
            WRONG_CLUSTER => {
                "give --data the folder of this cluster's member; a member whose disk was lost \
                 joins anew: `interrex member add NAME=H:P`"
            }
            UNKNOWN => {
                "give --data the folder that this member itself wrote, and --tls its own identity; \
                 a new member needs an empty folder and `interrex member add NAME=H:P`"
            }
            DOUBLED => "stop one of the two processes; if only one runs, wait a few seconds",
            _ => "look at the logs of both members",
        }
    }

    /// Why this process ends: `by` refuses it, on the folder `data`.
    pub(super) fn failure(&self, by: &str, data: &std::path::Path) -> Failure {
        let message = format!("{by} refuses this member: {} ({})", self.words, data.display());
        Failure::refused(self.code, message, self.remedy())
    }
}

/// The beginning of words that somebody else chose.
fn bounded(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_crosses_the_wire_and_is_bounded() {
        let told = Refused::unknown_member("9 is not a member".into());
        assert_eq!(Refused::from_status(&told.status()), Some(told));
        assert_eq!(Refused::from_status(&Status::unavailable("this member is starting")), None);
        assert_eq!(Refused::from_status(&Status::internal("no_such_code: x")), None);
        let long = Status::failed_precondition(format!("wrong_cluster: {}\n", "x".repeat(9_999)));
        assert_eq!(Refused::from_status(&long).unwrap().words.len(), WORDS_MAX);
    }
}
