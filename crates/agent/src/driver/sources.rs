//! Where the picture of a channel comes from, as the file of `--driver-config` says it: by channel,
//! by recorder, or as one pattern for all. The more particular one counts.
use std::collections::BTreeMap;

use interrex_core::RecorderId;
use serde::Deserialize;

/// What may stand in braces in a source.
const PLACES: [&str; 3] = ["{recorder}", "{channel}", "{number}"];

/// One channel, or all that nothing else is said of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Channel {
    source: String,
}

/// What is said of one recorder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorder {
    source: Option<String>,
    #[serde(default)]
    channel: BTreeMap<String, Channel>,
}

/// All that is said of sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    /// For every channel.
    pub(crate) pattern: Option<String>,
    /// `[channel.ch-1]`: of every recorder.
    pub(crate) channel: BTreeMap<String, Channel>,
    /// `[recorder.rec-1]`.
    pub(crate) recorder: BTreeMap<String, Recorder>,
}

impl Sources {
    /// The source of one channel, if one is set.
    pub(crate) fn of(&self, recorder: RecorderId, channel: &str, number: u32) -> Option<String> {
        let own = self.recorder.get(recorder.as_str());
        let pattern = own
            .and_then(|own| own.channel.get(channel))
            .map(|channel| &channel.source)
            .or_else(|| own.and_then(|own| own.source.as_ref()))
            .or_else(|| self.channel.get(channel).map(|channel| &channel.source))
            .or(self.pattern.as_ref())?;
        let number = number.to_string();
        let values = [recorder.as_str(), channel, number.as_str()];
        let filled = PLACES.iter().zip(values);
        Some(filled.fold(pattern.clone(), |text, (place, value)| text.replace(place, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_particular_source_counts() {
        let channel = |source: &str| Channel { source: source.to_owned() };
        let mut sources = Sources::default();
        let rec = "rec-1".parse().unwrap();
        let of = |sources: &Sources| sources.of(rec, "ch-2", 2);
        assert_eq!(of(&sources), None);
        sources.pattern = Some("rtsp://h/{recorder}/{channel}?n={number}".into());
        assert_eq!(of(&sources).as_deref(), Some("rtsp://h/rec-1/ch-2?n=2"));
        sources.channel.insert("ch-2".into(), channel("rtsp://two"));
        assert_eq!(of(&sources).as_deref(), Some("rtsp://two"));
        let own = Recorder { source: Some("rtsp://own/{channel}".into()), ..Recorder::default() };
        sources.recorder.insert("rec-1".into(), own);
        assert_eq!(of(&sources).as_deref(), Some("rtsp://own/ch-2"));
        let own = sources.recorder.get_mut("rec-1").unwrap();
        own.channel.insert("ch-2".into(), channel("rtsp://own-two"));
        assert_eq!(of(&sources).as_deref(), Some("rtsp://own-two"));
        assert_eq!(sources.of("rec-2".parse().unwrap(), "ch-2", 2).as_deref(), Some("rtsp://two"));
    }
}
