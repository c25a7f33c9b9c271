//! The file of `--driver-config` for `process`: the command of a channel, its sources, its patience.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use interrex_client::program::{Failure, read_toml};
use interrex_core::{Epoch, RecorderId, ServerId};
use serde::Deserialize;

use crate::driver::sources::{self, Sources};
use crate::guard::Launch;
use crate::material;

/// Records one RTSP camera without decoding it. What each option is for stands in docs/drivers.md.
const FFMPEG: [&str; 34] = [
    "ffmpeg",
    "-nostdin",
    "-hide_banner",
    "-loglevel",
    "warning",
    "-fpsprobesize",
    "0",
    "-analyzeduration",
    "0",
    "-use_wallclock_as_timestamps",
    "1",
    "-rtsp_transport",
    "tcp",
    "-timeout",
    "5000000",
    "-i",
    "{source}",
    "-map",
    "0",
    "-c",
    "copy",
    "-copyts",
    "-f",
    "segment",
    "-segment_atclocktime",
    "1",
    "-segment_time",
    "4",
    "-segment_format",
    "matroska",
    "-segment_format_options",
    "flush_packets=1:cluster_time_limit=500",
    "-y",
    "{run}-%06d.mkv",
];
/// What may stand in braces in a command.
const PLACES: [&str; 8] =
    ["{source}", "{recorder}", "{channel}", "{number}", "{epoch}", "{server}", "{dir}", "{run}"];
const REMEDY: &str = "the keys are command, source, env, stall_ms, start_ms, grace_ms, [channel.NAME] and [recorder.NAME] (docs/drivers.md)";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    command: Option<Vec<String>>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    stall_ms: Option<u64>,
    start_ms: Option<u64>,
    grace_ms: Option<u64>,
    source: Option<String>,
    #[serde(default)]
    channel: BTreeMap<String, sources::Channel>,
    #[serde(default)]
    recorder: BTreeMap<String, sources::Recorder>,
}

/// What `process` runs. If you hold one, it is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    command: Vec<String>,
    env: BTreeMap<String, String>,
    sources: Sources,
    /// A command that has written nothing for so long is ended and started anew.
    pub(super) stall: Duration,
    /// The same, before its first write.
    pub(super) start: Duration,
    /// How long a command may take to end before it is killed.
    pub(super) grace: Duration,
}

/// What a command is started for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) recorder: RecorderId,
    pub(super) epoch: Epoch,
    pub(super) number: u32,
    pub(super) server: ServerId,
    pub(super) dir: &'a Path,
}

impl Settings {
    /// Reads and checks the file.
    ///
    /// # Errors
    ///
    /// Exit 78, naming the key and its place.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let file: File = read_toml(path, "--driver-config", REMEDY)?;
        let named = |key: &str, why: String| {
            Failure::config(format!("{}: {key}: {why}", path.display()), REMEDY)
        };
        let default = || FFMPEG.map(str::to_owned).to_vec();
        let command = file.command.unwrap_or_else(default);
        if command.first().is_none_or(String::is_empty) {
            return Err(named("command", "it names no program".into()));
        }
        for argument in &command {
            unknown_place(argument).map_or(Ok(()), |place| {
                let all = PLACES.join(" ");
                Err(named("command", format!("{place} in {argument:?}; there are: {all}")))
            })?;
        }
        let within = |key: &str, set: Option<u64>, default: u64| match set.unwrap_or(default) {
            ms @ 100..=600_000 => Ok(Duration::from_millis(ms)),
            ms => Err(named(key, format!("{ms}; it is 100 to 600000 milliseconds"))),
        };
        Ok(Self {
            stall: within("stall_ms", file.stall_ms, 3_000)?,
            start: within("start_ms", file.start_ms, 10_000)?,
            grace: within("grace_ms", file.grace_ms, 2_000)?,
            command,
            env: file.env,
            sources: Sources {
                pattern: file.source,
                channel: file.channel,
                recorder: file.recorder,
            },
        })
    }

    /// The command for one channel, or why there is none. The tag is equal as long as the same is
    /// to be run.
    pub(super) fn launch(&self, target: Target<'_>, run_ms: u64) -> Result<Launch, String> {
        let channel = material::channel_name(target.number);
        let source = self.sources.of(target.recorder, &channel, target.number);
        if source.is_none() && self.command.iter().any(|argument| argument.contains("{source}")) {
            return Err(format!("no source is set for {channel} of {}", target.recorder));
        }
        let source = source.unwrap_or_default();
        let fill = |run: &str| -> Vec<String> {
            let values = [
                source.clone(),
                target.recorder.to_string(),
                channel.clone(),
                target.number.to_string(),
                target.epoch.0.to_string(),
                target.server.to_string(),
                target.dir.to_string_lossy().into_owned(),
                run.to_owned(),
            ];
            self.command.iter().map(|argument| filled(argument, &values)).collect()
        };
        // Time zones must not move the names and cuts of segments.
        let zone = ("TZ".to_owned(), "UTC".to_owned());
        let set = self.env.iter().map(|(name, value)| (name.clone(), value.clone()));
        let env: Vec<_> = std::iter::once(zone).chain(set).collect();
        let mut hash = blake3::Hasher::new();
        let parts =
            fill("").into_iter().chain(env.iter().map(|(name, value)| format!("{name}={value}")));
        for part in parts {
            hash.update(part.as_bytes()).update(b"\0");
        }
        let log = target.dir.with_extension("log");
        Ok(Launch {
            argv: fill(&format!("{run_ms:013}")),
            env,
            dir: target.dir.to_owned(),
            stdout: None,
            stderr: Some(log),
            tag: hash.finalize().to_hex().to_string(),
        })
    }
}

/// Each place once, from left to right: what a value holds in braces is left alone.
fn filled(argument: &str, values: &[String]) -> String {
    let (mut text, mut rest) = (String::new(), argument);
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        text.push_str(before);
        let found = PLACES.iter().zip(values).find(|(place, _)| from.starts_with(**place));
        let (value, length) =
            found.map_or(("{", 1), |(place, value)| (value.as_str(), place.len()));
        text.push_str(value);
        rest = from.get(length..).unwrap_or_default();
    }
    text + rest
}

/// Something in braces that looks like a place and is none. `%{...}` is ffmpeg's own.
fn unknown_place(argument: &str) -> Option<String> {
    let mut before = ' ';
    for (at, character) in argument.char_indices() {
        let rest = argument.get(at..).unwrap_or_default();
        let word = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let Some((name, _)) = word.filter(|_| before != '%') {
            let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
            if is_word && !PLACES.iter().any(|place| rest.starts_with(place)) {
                return Some(format!("{{{name}}}"));
            }
        }
        before = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, Failure> {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("d.toml");
        std::fs::write(&path, text).unwrap();
        Settings::load(&path)
    }

    fn target() -> Target<'static> {
        Target {
            recorder: "rec-1".parse().unwrap(),
            epoch: Epoch(7),
            number: 2,
            server: "srv-1".parse().unwrap(),
            dir: Path::new("/d/ch-2"),
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_place_or_its_key() {
        let table = [
            ("stall_ms = 3000\ncomand = []\n", "d.toml:2:1: key \"comand\": unknown field"),
            ("[channel.ch-1]\nsurce = \"x\"\n", "d.toml:2:1: key \"surce\": unknown field"),
            ("command = \"ffmpeg\"\n", "d.toml:1:11: key \"command\": invalid type"),
            ("command = []\n", "d.toml: command: it names no program"),
            ("command = [\"a\", \"x{chanel}\"]\n", "d.toml: command: {chanel} in \"x{chanel}\""),
            ("stall_ms = 5\n", "d.toml: stall_ms: 5; it is 100"),
        ];
        for (text, expect) in table {
            let failure = load(text).unwrap_err();
            assert_eq!((failure.exit, failure.code), (78, "config"));
            assert!(failure.message.contains(expect), "{} for {expect}", failure.message);
        }
    }

    #[test]
    fn places_are_filled_inside_arguments_and_values_are_not_read_again() {
        let settings = load(
            "command = [\"r\", \"-i\", \"{source}\", \"{dir}/{run}-{epoch}%{x}{X}.mkv\"]\n\
             source = \"rtsp://h/{channel}?{run}\"\n[env]\nA = \"{dir}\"\n",
        );
        let settings = settings.unwrap();
        let launch = settings.launch(target(), 5).unwrap();
        let expect = ["r", "-i", "rtsp://h/ch-2?{run}", "/d/ch-2/0000000000005-7%{x}{X}.mkv"];
        assert_eq!(launch.argv, expect);
        assert!(launch.env.contains(&("A".into(), "{dir}".into())));
        assert_eq!(launch.tag, settings.launch(target(), 6).unwrap().tag, "the same is to be run");
        let other = Target { number: 3, ..target() };
        assert_ne!(launch.tag, settings.launch(other, 5).unwrap().tag);
    }

    #[test]
    fn without_a_command_ffmpeg_records_and_needs_a_source() {
        let settings = load("[recorder.rec-1.channel.ch-2]\nsource = \"rtsp://h\"\n").unwrap();
        let argv = settings.launch(target(), 5).unwrap().argv;
        assert_eq!(argv.first().unwrap(), "ffmpeg");
        assert!(argv.windows(2).any(|pair| pair == ["-i", "rtsp://h"]));
        let why = settings.launch(Target { number: 3, ..target() }, 5).unwrap_err();
        assert_eq!(why, "no source is set for ch-3 of rec-1");
    }
}
