//! The rows of the page's tables and lists.

use std::cmp::Reverse;

use serde::Serialize;

use super::strips;
use super::svg::{BAD, GOOD, Ink, SERIES, TEXT, WARN};
use super::view::{Ink2, MAX_TEXT};
use crate::report::console::{plural, spaced};
use crate::report::show::{self, compact};
use crate::report::summary::{self, Example, MetricValues, Ms, ObserverState, Summary, Trend};
use crate::words::{Level, Metric, Outcome, Unit, Verdict};

/// Rows of one table; more would make the page slow, and nobody reads them.
const MOST_ROWS: usize = 300;

fn line(text: &str) -> String {
    show::one_line(text, MAX_TEXT)
}

#[derive(Serialize)]
pub(super) struct Reason {
    tone: Ink2,
    word: String,
    text: String,
    place: String,
}

/// The reasons of the verdict, the worst first.
pub(super) fn reasons(summary: &Summary) -> Vec<Reason> {
    // That no load was made is said once, not once more for everything that was asked.
    let reasons = summary.reasons.iter().filter(|it| summary.is_started() || it.threshold.is_none());
    let reasons = reasons.take(MOST_ROWS);
    let reasons = reasons.map(|reason| {
        let threshold = summary.thresholds.iter().find(|it| reason.threshold.as_ref() == Some(&it.id));
        Reason {
            tone: ink_of(reason.verdict).into(),
            word: reason.section.map_or_else(|| "run".to_owned(), |it| it.to_string()),
            text: sentence(&line(&reason.text)),
            place: threshold.map_or_else(String::new, place),
        }
    });
    reasons.collect()
}

/// Metrics' names keep their small letters.
fn sentence(text: &str) -> String {
    let ends = text.ends_with(['.', '!', '?']);
    if ends { text.to_owned() } else { format!("{text}.") }
}

fn ink_of(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Warn => WARN,
        Verdict::Invalid => SERIES[3],
        Verdict::Fail => BAD,
    }
}

fn place(threshold: &summary::Threshold) -> String {
    match (&threshold.file, threshold.line) {
        (Some(file), Some(at)) => format!("{}:{at}", show::one_line(file, 100)),
        (Some(file), None) => show::one_line(file, 100),
        (None, _) => "by default".to_owned(),
    }
}

#[derive(Serialize)]
pub(super) struct Hint {
    section: String,
    text: String,
    evidence: Vec<String>,
    mend: Option<String>,
}

pub(super) fn hints(summary: &Summary) -> Vec<Hint> {
    let hints = summary.diagnosis.iter().map(|hint| Hint {
        section: hint.section.to_string(),
        text: sentence(&line(&hint.text)),
        evidence: hint.evidence.iter().map(|it| line(it)).collect(),
        mend: hint.mend.as_deref().map(line),
    });
    hints.collect()
}

#[derive(Serialize)]
pub(super) struct Threshold {
    tone: Ink2,
    mark: &'static str,
    word: &'static str,
    section: String,
    asked: String,
    observed: String,
    bound: String,
    distance: String,
    strip: Option<String>,
    samples: String,
    place: String,
    reason: Option<String>,
}

/// What was asked, the worst outcome first, else in the order of the profile.
pub(super) fn thresholds(summary: &Summary) -> Vec<Threshold> {
    let mut sorted: Vec<&summary::Threshold> = summary.thresholds.iter().collect();
    // What this run was not asked stands last.
    sorted.sort_by_key(|it| (it.outcome == Outcome::Skipped, show::rank(it.outcome)));
    let rows = sorted.into_iter().map(|threshold| {
        let (mark, word, ink) = outcome(threshold);
        let judged = !matches!(threshold.outcome, Outcome::Invalid | Outcome::Skipped);
        // `612 ms, 22 % over` in two cells.
        let shown = show::observed(threshold);
        let (observed, distance) = shown.split_once(", ").unwrap_or((&shown, ""));
        let window =
            threshold.window.map(|it| format!(" in the worst {}", show::value(it.0, Unit::Milliseconds)));
        Threshold {
            tone: ink.into(),
            mark,
            word,
            section: threshold.section.to_string(),
            asked: spaced(threshold) + &window.unwrap_or_default(),
            observed: if threshold.observed.is_some() { observed.to_owned() } else { show::NONE.to_owned() },
            bound: show::value_or_none(threshold.bound, threshold.unit),
            distance: distance.to_owned(),
            strip: if judged { strips::margin(threshold) } else { None },
            samples: threshold.samples.map_or_else(String::new, |it| it.to_string()),
            place: place(threshold),
            reason: (!judged).then(|| line(&threshold.reason)),
        }
    });
    rows.take(MOST_ROWS).collect()
}

fn outcome(threshold: &summary::Threshold) -> (&'static str, &'static str, Ink) {
    match (threshold.outcome, threshold.level) {
        (Outcome::Pass, _) => ("✓", "holds", GOOD),
        (Outcome::Fail, _) => ("✗", "fails", BAD),
        (Outcome::Warn, _) => ("!", "warning", WARN),
        (Outcome::Invalid, Level::Fail) => ("?", "not judged", SERIES[3]),
        (Outcome::Invalid, Level::Warn) => ("?", "warning, not judged", SERIES[3]),
        (Outcome::Skipped, _) => ("–", "skipped", TEXT),
    }
}

#[derive(Serialize)]
pub(super) struct Fact {
    n: usize,
    at: String,
    topic: String,
    text: String,
    evidence: Vec<String>,
}

pub(super) fn facts(summary: &Summary) -> Vec<Fact> {
    let facts = (1..).zip(&summary.facts).take(MOST_ROWS).map(|(n, fact)| Fact {
        n,
        at: fact.at.map_or_else(String::new, show::offset),
        topic: line(&fact.topic),
        text: sentence(&line(&fact.text)),
        evidence: fact.evidence.iter().map(|it| line(it)).collect(),
    });
    facts.collect()
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

pub(super) fn stages(summary: &Summary) -> Vec<Stage> {
    let scale = strips::range_scale(summary.stages.iter().map(|it| &it.http_req_duration));
    let rows = summary.stages.iter().take(MOST_ROWS).map(|stage| {
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
            errors: show::share_or_none(share(stage.errors, stage.requests)),
            has_errors: stage.errors > 0,
            replicas: span_of(summary, "hpa_replicas", span).map_or_else(String::new, |(min, max)| {
                if min < max { format!("{min} to {max}") } else { show::value(max, Unit::Count) }
            }),
            cpu: span_of(summary, "hpa_cpu", span)
                .map_or_else(String::new, |(_, max)| show::value(max, Unit::Fraction)),
            strip: scale.as_ref().and_then(|scale| strips::range(times, scale)),
        }
    });
    rows.collect()
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
pub(super) fn steps(summary: &Summary) -> Vec<Step> {
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
    let rows = sorted.into_iter().take(MOST_ROWS).map(|step| {
        let times = times(step);
        let name = line(&step.name);
        let errors = share(step.errors, step.requests);
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
    });
    rows.collect()
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
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

pub(super) fn errors(summary: &Summary) -> Vec<ErrorRow> {
    let rows = summary.errors.iter().take(MOST_ROWS).map(|error| ErrorRow {
        kind: error.kind.to_string(),
        step: error.step.as_deref().map_or_else(String::new, line),
        status: error.status.map_or_else(String::new, |it| it.to_string()),
        count: error.count,
        message: error.first.as_ref().map_or_else(String::new, |it| line(&it.message)),
        whose: error.first.as_ref().map_or_else(String::new, whose),
    });
    rows.collect()
}

fn whose(example: &Example) -> String {
    let parts = [example.vu.map(|vu| format!("VU {vu}")), example.at.map(show::offset)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
pub(super) struct Check {
    tone: Ink2,
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
pub(super) fn checks(summary: &Summary) -> Vec<Check> {
    let mut sorted: Vec<&summary::Check> = summary.checks.iter().collect();
    sorted.sort_by_key(|it| Reverse(it.fails));
    let rows = sorted.into_iter().take(MOST_ROWS).map(|check| {
        let (mark, ink) = match check.fails {
            _ if check.rate.is_none() => ("–", TEXT),
            0 => ("✓", GOOD),
            _ => ("✗", BAD),
        };
        Check {
            tone: ink.into(),
            mark,
            step: line(&check.step),
            name: line(&check.name),
            held: show::share_or_none(check.rate),
            fails: check.fails,
            tries: check.passes + check.fails,
            message: check.first.as_ref().map_or_else(String::new, |it| line(&it.message)),
            whose: check.first.as_ref().map_or_else(String::new, whose),
        }
    });
    rows.collect()
}

#[derive(Serialize)]
pub(super) struct Pod {
    name: String,
    born: String,
    ready: String,
    gone: String,
    restarts: u64,
    last_reason: String,
    cpu: String,
    memory: String,
    requests: String,
}

pub(super) fn pods(summary: &Summary) -> Vec<Pod> {
    let at = |time: Option<Ms>, none: &str| match time {
        None => none.to_owned(),
        Some(time) if time.0 < 0.0 => "before the load".to_owned(),
        Some(time) => show::offset(time),
    };
    let rows = summary.pods.iter().take(MOST_ROWS).map(|pod| Pod {
        name: line(&pod.name),
        born: at(pod.born, show::NONE),
        ready: at(pod.ready, "never"),
        gone: at(pod.gone, show::NONE),
        restarts: pod.restarts,
        last_reason: pod.last_reason.as_deref().map_or_else(|| show::NONE.to_owned(), line),
        cpu: show::value_or_none(pod.cpu, Unit::Cores),
        memory: show::value_or_none(pod.memory, Unit::Bytes),
        requests: pod.requests.map_or_else(|| show::NONE.to_owned(), |it| it.to_string()),
    });
    rows.collect()
}

#[derive(Serialize)]
pub(super) struct Observer {
    name: String,
    source: String,
    state: String,
    is_blind: bool,
    notes: Vec<String>,
    evidence: Vec<Evidence>,
}

#[derive(Serialize)]
struct Evidence {
    at: String,
    source: String,
    line: String,
}

/// The observers that were asked for.
pub(super) fn observers(summary: &Summary) -> Vec<Observer> {
    let asked = summary.observers.iter().filter(|it| it.state != ObserverState::Inactive);
    let rows = asked.map(|observer| Observer {
        name: line(&observer.name),
        source: observer.source.as_deref().map_or_else(String::new, line),
        state: match (observer.state, observer.gaps) {
            (ObserverState::Blind, _) => "saw nothing".to_owned(),
            (_, Some(gaps)) if gaps > 0.0 => {
                format!("watched, but for {} of the load", show::value(gaps, Unit::Fraction))
            }
            _ => "watched all the time".to_owned(),
        },
        is_blind: observer.state == ObserverState::Blind,
        notes: observer.notes.iter().map(|it| sentence(&line(it))).collect(),
        evidence: (observer.evidence.iter().take(MOST_ROWS))
            .map(|it| Evidence {
                at: it.at.map_or_else(String::new, show::offset),
                source: line(&it.source),
                line: line(&it.line),
            })
            .collect(),
    });
    rows.collect()
}

#[derive(Serialize)]
pub(super) struct Leftover {
    step: String,
    name: String,
    reason: String,
}

pub(super) fn leftovers(summary: &Summary) -> Vec<Leftover> {
    let rows = summary.cleanup.left_behind.iter().map(|left| Leftover {
        step: line(&left.step),
        name: line(&left.name),
        reason: left.reason.as_deref().map_or_else(String::new, line),
    });
    rows.collect()
}

/// What the run created; `None` where it created nothing.
pub(super) fn cleanup(summary: &Summary) -> Option<String> {
    let cleanup = &summary.cleanup;
    if cleanup.created == 0 {
        return None;
    }
    let created = plural(usize::try_from(cleanup.created).unwrap_or(usize::MAX), "thing");
    let left = match cleanup.left {
        0 => "nothing was left behind".to_owned(),
        left => format!("{left} left behind"),
    };
    Some(format!("{created} created in the target, {} undone, {left}.", cleanup.undone))
}

#[derive(Serialize)]
pub(super) struct MetricRow {
    name: String,
    values: String,
}

/// Every metric, as the end of a run shows it.
pub(super) fn metrics(summary: &Summary) -> Vec<MetricRow> {
    let rows = summary.metrics.iter().take(MOST_ROWS).map(|(key, values)| MetricRow {
        name: line(key),
        values: match values {
            MetricValues::Counter { unit, count, rate } => {
                format!("{}   {}", compact::amount(*count, *unit), compact::rate(*rate, *unit))
            }
            MetricValues::Gauge { unit, value, min, max } => {
                let shown = |it: &Option<f64>| {
                    it.map_or_else(|| show::NONE.to_owned(), |it| compact::amount(it, *unit))
                };
                format!("{}   min={} max={}", shown(value), shown(min), shown(max))
            }
            MetricValues::Rate { passes, fails, rate } => {
                format!("{}   yes={passes} no={fails}", compact::share(*rate))
            }
            MetricValues::Trend(it) => {
                let times = [
                    ("avg", it.avg),
                    ("min", it.min),
                    ("med", it.med),
                    ("max", it.max),
                    ("p(90)", it.p90),
                    ("p(95)", it.p95),
                    ("p(99)", it.p99),
                ];
                times.map(|(name, time)| format!("{name}={}", compact::time(time))).join(" ")
            }
        },
    });
    rows.collect()
}
