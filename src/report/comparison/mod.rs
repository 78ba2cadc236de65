//! Two runs beside each other: for people on a terminal, for the page of a pipeline, for programs.
//!
//! - [`regression`]: from the numbers of [`crate::compare`] to what a summary holds
//! - [`console`], [`markdown`]: that as text
//! - [`Document`]: what `palier compare --format json` writes

pub mod console;
pub mod markdown;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::summary::{ComparedRun, Difference, Expected, History, Ms, Regression};
use crate::compare::history::{LEAST, Predicted};
use crate::compare::{self, Circumstances, Comparison, Figure, Recording};
use crate::units::Percentile;
use crate::verdict::Among;
use crate::words::{Against, Metric, Unit, Verdict};

pub use console::sentence;
pub use words::{capital, change, interval, remark};

/// The value of `schema` in what `palier compare --format json` writes.
pub const SCHEMA: &str = "palier.comparison/1";

/// What `palier compare` found, for programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Name and version of this format.
    pub schema: String,
    /// The version of palier that compared.
    pub palier: String,
    /// What it ends in.
    pub verdict: Verdict,
    /// The code that `palier compare` exits with.
    pub exit_code: u8,
    /// The run that was compared with others.
    pub new: ComparedRun,
    /// What was found; the `regression` of a summary.
    #[serde(flatten)]
    pub regression: Regression,
}

impl Document {
    /// The document as JSON.
    pub fn render(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("invariant: it has string keys");
        json.push('\n');
        json
    }
}

/// A comparison as a summary holds it.
pub fn regression(against: Against, base: &[Recording], comparison: &Comparison) -> Regression {
    Regression {
        against,
        base: base.iter().map(|it| run(&it.run)).collect(),
        change: comparison.change(),
        effect: comparison.terms.effect,
        points: comparison.terms.points,
        alpha: comparison.terms.alpha,
        windows: comparison.windows as u64,
        window: Ms::from(comparison.window),
        differences: comparison.differences.iter().map(|it| difference(it, comparison.terms.alpha)).collect(),
        doubts: comparison.doubts.clone(),
        notes: comparison.notes.clone(),
    }
}

/// The run among the earlier ones of its history, as a summary holds it.
pub fn history(among: &Among) -> History {
    let expected = |it: &Predicted| Expected {
        name: it.name.clone(),
        value: it.value,
        mean: it.mean,
        low: it.expected.0,
        high: it.expected.1,
        change: it.change,
    };
    History {
        runs: among.earlier as u64,
        least: LEAST as u64,
        figures: among.predicted.iter().flatten().map(expected).collect(),
    }
}

/// What names a run.
pub fn run(run: &Circumstances) -> ComparedRun {
    ComparedRun {
        id: run.id.clone(),
        profile: run.profile.clone(),
        start: run.start.clone(),
        commit: run.commit.clone(),
    }
}

fn difference(difference: &compare::Difference, alpha: f64) -> Difference {
    let figure = difference.figure;
    // A ratio is estimated on the scale of its logarithm.
    let shown = |value: f64| if figure.is_share() { value } else { value.exp_m1() };
    let (metric, aggregation, unit) = named(figure);
    let interval = difference.interval.map(|(low, high)| (shown(low), shown(high)));
    Difference {
        step: difference.step.clone(),
        metric: metric.name().to_owned(),
        aggregation,
        unit,
        base: difference.base,
        new: difference.new,
        difference: difference.estimate.map(|it| shown(it.value)),
        low: interval.map(|it| it.0),
        high: interval.map(|it| it.1),
        change: difference.change,
        longer: difference.longer,
        detectable: difference.estimate.map(|it| {
            let worse = if figure.is_better_when_small() { 1.0 } else { -1.0 };
            shown(worse * it.detectable(alpha))
        }),
    }
}

/// The names that a figure has in profiles.
fn named(figure: Figure) -> (Metric, String, Unit) {
    match figure {
        Figure::Quantile(q) => {
            // 0.999 × 100 is 99.9 to all digits but the last.
            let percentile = Percentile::new((q * 1e8).round() / 1e6);
            let percentile = percentile.map_or_else(|| format!("p({q})"), |it| it.to_string());
            let name = if percentile == "p(50)" { "med".to_owned() } else { percentile };
            (Metric::HttpReqDuration, name, Unit::Milliseconds)
        }
        Figure::Mean => (Metric::HttpReqDuration, "avg".to_owned(), Unit::Milliseconds),
        Figure::Rate => (Metric::HttpReqs, "rate".to_owned(), Unit::PerSecond),
        Figure::Errors => (Metric::Errors, "rate".to_owned(), Unit::Fraction),
        Figure::Failed => (Metric::HttpReqFailed, "rate".to_owned(), Unit::Fraction),
    }
}

/// The length of all windows together.
fn compared(regression: &Regression) -> Duration {
    Duration::try_from_secs_f64(regression.window.seconds() * regression.windows as f64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::report::{Format, Summary, sample};

    fn text(summary: &Summary) -> String {
        let regression = summary.regression.as_ref().expect("it was compared");
        super::console::render(regression, &regression.base[0], false)
    }

    #[test]
    fn a_comparison_reads_as_what_became_of_it() {
        insta::assert_snapshot!("comparison-slower", text(&sample::slower(1.3)));
        insta::assert_snapshot!("comparison-same", text(&sample::slower(1.0)));
    }

    #[test]
    fn every_report_shows_what_is_worse() {
        let slower = sample::slower(1.3);
        let junit = Format::Junit.render(&slower);
        for line in [
            "<testsuite name=\"regression\"",
            "name=\"all steps: http_req_duration p(95) beside the baseline\"",
            "<failure message=\"worse: +30",
        ] {
            assert!(junit.contains(line), "{line} in\n{junit}");
        }
        let page = Format::Html.render(&slower);
        assert!(page.contains("Beside the baseline") && page.contains("✗ worse"), "{page}");
        let markdown = Format::Markdown.render(&slower);
        assert!(markdown.contains("### Beside the baseline") && markdown.contains("❌ worse"), "{markdown}");
        assert!(!Format::Html.render(&sample::pass()).contains("Beside the baseline"));
    }
}
