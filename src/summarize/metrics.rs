//! Metrics by name, and whole distributions.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use super::View;
use crate::compare::recording::step_name;
use crate::metrics::{Measured, Trend, Trends, over_run};
use crate::plan::{Cause, Selection, StepId, Threshold};
use crate::report::summary as out;
use crate::report::summary::MetricValues;
use crate::words::{Metric, Phase};

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
    for metric in Metric::ALL.iter().filter(|metric| is_observed(view, **metric)) {
        let values = values(view, *metric, &load);
        if !is_absent(*metric, &values) {
            all.insert(metric.name().to_owned(), values);
        }
    }
    for (cause, name) in [Cause::End, Cause::Interrupt, Cause::Abort].into_iter().zip(Cause::NAMES) {
        let cut = values(view, Metric::HttpReqCut, &Selection { cause: Some(cause), ..load.clone() });
        if !is_absent(Metric::HttpReqCut, &cut) {
            all.insert(format!("{}{{cause:{name}}}", Metric::HttpReqCut), cut);
        }
    }
    let selected = plan.thresholds.iter().filter(|threshold| !threshold.selector.is_empty());
    for threshold in selected.filter(|threshold| is_observed(view, threshold.metric)) {
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

/// Whether a metric is palier's own, or was seen by an observer at all.
fn is_observed(view: &View<'_>, metric: Metric) -> bool {
    let Some(kind) = metric.observer() else { return true };
    let watches = view.plan.observers.iter().zip(&view.results.observed.watches);
    watches
        .filter(|(observer, _)| observer.kind() == kind)
        .any(|(_, watch)| !watch.is_blind() && watch.missing.iter().all(|(missing, _)| *missing != metric))
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
    match over_run(view.plan, view.results, metric, selection) {
        Measured::Counter { count, rated, time } => MetricValues::Counter {
            unit: metric.unit(),
            count,
            rate: (!time.is_zero()).then(|| rated / time.as_secs_f64()),
        },
        Measured::Rate { yes, total } => MetricValues::Rate {
            passes: yes,
            fails: total - yes,
            rate: (total > 0).then(|| yes as f64 / total as f64),
        },
        Measured::Gauge(values) => MetricValues::Gauge {
            unit: metric.unit(),
            value: values.last().copied(),
            min: values.iter().copied().reduce(f64::min),
            max: values.iter().copied().reduce(f64::max),
        },
        Measured::Trend { trend: found, .. } => MetricValues::Trend(trend(&found)),
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
        let name = step_name(view.plan, id);
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
