//! Ten minutes of fifty steps, for what grows with the size of a run.

use super::standard::noise;
use super::*;

/// All holds, but for a handful of errors of every kind.
pub(crate) fn long() -> Summary {
    let mut summary = pass();
    summary.run.load_duration = Ms(600_000.0);
    summary.loads[0].duration = Ms(600_000.0);
    summary.stages = (0_u32..10)
        .map(|n| Stage {
            name: Some(format!("minute {n}")),
            start: Ms(f64::from(n) * 60e3),
            duration: Ms(60e3),
            elapsed: Ms(60e3),
            ..summary.stages[0].clone()
        })
        .collect();
    summary.series.points = (0..600).map(point).collect();
    summary.steps = (0_u32..50)
        .map(|n| Step {
            name: format!("step {n} of the checkout"),
            path: format!("/checkout/{n}/{{{{id}}}}"),
            requests: 2_000,
            trends: BTreeMap::from([("http_req_duration".into(), trend(0.5 + f64::from(n) / 20.0, 2_000))]),
            ..summary.steps[0].clone()
        })
        .collect();
    summary.histograms = histograms(&summary.steps);
    summary.checks = (0_u32..100)
        .map(|n| Check {
            step: format!("step {} of the checkout", n / 2),
            name: format!("check {n} of the checkout"),
            passes: 1_990,
            fails: u64::from(n % 3),
            first: (n % 3 > 0).then(|| Example {
                message: "503 busy".into(),
                vu: Some(3),
                at: Some(Ms(9e3)),
            }),
            ..summary.checks[0].clone()
        })
        .collect();
    summary
}

fn point(second: u32) -> Point {
    let kinds = [ErrorKind::Status, ErrorKind::Timeout, ErrorKind::Reset, ErrorKind::Check];
    let kinds: BTreeMap<ErrorKind, u64> = (0_u32..)
        .zip(kinds)
        .filter(|(n, _)| noise(second, *n) > 0.6)
        .map(|(n, kind)| (kind, 1 + (9.0 * noise(second, n + 9)) as u64))
        .collect();
    let median = 40.0 + 30.0 * noise(second, 20) + 40.0 * (f64::from(second) / 40.0).sin().abs();
    Point {
        time: Ms(f64::from(second) * 1e3),
        vus: 50 + u64::from(second / 10),
        requests: 1_500 + (300.0 * noise(second, 21)) as u64,
        errors: kinds.values().sum(),
        error_kinds: kinds,
        p50: Some(Ms(median)),
        p90: Some(Ms(median * 2.0)),
        p95: Some(Ms(median * 2.6)),
        p99: Some(Ms(median * 4.1)),
        max: Some(Ms(median * (5.0 + 20.0 * noise(second, 22).powi(8)))),
        ..super::point(second)
    }
}
