//! The main job on the real system.

use std::time::Duration;

use super::backend::Backend;
use super::consumers;
use crate::demo::all_checks_hold;
use crate::support::palier::{Palier, binary};

#[test]
#[ignore = "slow: half a minute against Flask and MariaDB"]
fn quick_runs_in_real_time_against_flask_and_mariadb() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let run =
        Palier::new(["run", "quick", "--target", &backend.url]).patience(Duration::from_secs(120)).finish();
    let summary = run.summary();
    all_checks_hold(&summary);
    assert_eq!(backend.rows(), before, "as many employees as before");
    assert_eq!(summary["cleanup"]["created"], summary["cleanup"]["undone"]);
    assert!(run.count("/cleanup/created") > 100);

    // The schedule was kept: 30 s of load, and at each of its seconds the users that the stages want.
    assert!((run.number("/run/load_duration") - 30_000.0).abs() < 1e-6);
    assert!(run.took >= Duration::from_secs(30));
    for (second, point) in summary["series"]["points"].as_array().unwrap().iter().take(30).enumerate() {
        let t = second as f64;
        let planned = match t {
            t if t <= 10.0 => 1.0 + 1.9 * t,
            t if t <= 20.0 => 20.0 + (t - 10.0),
            t => 30.0 - 3.0 * (t - 20.0),
        };
        let vus = point["vus"].as_f64().unwrap();
        assert!((vus - planned).abs() <= 1.0, "{vus} instead of {planned} at {t} s");
    }

    // The verdict follows from the figures: every threshold was judged, but those of observers that nobody asked for,
    // and each outcome is what its figure says.
    let verdict = summary["verdict"].as_str().unwrap();
    assert_ne!(verdict, "invalid", "{}", run.reasons());
    let of_load = |threshold: &&serde_json::Value| {
        ["performance", "checks"].contains(&threshold["section"].as_str().unwrap())
    };
    let (of_load, observed): (Vec<_>, Vec<_>) =
        summary["thresholds"].as_array().unwrap().iter().partition(of_load);
    assert_eq!(of_load.len(), 6, "{of_load:#?}");
    assert!(observed.iter().all(|threshold| threshold["outcome"] == "skipped"), "{observed:#?}");
    for threshold in of_load {
        let (observed, bound) =
            (threshold["observed"].as_f64().unwrap(), threshold["bound"].as_f64().unwrap());
        let holds = match threshold["operator"].as_str().unwrap() {
            "<" => observed < bound,
            ">" => observed > bound,
            operator => panic!("{operator} is in no shipped profile"),
        };
        let expected = if holds { "pass" } else { threshold["level"].as_str().unwrap() };
        assert_eq!(threshold["outcome"], expected, "{threshold:#}");
    }
    let run = run.exit(if verdict == "fail" { 99 } else { 0 }).verdict(verdict);

    if consumers::are_there() {
        let file = |name: &str| run.path("palier-report").join(name);
        let path = |name: &str| file(name).display().to_string();
        consumers::accept("check-junit.sh", &[&path("junit.xml"), "--contract"]);
        consumers::accept("check-badge.py", &[&path("badge.json"), &path("badge.svg")]);
        consumers::validate(&consumers::root().join("summary.schema.json"), &file("summary.json"));
    }
}

#[test]
#[ignore = "slow: runs the pipelines of ci/ on act and gitlab-ci-local"]
fn pipelines_are_green_and_red_as_the_verdict_is() {
    let script = consumers::root().join("tests/consumers/pipelines.sh");
    if !script.exists() {
        return consumers::missing(&format!("{}", script.display()));
    }
    let _turn = super::share_turn();
    if consumers::are_there() {
        consumers::accept("pipelines.sh", &[&binary().display().to_string()]);
    }
}

/// Twenty of them in real time are in `long`.
#[test]
#[ignore = "slow: half a minute beside Flask and MariaDB"]
fn short_runs_beside_the_system_under_test_are_not_invalid() {
    let _turn = super::take_turn();
    crate::long::quick_runs(5, "0.2");
}
