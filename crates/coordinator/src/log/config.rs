//! How openraft is set, and why. Deliberately absent: settings for operators; all members run the
//! same values, and what must be shared is in the fleet document.
use std::time::Duration;

use openraft::{Config, ConfigError, SnapshotPolicy};

/// Between two heartbeats of the leader.
pub const HEARTBEAT: Duration = Duration::from_millis(50);
/// A follower waits for this, and up to as much again as [`ELECTION_MAX`] allows, before it stands.
pub const ELECTION_MIN: Duration = Duration::from_millis(150);
/// The leader's lease: nobody stands within it.
pub const ELECTION_MAX: Duration = Duration::from_millis(300);

/// The configuration of every member of every cluster.
pub fn config() -> Result<Config, ConfigError> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Config {
        cluster_name: "interrex".into(),
        heartbeat_interval: ms(HEARTBEAT),
        election_timeout_min: ms(ELECTION_MIN),
        election_timeout_max: ms(ELECTION_MAX),
        // A member that comes back from a partition must not depose a working leader.
        enable_pre_vote: Some(true),
        // A restarted leader stands again: "settled" begins with a new term (L4), and nothing
        // rests on what it led before it lost its memory.
        enable_leader_restore: Some(false),
        // Nothing is purged yet: the log holds everything, so no peer needs a snapshot.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        allow_log_reversion: Some(false),
        // A leader that half of the voters no longer hear finds out (5 voters, one-way cuts).
        quorum_loss_probe_interval: Some(2 * ms(ELECTION_MAX)),
        // A LAN: a peer that is back should not be waited for. The default begins at 200 ms.
        backoff: "10ms 20ms 40ms 80ms 160ms 300ms ...500ms".into(),
        ..Config::default()
    }
    .validate()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `u64::MAX` entries to keep is a value that openraft takes, and its purge point saturates.
    #[test]
    fn openraft_accepts_the_configuration_and_purges_nothing() {
        let config = config().expect("the configuration is sound");
        assert_eq!(config.max_in_snapshot_log_to_keep, u64::MAX);
        assert_eq!(
            (config.enable_pre_vote, config.enable_leader_restore),
            (Some(true), Some(false))
        );
    }
}
