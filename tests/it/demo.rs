//! The main job: the shipped profiles against the employees API.

use std::time::Duration;

use palier::demo::{Demo, Options};
use serde_json::Value;

use crate::support::client::Count;
use crate::support::palier::Palier;

/// The eleven checks, as every report has them.
pub(crate) const CHECKS: [&str; 11] = [
    "health check status 200",
    "health check is healthy",
    "GET employees status 200",
    "employees list returned",
    "GET stats status 200",
    "stats contains total_employees",
    "POST employee status 201",
    "employee created with ID",
    "PUT employee status 200",
    "GET specific employee status 200",
    "DELETE employee status 200",
];

/// The steps, each with the route that the demo counts it under.
const STEPS: [(&str, &str); 7] = [
    ("health", "GET /health"),
    ("list employees", "GET /employees"),
    ("stats", "GET /stats"),
    ("create employee", "POST /employees"),
    ("update employee", "PUT /employees/:id"),
    ("get employee", "GET /employees/:id"),
    ("delete employee", "DELETE /employees/:id"),
];

/// Every one of the eleven checks is there, in the order of the scenario, was tried, and held each time.
#[track_caller]
pub(crate) fn all_checks_hold(summary: &Value) {
    let checks = summary["checks"].as_array().expect("a list");
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, CHECKS);
    for check in checks {
        assert_eq!((check["fails"].as_u64(), check["rate"].as_f64()), (Some(0), Some(1.0)), "{check}");
        assert!(check["passes"].as_u64() > Some(0), "{check}");
    }
}

#[test]
fn quick_runs_against_the_demo_in_an_empty_folder() {
    let run = Palier::new(["run", "quick", "--demo", "--time-scale", "0.1"]).exit(0);
    let summary = run.summary();
    all_checks_hold(&summary);
    let verdict = summary["verdict"].as_str();
    assert!(verdict == Some("pass") || verdict == Some("warn"), "{verdict:?}");

    assert_eq!(summary["schema"], "palier.summary/1");
    assert_eq!(summary["run"]["profile"]["name"], "quick");
    assert_eq!(summary["run"]["profile"]["path"], Value::Null, "the built-in one");
    assert_eq!(run.number("/run/time_scale").to_string(), "0.1");
    assert_eq!(run.number("/run/load_duration").to_string(), "3000");
    let stages: Vec<_> = summary["stages"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = stages.iter().map(|stage| stage["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["climb", "peak", "stop"]);
    assert!(run.count("/cleanup/created") > 0);
    assert_eq!(summary["cleanup"]["created"], summary["cleanup"]["undone"]);
    assert_eq!(summary["cleanup"]["left"], 0);
    for name in CHECKS {
        run.says(&format!("✓ {name}"));
    }
    run.says("http_req_duration");
}

#[test]
fn counts_are_the_servers_own_request_for_request() {
    let demo = Demo::start(Options::default()).unwrap();
    let run = Palier::new(["run", "quick", "--time-scale", "0.1", "--target", &demo.url()]).exit(0);
    let summary = run.summary();
    all_checks_hold(&summary);
    let count = Count::of(&demo);
    assert_eq!(count.rows(), 200, "as many rows as before");

    let steps = summary["steps"].as_array().unwrap();
    let mut total = 0;
    for (step, (name, route)) in steps.iter().zip(STEPS) {
        assert_eq!(step["name"], name);
        let requests = step["requests"].as_u64().unwrap();
        total += requests;
        // Readiness is asked once: the demo is there.
        let ready = u64::from(name == "health");
        assert_eq!(requests + ready + cleanup_requests(&summary, name), count.route(route), "{name}");
    }
    assert_eq!(steps.len(), STEPS.len());
    let known: u64 = STEPS.iter().map(|(_, route)| count.route(route)).sum();
    assert_eq!(count.total(), known, "and nothing else");
    assert_eq!(run.count("/metrics/http_reqs/count"), total);
    assert_eq!(run.count("/cleanup/created"), count.route("POST /employees"));
    assert_eq!(run.count("/cleanup/undone"), count.route("POST /employees"));

    // What is counted by stage and second adds up to what was started within the load.
    let sum = |list: &str| -> u64 {
        summary
            .pointer(list)
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["requests"].as_u64().unwrap())
            .sum()
    };
    assert!(sum("/stages") <= total);
    let rate = run.number("/metrics/http_reqs/rate");
    assert!((rate - sum("/stages") as f64 / 3.0).abs() < 1e-6, "{rate} per second of {}", sum("/stages"));
    assert_eq!(sum("/series/points"), total);
}

/// Requests that undid what iterations left behind; they are kept apart from the load's.
fn cleanup_requests(summary: &Value, step: &str) -> u64 {
    if step != "delete employee" {
        return 0;
    }
    summary["metrics"]["http_reqs{phase:cleanup}"]["count"].as_f64().map_or(0, |count| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = count as u64;
        count
    })
}

#[test]
fn a_slow_target_fails_with_the_figure_and_the_bound_in_the_sentence() {
    let slow = Options { latency: Duration::from_millis(560), ..Options::default() };
    let demo = Demo::start(slow).unwrap();
    let run = Palier::new(["run", "quick", "--time-scale", "0.1", "--target", &demo.url()])
        .exit(99)
        .verdict("fail");
    let threshold = run.threshold("p(95)<500ms");
    assert_eq!((&threshold["outcome"], threshold["bound"].as_f64()), (&"fail".into(), Some(500.0)));
    let observed = threshold["observed"].as_f64().unwrap();
    assert!(observed >= 560.0, "{observed}");
    let sentence = threshold["reason"].as_str().unwrap();
    let figure = format!("{observed:.0} ms");
    assert!(sentence.contains("500 ms") && sentence.contains(&figure), "{sentence}");
    assert!(run.reasons().starts_with(sentence), "the worst is first: {}", run.reasons());
    assert_eq!(Count::of(&demo).rows(), 200);
}

#[test]
fn a_target_that_fails_often_fails_and_nothing_is_left_in_it() {
    let bad = Options { error_rate: 0.3, seed: 7, ..Options::default() };
    let demo = Demo::start(bad).unwrap();
    let run = Palier::new(["run", "quick", "--time-scale", "0.1", "--target", &demo.url()])
        .exit(99)
        .verdict("fail");
    let summary = run.summary();
    let count = Count::of(&demo);
    assert_eq!(count.rows(), 200, "nothing is left behind");
    assert_eq!(summary["cleanup"]["created"], summary["cleanup"]["undone"]);

    let failed = summary["metrics"]["http_req_failed"]["passes"].as_u64().unwrap();
    let undo_failed = summary["metrics"]["http_req_failed{phase:cleanup}"]["passes"].as_u64().unwrap_or(0);
    // A readiness probe may have met an error, too.
    let on_purpose = count.failed_on_purpose();
    assert!((failed + undo_failed..=failed + undo_failed + 5).contains(&on_purpose), "{failed} {on_purpose}");
    for group in summary["errors"].as_array().unwrap() {
        assert_eq!(group["kind"], "status", "{group}");
        assert_eq!(group["status"], 500, "{group}");
        assert!(group["step"].is_string() && group["count"].as_u64() > Some(0), "{group}");
        assert!(group["first"]["message"].as_str().unwrap().contains("500"), "{group}");
    }
    let steps: Vec<_> = summary["errors"].as_array().unwrap().iter().map(|it| it["step"].clone()).collect();
    assert_eq!(steps.len(), STEPS.len(), "one group a step: {steps:?}");
    let by_group: u64 =
        summary["errors"].as_array().unwrap().iter().map(|it| it["count"].as_u64().unwrap()).sum();
    assert_eq!(by_group, failed);
    assert_eq!(run.threshold("rate<10%")["outcome"], "fail");
    assert_eq!(run.threshold("rate>90%")["outcome"], "fail");
    assert!(steps.iter().any(|step| step == "health"));
    // Without an id there is nothing to update, and that is said.
    let skipped: u64 =
        summary["steps"].as_array().unwrap().iter().map(|step| step["skipped"].as_u64().unwrap()).sum();
    assert!(skipped > 0);
}
