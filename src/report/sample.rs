//! Hand-made summaries of every verdict, for the tests of the reports.
//!
//! They are also written to `tests/samples/`, where integration tests, which see nothing behind `cfg(test)`,
//! read them as any user's `summary.json`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures made by hand are small"
)]

mod hostile;
mod long;
mod standard;
mod windows;

use std::collections::BTreeMap;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use super::summary::{
    Check, Cleanup, EndCause, EndedEarly, Environment, ErrorGroup, Example, Fact, Generator, Host, Leftover,
    Limited, Load, MetricValues, Ms, ObserverState, Point, Profile, Reason, Run, SCHEMA, Series, Stage, Step,
    Summary, Threshold, Trend,
};
use super::{comparison, recording};
use crate::words::{Against, ErrorKind, Level, Metric, Outcome, Section, Unit, Verdict};

pub(crate) use hostile::{hostile, quoting};
pub(crate) use long::long;
pub(crate) use standard::{standard_fail, standard_invalid, standard_pass};

/// Samples of a run with observers, with their names.
pub(crate) fn observed() -> [(&'static str, Summary); 3] {
    [
        ("standard-pass", standard_pass()),
        ("standard-fail", standard_fail()),
        ("standard-invalid", standard_invalid()),
    ]
}

/// A run whose profile has observers that nobody asked for.
pub(crate) fn unobserved() -> Summary {
    let mut summary = standard_pass();
    for observer in &mut summary.observers {
        observer.state = ObserverState::Inactive;
        observer.series.clear();
    }
    for threshold in &mut summary.thresholds {
        if Metric::from_name(&threshold.metric).and_then(Metric::observer).is_some() {
            threshold.outcome = Outcome::Skipped;
            (threshold.observed, threshold.margin) = (None, None);
            threshold.reason = "not observed".into();
        }
    }
    summary
}

/// Every sample of a short run without observers, with its name.
pub(crate) fn all() -> [(&'static str, Summary); 5] {
    [
        ("pass", pass()),
        ("warn", warn()),
        ("fail", fail()),
        ("invalid", invalid()),
        ("interrupted", interrupted()),
    ]
}

const CHECKS: [(&str, &str, u32); 11] = [
    ("health", "health check status 200", 5),
    ("health", "health check is healthy", 6),
    ("list employees", "GET employees status 200", 14),
    ("list employees", "employees list returned", 15),
    ("stats", "GET stats status 200", 22),
    ("stats", "stats contains total_employees", 23),
    ("create employee", "POST employee status 201", 33),
    ("create employee", "employee created with ID", 34),
    ("update employee", "PUT employee status 200", 43),
    ("get employee", "GET specific employee status 200", 50),
    ("delete employee", "DELETE employee status 200", 57),
];

const STEPS: [(&str, &str, &str, u32); 7] = [
    ("health", "GET", "/health", 1),
    ("list employees", "GET", "/employees", 10),
    ("stats", "GET", "/stats", 19),
    ("create employee", "POST", "/employees", 27),
    ("update employee", "PUT", "/employees/{{id}}", 37),
    ("get employee", "GET", "/employees/{{id}}", 46),
    ("delete employee", "DELETE", "/employees/{{id}}", 53),
];

/// Requests to each step of a sample.
const PER_STEP: u64 = 763;

/// A run of `quick` in which all that was asked holds.
pub(crate) fn pass() -> Summary {
    Summary {
        schema: SCHEMA.into(),
        palier: "0.1.0".into(),
        run: run(),
        verdict: Verdict::Pass,
        exit_code: 0,
        reasons: Vec::new(),
        thresholds: vec![
            threshold("http_req_duration", "p(95)", "<500ms", 182.4, 500.0, 19),
            threshold("errors", "rate", "<10%", 0.0, 0.1, 20),
            threshold("checks", "rate", ">90%", 1.0, 0.9, 21),
            warning(threshold("checks", "rate", ">95%", 1.0, 0.95, 24)),
            warning(threshold("http_reqs", "rate", ">100", 178.0, 100.0, 25)),
            warning(threshold("http_req_duration", "avg", "<200ms", 61.2, 200.0, 26)),
        ],
        checks: CHECKS.iter().map(|&(step, name, line)| check(step, name, line)).collect(),
        metrics: metrics(),
        steps: STEPS.iter().map(|&(name, method, path, line)| step(name, method, path, line)).collect(),
        stages: stages(),
        loads: vec![Load {
            name: None,
            executor: "ramping-vus".into(),
            plan: "3 stages over 30 s, up to 30 VUs".into(),
            start: Ms(0.0),
            duration: Ms(30_000.0),
            vus_max: 30,
            iterations: PER_STEP,
            cut: 0,
            dropped: 0,
        }],
        errors: Vec::new(),
        series: Series { resolution: 1, points: (0..3).map(point).collect() },
        histograms: BTreeMap::from([(
            "http_req_duration".into(),
            STEPS.iter().map(|step| (step.0.into(), histogram(&trend(1.0, PER_STEP)))).collect(),
        )]),
        windows: Some(windows::windows(1.0)),
        regression: None,
        history: None,
        cleanup: Cleanup { created: PER_STEP, undone: PER_STEP, ..Cleanup::default() },
        generator: Generator {
            threads: 2,
            cores: 2.0,
            cpu: Some(0.41),
            cpu_max: Some(0.47),
            throttled: None,
            lag: trend(0.001, 15_000),
            delay: trend(0.001, 6_000),
            memory: Some(23_400_000),
            sockets: Some(32),
            descriptors: Some(Limited { most: 51, limit: 1_048_576 }),
            ports: Some(Limited { most: 42, limit: 28_232 }),
            short: Vec::new(),
            sound: true,
        },
        host: Host {
            fingerprint: "5f3a9c0d".into(),
            cpu: Some("AMD EPYC 7763 64-Core Processor".into()),
            cores: 2,
            memory: Some(8_330_000_000),
            os: "linux x86_64".into(),
            kernel: Some("6.8.0".into()),
        },
        facts: Vec::new(),
        diagnosis: Vec::new(),
        observers: Vec::new(),
        pods: Vec::new(),
    }
}

/// The same against a build that takes so many times as long, beside the one before.
pub(crate) fn slower(factor: f64) -> Summary {
    let mut summary = pass();
    let base = recording::unpack(&summary).expect("it has windows");
    summary.run.id = "s1ow".into();
    summary.windows = Some(windows::windows(factor));
    summary.histograms = BTreeMap::from([(
        "http_req_duration".into(),
        STEPS.iter().map(|step| (step.0.into(), histogram(&trend(factor, PER_STEP)))).collect(),
    )]);
    let new = recording::unpack(&summary).expect("it has windows");
    let comparison =
        crate::compare::compare(std::slice::from_ref(&base), &new, crate::compare::Terms::default());
    summary.regression = Some(comparison::regression(Against::Baseline, &[base], &comparison));
    if comparison.verdict() == Verdict::Fail {
        conclude(&mut summary, Verdict::Fail, 99);
        summary.reasons.push(Reason {
            kind: "regression".into(),
            verdict: Verdict::Fail,
            section: Some(Section::Regression),
            text: "worse than the baseline".into(),
            threshold: None,
        });
    }
    summary
}

/// Two warnings do not hold.
pub(crate) fn warn() -> Summary {
    let mut summary = pass();
    give(&mut summary, 4, 31.1, "http_reqs rate 31.1/s is under 100/s");
    give(&mut summary, 5, 200.4, "http_req_duration avg 200.4 ms is not under 200 ms");
    conclude(&mut summary, Verdict::Warn, 0);
    summary
}

/// Two thresholds and a warning do not hold, and some things could not be undone.
pub(crate) fn fail() -> Summary {
    let mut summary = warn();
    summary.thresholds.remove(5);
    summary.thresholds[2].expression = "rate>99%".into();
    summary.thresholds[2].id = "checks rate>99%".into();
    summary.thresholds[2].bound = Some(0.99);
    give(&mut summary, 0, 612.0, "http_req_duration p(95) 612 ms is over 500 ms, by 22 %");
    give(&mut summary, 2, 0.985, "98.5 % of checks held, less than 99 %");
    for (check, fails) in [(6, 22), (7, 22), (9, 1)] {
        let check = &mut summary.checks[check];
        (check.passes, check.fails) = (PER_STEP - fails, fails);
        check.rate = Some(0.971);
        check.first = Some(Example {
            message: "500 \"Too many connections\"".into(),
            vu: Some(17),
            at: Some(Ms(21_300.0)),
        });
    }
    summary.checks[9].rate = Some(0.9987);
    summary.steps[3].failed = 22;
    summary.steps[3].errors = 22;
    summary.stages[1].failed = 22;
    summary.stages[1].errors = 22;
    for (metric, passes, fails, rate) in [
        ("http_req_failed", 22, 5319, 0.004_119),
        ("errors", 23, 5318, 0.004_306),
        ("checks", 8267, 126, 0.985),
    ] {
        summary.metrics.insert(metric.into(), MetricValues::Rate { passes, fails, rate: Some(rate) });
    }
    summary.errors = vec![ErrorGroup {
        kind: ErrorKind::Status,
        load: None,
        step: Some("create employee".into()),
        status: Some(500),
        count: 22,
        first: summary.checks[6].first.clone(),
    }];
    summary.cleanup.undone -= 1;
    summary.cleanup.left = 1;
    summary.cleanup.left_behind = vec![Leftover {
        step: "create employee".into(),
        name: "DELETE /employees/4711".into(),
        reason: Some("500 \"Too many connections\"".into()),
    }];
    summary.facts = vec![Fact {
        at: Some(Ms(21_300.0)),
        topic: "database".into(),
        text: "151 of 151 connections in use from 0m21s to 0m23s, 22 refused: the 22 failed POSTs are these"
            .into(),
        evidence: vec!["mysql_threads_connected max=151".into()],
    }];
    conclude(&mut summary, Verdict::Fail, 99);
    summary.reasons.push(Reason {
        kind: "left-behind".into(),
        verdict: Verdict::Warn,
        section: None,
        text: "1 of 763 things created could not be undone: DELETE /employees/4711".into(),
        threshold: None,
    });
    summary
}

/// Nothing listens at the target.
pub(crate) fn invalid() -> Summary {
    let mut summary = pass();
    summary.verdict = Verdict::Invalid;
    summary.exit_code = 98;
    summary.run.load_duration = Ms(0.0);
    summary.run.duration = Ms(30_012.5);
    summary.run.ended_early = Some(EndedEarly {
        cause: EndCause::NotStarted,
        at: Ms(0.0),
        text: "no load was made, because http://localhost:5000 was not ready within 30 s".into(),
    });
    summary.reasons = vec![Reason {
        kind: "target-not-ready".into(),
        verdict: Verdict::Invalid,
        section: None,
        text: "http://localhost:5000 was not ready within 30 s: connection refused".into(),
        threshold: None,
    }];
    for threshold in &mut summary.thresholds {
        threshold.outcome = Outcome::Invalid;
        threshold.observed = None;
        threshold.margin = None;
        threshold.samples = Some(0);
        threshold.reason = format!("{} has no samples", threshold.metric);
        summary.reasons.push(Reason {
            kind: "no-data".into(),
            verdict: Verdict::Invalid,
            section: Some(threshold.section),
            text: threshold.reason.clone(),
            threshold: Some(threshold.id.clone()),
        });
    }
    for check in &mut summary.checks {
        (check.passes, check.rate) = (0, None);
    }
    for step in &mut summary.steps {
        (step.requests, step.rate, step.check_passes, step.sent, step.received) = (0, None, 0, 0, 0);
        step.trends.values_mut().for_each(|it| *it = Trend::default());
    }
    for stage in &mut summary.stages {
        (stage.elapsed, stage.vus_max, stage.requests, stage.rate) = (Ms(0.0), 0, 0, None);
        stage.http_req_duration = Trend::default();
    }
    for values in summary.metrics.values_mut() {
        *values = match values {
            MetricValues::Counter { unit, .. } => {
                MetricValues::Counter { unit: *unit, count: 0.0, rate: None }
            }
            MetricValues::Gauge { unit, .. } => {
                MetricValues::Gauge { unit: *unit, value: None, min: None, max: None }
            }
            MetricValues::Rate { .. } => MetricValues::Rate { passes: 0, fails: 0, rate: None },
            MetricValues::Trend(_) => MetricValues::Trend(Trend::default()),
        };
    }
    (summary.loads[0].iterations, summary.loads[0].vus_max, summary.loads[0].duration) = (0, 0, Ms(0.0));
    summary.series.points.clear();
    summary.histograms.clear();
    summary.windows = None;
    summary.cleanup = Cleanup::default();
    summary.generator.lag = Trend::default();
    summary.generator.delay = Trend::default();
    (summary.generator.cpu, summary.generator.cpu_max) = (None, None);
    (summary.generator.sockets, summary.generator.descriptors, summary.generator.ports) = (None, None, None);
    summary
}

/// Stopped by a signal in the second stage.
pub(crate) fn interrupted() -> Summary {
    let mut summary = pass();
    let text = "stopped by SIGINT after 14 s of 30 s: 20 iterations and 12 requests were cut";
    summary.exit_code = 105;
    summary.run.ended_early =
        Some(EndedEarly { cause: EndCause::Interrupt, at: Ms(14_000.0), text: text.into() });
    summary.run.load_duration = Ms(14_000.0);
    summary.run.duration = Ms(14_480.0);
    summary.verdict = Verdict::Invalid;
    summary.reasons = vec![Reason {
        kind: "interrupted".into(),
        verdict: Verdict::Invalid,
        section: None,
        text: text.into(),
        threshold: None,
    }];
    summary.stages[1].elapsed = Ms(4_000.0);
    summary.stages[2].elapsed = Ms(0.0);
    (summary.stages[2].requests, summary.stages[2].rate, summary.stages[2].vus_max) = (0, None, 0);
    summary.stages[2].http_req_duration = Trend::default();
    summary.loads[0].cut = 20;
    summary
}

/// Gives a threshold another observed value, with which it does not hold.
fn give(summary: &mut Summary, index: usize, observed: f64, reason: &str) {
    let threshold = &mut summary.thresholds[index];
    let bound = threshold.bound.unwrap_or_default();
    threshold.observed = Some(observed);
    threshold.margin = Some(-(observed - bound).abs() / bound);
    threshold.outcome = match threshold.level {
        Level::Fail => Outcome::Fail,
        Level::Warn => Outcome::Warn,
    };
    threshold.reason = reason.into();
}

/// Draws the reasons from the thresholds, the worst first.
fn conclude(summary: &mut Summary, verdict: Verdict, exit_code: u8) {
    summary.verdict = verdict;
    summary.exit_code = exit_code;
    let reasons_of = |level: Level, kind: &str, verdict: Verdict| -> Vec<Reason> {
        let broken = |it: &&Threshold| it.level == level && it.outcome != Outcome::Pass;
        let reason = |it: &Threshold| Reason {
            kind: kind.into(),
            verdict,
            section: Some(it.section),
            text: it.reason.clone(),
            threshold: Some(it.id.clone()),
        };
        summary.thresholds.iter().filter(broken).map(reason).collect()
    };
    let mut reasons = reasons_of(Level::Fail, "threshold", Verdict::Fail);
    reasons.extend(reasons_of(Level::Warn, "warning", Verdict::Warn));
    summary.reasons = reasons;
}

fn run() -> Run {
    Run {
        id: "q7f3k2".into(),
        profile: Profile {
            name: "quick".into(),
            path: Some("profiles/quick.toml".into()),
            description: Some("Three stages over 30 s against the employees API".into()),
        },
        target: "http://localhost:5000".into(),
        route: "direct".into(),
        forward: None,
        start: "2026-11-23T21:00:00.123Z".into(),
        end: "2026-11-23T21:00:31.373Z".into(),
        duration: Ms(31_250.0),
        load_duration: Ms(30_000.0),
        time_scale: 1.0,
        ended_early: None,
        environment: Environment {
            ci: Some("github".into()),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            branch: Some("main".into()),
            job_url: Some("https://github.com/example/shop/actions/runs/1".into()),
            report_url: None,
        },
        command: Some("palier run quick --on-warn warn".into()),
        notes: Vec::new(),
    }
}

fn threshold(metric: &str, aggregation: &str, rest: &str, observed: f64, bound: f64, line: u32) -> Threshold {
    let expression = format!("{aggregation}{rest}");
    let (word, unit) = Metric::from_name(metric).map_or((Section::Database, Unit::Count), |metric| {
        let unit = if metric == Metric::HttpReqs { Unit::PerSecond } else { metric.unit() };
        (metric.section(), unit)
    });
    Threshold {
        id: format!("{metric} {expression}"),
        metric: metric.into(),
        selector: BTreeMap::new(),
        aggregation: aggregation.into(),
        operator: rest.chars().take_while(|it| "<>=!".contains(*it)).collect(),
        section: word,
        level: Level::Fail,
        outcome: Outcome::Pass,
        observed: Some(observed),
        bound: Some(bound),
        unit,
        margin: (bound != 0.0).then(|| (observed - bound).abs() / bound),
        samples: Some(PER_STEP * 7),
        window: None,
        file: Some("profiles/quick.toml".into()),
        line: Some(line),
        reason: format!("{metric} {expression} holds"),
        expression,
    }
}

fn warning(threshold: Threshold) -> Threshold {
    Threshold { level: Level::Warn, ..threshold }
}

fn check(step: &str, name: &str, line: u32) -> Check {
    Check {
        load: None,
        step: step.into(),
        name: name.into(),
        passes: PER_STEP,
        fails: 0,
        rate: Some(1.0),
        file: Some("profiles/scenarios/employees.toml".into()),
        line: Some(line),
        first: None,
    }
}

fn step(name: &str, method: &str, path: &str, line: u32) -> Step {
    Step {
        load: None,
        name: name.into(),
        method: method.into(),
        path: path.into(),
        file: Some("profiles/scenarios/employees.toml".into()),
        line: Some(line),
        requests: PER_STEP,
        rate: Some(25.4),
        failed: 0,
        errors: 0,
        skipped: 0,
        check_passes: PER_STEP * if line < 30 { 2 } else { 1 },
        check_fails: 0,
        sent: PER_STEP * 120,
        received: PER_STEP * 410,
        trends: BTreeMap::from([
            ("http_req_duration".into(), trend(1.0, PER_STEP)),
            ("http_req_waiting".into(), trend(0.9, PER_STEP)),
        ]),
    }
}

fn stages() -> Vec<Stage> {
    [("ramp-up", 0.0, 20.0), ("peak", 10_000.0, 30.0), ("stop", 20_000.0, 0.0)]
        .into_iter()
        .zip([20, 30, 30])
        .map(|((name, start, target), vus_max)| Stage {
            load: None,
            name: Some(name.into()),
            start: Ms(start),
            duration: Ms(10_000.0),
            elapsed: Ms(10_000.0),
            target,
            vus_max,
            requests: 1780,
            rate: Some(178.0),
            failed: 0,
            errors: 0,
            http_req_duration: trend(1.0, 1780),
        })
        .collect()
}

fn metrics() -> BTreeMap<String, MetricValues> {
    let requests = PER_STEP * 7;
    let rate = |passes, fails, rate| MetricValues::Rate { passes, fails, rate: Some(rate) };
    let times = |scale| MetricValues::Trend(trend(scale, requests));
    BTreeMap::from(
        [
            ("checks", rate(8393, 0, 1.0)),
            ("errors", rate(0, requests, 0.0)),
            ("http_req_failed", rate(0, requests, 0.0)),
            ("http_reqs", counter(Unit::Count, 5341.0)),
            ("http_reqs{step:health}", counter(Unit::Count, 763.0)),
            ("http_req_blocked", times(0.01)),
            ("http_req_duration", times(1.0)),
            ("http_req_duration{step:create employee}", times(1.4)),
            ("http_req_waiting", times(0.9)),
            ("iterations", counter(Unit::Count, 763.0)),
            ("data_received", counter(Unit::Bytes, 2_189_810.0)),
            ("data_sent", counter(Unit::Bytes, 640_920.0)),
            ("vus", gauge(0.0, 0.0, 30.0)),
            ("vus_max", gauge(30.0, 30.0, 30.0)),
        ]
        .map(|(name, values)| (name.to_owned(), values)),
    )
}

fn counter(unit: Unit, count: f64) -> MetricValues {
    MetricValues::Counter { unit, count, rate: Some(count / 30.0) }
}

fn gauge(value: f64, min: f64, max: f64) -> MetricValues {
    MetricValues::Gauge { unit: Unit::Count, value: Some(value), min: Some(min), max: Some(max) }
}

fn trend(scale: f64, count: u64) -> Trend {
    let at = |value: f64| Some(Ms(value * scale));
    Trend {
        avg: at(61.2),
        min: at(4.513),
        med: at(48.0),
        max: at(1_923.7),
        p90: at(140.0),
        p95: at(182.4),
        p99: at(402.0),
        count,
    }
}

/// The distributions of the times of steps.
fn histograms(steps: &[Step]) -> BTreeMap<String, BTreeMap<String, String>> {
    const METRIC: &str = "http_req_duration";
    let own = steps.iter().map(|it| (it.name.clone(), histogram(&it.trends[METRIC])));
    BTreeMap::from([(METRIC.to_owned(), own.collect())])
}

/// A distribution that has these figures, encoded as a run does it.
fn histogram(trend: &Trend) -> String {
    let ms = |time: Option<Ms>| time.map_or(0.0, |it| it.0);
    let known = [
        (0.0, ms(trend.min)),
        (0.5, ms(trend.med)),
        (0.9, ms(trend.p90)),
        (0.95, ms(trend.p95)),
        (0.99, ms(trend.p99)),
        (1.0, ms(trend.max)),
    ];
    let mut times = Histogram::<u64>::new_with_bounds(1, 86_400_000_000_000, 3).expect("bounds");
    for n in 1..=trend.count {
        let q = n as f64 / trend.count as f64;
        let at = known.iter().position(|(upto, _)| q <= *upto).unwrap_or(known.len() - 1).max(1);
        let ((q0, v0), (q1, v1)) = (known[at - 1], known[at]);
        // Straight on a logarithmic scale between what is known.
        let value = (v0.ln() + (v1.ln() - v0.ln()) * (q - q0) / (q1 - q0)).exp();
        times.record((value * 1e6) as u64).expect("within the bounds");
    }
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(&times, &mut bytes).expect("a Vec takes all");
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn point(second: u32) -> Point {
    Point {
        time: Ms(f64::from(second) * 1e3),
        vus: u64::from(second) * 2 + 1,
        requests: 178,
        failed: 0,
        errors: 0,
        error_kinds: BTreeMap::new(),
        iterations: 25,
        sent: 21_364,
        received: 72_994,
        p50: Some(Ms(48.0)),
        p90: Some(Ms(140.0)),
        p95: Some(Ms(182.4)),
        p99: Some(Ms(402.0)),
        max: Some(Ms(881.0)),
        generator_cpu: Some(0.41),
    }
}
