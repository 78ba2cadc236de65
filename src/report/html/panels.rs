//! Which charts a run has: load, latency and errors, and what observers saw, on one time axis.

use std::collections::BTreeMap;

use super::chart::{Chart, Line, Moment, Shape};
use super::svg::{QUANTILES, SERIES};
use super::timeline::Timeline;
use crate::report::show;
use crate::report::summary::{Ms, ObservedSeries, Observer, Point, Summary};
use crate::words::{ErrorKind, Metric, Outcome, Unit};

/// At most so many series of one metric are drawn, the highest.
const MOST_LINES: usize = SERIES.len();

/// The axis: from the first to the last that was seen of load or observers.
pub(super) fn timeline(summary: &Summary) -> Timeline {
    let resolution = f64::from(summary.series.resolution.max(1));
    let stages: Vec<(f64, f64, String)> = summary
        .stages
        .iter()
        .map(|stage| {
            let (start, length) = (stage.start.seconds(), stage.elapsed.seconds());
            let name = stage.name.as_deref().or(stage.load.as_deref()).unwrap_or_default();
            (start, start + length, show::one_line(name, 40))
        })
        .filter(|(start, end, _)| end > start)
        .collect();
    let seen = summary.observers.iter().flat_map(|it| &it.series).flat_map(|it| &it.points);
    let seen = || seen.clone().map(|(at, _)| at.seconds());
    let last = summary.series.points.last().map_or(0.0, |it| it.time.seconds() + resolution);
    let end = summary.run.load_duration.seconds().max(last);
    let facts = (1..).zip(&summary.facts).filter_map(|(n, fact)| Some((fact.at?.seconds(), n))).collect();
    Timeline {
        span: [seen().fold(0.0, f64::min), seen().fold(end.max(1.0), f64::max)],
        end,
        resolution,
        stages,
        facts,
    }
}

/// The charts of what palier itself measured; none where no load was made.
pub(super) fn of_load(summary: &Summary) -> Vec<Chart> {
    let points = &summary.series.points;
    if points.is_empty() {
        return Vec::new();
    }
    vec![load(summary), latency(summary), errors(summary)]
}

fn over_time(points: &[Point], value: impl Fn(&Point) -> Option<f64>) -> Vec<Moment> {
    points.iter().map(|point| (point.time.seconds(), value(point))).collect()
}

fn load(summary: &Summary) -> Chart {
    let points = &summary.series.points;
    let seconds = f64::from(summary.series.resolution.max(1));
    let line = |name: &str, ink: usize, shape, on_right, points| Line {
        name: name.to_owned(),
        ink: SERIES[ink],
        shape,
        on_right,
        points,
    };
    let rate = over_time(points, |it| Some(it.requests as f64 / seconds));
    let vus = over_time(points, |it| Some(it.vus as f64));
    Chart {
        title: "Load".into(),
        note: None,
        lines: vec![
            line("requests a second (left)", 0, Shape::Area, false, rate),
            line("virtual users (right)", 1, Shape::Steps, true, vus),
        ],
        left: Unit::Count,
        right: Some(Unit::Count),
        is_log: false,
        bounds: Vec::new(),
    }
}

type Quantile = (&'static str, fn(&Point) -> Option<Ms>);

fn latency(summary: &Summary) -> Chart {
    let points = &summary.series.points;
    let quantiles: [Quantile; 5] = [
        ("p50", |it| it.p50),
        ("p90", |it| it.p90),
        ("p95", |it| it.p95),
        ("p99", |it| it.p99),
        ("max", |it| it.max),
    ];
    // The greatest first, so that it lies beneath the others.
    let order = [4, 0, 1, 2, 3];
    let lines: Vec<Line> = order
        .into_iter()
        .map(|n| Line {
            name: quantiles[n].0.to_owned(),
            ink: QUANTILES[n],
            shape: Shape::Curve(if n == 2 { 2.2 } else { 1.2 }),
            on_right: false,
            points: over_time(points, |it| quantiles[n].1(it).map(|it| it.0)),
        })
        .collect();
    let greatest = points.iter().filter_map(|it| it.max).fold(0.0, |max: f64, it| max.max(it.0));
    let mut medians: Vec<f64> = points.iter().filter_map(|it| it.p50).map(|it| it.0).collect();
    medians.sort_by(f64::total_cmp);
    // Where a few are very slow, a linear scale would show nothing but them.
    let is_log = medians.get(medians.len() / 2).is_some_and(|median| greatest > 20.0 * median);
    Chart {
        title: "Latency".into(),
        note: is_log.then(|| "logarithmic scale".to_owned()),
        lines,
        left: Unit::Milliseconds,
        right: None,
        is_log,
        bounds: latency_bounds(summary),
    }
}

/// The bounds of what was asked of the latency of all requests, those that do not hold first; at most two, because
/// more would hide what they bound.
fn latency_bounds(summary: &Summary) -> Vec<(f64, String)> {
    let mut asked: Vec<_> = summary
        .thresholds
        .iter()
        .filter(|it| it.metric == Metric::HttpReqDuration.name() && it.selector.is_empty())
        .filter(|it| it.aggregation.starts_with("p(") || it.aggregation == "max")
        .filter(|it| it.outcome != Outcome::Skipped)
        .collect();
    asked.sort_by_key(|it| show::rank(it.outcome));
    let bounds = asked.iter().take(2).filter_map(|it| {
        let bound = it.bound?;
        Some((bound, format!("{} {} {}", it.aggregation, it.operator, show::value(bound, it.unit))))
    });
    bounds.collect()
}

fn errors(summary: &Summary) -> Chart {
    let points = &summary.series.points;
    let seconds = f64::from(summary.series.resolution.max(1));
    let mut kinds: BTreeMap<ErrorKind, u64> = BTreeMap::new();
    for (kind, count) in points.iter().flat_map(|it| &it.error_kinds) {
        *kinds.entry(*kind).or_default() += count;
    }
    let mut kinds: Vec<(ErrorKind, u64)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
    // Red for the most frequent one; then colours that are told apart.
    let inks = [super::svg::BAD, SERIES[1], SERIES[3], SERIES[5], SERIES[4], SERIES[2], SERIES[6], SERIES[7]];
    let mut lines: Vec<Line> = kinds
        .iter()
        .zip(inks.iter().cycle())
        .map(|((kind, _), ink)| Line {
            name: kind.to_string(),
            ink: *ink,
            shape: Shape::Stack,
            on_right: false,
            points: over_time(points, |it| {
                it.error_kinds.get(kind).map(|count| *count as f64 / seconds).or(Some(0.0))
            }),
        })
        .collect();
    let total: u64 = points.iter().map(|it| it.errors).sum();
    // A summary of before errors had kinds over time.
    if lines.is_empty() && total > 0 {
        lines.push(Line {
            name: "errors".into(),
            ink: inks[0],
            shape: Shape::Stack,
            on_right: false,
            points: over_time(points, |it| Some(it.errors as f64 / seconds)),
        });
    }
    Chart {
        title: "Errors a second, by kind".into(),
        note: (total == 0).then(|| "none".to_owned()),
        lines,
        left: Unit::Count,
        right: None,
        is_log: false,
        bounds: Vec::new(),
    }
}

/// What palier itself took of the machine, beside which its figures are to be read.
pub(super) fn of_generator(summary: &Summary) -> Option<Chart> {
    let points = over_time(&summary.series.points, |it| it.generator_cpu);
    let line = Line {
        name: "CPU of palier".into(),
        ink: SERIES[6],
        shape: Shape::Curve(1.6),
        on_right: false,
        points,
    };
    let chart = Chart {
        title: "The generator's share of its CPU".into(),
        note: None,
        lines: vec![line],
        left: Unit::Fraction,
        right: None,
        is_log: false,
        bounds: Vec::new(),
    };
    (!chart.is_empty()).then_some(chart)
}

/// Metrics that are drawn together, with a title. Those of observers that stand here nowhere get a chart each.
const GROUPS: [(&str, &[&str]); 8] = [
    ("Replicas", &["hpa_replicas", "hpa_desired_replicas", "pods_ready"]),
    ("CPU that the autoscaler sees", &["hpa_cpu"]),
    ("CPU of the pods", &["pod_cpu"]),
    ("Database connections", &["mysql_threads_connected"]),
    ("Database: queries (a second)", &["mysql_queries"]),
    ("Database: time spent waiting for locked rows (in a second, by all)", &["mysql_row_lock_time"]),
    (
        "Database: refused, locked, slow (events a second)",
        &[
            "mysql_connections_refused",
            "mysql_aborted_connects",
            "mysql_deadlocks",
            "mysql_lock_wait_timeouts",
            "mysql_slow_queries",
        ],
    ),
    ("Memory of the pods", &["pod_memory"]),
];

/// The charts of what observers saw, those that explain latency first.
pub(super) fn of_observers(observers: &[Observer]) -> Vec<Chart> {
    let all: Vec<&ObservedSeries> =
        observers.iter().flat_map(|it| &it.series).filter(|it| has_news(it)).collect();
    let mut charts: Vec<Chart> = GROUPS
        .iter()
        .filter_map(|(title, metrics)| {
            let own: Vec<&ObservedSeries> = metrics
                .iter()
                .flat_map(|name| all.iter().copied().filter(move |it| it.metric == *name))
                .collect();
            chart(title, &own)
        })
        .collect();
    let grouped = |name: &str| GROUPS.iter().any(|(_, metrics)| metrics.contains(&name));
    let mut rest: BTreeMap<&str, Vec<&ObservedSeries>> = BTreeMap::new();
    for series in all.into_iter().filter(|it| !grouped(&it.metric)) {
        rest.entry(&series.metric).or_default().push(series);
    }
    charts.extend(rest.iter().filter_map(|(metric, own)| {
        let title = show::one_line(metric, 80);
        let is_counter = own.iter().all(|it| it.counter);
        chart(&if is_counter { format!("{title} (a second)") } else { title }, own)
    }));
    charts
}

/// A counter that never moved says nothing in a chart, and its total stands in the table of metrics.
fn has_news(series: &ObservedSeries) -> bool {
    let first = series.points.first().map(|(_, value)| *value);
    !series.points.is_empty()
        && (!series.counter || series.points.iter().any(|(_, value)| Some(*value) != first))
}

fn chart(title: &str, series: &[&ObservedSeries]) -> Option<Chart> {
    let unit = series.first()?.unit;
    let mut drawn: Vec<(&ObservedSeries, Vec<Moment>)> =
        series.iter().filter(|it| it.unit == unit).map(|it| (*it, values(it))).collect();
    let n = drawn.len();
    if n > MOST_LINES {
        let highest = |points: &[Moment]| points.iter().filter_map(|it| it.1).fold(0.0, f64::max);
        drawn.sort_by(|a, b| highest(&b.1).total_cmp(&highest(&a.1)));
        drawn.truncate(MOST_LINES);
    }
    let one_metric = series.iter().all(|it| it.metric == series[0].metric);
    let lines = drawn
        .into_iter()
        .zip(SERIES)
        .map(|((series, points), ink)| Line {
            name: name(series, one_metric),
            ink,
            shape: match series.metric.as_str() {
                "hpa_desired_replicas" => Shape::DashedSteps,
                _ if unit == Unit::Count && !series.counter => Shape::Steps,
                _ => Shape::Curve(1.6),
            },
            on_right: false,
            points,
        })
        .collect();
    Some(Chart {
        title: title.to_owned(),
        note: (n > MOST_LINES).then(|| format!("the {MOST_LINES} highest of {n}")),
        lines,
        left: unit,
        right: None,
        is_log: false,
        bounds: Vec::new(),
    })
}

/// Values as they were; of a counter, what was added a second.
fn values(series: &ObservedSeries) -> Vec<Moment> {
    if !series.counter {
        return series.points.iter().map(|(at, value)| (at.seconds(), Some(*value))).collect();
    }
    let pairs = series.points.iter().zip(series.points.iter().skip(1));
    pairs
        .map(|((from, before), (to, after))| {
            let time = (to.seconds() - from.seconds()).max(1e-3);
            (to.seconds(), Some((after - before).max(0.0) / time))
        })
        .collect()
}

fn name(series: &ObservedSeries, one_metric: bool) -> String {
    let labels: Vec<String> = series.labels.values().map(|value| show::one_line(value, 40)).collect();
    match (labels.is_empty(), one_metric) {
        (true, _) => show::one_line(&series.metric, 60),
        (false, true) => labels.join(" "),
        (false, false) => format!("{} {}", show::one_line(&series.metric, 60), labels.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_axis_holds_all_that_was_seen() {
        let summary = sample::standard_fail();
        let timeline = timeline(&summary);
        let last = |it: &ObservedSeries| it.points.last().map_or(0.0, |(at, _)| at.seconds());
        let observed = summary.observers.iter().flat_map(|it| &it.series).map(last).fold(0.0, f64::max);
        assert!(timeline.span[1] >= observed && timeline.span[1] >= 210.0, "{timeline:?}");
        assert_eq!(timeline.stages.len(), 5);
    }

    #[test]
    fn charts_follow_what_was_observed() {
        let titles = |summary: &Summary| -> Vec<String> {
            of_load(summary).into_iter().chain(of_observers(&summary.observers)).map(|it| it.title).collect()
        };
        assert_eq!(titles(&sample::pass()), ["Load", "Latency", "Errors a second, by kind"]);
        assert_eq!(titles(&sample::invalid()), Vec::<String>::new());
        let standard = titles(&sample::standard_fail());
        assert!(
            standard.contains(&"Replicas".to_owned())
                && standard.contains(&"Database connections".to_owned())
        );
    }

    #[test]
    fn a_counter_is_drawn_as_what_it_gained() {
        let series = ObservedSeries {
            metric: "mysql_deadlocks".into(),
            labels: BTreeMap::new(),
            unit: Unit::Count,
            counter: true,
            points: vec![(Ms(0.0), 3.0), (Ms(2_000.0), 7.0), (Ms(3_000.0), 7.0)],
        };
        assert_eq!(values(&series), [(2.0, Some(2.0)), (3.0, Some(0.0))]);
    }
}
