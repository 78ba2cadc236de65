//! Small drawings in the cells of tables: how far a figure is from its bound, and where the times of a step lie.

use super::scale::Scale;
use super::svg::{AXIS, BAD, GOOD, GRID, QUANTILES, Svg, WARN};
use crate::report::summary::{Threshold, Trend};
use crate::words::Outcome;

const WIDTH: f64 = 132.0;
const HEIGHT: f64 = 14.0;

/// The observed value as a bar that begins at nothing, the bound as a mark in the middle; a bar beyond the double of
/// the bound ends in an arrow. Nothing where there is no margin.
pub(super) fn margin(threshold: &Threshold) -> Option<String> {
    let (observed, bound) = (threshold.observed?, threshold.bound?);
    threshold.margin?;
    let ratio = observed / bound;
    if !ratio.is_finite() || ratio < 0.0 {
        return None;
    }
    let ink = match threshold.outcome {
        Outcome::Pass => GOOD,
        Outcome::Warn => WARN,
        Outcome::Fail | Outcome::Invalid | Outcome::Skipped => BAD,
    };
    let x = Scale::linear([0.0, 2.0], [1.0, WIDTH - 9.0]);
    let mut svg = Svg::decoration(WIDTH, HEIGHT, "");
    svg.rect(GRID, [1.0, 5.0], [WIDTH - 10.0, 4.0], 1.0);
    svg.rect(ink, [1.0, 4.0], [(x.at(ratio) - 1.0).max(1.5), 6.0], 1.0);
    if ratio > 2.0 {
        let tip = WIDTH - 9.0;
        svg.fill(ink, &format!("M{tip} 1L{} 7L{tip} 13Z", tip + 7.0), 1.0);
    }
    svg.line(super::svg::TEXT, [x.at(1.0), 0.0], [x.at(1.0), HEIGHT], 1.6, "");
    Some(svg.finish())
}

/// The scale that all ranges of a table share.
pub(super) fn range_scale<'a>(trends: impl Iterator<Item = &'a Trend> + Clone) -> Option<Scale> {
    let min = trends.clone().filter_map(|it| it.min).map(|it| it.0).fold(f64::INFINITY, f64::min);
    let max = trends.filter_map(|it| it.max).map(|it| it.0).fold(0.0, f64::max);
    (max > 0.0).then(|| Scale::log_around(min, max, [2.0, WIDTH - 2.0]))
}

/// From the shortest to the longest as a line, from the median to p95 as a bar, p99 as a mark.
pub(super) fn range(trend: &Trend, scale: &Scale) -> Option<String> {
    let at = |time: Option<crate::report::summary::Ms>| Some(scale.at(time?.0));
    let (min, med, p95, p99, max) =
        (at(trend.min)?, at(trend.med)?, at(trend.p95)?, at(trend.p99)?, at(trend.max)?);
    let mut svg = Svg::decoration(WIDTH, HEIGHT, "");
    svg.line(AXIS, [min, 7.0], [max, 7.0], 1.4, "");
    svg.rect(QUANTILES[1], [med, 3.0], [(p95 - med).max(2.0), 8.0], 1.0);
    svg.line(QUANTILES[3], [p99, 1.0], [p99, 13.0], 1.8, "");
    Some(svg.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_has_no_margin_has_no_strip() {
        let pass = sample::pass();
        assert!(margin(&pass.thresholds[0]).is_some());
        assert!(margin(&sample::invalid().thresholds[0]).is_none());
    }

    #[test]
    fn ranges_of_a_table_share_their_scale() {
        let summary = sample::pass();
        let trends = summary.steps.iter().filter_map(|it| it.trends.get("http_req_duration"));
        let scale = range_scale(trends.clone()).expect("there are times");
        assert!(trends.into_iter().all(|it| range(it, &scale).is_some()));
        assert!(range(&Trend::default(), &scale).is_none());
        assert!(range_scale([Trend::default()].iter()).is_none());
    }
}
