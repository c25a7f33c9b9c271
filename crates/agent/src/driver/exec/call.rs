//! One call of a driver program: `PROGRAM VERB`, a request on standard input, an answer on standard
//! output, both bounded, in a process group of its own, with a deadline. What an answer means is in
//! `protocol`.
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Of a request and of an answer.
pub(crate) const MESSAGE_MAX: usize = 16 << 20;
/// Of standard error, the end is kept.
const SAID_MAX: usize = 64 << 10;
/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);
/// What a program that has ended may still have in its pipes. Longer, and somebody else holds them.
const REST: Duration = Duration::from_millis(200);

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    /// Working directory: the state folder of the driver.
    pub(crate) state: &'a Path,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Code(i32),
    Signal(i32),
    /// The deadline was over; the whole group was killed.
    Timeout,
    /// The answer was longer than [`MESSAGE_MAX`]; the whole group was killed.
    TooLong,
}

/// What a call gave.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) end: End,
    pub(crate) stdout: Vec<u8>,
    /// The end of standard error.
    pub(crate) stderr: String,
}

/// Calls `program VERB` and waits for its end, at most until the deadline and [`GRACE`]. Dropped
/// before, it kills the whole group.
///
/// # Errors
///
/// The program could not be started.
pub(crate) async fn call(
    program: Program<'_>,
    verb: &str,
    stdin: &[u8],
    deadline: Duration,
) -> io::Result<Raw> {
    let mut child = command(program, verb).spawn()?;
    let mut group = Group(child.id());
    let (mut input, output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // A program need not read its request; that its pipe broke is no failure.
    let writing = async {
        if let Some(mut input) = input.take() {
            let _ = input.write_all(stdin).await;
        }
        std::future::pending::<()>().await;
    };
    let (mut answer, mut tail) = (Bytes::answer(), Bytes::tail());
    let ended = {
        let reading = async { tokio::join!(answer.read(output), tail.read(said)) };
        let work = async {
            let mut reading = std::pin::pin!(reading);
            let mut finished = false;
            let status = {
                let mut waiting = std::pin::pin!(child.wait());
                loop {
                    tokio::select! {
                        status = &mut waiting => break status,
                        ((), ()) = &mut reading, if !finished => finished = true,
                    }
                }
            };
            if !finished {
                let _ = timeout(REST, reading).await;
            }
            status
        };
        tokio::select! {
            ended = timeout(deadline, work) => ended,
            () = writing => Ok(Err(io::ErrorKind::Other.into())),
        }
    };
    let end = match ended {
        Ok(status) => end_of(status?),
        Err(_) if answer.too_long => End::TooLong,
        Err(_) => End::Timeout,
    };
    if matches!(end, End::Timeout | End::TooLong) {
        group.end(&mut child).await;
    }
    group.0 = None;
    let end = if answer.too_long { End::TooLong } else { end };
    Ok(Raw { end, stdout: answer.bytes, stderr: String::from_utf8_lossy(&tail.bytes).into_owned() })
}

fn command(program: Program<'_>, verb: &str) -> Command {
    let mut command = Command::new(program.path);
    command.arg(OsStr::new(verb)).current_dir(program.state).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}

/// What came out of one pipe, bounded.
struct Bytes {
    bytes: Vec<u8>,
    max: usize,
    keep_end: bool,
    too_long: bool,
}

impl Bytes {
    fn answer() -> Self {
        Self { bytes: Vec::new(), max: MESSAGE_MAX, keep_end: false, too_long: false }
    }

    fn tail() -> Self {
        Self { bytes: Vec::new(), max: SAID_MAX, keep_end: true, too_long: false }
    }

    /// Until the other end is closed. What is too much is read, too, and dropped: a program that
    /// waits for its pipe would not end.
    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut part = vec![0; 64 << 10];
        while let Ok(count @ 1..) = pipe.read(&mut part).await {
            self.bytes.extend_from_slice(part.get(..count).unwrap_or_default());
            let excess = self.bytes.len().saturating_sub(self.max);
            if self.keep_end {
                self.bytes.drain(..excess);
            } else if excess > 0 {
                self.too_long = true;
                self.bytes.truncate(self.max);
            }
        }
    }
}

/// The process group of a call that has not ended.
struct Group(Option<u32>);

impl Group {
    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        // The leader may be gone while others of the group are not.
        tokio::select! {
            _ = child.wait() => {}
            () = sleep(GRACE) => {}
        }
        self.signal(Signal::KILL);
        let _ = child.wait().await;
    }

    fn signal(&self, signal: Signal) {
        let group = self.0.and_then(|group| i32::try_from(group).ok()).and_then(Pid::from_raw);
        if let Some(Err(why)) = group.map(|group| kill_process_group(group, signal)) {
            tracing::trace!(%why, "nothing is left of the group");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    async fn run(script: &str, deadline_ms: u64) -> Raw {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("driver");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = Program { path: &path, state: temp.path() };
        call(program, "health", b"{\"a\":1}", Duration::from_millis(deadline_ms)).await.unwrap()
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_with_its_exit_code() {
        let raw = run("echo $1 >&2; cat; exit 7", 5_000).await;
        assert_eq!((raw.end, raw.stdout.as_slice()), (End::Code(7), &b"{\"a\":1}"[..]));
        assert_eq!(raw.stderr, "health\n");
    }

    #[tokio::test]
    async fn a_slow_one_is_ended_with_its_children_though_it_does_not_want() {
        let at = Instant::now();
        let raw = run("trap '' TERM; sleep 60 & echo $!; wait; wait", 300).await;
        assert_eq!(raw.end, End::Timeout);
        let child = String::from_utf8(raw.stdout).unwrap();
        let stat = format!("/proc/{}/stat", child.trim());
        let lives = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        while lives() {
            assert!(at.elapsed() < Duration::from_secs(20), "its child still runs");
            sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn a_chatty_one_is_bounded() {
        let raw = run("head -c 17000000 /dev/zero", 20_000).await;
        assert_eq!((raw.end, raw.stdout.len()), (End::TooLong, MESSAGE_MAX));
        let raw = run("head -c 200000 /dev/zero >&2; echo end >&2; echo {}", 20_000).await;
        assert_eq!(raw.stderr.len(), SAID_MAX);
        assert!(raw.stderr.ends_with("end\n"));
    }

    #[tokio::test]
    async fn who_leaves_its_pipe_to_a_child_is_not_waited_for() {
        let at = Instant::now();
        let raw = run("sleep 20 & echo {}", 10_000).await;
        assert_eq!((raw.end, raw.stdout.as_slice()), (End::Code(0), &b"{}\n"[..]));
        assert!(at.elapsed() < Duration::from_secs(3));
    }
}
