//! The profile `standard` with cluster and database observed: five stages, an autoscaler that comes late, and a
//! database that runs out of connections.

use std::collections::BTreeMap;

use super::*;
use crate::report::summary::{Evidence, Forward, Hint, ObservedSeries, Observer, ObserverState, Pod};

/// Name, start, length, target, replicas at its end.
const STAGES: [(&str, u32, u32, f64); 5] = [
    ("warm-up", 0, 30, 10.0),
    ("climb", 30, 60, 20.0),
    ("peak", 90, 30, 30.0),
    ("descent", 120, 60, 20.0),
    ("stop", 180, 30, 0.0),
];
const LENGTH: u32 = 210;
/// When the database has no connection left.
const LIMIT: std::ops::Range<u32> = 98..112;
/// How much slower than the others each step is.
const SLOWNESS: [f64; 7] = [0.25, 1.1, 1.3, 1.9, 1.2, 0.8, 1.0];

/// All holds: the database has room, and the autoscaler follows.
pub(crate) fn standard_pass() -> Summary {
    build(false)
}

/// The connection limit of the database is reached in the peak: POSTs fail, latency is over its bound.
pub(crate) fn standard_fail() -> Summary {
    let mut summary = build(true);
    judge(&mut summary);
    break_posts(&mut summary);
    explain(&mut summary);
    summary
}

/// Two thresholds and a warning do not hold.
fn judge(summary: &mut Summary) {
    let rate = summary.stages.iter().map(|it| it.requests).sum::<u64>() as f64 / f64::from(LENGTH);
    summary.verdict = Verdict::Fail;
    summary.exit_code = 99;
    summary.thresholds[0] =
        judged(threshold("http_req_duration", "p(95)", "<500ms", 612.0, 500.0, 19), Outcome::Fail);
    summary.thresholds[0].reason =
        "http_req_duration p(95) is 612 ms, which is not < 500 ms: 22 % over".into();
    summary.thresholds.push(judged(
        observed(threshold("mysql_connections_refused", "count", "==0", 22.0, 0.0, 44)),
        Outcome::Fail,
    ));
    let refused = summary.thresholds.len() - 1;
    summary.thresholds[refused].reason = "mysql_connections_refused count is 22, which is not == 0".into();
    summary.thresholds[4] =
        warning(judged(threshold("http_reqs", "rate", ">120", rate, 120.0, 25), Outcome::Warn));
    summary.thresholds[4].reason = format!("http_reqs rate is {rate:.1}/s, which is not > 120/s: 11 % under");
    let reason = |index: usize, kind: &str, verdict: Verdict| {
        let threshold = &summary.thresholds[index];
        Reason {
            kind: kind.into(),
            verdict,
            section: Some(threshold.section),
            text: threshold.reason.clone(),
            threshold: Some(threshold.id.clone()),
        }
    };
    summary.reasons = vec![
        reason(0, "threshold", Verdict::Fail),
        reason(refused, "threshold", Verdict::Fail),
        reason(4, "warning", Verdict::Warn),
    ];
}

/// The POSTs that the database refused.
fn break_posts(summary: &mut Summary) {
    let first = Example {
        message: "500 {\"error\": \"Too many connections\"}".into(),
        vu: Some(17),
        at: Some(Ms(98_412.0)),
    };
    let create = &mut summary.steps[3];
    (create.failed, create.errors, create.check_fails) = (22, 22, 44);
    create.check_passes -= 44;
    for index in [6, 7] {
        let check = &mut summary.checks[index];
        (check.passes, check.fails) = (check.passes - 22, 22);
        check.rate = Some(check.passes as f64 / (check.passes + 22) as f64);
        check.first = Some(first.clone());
    }
    let requests: u64 = summary.steps.iter().map(|it| it.requests).sum();
    let checks: u64 = summary.checks.iter().map(|it| it.passes).sum();
    for (metric, passes, fails) in
        [("http_req_failed", 22, requests - 22), ("errors", 22, requests - 22), ("checks", checks, 44)]
    {
        let rate = Some(passes as f64 / (passes + fails) as f64);
        summary.metrics.insert(metric.into(), MetricValues::Rate { passes, fails, rate });
    }
    summary.stages[2].failed = 22;
    summary.stages[2].errors = 22;
    summary.errors = vec![ErrorGroup {
        kind: ErrorKind::Status,
        load: None,
        step: Some("create employee".into()),
        status: Some(500),
        count: 22,
        first: Some(first),
    }];
}

/// What an engineer would find out.
fn explain(summary: &mut Summary) {
    summary.facts.push(Fact {
        at: Some(Ms(98_000.0)),
        topic: "database".into(),
        text: "151 of 151 connections in use from 1m38s to 1m52s, 22 refused: the 22 failed POSTs are these"
            .into(),
        evidence: vec!["mysql_threads_connected max 151, max_connections 151".into()],
    });
    summary.diagnosis = vec![
        Hint {
            section: Section::Database,
            text: "The database ran out of connections: each of 4 pods keeps a pool of 40, and max_connections is 151.".into(),
            evidence: vec![
                "mysql_threads_connected 151 of 151 from 1m38s to 1m52s".into(),
                "mysql_connections_refused +22 in the same time".into(),
                "22 × POST /employees: 500 \"Too many connections\"".into(),
            ],
            mend: Some("SET GLOBAL max_connections = 200, or a pool of at most 30 a pod (4 pods × 30 < 151)".into()),
        },
        Hint {
            section: Section::Performance,
            text: "Latency follows the number of replicas: 48 s passed between CPU over its target and a new ready pod.".into(),
            evidence: vec!["hpa_cpu 94 % at 0m34s, hpa_scale_up_time 48 s, p95 640 ms in between and 300 ms after".into()],
            mend: None,
        },
    ];
    summary.observers[2].evidence = (0..3)
        .map(|n| Evidence {
            at: Some(Ms(98_400.0 + f64::from(n) * 700.0)),
            source: "flask-backend-7c9d5-k2x8v/flask".into(),
            metric: "log_matches{pattern:Too many connections}".into(),
            line: format!(
                "2026-11-23 21:01:3{n} ERROR pymysql.err.OperationalError: (1040, 'Too many connections')"
            ),
        })
        .collect();
}

/// The cluster could not be seen, and palier itself was held back.
pub(crate) fn standard_invalid() -> Summary {
    let mut summary = build(false);
    summary.verdict = Verdict::Invalid;
    summary.exit_code = 98;
    let kubernetes = &mut summary.observers[0];
    kubernetes.state = ObserverState::Blind;
    kubernetes.series.clear();
    kubernetes.gaps = Some(1.0);
    kubernetes.notes =
        vec!["the API server at https://10.0.0.1:6443 refuses: pods is forbidden for system:serviceaccount:ci:palier".into()];
    summary.pods.clear();
    summary.facts.clear();
    summary.generator.throttled = Some(0.12);
    summary.generator.sound = false;
    summary.generator.lag = trend(0.02, 42_000);
    for threshold in summary.thresholds.iter_mut().filter(|it| it.section == Section::Autoscaling) {
        (threshold.outcome, threshold.observed, threshold.margin) = (Outcome::Invalid, None, None);
        threshold.reason =
            format!("{} has no samples, because the observer `kubernetes` saw nothing", threshold.metric);
    }
    summary.reasons = vec![Reason {
        kind: "throttled".into(),
        verdict: Verdict::Invalid,
        section: None,
        text: "palier was held back by its CPU limit for 12 % of the time; give it more CPU, or less load"
            .into(),
        threshold: None,
    }];
    summary.reasons.extend(summary.thresholds.iter().filter(|it| it.outcome == Outcome::Invalid).map(|it| {
        Reason {
            kind: "no-data".into(),
            verdict: Verdict::Invalid,
            section: Some(it.section),
            text: it.reason.clone(),
            threshold: Some(it.id.clone()),
        }
    }));
    summary
}

fn build(limited: bool) -> Summary {
    let points: Vec<Point> = (0..LENGTH).map(|second| point(second, limited)).collect();
    let requests: u64 = points.iter().map(|it| it.requests).sum();
    let iterations: u64 = points.iter().map(|it| it.iterations).sum();
    let mut summary = pass();
    summary.run = Run {
        profile: Profile {
            name: "standard".into(),
            path: Some("profiles/standard.toml".into()),
            description: Some("Five stages over 3 min 30 s against the employees API".into()),
        },
        route: "through port-forwards of the API server https://192.168.49.2:8443 to 4 pods of \
                mysql-app/flask-backend:5000"
            .into(),
        forward: Some(forward()),
        end: "2026-11-23T21:09:42.501Z".into(),
        duration: Ms(582_378.0),
        load_duration: Ms(f64::from(LENGTH) * 1e3),
        command: Some("palier run standard --observe kubernetes,mysql,logs --on-warn warn".into()),
        notes: vec!["Connections live 30 s at most, because an autoscaler is observed.".into()],
        ..summary.run
    };
    summary.thresholds = vec![
        judged(threshold("http_req_duration", "p(95)", "<500ms", 312.0, 500.0, 19), Outcome::Pass),
        judged(threshold("errors", "rate", "<10%", 0.0034, 0.1, 20), Outcome::Pass),
        judged(threshold("checks", "rate", ">90%", 0.9957, 0.9, 21), Outcome::Pass),
        warning(judged(threshold("checks", "rate", ">95%", 0.9957, 0.95, 24), Outcome::Pass)),
        warning(judged(
            threshold("http_reqs", "rate", ">100", requests as f64 / f64::from(LENGTH), 100.0, 25),
            Outcome::Pass,
        )),
        warning(judged(threshold("http_req_duration", "avg", "<200ms", 125.0, 200.0, 26), Outcome::Pass)),
        judged(observed(threshold("hpa_replicas", "max", ">=3", 4.0, 3.0, 31)), Outcome::Pass),
        judged(observed(threshold("hpa_replicas", "max", "<=10", 4.0, 10.0, 32)), Outcome::Pass),
        judged(observed(threshold("pod_restarts", "count", "==0", 0.0, 0.0, 34)), Outcome::Pass),
    ];
    summary.stages = STAGES
        .iter()
        .map(|&(name, start, length, target)| {
            let own = &points[start as usize..(start + length) as usize];
            let requests = own.iter().map(|it| it.requests).sum();
            let p95 = own.iter().filter_map(|it| it.p95).fold(0.0, |sum, it| sum + it.0) / f64::from(length);
            Stage {
                load: None,
                name: Some(name.into()),
                start: Ms(f64::from(start) * 1e3),
                duration: Ms(f64::from(length) * 1e3),
                elapsed: Ms(f64::from(length) * 1e3),
                target,
                vus_max: own.iter().map(|it| it.vus).max().unwrap_or_default(),
                requests,
                rate: Some(requests as f64 / f64::from(length)),
                failed: 0,
                errors: 0,
                http_req_duration: trend(p95 / 182.4, requests),
            }
        })
        .collect();
    measure(&mut summary, requests, iterations, if limited { 612.0 } else { 312.0 } / 182.4);
    summary.facts = vec![Fact {
        at: Some(Ms(34_000.0)),
        topic: "autoscaling".into(),
        text: "CPU over its 70 % target at 0m34s, more wanted at 0m49s, first new pod ready at 1m22s: 48 s during which p95 was 640 ms".into(),
        evidence: vec!["hpa_cpu 94 %, hpa_desired_replicas 4".into()],
    }];
    summary.observers = observers(limited);
    summary.pods = pods();
    summary.series.points = points;
    summary
}

/// Steps, checks and metrics of so many requests, that much slower than those of `quick`.
fn measure(summary: &mut Summary, requests: u64, iterations: u64, scale: f64) {
    let per_step = requests / 7;
    for (step, slowness) in summary.steps.iter_mut().zip(SLOWNESS) {
        step.requests = per_step;
        step.rate = Some(per_step as f64 / f64::from(LENGTH));
        step.check_passes = if step.check_passes > PER_STEP { 2 * per_step } else { per_step };
        step.trends.insert("http_req_duration".into(), trend(scale * slowness, per_step));
        step.trends.insert("http_req_waiting".into(), trend(scale * slowness * 0.97, per_step));
    }
    for check in &mut summary.checks {
        check.passes = per_step;
    }
    summary.histograms = histograms(&summary.steps);
    let rated = |count: f64| Some(count / f64::from(LENGTH));
    summary.metrics.insert("http_req_duration".into(), MetricValues::Trend(trend(scale, requests)));
    summary.metrics.insert("http_req_waiting".into(), MetricValues::Trend(trend(scale * 0.97, requests)));
    for (name, unit, count) in [
        ("http_reqs", Unit::Count, requests as f64),
        ("iterations", Unit::Count, iterations as f64),
        ("data_received", Unit::Bytes, requests as f64 * 410.0),
        ("data_sent", Unit::Bytes, requests as f64 * 120.0),
    ] {
        summary.metrics.insert(name.into(), MetricValues::Counter { unit, count, rate: rated(count) });
    }
    summary.loads[0] = Load {
        plan: "5 stages over 3m30s, up to 30 VUs".into(),
        duration: Ms(f64::from(LENGTH) * 1e3),
        iterations,
        ..summary.loads[0].clone()
    };
    summary.cleanup = Cleanup { created: per_step, undone: per_step, ..Cleanup::default() };
}

fn judged(threshold: Threshold, outcome: Outcome) -> Threshold {
    let margin = threshold.margin.map(|it| if outcome == Outcome::Pass { it } else { -it });
    Threshold { outcome, margin, file: Some("profiles/standard.toml".into()), ..threshold }
}

/// One on what an observer saw, which counts no samples.
fn observed(threshold: Threshold) -> Threshold {
    Threshold { samples: None, ..threshold }
}

/// Between 0 and 1, the same for the same numbers, and without a pattern that one could see.
pub(super) fn noise(seed: u32, salt: u32) -> f64 {
    let mixed = seed.wrapping_mul(0x9e37_79b9).wrapping_add(salt.wrapping_mul(0x85eb_ca6b));
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d);
    f64::from((mixed ^ (mixed >> 12)) % 10_000) / 10_000.0
}

fn vus_at(second: u32) -> f64 {
    let mut from = 1.0;
    for (_, start, length, target) in STAGES {
        if second < start + length {
            return from + (target - from) * f64::from(second - start) / f64::from(length);
        }
        from = target;
    }
    0.0
}

fn point(second: u32, limited: bool) -> Point {
    let vus = vus_at(second);
    let n = noise(second, 1);
    let starved = limited && LIMIT.contains(&second);
    // Slow until the autoscaler has come, and while the database has no connection left.
    let pressure = match second {
        0..34 => 0.5 + 0.3 * f64::from(second) / 34.0,
        34..82 => 0.8 + 2.2 * f64::from(second - 34) / 48.0,
        82..90 => 2.6 - 1.2 * f64::from(second - 82) / 8.0,
        90..120 => 1.5,
        _ => 1.2,
    } * if limited { 1.0 } else { 0.6 };
    let pressure = if starved { pressure * 2.1 } else { pressure };
    let median = 62.0 * pressure * (0.9 + 0.2 * n);
    let requests =
        (vus * 7.0 / (0.5 + 7.0 * median / 1e3) * (0.95 + 0.1 * noise(second, 2))).max(0.0).floor();
    let errors = if starved { 1 + u64::from(noise(second, 3) > 0.43) } else { 0 };
    let ms = |factor: f64| (requests > 0.0).then_some(Ms((median * factor * 1e3).round() / 1e3));
    let spike = if noise(second, 4) > 0.97 { 6.0 } else { 1.0 };
    Point {
        time: Ms(f64::from(second) * 1e3),
        vus: vus.round() as u64,
        requests: requests as u64,
        failed: errors,
        errors,
        error_kinds: if errors > 0 { BTreeMap::from([(ErrorKind::Status, errors)]) } else { BTreeMap::new() },
        iterations: (requests / 7.0) as u64,
        sent: requests as u64 * 120,
        received: requests as u64 * 410,
        p50: ms(1.0),
        p90: ms(2.1 + 0.3 * n),
        p95: ms(2.7 + 0.5 * n),
        p99: ms(4.0 + 1.4 * n),
        max: ms((5.6 + 4.0 * n) * spike),
        generator_cpu: Some(0.15 + 0.01 * vus),
    }
}

fn series(
    metric: &str,
    label: Option<(&str, &str)>,
    unit: Unit,
    step: u32,
    last: u32,
    value: impl Fn(u32) -> Option<f64>,
) -> ObservedSeries {
    let points = (0..=last / step).map(|n| n * step);
    ObservedSeries {
        metric: metric.into(),
        labels: label.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        unit,
        counter: false,
        points: points.filter_map(|at| Some((Ms(f64::from(at) * 1e3), value(at)?))).collect(),
    }
}

fn replicas(second: u32) -> f64 {
    match second {
        104..430 => 4.0,
        82..104 | 430..490 => 3.0,
        _ => 2.0,
    }
}

fn observers(limited: bool) -> Vec<Observer> {
    const AFTER: u32 = 560;
    let cpu = |second: u32| match second {
        0..20 => 0.22 + 0.02 * f64::from(second),
        20..82 => (0.62 + 0.02 * f64::from(second - 20)).min(0.94),
        82..120 => 0.88 - 0.004 * f64::from(second - 82),
        120..210 => 0.7 - 0.003 * f64::from(second - 120),
        _ => 0.04,
    };
    let connections = move |second: u32| {
        let base = 12.0 + vus_at(second) * 3.1 + replicas(second) * 3.0;
        if limited && LIMIT.contains(&second) { 151.0 } else { base.round() }
    };
    let wanted = |second: u32| match second {
        49..360 => 4.0,
        360..430 => 3.0,
        _ => 2.0,
    };
    let mut refused = series("mysql_connections_refused", None, Unit::Count, 2, LENGTH, |second| {
        let seconds = f64::from(second.saturating_sub(LIMIT.start).min(14));
        Some(if limited { (seconds * 22.0 / 14.0).round() } else { 0.0 })
    });
    refused.counter = true;
    let mut waits = series("mysql_lock_wait_timeouts", None, Unit::Count, 2, LENGTH, |second| {
        Some(f64::from(second / 70))
    });
    waits.counter = true;
    let pod_cpu = POD_NAMES.iter().zip([0, 0, 82, 104]).enumerate().map(|(n, (name, born))| {
        series("pod_cpu", Some(("pod", *name)), Unit::Cores, 15, LENGTH, move |second| {
            let busy = cpu(second) * 0.25 * (0.9 + 0.2 * noise(second, n as u32 + 7));
            (second >= born).then_some(busy)
        })
    });
    let mut kubernetes = vec![
        series("hpa_replicas", None, Unit::Count, 5, AFTER, |second| Some(replicas(second))),
        series("hpa_desired_replicas", None, Unit::Count, 5, AFTER, move |second| Some(wanted(second))),
        series("pods_ready", None, Unit::Count, 5, AFTER, |second| Some(replicas(second))),
        series("hpa_cpu", None, Unit::Fraction, 15, AFTER, move |second| Some(cpu(second))),
    ];
    kubernetes.extend(pod_cpu);
    let observer = |name: &str, source: &str, series: Vec<ObservedSeries>| Observer {
        name: name.into(),
        source: Some(source.into()),
        state: ObserverState::Active,
        gaps: Some(0.0),
        notes: Vec::new(),
        series,
        evidence: Vec::new(),
    };
    vec![
        observer("kubernetes", "namespace mysql-app, HPA flask-backend, on k3s v1.31.4", kubernetes),
        observer(
            "mysql",
            "MariaDB 10.11.14 at mysql-app/mysql:3306",
            vec![
                series("mysql_threads_connected", None, Unit::Count, 2, LENGTH, move |second| {
                    Some(connections(second))
                }),
                refused,
                waits,
                series("mysql_queries", None, Unit::PerSecond, 2, LENGTH, |second| {
                    Some((vus_at(second) * 9.0 * (0.9 + 0.2 * noise(second, 9))).round())
                }),
            ],
        ),
        observer("logs", "pod mysql-0, pods app=flask-backend", Vec::new()),
    ]
}

const POD_NAMES: [&str; 4] = [
    "flask-backend-7c9d5-8wq2z",
    "flask-backend-7c9d5-k2x8v",
    "flask-backend-7c9d5-m4h7t",
    "flask-backend-7c9d5-zz9pl",
];

fn pods() -> Vec<Pod> {
    POD_NAMES
        .iter()
        .zip([
            (-86_400_000.0, -86_380_000.0),
            (-86_400_000.0, -86_379_000.0),
            (51_000.0, 82_000.0),
            (52_000.0, 104_000.0),
        ])
        .zip([(0.231, 92e6, 2310), (0.228, 94e6, 2288), (0.214, 81e6, 1290), (0.22, 80e6, 662)])
        .enumerate()
        .map(|(n, ((name, (born, ready)), (cpu, memory, requests)))| Pod {
            name: (*name).into(),
            born: Some(Ms(born)),
            ready: Some(Ms(ready)),
            gone: (n > 1).then_some(Ms(430_000.0 + n as f64 * 20_000.0)),
            restarts: Some(0),
            last_reason: None,
            cpu: Some(cpu),
            memory: Some(memory),
            requests: Some(requests),
        })
        .collect()
}

/// 62 connections, each 30 s long, through an API server nearby.
fn forward() -> Forward {
    let trend = |avg: f64, min: f64, med: f64, max: f64| Trend {
        avg: Some(Ms(avg)),
        min: Some(Ms(min)),
        med: Some(Ms(med)),
        max: Some(Ms(max)),
        p90: Some(Ms(max * 0.7)),
        p95: Some(Ms(max * 0.8)),
        p99: Some(Ms(max)),
        count: 62,
    };
    Forward {
        service: "mysql-app/flask-backend:5000".into(),
        server: "https://192.168.49.2:8443".into(),
        connections: 62,
        broken: 0,
        connecting: trend(14.1, 9.8, 12.9, 41.0),
        round_trip: trend(1.4, 0.8, 1.2, 4.1),
    }
}
