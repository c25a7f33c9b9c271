//! The closed lists of the core, as numbers. Numbers are only added; 0 is "not said".
use interrex_core::fleet::{CopyPolicy, Failback, Fencing, Mode, Role};
use interrex_core::{
    Brake, Cause, CopyEnd, CopyStanding, CopyWish, DutyKind, Phase, Scope, Steering, Why,
};

use crate::Malformed;

/// A value out of a closed list.
pub(crate) trait Choice: Copy {
    /// The list, for messages.
    const NAME: &'static str;

    /// From 1; frozen.
    fn number(self) -> u8;

    /// The value with that number, if this program knows it.
    fn of(number: u64) -> Option<Self>;
}

/// As generated messages have it.
pub(crate) fn number(choice: impl Choice) -> i32 {
    choice.number().into()
}

/// From a generated message.
pub(crate) fn read<T: Choice>(number: i32) -> Result<T, Malformed> {
    let bad = Malformed::BadValue { field: T::NAME, value: number.into() };
    u64::try_from(number).ok().and_then(T::of).ok_or(bad)
}

macro_rules! choices {
    ($($list:ident: $($value:ident = $number:literal),+;)+) => {$(
        impl Choice for $list {
            const NAME: &'static str = stringify!($list);

            fn number(self) -> u8 {
                match self { $(Self::$value => $number,)+ }
            }

            fn of(number: u64) -> Option<Self> {
                match number { $($number => Some(Self::$value),)+ _ => None }
            }
        }
    )+};
}

choices! {
    Brake: Paused = 1, Observe = 2;
    Why: Failover = 1, Failback = 2, Switchover = 3, Replacement = 4, Return = 5;
    Cause: Disconnection = 1, StandbyLost = 2, Manual = 3, TakeoverFailed = 4;
    Scope: Failback = 1, All = 2;
    Mode: Observe = 1, Auto = 2;
    Failback: Manual = 1, Auto = 2;
    Role: RecorderHost = 1, Standby = 2;
    Phase: Preparing = 1, Prepared = 2, Acting = 3, Released = 4;
    DutyKind: Prepare = 1, Act = 2, Release = 3;
    Fencing: RecordFirst = 1, FenceFirst = 2;
    CopyPolicy: Auto = 1, Manual = 2, Discard = 3, Redirect = 4;
    CopyStanding: Running = 1, DiskFull = 2, NoRoute = 3, Failed = 4, Durable = 5;
    Steering: Paused = 1, Running = 2;
    CopyEnd: Copied = 1, Stopped = 2, Discarded = 3, GivenUp = 4, Redirected = 5;
    CopyWish: Start = 1, Pause = 2, Resume = 3, Retry = 4, Stop = 5, Discard = 6, GiveUp = 7;
}
