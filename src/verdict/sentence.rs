//! Outcomes in words.

use std::time::Duration;

use crate::plan::{Bound, Threshold};
use crate::units::{Bytes, Fraction, Rate, human_duration, human_number};
use crate::words::{Metric, Unit};

/// What a threshold judges: `` `http_req_duration{step:health}` p(95) ``.
pub(super) fn subject(threshold: &Threshold) -> String {
    let selector: Vec<String> =
        threshold.selector.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    let selector = if selector.is_empty() { String::new() } else { format!("{{{}}}", selector.join(",")) };
    let window = threshold.window.map(|window| format!(" in its worst {}", human_duration(window)));
    format!("{}{selector} {}{}", threshold.metric, threshold.aggregation, window.unwrap_or_default())
}

/// A value in a threshold's unit.
pub(super) fn value(threshold: &Threshold, value: f64) -> String {
    let nothing = || human_number(value);
    match threshold.unit {
        Unit::Milliseconds => {
            Duration::try_from_secs_f64(value / 1e3).map_or_else(|_| nothing(), human_duration)
        }
        Unit::PerSecond if matches!(threshold.metric, Metric::DataSent | Metric::DataReceived) => {
            format!("{}/s", bytes(value))
        }
        Unit::PerSecond => Rate::per_second(value).map_or_else(nothing, Rate::human),
        Unit::Fraction => Fraction::new(value).map_or_else(nothing, Fraction::human),
        Unit::Bytes => bytes(value),
        Unit::Count | Unit::Cores => nothing(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
fn bytes(value: f64) -> String {
    Bytes(value.max(0.0) as u64).human()
}

/// The bound as a condition: `< 500 ms`.
pub(super) fn condition(threshold: &Threshold) -> String {
    match threshold.bound {
        // A bound is a round number where a figure is not: `20 %`, not `20.0 %`.
        Bound::Value(bound) => {
            format!("{} {}", threshold.operator, value(threshold, bound).replace(".0 %", " %"))
        }
        Bound::Baseline(factor) => format!("{} {factor} × baseline", threshold.operator),
    }
}

/// A figure and its bound may look alike when they are rounded; then more digits are needed to tell them apart.
pub(super) fn observed(threshold: &Threshold, figure: f64, bound: f64) -> String {
    let (short, limit) = (value(threshold, figure), value(threshold, bound));
    #[expect(clippy::float_cmp, reason = "whether they differ at all is the question")]
    let look_alike = short == limit && figure != bound;
    if !look_alike {
        return short;
    }
    match threshold.unit {
        Unit::Milliseconds => format!("{figure:.3} ms"),
        Unit::Fraction => format!("{:.4} %", figure * 100.0),
        Unit::PerSecond => format!("{figure:.3}/s"),
        Unit::Bytes | Unit::Count | Unit::Cores => format!("{figure:.3}"),
    }
}

/// How far beyond its bound a figure is: ` (22 % over)`. Shares differ by points: 100 % is not 9,900 % over 1 %.
pub(super) fn distance(threshold: &Threshold, figure: f64, bound: f64, margin: Option<f64>) -> String {
    let upper = threshold.operator.is_upper_bound();
    if threshold.unit == Unit::Fraction && margin.is_some() {
        let points = (figure - bound).abs() * 100.0;
        let points = if points < 9.95 { format!("{points:.1}") } else { format!("{points:.0}") };
        return format!(" ({points} points {})", if upper { "over" } else { "under" });
    }
    match margin.and_then(|margin| Fraction::new(-margin)) {
        Some(beyond) if beyond.get() > 0.0 => {
            let percent = beyond.get() * 100.0;
            let percent = if percent < 9.95 { format!("{percent:.1}") } else { format!("{percent:.0}") };
            format!(" ({percent} % {})", if upper { "over" } else { "under" })
        }
        _ => String::new(),
    }
}
