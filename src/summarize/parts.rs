//! Steps, stages, loads, errors, the series: one part of the summary each.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::metrics::trend;
use super::{Circumstances, View};
use crate::metrics::{Cell, FirstError, Share, Trends, Used};
use crate::plan::{Executor, LoadId, SpanId, Step, StepId};
use crate::report::summary as out;
use crate::report::summary::Ms;
use crate::verdict::Judgement;
use crate::words::Phase;

/// The most of a message of the target that is kept as an example.
const LONGEST_MESSAGE: usize = 1_000;

/// At most so many things left behind are named.
const MOST_LEFTOVERS: usize = 100;

/// Of something that there is only so much of, this share in use is worth a word.
const NEARLY_ALL: f64 = 0.9;

/// The steps of the loads, with all that was counted of them in the load and its grace.
pub(super) fn step_totals<'a>(view: &'a View<'_>) -> impl Iterator<Item = (StepId, Cell)> + 'a {
    view.plan.loads.iter().flat_map(|load| &load.steps).map(|id| (*id, total(view, *id, &load_spans(view))))
}

fn load_spans(view: &View<'_>) -> Vec<SpanId> {
    view.plan.spans_of(Phase::Load).chain(view.plan.spans_of(Phase::Grace)).collect()
}

/// What was counted of a step in some spans.
fn total(view: &View<'_>, step: StepId, spans: &[SpanId]) -> Cell {
    let mut total = Cell::default();
    for cell in spans.iter().filter_map(|span| view.results.cell(*span, step)) {
        total.merge(cell);
    }
    total
}

fn load_of(view: &View<'_>, step: &Step) -> Option<String> {
    step.load.and_then(|load| view.load_name(load))
}

fn example(view: &View<'_>, first: &FirstError) -> out::Example {
    let message: String = view.mask(&first.message).chars().take(LONGEST_MESSAGE).collect();
    let known = first.at != Duration::MAX;
    out::Example {
        message,
        vu: (known && first.vu > 0).then(|| u64::from(first.vu)),
        at: known.then(|| first.at.into()),
    }
}

pub(super) fn checks(view: &View<'_>) -> Vec<out::Check> {
    let mut checks = Vec::new();
    for (id, cell) in step_totals(view) {
        let step = view.plan.step(id);
        for (index, check) in step.checks.iter().enumerate() {
            let count = cell.checks.get(index).cloned().unwrap_or_default();
            let tried = count.passes + count.fails;
            checks.push(out::Check {
                load: load_of(view, step),
                step: view.mask(&step.name),
                name: view.mask(&check.name),
                passes: count.passes,
                fails: count.fails,
                rate: (tried > 0).then(|| count.passes as f64 / tried as f64),
                file: Some(check.place.file.clone()),
                line: Some(check.place.line),
                first: count.first.as_ref().map(|first| example(view, first)),
            });
        }
    }
    checks
}

pub(super) fn steps(view: &View<'_>) -> Vec<out::Step> {
    let stages: Vec<SpanId> = view.plan.spans_of(Phase::Load).collect();
    (step_totals(view))
        .map(|(id, cell)| {
            let step = view.plan.step(id);
            let (check_passes, check_fails) = cell.check_totals();
            let rate = step.load.and_then(|load| {
                let own = &view.plan.load(load).stages;
                let time = view.results.rated_time(view.plan, own);
                (!time.is_zero()).then(|| total(view, id, &stages).requests as f64 / time.as_secs_f64())
            });
            out::Step {
                load: load_of(view, step),
                name: view.mask(&step.name),
                method: step.request.method.to_string(),
                path: view.mask(&step.request.shown),
                file: Some(step.place.file.clone()),
                line: Some(step.place.line),
                requests: cell.requests,
                rate,
                failed: cell.failed,
                errors: cell.errors,
                skipped: cell.skipped,
                check_passes,
                check_fails,
                sent: cell.sent,
                received: cell.received,
                trends: trends(&cell),
            }
        })
        .collect()
}

fn trends(cell: &Cell) -> BTreeMap<String, out::Trend> {
    let kept = Trends::METRICS.into_iter().filter_map(|metric| Some((metric, cell.trends.of(metric)?)));
    kept.filter(|(metric, found)| found.count() > 0 || *metric == crate::words::Metric::HttpReqDuration)
        .map(|(metric, found)| (metric.name().to_owned(), trend(found)))
        .collect()
}

pub(super) fn stages(view: &View<'_>) -> Vec<out::Stage> {
    let mut stages: Vec<out::Stage> = (view.plan.spans_of(Phase::Load))
        .filter_map(|id| {
            let span = view.plan.span(id);
            let load = span.load?;
            let mut cell = Cell::default();
            for step in &view.plan.load(load).steps {
                if let Some(own) = view.results.cell(id, *step) {
                    cell.merge_across_steps(own);
                }
            }
            let elapsed = view.results.rated_time(view.plan, &[id]);
            let has_stages = matches!(
                view.plan.load(load).executor,
                Executor::RampingVus { .. } | Executor::RampingArrivalRate { .. }
            );
            Some(out::Stage {
                load: view.load_name(load),
                name: has_stages.then(|| view.mask(&span.name)),
                start: span.start.into(),
                duration: span.duration.into(),
                elapsed: elapsed.into(),
                target: span.target.unwrap_or_default(),
                vus_max: vus_max(view, load, span.start, span.start + span.duration),
                requests: cell.requests,
                rate: (!elapsed.is_zero()).then(|| cell.requests as f64 / elapsed.as_secs_f64()),
                failed: cell.failed,
                errors: cell.errors,
                http_req_duration: trend(&cell.trends.duration),
            })
        })
        .collect();
    stages.sort_by(|a, b| a.start.0.total_cmp(&b.start.0));
    stages
}

/// The most virtual users of a load seen between two moments.
fn vus_max(view: &View<'_>, load: LoadId, from: Duration, to: Duration) -> u64 {
    let resolution = view.results.seconds.resolution();
    let points = (0_u32..).map(|index| resolution * index).zip(view.results.seconds.points());
    let within = points.filter(|(at, _)| from <= *at && *at < to);
    within.filter_map(|(_, point)| point.vus.get(usize::from(load.0)).copied()).max().map_or(0, u64::from)
}

pub(super) fn loads(view: &View<'_>) -> Vec<out::Load> {
    (0_u16..)
        .zip(&view.plan.loads)
        .map(|(id, load)| {
            let spans: Vec<SpanId> = load.stages.iter().copied().chain([load.grace]).collect();
            let iterations = view.results.iterations_of(&spans);
            out::Load {
                name: view.load_name(LoadId(id)),
                executor: load.executor.name().to_owned(),
                plan: load.executor.to_string(),
                start: load.start_after.into(),
                duration: view.results.rated_time(view.plan, &load.stages).into(),
                vus_max: vus_max(view, LoadId(id), Duration::ZERO, Duration::MAX),
                iterations: iterations.completed,
                cut: iterations.cut,
                dropped: iterations.dropped,
            }
        })
        .collect()
}

pub(super) fn errors(view: &View<'_>) -> Vec<out::ErrorGroup> {
    let mut errors = Vec::new();
    for (id, cell) in step_totals(view) {
        let step = view.plan.step(id);
        for error in &cell.error_kinds {
            errors.push(out::ErrorGroup {
                kind: error.kind,
                load: load_of(view, step),
                step: Some(view.mask(&step.name)),
                status: error.status,
                count: error.count,
                first: Some(example(view, &error.first)),
            });
        }
    }
    errors.sort_by_key(|error| Reverse(error.count));
    errors
}

pub(super) fn series(view: &View<'_>) -> out::Series {
    let seconds = &view.results.seconds;
    let points = (0_u32..)
        .zip(seconds.points())
        .map(|(index, point)| {
            let total = point.total();
            let quantile = |q: f64| total.durations.quantile(q).map(Ms::from);
            out::Point {
                time: (seconds.resolution() * index).into(),
                vus: point.vus.iter().map(|vus| u64::from(*vus)).sum(),
                requests: total.requests,
                failed: total.failed,
                errors: total.errors,
                error_kinds: point.error_kinds.clone(),
                iterations: point.iterations.iter().sum(),
                sent: total.sent,
                received: total.received,
                p50: quantile(0.5),
                p90: quantile(0.9),
                p95: quantile(0.95),
                p99: quantile(0.99),
                max: quantile(1.0),
                generator_cpu: point.vitals.cpu.map(Share::get),
            }
        })
        .collect();
    out::Series { resolution: u32::try_from(seconds.resolution().as_secs()).unwrap_or(u32::MAX), points }
}

pub(super) fn cleanup(view: &View<'_>) -> out::Cleanup {
    let cleanup = &view.results.cleanup;
    out::Cleanup {
        created: cleanup.created,
        undone: cleanup.undone,
        left: cleanup.left_count,
        unanswered: cleanup.unanswered,
        left_behind: (cleanup.left.iter().take(MOST_LEFTOVERS))
            .map(|left| out::Leftover {
                step: view.mask(&left.step),
                name: view.mask(&left.request),
                reason: Some(view.mask(&left.reason)),
            })
            .collect(),
        database: view.results.database_cleanup.as_ref().map(|found| out::DatabaseCleanup {
            before: found.before,
            deleted: found.deleted,
            after: found.after,
            trouble: found.trouble.as_deref().map(|trouble| view.mask(trouble)),
        }),
    }
}

pub(super) fn generator(
    view: &View<'_>,
    judgement: &Judgement,
    circumstances: &Circumstances,
) -> out::Generator {
    let generator = &view.results.generator;
    let limited = |used: Used| out::Limited { most: used.count, limit: used.limit };
    out::Generator {
        threads: generator.workers,
        cores: generator.cores(),
        cpu: generator.cpu_share(),
        cpu_max: generator.worst.cpu.map(Share::get),
        throttled: generator.throttled_share(view.results.elapsed),
        lag: trend(&generator.lag),
        delay: trend(&generator.delay),
        memory: circumstances.memory,
        sockets: generator.worst.sockets,
        descriptors: generator.worst.descriptors.map(limited),
        ports: generator.worst.ports.map(limited),
        short: short(view),
        sound: judgement.sound,
    }
}

/// What was short, or nearly so.
fn short(view: &View<'_>) -> Vec<String> {
    let worst = &view.results.generator.worst;
    let nearly = |used: Option<Used>| used.filter(|used| used.share() >= NEARLY_ALL);
    let mut short = Vec::new();
    if let Some(Used { count, limit }) = nearly(worst.descriptors) {
        short.push(format!("{count} of {limit} file descriptors were open (`ulimit -Hn`)"));
    }
    if let Some(Used { count, limit }) = nearly(worst.ports) {
        short.push(format!(
            "up to {count} of {limit} local ports were in use (`net.ipv4.ip_local_port_range`)"
        ));
    }
    short.extend(crate::verdict::saturated(view.results));
    short
}
