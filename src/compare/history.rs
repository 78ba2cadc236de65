//! The newest run among the earlier ones of its profile.
//!
//! Runs of different jobs differ by more than a run varies within itself, and only earlier runs can tell by how much. So the
//! newest is judged by a prediction interval over them: where one more value of the same (log-normal) distribution would
//! lie, `mean ± t · s · √(1 + 1/n)` (Whitmore, "Prediction Limits for a Univariate Normal Observation", 1986).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::recording::Recording;
use super::runs::Terms;
use super::track::Track;
use super::{Figure, student};
use crate::words::{Change, Metric, Unit, Verdict};

/// With fewer earlier runs nothing is said.
pub const LEAST: usize = 8;

/// Of more than so many earlier runs the latest are taken: what was long ago tells little of today.
const MOST: usize = 30;

/// One run, a line of a history file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it began, RFC 3339.
    pub time: String,
    /// The commit; empty where it is not known.
    #[serde(default)]
    pub commit: String,
    /// The branch or tag; empty where it is not known.
    #[serde(default)]
    pub branch: String,
    /// The id of the run.
    #[serde(default)]
    pub run: String,
    /// The name of the profile.
    pub profile: String,
    /// The fingerprint of the machine.
    #[serde(default)]
    pub host: String,
    /// How long the load was, in seconds.
    #[serde(default)]
    pub load: f64,
    /// What the run ended in.
    pub verdict: Verdict,
    /// Its figures: times in milliseconds, shares as fractions. New ones may come, so readers take those they know.
    pub metrics: BTreeMap<String, f64>,
}

/// The figures that are kept of a run as a whole, and of each step.
const WHOLE: [Figure; 5] =
    [Figure::Quantile(0.5), Figure::Quantile(0.95), Figure::Quantile(0.99), Figure::Rate, Figure::Errors];
const EACH: [Figure; 1] = [Figure::Quantile(0.95)];

/// The figures of a run, by the names of thresholds on them: `http_req_duration{step:health} p(95)`.
pub fn figures(recording: &Recording) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    let mut add = |step: Option<&str>, figures: &[Figure]| {
        let track = Track::of(recording, step);
        for figure in figures {
            if let Some(value) = track.figure(*figure).filter(|value| value.is_finite()) {
                all.insert(name(step, *figure), value);
            }
        }
    };
    add(None, &WHOLE);
    for step in &recording.steps {
        add(Some(&step.name), &EACH);
    }
    all
}

fn name(step: Option<&str>, figure: Figure) -> String {
    let selector = step.map_or_else(String::new, |step| format!("{{step:{step}}}"));
    match figure {
        Figure::Quantile(q) if (q - 0.5).abs() < 1e-9 => format!("{}{selector} med", Metric::HttpReqDuration),
        Figure::Quantile(q) => {
            format!("{}{selector} p({})", Metric::HttpReqDuration, (q * 1e8).round() / 1e6)
        }
        Figure::Mean => format!("{}{selector} avg", Metric::HttpReqDuration),
        Figure::Rate => format!("{}{selector} rate", Metric::HttpReqs),
        Figure::Errors => format!("{}{selector} rate", Metric::Errors),
        Figure::Failed => format!("{}{selector} rate", Metric::HttpReqFailed),
    }
}

/// Whether more of a figure of that name is worse.
pub fn is_better_when_small(name: &str) -> bool {
    !name.starts_with(Metric::HttpReqs.name())
}

/// Whether a figure of that name is a share.
pub fn is_share(name: &str) -> bool {
    name.starts_with(Metric::Errors.name()) || name.starts_with(Metric::HttpReqFailed.name())
}

/// The unit of a figure of that name.
pub fn unit(name: &str) -> Unit {
    if is_share(name) {
        Unit::Fraction
    } else if name.starts_with(Metric::HttpReqs.name()) {
        Unit::PerSecond
    } else {
        Unit::Milliseconds
    }
}

/// A figure of the newest run, and where it was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: f64,
    /// The mean of the earlier runs.
    pub mean: f64,
    /// Where it was expected, from and to.
    pub expected: (f64, f64),
    /// Worse or better where it lies outside, and by more than matters; else the same.
    pub change: Change,
}

/// The earlier runs that a run can be judged by: of its profile and its length, the latest ones. Those that could not
/// carry a verdict are left out.
pub fn earlier<'a>(history: &'a [Entry], newest: &Entry) -> Vec<&'a Entry> {
    let alike = |it: &&Entry| {
        it.profile == newest.profile
            && it.verdict != Verdict::Invalid
            && (it.load - newest.load).abs() <= 0.1 * newest.load.max(it.load)
    };
    let mut found: Vec<&Entry> = history.iter().filter(alike).collect();
    found.split_off(found.len().saturating_sub(MOST))
}

/// Judges the figures of the newest run as a whole; those of steps are kept for [trends](super::change_points) only.
/// `None` with fewer than [`LEAST`] earlier runs.
pub fn judge(earlier: &[&Entry], newest: &Entry, terms: Terms) -> Option<Vec<Predicted>> {
    if earlier.len() < LEAST {
        return None;
    }
    let whole = newest.metrics.iter().filter(|(name, _)| !name.contains('{'));
    let n_figures = whole.clone().count().max(1) as f64;
    // Each figure is one more chance of a false alarm (Bonferroni).
    let alpha = terms.alpha / n_figures;
    let predicted = whole.filter_map(|(name, value)| {
        let values: Vec<f64> = earlier.iter().filter_map(|it| it.metrics.get(name).copied()).collect();
        (values.len() >= LEAST).then(|| predict(name, *value, &values, alpha, terms)).flatten()
    });
    Some(predicted.collect())
}

fn predict(name: &str, value: f64, values: &[f64], alpha: f64, terms: Terms) -> Option<Predicted> {
    let share = is_share(name);
    let to = |value: f64| if share { value } else { value.ln() };
    let from = |value: f64| if share { value.clamp(0.0, 1.0) } else { value.exp() };
    let scaled: Vec<f64> = values.iter().copied().map(to).collect();
    let n = scaled.len() as f64;
    let mean = scaled.iter().sum::<f64>() / n;
    let variance = scaled.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let reach = student::quantile(1.0 - alpha / 2.0, n - 1.0) * (variance * (1.0 + 1.0 / n)).sqrt();
    let difference = to(value) - mean;
    if !difference.is_finite() {
        return None;
    }
    let effect = if share { terms.points } else { terms.effect.ln_1p() };
    let change = if difference.abs() <= reach || difference.abs() <= effect {
        Change::Same
    } else if (difference > 0.0) == is_better_when_small(name) {
        Change::Worse
    } else {
        Change::Better
    };
    Some(Predicted {
        name: name.to_owned(),
        value,
        mean: from(mean),
        expected: (from(mean - reach), from(mean + reach)),
        change,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(p95: f64, errors: f64) -> Entry {
        Entry {
            time: "2026-11-23T21:00:00Z".into(),
            commit: String::new(),
            branch: String::new(),
            run: String::new(),
            profile: "quick".into(),
            host: String::new(),
            load: 30.0,
            verdict: Verdict::Pass,
            metrics: [
                ("http_req_duration p(95)", p95),
                ("errors rate", errors),
                ("http_req_duration{step:a} p(95)", 1.0),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        }
    }

    fn judged(n: usize, p95: f64, errors: f64) -> Option<Vec<(String, Change)>> {
        let history: Vec<Entry> = (0..n).map(|n| entry(100.0 + 3.0 * (n % 3) as f64, 0.0)).collect();
        let newest = entry(p95, errors);
        let found = judge(&earlier(&history, &newest), &newest, Terms::default())?;
        Some(found.into_iter().map(|it| (it.name, it.change)).collect())
    }

    #[test]
    fn the_newest_run_is_judged_by_at_least_eight_others() {
        assert_eq!(judged(7, 500.0, 0.0), None);
        let of = |p95, errors| {
            judged(8, p95, errors).expect("there are eight").into_iter().map(|it| it.1).collect::<Vec<_>>()
        };
        assert_eq!(of(105.0, 0.0), [Change::Same, Change::Same], "errors, then p(95); no step");
        assert_eq!(of(140.0, 0.05), [Change::Worse, Change::Worse]);
        assert_eq!(
            of(60.0, 0.005),
            [Change::Same, Change::Better],
            "half a point of errors is too little to matter"
        );
    }

    #[test]
    fn only_runs_that_are_alike_and_sound_are_taken() {
        let mut history: Vec<Entry> = (0..40).map(|_| entry(100.0, 0.0)).collect();
        history[39].profile = "standard".into();
        history[38].verdict = Verdict::Invalid;
        history[37].load = 3.0;
        history[36].verdict = Verdict::Fail;
        let newest = entry(100.0, 0.0);
        let found = earlier(&history, &newest);
        assert_eq!(found.len(), 30);
        assert_eq!(
            found[29].verdict,
            Verdict::Fail,
            "a regression stays in the history, or it would be red for ever"
        );
    }

    /// Whitmore's interval for 1 to 9: 5 ± 2.306 · 2.7386 · 1.0541.
    #[test]
    fn the_interval_is_that_of_the_book() {
        let values: Vec<f64> = (1..=9).map(|it| f64::from(it).exp()).collect();
        let found = predict("http_req_duration p(95)", 5_f64.exp(), &values, 0.05, Terms::default())
            .expect("a figure");
        let (low, high) = found.expected;
        assert!((low.ln() - (5.0 - 6.657)).abs() < 1e-3 && (high.ln() - 11.657).abs() < 1e-3, "{low} {high}");
    }
}
