//! The rows of the page's tables and lists.

use std::cmp::Reverse;

use serde::Serialize;

use super::strips;
use super::svg::{BAD, GOOD, Ink, TEXT};
use super::view::MAX_TEXT;
use crate::report::console::cells;
use crate::report::show;
use crate::report::summary::{self, Example, Ms, Summary, Trend};
use crate::words::{Metric, Unit};

/// Rows of one table; more would make the page slow, and nobody reads them.
pub(super) const MOST_ROWS: usize = 300;

/// Rows that are shown, and how many are not.
#[derive(Serialize)]
pub(super) struct Rows<T> {
    shown: Vec<T>,
    more: usize,
}

impl<T> Rows<T> {
    /// A row of each, and [`MOST_ROWS`] at most.
    pub(super) fn of<S>(all: impl ExactSizeIterator<Item = S>, row: impl FnMut(S) -> T) -> Self {
        Self::at_most(MOST_ROWS, all, row)
    }

    pub(super) fn at_most<S>(
        most: usize,
        all: impl ExactSizeIterator<Item = S>,
        row: impl FnMut(S) -> T,
    ) -> Self {
        let more = all.len().saturating_sub(most);
        Self { shown: all.take(most).map(row).collect(), more }
    }
}

pub(super) fn line(text: &str) -> String {
    show::one_line(text, MAX_TEXT)
}

#[derive(Serialize)]
pub(super) struct Stage {
    name: String,
    time: String,
    vus: u64,
    rate: String,
    p50: String,
    p95: String,
    p99: String,
    errors: String,
    has_errors: bool,
    replicas: String,
    cpu: String,
    strip: Option<String>,
}

pub(super) fn stages(summary: &Summary) -> Rows<Stage> {
    let scale = strips::range_scale(summary.stages.iter().map(|it| &it.http_req_duration));
    Rows::of(summary.stages.iter(), |stage| {
        let name = stage.name.as_deref().map_or_else(|| show::NONE.to_owned(), line);
        let span = [stage.start, Ms(stage.start.0 + stage.elapsed.0)];
        let times = &stage.http_req_duration;
        Stage {
            name: match (&stage.load, &stage.name) {
                (Some(load), Some(_)) => format!("{}: {name}", line(load)),
                (Some(load), None) => line(load),
                (None, _) => name,
            },
            time: format!("{} to {}", show::offset(span[0]), show::offset(span[1])),
            vus: stage.vus_max,
            rate: stage.rate.map_or_else(|| show::NONE.to_owned(), |it| format!("{it:.1}")),
            p50: show::time_or_none(times.med),
            p95: show::time_or_none(times.p95),
            p99: show::time_or_none(times.p99),
            errors: show::share_or_none(show::share(stage.errors, stage.requests)),
            has_errors: stage.errors > 0,
            replicas: span_of(summary, "hpa_replicas", span).map_or_else(String::new, |(min, max)| {
                if min < max { format!("{min} to {max}") } else { show::value(max, Unit::Count) }
            }),
            cpu: span_of(summary, "hpa_cpu", span)
                .map_or_else(String::new, |(_, max)| show::value(max, Unit::Fraction)),
            strip: scale.as_ref().and_then(|scale| strips::range(times, scale)),
        }
    })
}

/// The lowest and the highest value of an observed metric in a span of time; what was last seen before it counts.
fn span_of(summary: &Summary, metric: &str, [from, to]: [Ms; 2]) -> Option<(f64, f64)> {
    let series = summary.observers.iter().flat_map(|it| &it.series).find(|it| it.metric == metric)?;
    let before = series.points.iter().rev().find(|(at, _)| *at <= from);
    let within = series.points.iter().filter(|(at, _)| from < *at && *at < to);
    let values = before.into_iter().chain(within).map(|(_, value)| *value);
    let min = values.clone().reduce(f64::min)?;
    Some((min, values.reduce(f64::max)?))
}

#[derive(Serialize)]
pub(super) struct Moment {
    at: String,
    vus: u64,
    requests: u64,
    errors: u64,
    p50: String,
    p95: String,
    max: String,
}

/// The run in some forty rows, for those who read figures instead of charts: of several seconds the highest.
pub(super) fn moments(summary: &Summary) -> Vec<Moment> {
    let points = &summary.series.points;
    let length = points.len().div_ceil(40).max(1);
    let highest = |points: &[summary::Point], of: fn(&summary::Point) -> Option<Ms>| {
        show::time_or_none(points.iter().filter_map(of).reduce(|a, b| if b.0 > a.0 { b } else { a }))
    };
    let rows = points.chunks(length).map(|points| Moment {
        at: show::offset(points[0].time),
        vus: points.iter().map(|it| it.vus).max().unwrap_or_default(),
        requests: points.iter().map(|it| it.requests).sum(),
        errors: points.iter().map(|it| it.errors).sum(),
        p50: highest(points, |it| it.p50),
        p95: highest(points, |it| it.p95),
        max: highest(points, |it| it.max),
    });
    rows.collect()
}

#[derive(Serialize)]
pub(super) struct Step {
    name: String,
    request: String,
    requests: u64,
    errors: String,
    errors_value: f64,
    avg: String,
    p50: String,
    p95: String,
    p95_value: f64,
    p99: String,
    max: String,
    strip: Option<String>,
    skipped: u64,
}

/// The steps, the slowest first.
pub(super) fn steps(summary: &Summary) -> Rows<Step> {
    let none = Trend::default();
    let times = |step: &'_ summary::Step| {
        step.trends.get(Metric::HttpReqDuration.name()).cloned().unwrap_or_default()
    };
    let trends =
        summary.steps.iter().map(|it| it.trends.get(Metric::HttpReqDuration.name()).unwrap_or(&none));
    let scale = strips::range_scale(trends);
    let p95 = |step: &summary::Step| times(step).p95.map_or(-1.0, |it| it.0);
    let mut sorted: Vec<&summary::Step> = summary.steps.iter().collect();
    sorted.sort_by(|a, b| p95(b).total_cmp(&p95(a)));
    Rows::of(sorted.into_iter(), |step| {
        let times = times(step);
        let name = line(&step.name);
        let errors = show::share(step.errors, step.requests);
        Step {
            name: step.load.as_deref().map_or_else(|| name.clone(), |load| format!("{}: {name}", line(load))),
            request: format!("{} {}", line(&step.method), show::one_line(&step.path, 120)),
            requests: step.requests,
            errors: show::share_or_none(errors),
            errors_value: errors.unwrap_or(-1.0),
            avg: show::time_or_none(times.avg),
            p50: show::time_or_none(times.med),
            p95: show::time_or_none(times.p95),
            p95_value: p95(step),
            p99: show::time_or_none(times.p99),
            max: show::time_or_none(times.max),
            strip: scale.as_ref().and_then(|scale| strips::range(&times, scale)),
            skipped: step.skipped,
        }
    })
}

#[derive(Serialize)]
pub(super) struct ErrorRow {
    kind: String,
    step: String,
    status: String,
    count: u64,
    message: String,
    whose: String,
}

pub(super) fn errors(summary: &Summary) -> Rows<ErrorRow> {
    Rows::of(summary.errors.iter(), |error| ErrorRow {
        kind: error.kind.to_string(),
        step: error.step.as_deref().map_or_else(String::new, line),
        status: error.status.map_or_else(String::new, |it| it.to_string()),
        count: error.count,
        message: error.first.as_ref().map_or_else(String::new, |it| line(&it.message)),
        whose: error.first.as_ref().map_or_else(String::new, whose),
    })
}

fn whose(example: &Example) -> String {
    let parts = [example.vu.map(|vu| format!("VU {vu}")), example.at.map(show::offset)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
pub(super) struct Check {
    tone: Ink,
    mark: &'static str,
    step: String,
    name: String,
    held: String,
    fails: u64,
    tries: u64,
    message: String,
    whose: String,
}

/// The checks, those that held least first.
pub(super) fn checks(summary: &Summary) -> Rows<Check> {
    let mut sorted: Vec<&summary::Check> = summary.checks.iter().collect();
    sorted.sort_by_key(|it| Reverse(it.fails));
    Rows::of(sorted.into_iter(), |check| {
        let (mark, ink) = match check.fails {
            _ if check.rate.is_none() => ("–", TEXT),
            0 => ("✓", GOOD),
            _ => ("✗", BAD),
        };
        Check {
            tone: ink,
            mark,
            step: line(&check.step),
            name: line(&check.name),
            held: show::share_or_none(check.rate),
            fails: check.fails,
            tries: check.passes + check.fails,
            message: check.first.as_ref().map_or_else(String::new, |it| line(&it.message)),
            whose: check.first.as_ref().map_or_else(String::new, whose),
        }
    })
}

#[derive(Serialize)]
pub(super) struct MetricRow {
    name: String,
    values: String,
}

/// Every metric, as the end of a run shows it.
pub(super) fn metrics(summary: &Summary) -> Rows<MetricRow> {
    Rows::of(summary.metrics.iter(), |(key, values)| MetricRow {
        name: line(key),
        values: cells(values).join("  "),
    })
}
