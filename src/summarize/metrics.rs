//! Metrics by name, and whole distributions.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use super::View;
use crate::metrics::{Cell, Iterations, Trend, Trends};
use crate::plan::{Selection, SpanId, StepId, Threshold};
use crate::report::summary as out;
use crate::report::summary::MetricValues;
use crate::words::{Metric, MetricKind, Phase};

/// Every metric of the run, those that thresholds narrow, and those of the phases apart from the load.
pub(super) fn all(view: &View<'_>) -> BTreeMap<String, MetricValues> {
    let plan = view.plan;
    let mut all = BTreeMap::new();
    if !view.started() {
        return all;
    }
    let load = Selection {
        spans: plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)).collect(),
        steps: plan.loads.iter().flat_map(|load| load.steps.iter().copied()).collect(),
        ..Selection::default()
    };
    for metric in Metric::ALL {
        let values = values(view, *metric, &load);
        if !is_absent(*metric, &values) {
            all.insert(metric.name().to_owned(), values);
        }
    }
    for threshold in plan.thresholds.iter().filter(|threshold| !threshold.selector.is_empty()) {
        all.insert(view.mask(&key(threshold)), values(view, threshold.metric, &threshold.selection));
    }
    for phase in [Phase::Setup, Phase::Teardown, Phase::Cleanup] {
        let apart = Selection {
            spans: plan.spans_of(phase).collect(),
            steps: (0_u16..).zip(&plan.steps).map(|(id, _)| StepId(id)).collect(),
            ..Selection::default()
        };
        if view.results.select(&apart).requests > 0 {
            for metric in [Metric::HttpReqs, Metric::HttpReqFailed, Metric::HttpReqDuration] {
                all.insert(format!("{metric}{{phase:{phase}}}"), values(view, metric, &apart));
            }
        }
    }
    all
}

/// Metrics of the open model, and of what did not happen, are left out where they would say nothing.
fn is_absent(metric: Metric, values: &MetricValues) -> bool {
    let optional = matches!(
        metric,
        Metric::HttpReqCorrected | Metric::IterationLag | Metric::HttpReqCut | Metric::DroppedIterations
    );
    let nothing = match values {
        MetricValues::Counter { count, .. } => *count == 0.0,
        MetricValues::Trend(trend) => trend.count == 0,
        MetricValues::Gauge { .. } | MetricValues::Rate { .. } => false,
    };
    optional && nothing
}

/// The key under which a narrowed metric stands: `http_req_duration{step:health}`.
fn key(threshold: &Threshold) -> String {
    let mut parts: Vec<String> =
        threshold.selector.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    parts.sort_unstable();
    format!("{}{{{}}}", threshold.metric, parts.join(","))
}

fn values(view: &View<'_>, metric: Metric, selection: &Selection) -> MetricValues {
    let View { plan, results } = view;
    let rated: Vec<SpanId> =
        (selection.spans.iter().copied()).filter(|span| plan.span(*span).phase == Phase::Load).collect();
    let time = results.rated_time(plan, &rated);
    let in_stages = Selection { spans: rated.clone(), ..selection.clone() };
    match metric.kind() {
        MetricKind::Counter => {
            let of =
                |cell: &Cell, iterations: &Iterations| counter(view, metric, selection, cell, iterations);
            let count = of(&results.select(selection), &results.iterations_of(&selection.spans));
            let in_time = of(&results.select(&in_stages), &results.iterations_of(&rated));
            MetricValues::Counter {
                unit: metric.unit(),
                count: count as f64,
                rate: (!time.is_zero()).then(|| in_time as f64 / time.as_secs_f64()),
            }
        }
        MetricKind::Rate => {
            let cell = results.select(selection);
            let (yes, total) = match metric {
                Metric::HttpReqFailed => (cell.failed, cell.requests),
                Metric::Errors => (cell.errors, cell.requests),
                // The only other rate is `checks`.
                _ => {
                    let (passes, fails) = results.checks(selection);
                    (passes, passes + fails)
                }
            };
            MetricValues::Rate {
                passes: yes,
                fails: total - yes,
                rate: (total > 0).then(|| yes as f64 / total as f64),
            }
        }
        MetricKind::Gauge => gauge(view, metric),
        MetricKind::Trend => {
            let found = match metric {
                Metric::IterationDuration => results.iterations_of(&selection.spans).durations,
                Metric::IterationLag => results.iterations_of(&selection.spans).lag,
                Metric::GeneratorLag => results.generator.lag.clone(),
                other => results.select(selection).trends.of(other).cloned().unwrap_or_default(),
            };
            MetricValues::Trend(trend(&found))
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "called for counters only")]
fn counter(
    view: &View<'_>,
    metric: Metric,
    selection: &Selection,
    cell: &Cell,
    iterations: &Iterations,
) -> u64 {
    match metric {
        Metric::HttpReqs => cell.requests,
        Metric::HttpReqCut => view.results.cut(cell, selection.cause),
        Metric::DataSent => cell.sent,
        Metric::DataReceived => cell.received,
        Metric::Iterations => iterations.completed,
        Metric::DroppedIterations => iterations.dropped,
        _ => 0,
    }
}

fn gauge(view: &View<'_>, metric: Metric) -> MetricValues {
    let results = view.results;
    let values: Vec<f64> = if metric == Metric::GeneratorCpu {
        results.generator.cpu_share().into_iter().collect()
    } else {
        // As far as the load went: in the grace nobody is wanted any more.
        let resolution = results.seconds.resolution();
        let within = |index: &u32| resolution * *index < results.elapsed;
        let points = (0_u32..).take_while(within).zip(results.seconds.points());
        let of = |point: &crate::metrics::Point| match metric {
            Metric::VusMax => point.vus_max.iter().sum::<u32>(),
            _ => point.vus.iter().sum::<u32>(),
        };
        points.map(|(_, point)| f64::from(of(point))).collect()
    };
    MetricValues::Gauge {
        unit: metric.unit(),
        value: values.last().copied(),
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
    }
}

/// A distribution's figures.
pub(super) fn trend(trend: &Trend) -> out::Trend {
    let ms = |time: Option<Duration>| time.map(out::Ms::from);
    out::Trend {
        avg: ms(trend.avg()),
        min: ms(trend.min()),
        med: ms(trend.quantile(0.5)),
        max: ms(trend.max()),
        p90: ms(trend.quantile(0.9)),
        p95: ms(trend.quantile(0.95)),
        p99: ms(trend.quantile(0.99)),
        count: trend.count(),
    }
}

/// The distributions of each step, the load and its grace together, that hold anything but zeros.
pub(super) fn histograms(view: &View<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (id, cell) in super::parts::step_totals(view) {
        let step = view.plan.step(id);
        let name = match step.load.and_then(|load| view.load_name(load)) {
            Some(load) => format!("{load}: {}", view.mask(&step.name)),
            None => view.mask(&step.name),
        };
        for metric in Trends::METRICS {
            let Some(trend) = cell.trends.of(metric) else { continue };
            if trend.max().is_some_and(|max| !max.is_zero())
                && let Some(encoded) = encode(trend)
            {
                all.entry(metric.name().to_owned()).or_default().insert(name.clone(), encoded);
            }
        }
    }
    all
}

/// `HdrHistogram` V2, base64.
fn encode(trend: &Trend) -> Option<String> {
    let mut bytes = Vec::new();
    // It fails only for histograms larger than any of ours.
    V2Serializer::new().serialize(&trend.histogram().to_hdr(), &mut bytes).ok()?;
    Some(base64::engine::general_purpose::STANDARD.encode(bytes))
}
