//! What the history says of material and its copies, in the events' own field names.
use interrex_core::{Account, Address, ChannelAccount, Event, Progress, Steering};
use serde_json::{Value, json};

/// All but the subject; nothing of events about something else.
pub(super) fn data(event: &Event) -> Value {
    if let Event::FactsReported { facts, .. } = event {
        json!({ "listen": facts.listen.as_ref().map(Address::as_str) })
    } else if let Event::CopyOpened { recorder, epoch, from, failover, .. } = event {
        json!({
            "recorder": recorder.as_str(), "epoch": epoch.0, "from": from.as_str(),
            "failover": failover.map(|failover| failover.0),
        })
    } else if let Event::CopyProgressed { progress, standing, .. } = event {
        with_progress("standing", standing.name(), *progress)
    } else if let Event::CopyClosed { end, progress, .. } = event {
        with_progress("end", end.name(), *progress)
    } else if let Event::CopySteered { steering, .. } = event {
        let word = match steering {
            Steering::Paused => "paused",
            Steering::Running => "running",
        };
        json!({ "steering": word })
    } else if let Event::MaterialErased { server, .. } = event {
        json!({ "server": server.as_str() })
    } else if let Event::TenureAccounted { epoch, server, account, .. } = event {
        json!({
            "epoch": epoch.0, "server": server.as_str(),
            "precision_ms": account.precision_ms, "channels": channels(account),
        })
    } else {
        json!({})
    }
}

fn with_progress(key: &str, word: &str, progress: Progress) -> Value {
    let Progress { segments_done, segments_total, bytes_done, bytes_total, segments_failed } =
        progress;
    json!({
        key: word, "segments_done": segments_done, "segments_total": segments_total,
        "segments_failed": segments_failed, "bytes_done": bytes_done, "bytes_total": bytes_total,
    })
}

/// By channel, a list of `[from_ms, to_ms]`.
fn channels(account: &Account) -> Value {
    let spans = |channel: &ChannelAccount| -> Value {
        channel.spans.iter().map(|span| json!([span.from_ms, span.to_ms])).collect()
    };
    let channels = account.channels.iter().map(|of| (of.channel.to_string(), spans(of)));
    Value::Object(channels.collect())
}
