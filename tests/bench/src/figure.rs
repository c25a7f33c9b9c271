//! Figures: kept by name and side, printed as they come, compared at the end.
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// Whose figure.
pub(crate) const ETCD: &str = "etcd";
/// Whose figure.
pub(crate) const OURS: &str = "interrex";

/// Values in the order of the rounds.
type Rounds = Vec<f64>;

/// All figures of one run.
#[derive(Debug, Default)]
pub(crate) struct Book(BTreeMap<(String, &'static str), Rounds>);

impl Book {
    /// Keeps one value of one round, and prints it.
    pub(crate) fn enter(&mut self, side: &'static str, figure: &str, value: f64) {
        println!("{}", json!({"side": side, "figure": figure, "value": rounded(value)}));
        self.0.entry((figure.to_owned(), side)).or_default().push(value);
    }

    /// Medians of both sides; where there are both, the ratio ours / peer, and its range over the
    /// rounds as they were paired.
    pub(crate) fn print(&self) {
        for ((figure, side), values) in &self.0 {
            let peer = self.0.get(&(figure.clone(), ETCD)).filter(|_| *side == OURS);
            let pairs = peer.map(|peer| {
                let pairs = values.iter().zip(peer).map(|(ours, peer)| ours / peer);
                pairs.collect::<Vec<f64>>()
            });
            let ratio = peer.map(|peer| quantile(values, 0.5) / quantile(peer, 0.5));
            let range = pairs.map(|pairs| [quantile(&pairs, 0.0), quantile(&pairs, 1.0)]);
            let line = json!({
                "figure": figure, "side": side, "rounds": values.len(),
                "median": rounded(quantile(values, 0.5)), "max": rounded(quantile(values, 1.0)),
                "ratio_to_etcd": ratio.map(rounded), "ratio_range": range.map(|r| r.map(rounded)),
            });
            println!("{line}");
        }
    }
}

/// The value at `q` (0 to 1) of the sorted values; 0 if there are none.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a length")]
    #[expect(clippy::cast_precision_loss, reason = "few values")]
    let at = (q * last as f64).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Milliseconds with fractions.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn rounded(value: f64) -> Value {
    json!((value * 1000.0).round() / 1000.0)
}
