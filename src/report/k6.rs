//! `k6-summary.json`: the figures in the shape of k6's `--summary-export`, which GitLab's load-performance widget
//! reads and compares with the file of the target branch.
//!
//! The widget has no tolerance: any other figure is shown as better or worse. So times are whole milliseconds and
//! rates have three digits; `summary.json` has them exactly. What was not measured is left out, because the widget
//! would show it as NaN or take it for an improvement.

use serde_json::{Map, Value, json};

use super::show;
use super::summary::{MetricValues, Ms, Summary, Trend};
use crate::words::Unit;

/// The document, with a metric that has no value left out.
pub fn render(summary: &Summary) -> String {
    let mut metrics = Map::new();
    for (key, values) in &summary.metrics {
        if let Some(values) = flat(values) {
            metrics.insert(show::one_line(key, 200), values);
        }
    }
    format!("{:#}\n", json!({ "metrics": metrics }))
}

fn flat(values: &MetricValues) -> Option<Value> {
    match values {
        MetricValues::Counter { count, rate, .. } => {
            Some(json!({ "count": number(*count), "rate": number(three_digits((*rate)?)) }))
        }
        MetricValues::Gauge { value, min, max, unit } => {
            let round = |it: Option<f64>| match unit {
                Unit::Count | Unit::Bytes => it.map(number),
                Unit::Milliseconds | Unit::PerSecond | Unit::Fraction | Unit::Cores => {
                    it.map(three_digits).map(number)
                }
            };
            Some(json!({ "value": round(Some((*value)?)), "min": round(*min), "max": round(*max) }))
        }
        MetricValues::Rate { passes, fails, rate } => {
            Some(json!({ "passes": passes, "fails": fails, "value": four_decimals((*rate)?) }))
        }
        MetricValues::Trend(trend) => times(trend),
    }
}

fn times(trend: &Trend) -> Option<Value> {
    let whole = |time: Option<Ms>| time.map(|it| number(it.0.round()));
    Some(json!({
        "avg": Some(whole(trend.avg)?),
        "min": whole(trend.min),
        "med": whole(trend.med),
        "max": whole(trend.max),
        "p(90)": whole(trend.p90),
        "p(95)": whole(trend.p95),
        "p(99)": whole(trend.p99),
    }))
}

/// A number as people write it: without a point where it is whole.
#[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53 is exact")]
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

/// Rounded to three significant digits.
pub(super) fn three_digits(value: f64) -> f64 {
    rounded(value, 3)
}

/// Rounded to so many significant digits.
pub(super) fn rounded(value: f64, digits: usize) -> f64 {
    // Through text, which rounds as a person would, and leaves no trail of binary digits.
    format!("{value:.*e}", digits.max(1) - 1).parse().unwrap_or(value)
}

fn four_decimals(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_file_is_that_of_k6() {
        insta::assert_snapshot!("k6-summary-fail", render(&sample::fail()));
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        assert_eq!(render(&sample::invalid()), "{\n  \"metrics\": {}\n}\n");
    }

    #[test]
    fn figures_are_rounded() {
        for (value, shown) in [(31.0642, "31.1"), (12_345.6, "12300"), (0.0, "0"), (0.012_345, "0.0123")] {
            assert_eq!(number(three_digits(value)).to_string(), shown);
        }
    }
}
