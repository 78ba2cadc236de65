//! Traps in which a load test is green that should not be: each of these runs exits 0 with k6 v1.8.1.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCaseStatus};

use crate::support::origin::{Act, Origin, Script};
use crate::support::palier::{Palier, write};
use crate::support::profile::steady;

#[track_caller]
fn is(status: &TestCaseStatus, wanted: NonSuccessKind) {
    let TestCaseStatus::NonSuccess { kind, .. } = status else { panic!("{status:?}") };
    assert_eq!(*kind, wanted);
}

/// `steady`, and a step that is always left out, because the step that makes what it needs fails. No threshold is
/// there but the test's own.
fn with_a_step_that_never_runs(threshold: &str) -> String {
    steady(2, "500ms")
        + r#"
[[step]]
name = "maker"
post = "/things"
capture = { id = { json = "$.id" } }

[[step]]
name = "never"
get = "/things/{{id}}"
needs = ["id"]
checks = [{ name = "never tried", status = 200 }]

[thresholds]
defaults = false
"# + threshold
        + "\n"
}

/// A server that makes nothing.
fn barren() -> Origin {
    Origin::start(Script::ok().path("/things", Act::Answer { status: 500, body: "{}".to_owned() }))
}

#[test]
fn a_threshold_without_samples_is_invalid() {
    for threshold in [
        "\"http_req_duration{step:never}\" = [\"p(99)<200\"]",
        "\"http_req_duration{step:never}\" = [\"max<200\"]",
        "\"checks{step:never}\" = [\"rate>0.9\"]",
        "\"errors{step:never}\" = [\"rate<0.9\"]",
        "\"http_req_duration{status:418}\" = [\"avg<1s\"]",
    ] {
        let origin = barren();
        let run =
            Palier::run(&with_a_step_that_never_runs(threshold)).target(&origin).exit(98).verdict("invalid");
        let summary = run.summary();
        let judged = &summary["thresholds"][0];
        assert_eq!((&judged["outcome"], &judged["observed"]), (&"invalid".into(), &().into()), "{threshold}");
        is(&run.case(judged["id"].as_str().unwrap()), NonSuccessKind::Error);
    }
}

#[test]
fn a_threshold_without_samples_passes_only_where_it_is_told_to() {
    let threshold = "\"http_req_duration{step:never}\" = [{ expr = \"p(99)<200\", allow_empty = true }]";
    let origin = barren();
    let run = Palier::run(&with_a_step_that_never_runs(threshold)).target(&origin).exit(0).verdict("pass");
    assert_eq!(run.threshold("p(99)<200")["outcome"], "pass");
    assert!(run.count("/steps/2/skipped") > 0);
}

#[test]
fn a_counter_that_saw_nothing_is_zero_and_that_is_data() {
    let origin = Origin::start(Script::ok());
    let profile = steady(2, "1s")
        + "[thresholds]\nhttp_req_cut = [\"count==0\"]\ndropped_iterations = [\"count==0\"]\n";
    let run = Palier::run(&profile).target(&origin).exit(0);
    assert_eq!(run.threshold("count==0")["observed"], 0.0);
}

#[test]
fn a_percentile_of_too_few_samples_is_invalid_and_not_a_pass() {
    let origin = Origin::start(Script::ok());
    // Some hundred samples, and p(99) asks for a thousand.
    let profile = steady(2, "1s") + "[thresholds]\nhttp_req_duration = [\"p(99)<10s\"]\n";
    let run = Palier::run(&profile).target(&origin).exit(98).verdict("invalid");
    let threshold = run.threshold("p(99)<10s");
    assert_eq!(threshold["outcome"], "invalid");
    assert_eq!(threshold["samples"].as_u64(), Some(origin.requests()));
    let sentence = threshold["reason"].as_str().unwrap();
    assert!(sentence.contains("1000") || sentence.contains("1,000"), "{sentence}");
    is(&run.case("http_req_duration p(99)<10s"), NonSuccessKind::Error);
}

#[test]
fn fewer_samples_are_enough_where_the_profile_says_so() {
    let origin = Origin::start(Script::ok());
    let profile =
        steady(2, "1s") + "[thresholds]\nhttp_req_duration = [{ expr = \"p(99)<10s\", min_samples = 5 }]\n";
    let run = Palier::run(&profile).target(&origin).exit(0);
    assert_eq!(run.threshold("p(99)<10s")["outcome"], "pass");
}

#[test]
fn a_clear_breach_fails_even_with_few_samples() {
    let origin = Origin::start(Script::ok().delay(Duration::from_millis(60)));
    let profile = steady(2, "1s") + "[thresholds]\nhttp_req_duration = [\"p(99)<20ms\"]\n";
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    is(&run.case("http_req_duration p(99)<20ms"), NonSuccessKind::Failure);
}

#[test]
fn all_requests_answered_with_500_fail_without_a_threshold() {
    let origin = Origin::start(Script::status(500));
    // Nor is there a check that could fail.
    let profile = steady(2, "1s").replace("checks = ", "# ");
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    let requests = run.count("/metrics/http_reqs/count");
    assert_eq!(run.count("/metrics/http_req_failed/passes"), requests);
    assert_eq!(run.errors("status"), requests);
    assert_eq!(run.threshold("rate<1%")["file"], serde_json::Value::Null, "it holds by default");
}

#[test]
fn checks_that_fail_fail_without_a_threshold() {
    let origin = Origin::start(Script::ok());
    let profile = steady(2, "1s").replace("status = 200", "json = \"$.ok\", equals = false");
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    assert_eq!(run.count("/metrics/http_req_failed/passes"), 0, "the answers were good");
    assert_eq!(run.threshold("rate>99%")["outcome"], "fail");
    assert_eq!(run.errors("check"), run.count("/metrics/http_reqs/count"));
    is(&run.case("is ok"), NonSuccessKind::Failure);
}

#[test]
fn a_threshold_on_a_selection_does_not_switch_the_defaults_off() {
    let origin = Origin::start(Script::status(500));
    let profile = steady(2, "1s") + "[thresholds]\n\"errors{step:get}\" = [\"rate<=100%\"]\n";
    Palier::run(&profile).target(&origin).exit(99).verdict("fail");
}

#[test]
fn who_wants_no_defaults_says_so() {
    let origin = Origin::start(Script::status(500));
    let profile = steady(2, "1s") + "[thresholds]\ndefaults = false\n";
    let run = Palier::run(&profile).target(&origin).exit(0);
    assert_eq!(run.summary()["thresholds"].as_array().unwrap().len(), 0);
    assert_eq!(run.count("/metrics/http_req_failed/passes"), run.count("/metrics/http_reqs/count"));
}

#[test]
fn every_iteration_that_goes_wrong_in_the_scenario_fails() {
    let origin = Origin::start(Script::ok());
    let profile = steady(2, "1s").replace("checks = ", "capture = { id = { json = \"$.id\" } }\nchecks = ");
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    assert_eq!(run.count("/metrics/checks/fails"), 0, "no check failed");
    let summary = run.summary();
    let reason = summary["reasons"].as_array().unwrap().iter().find(|it| it["verdict"] == "fail").unwrap();
    assert_eq!(reason["section"], "checks");
    let text = reason["text"].as_str().unwrap();
    assert!(text.contains("id") && text.contains("get"), "{text}");
}

#[test]
fn a_template_left_unfilled_sends_nothing_and_fails() {
    let origin = barren();
    let profile = with_a_step_that_never_runs("").replace("needs = [\"id\"]", "");
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    assert!(run.reasons().contains("{{id}}"), "{}", run.reasons());
    assert_eq!(run.count("/steps/2/requests"), 0);
    assert!(origin.record().requests.iter().all(|seen| ["/", "/things"].contains(&seen.path.as_str())));
}

/// `steady` with a step before and one after the load.
fn with_setup() -> String {
    steady(2, "1s")
        + r#"
[[setup]]
name = "seed"
post = "/seed"
capture = { seed = { json = "$.id" } }
checks = [{ name = "seeded", status = 200 }]

[[teardown]]
name = "sweep"
delete = "/seed"
"#
}

#[test]
fn a_setup_that_fails_is_invalid_and_teardown_still_runs() {
    let refuse = Act::Answer { status: 500, body: "{}".to_owned() };
    let script = Script::ok().path("/seed", refuse);
    let origin = Origin::start(script);
    let run = Palier::run(&with_setup()).target(&origin).exit(98).verdict("invalid");
    assert_eq!(run.summary()["run"]["ended_early"]["cause"], "not-started");
    assert!(run.reasons().contains("seed"), "{}", run.reasons());
    let record = origin.record();
    assert_eq!((record.count("POST /seed"), record.count("GET /"), record.count("DELETE /seed")), (1, 0, 1));
}

#[test]
fn setup_and_teardown_are_in_no_latency_no_count_and_no_rate() {
    let slow = Act::Late(Duration::from_millis(600), r#"{"id":1}"#.to_owned());
    let origin = Origin::start(Script::ok().path("/seed", slow));
    let profile = with_setup()
        + "[thresholds]\n\"http_req_duration{phase:setup}\" = [{ expr = \"max<60s\", min_samples = 1 }]\n";
    let run = Palier::run(&profile).target(&origin).exit(0);
    assert!(run.number("/metrics/http_req_duration/max") < 600.0);
    assert!(run.number("/metrics/http_req_duration{phase:setup}/max") >= 600.0);
    assert!((run.number("/run/load_duration") - 1_000.0).abs() < 1e-9);
    let summary = run.summary();
    let started: u64 =
        summary["stages"].as_array().unwrap().iter().map(|it| it["requests"].as_u64().unwrap()).sum();
    assert!((run.number("/metrics/http_reqs/rate") - started as f64).abs() < 1e-6);
    let record = origin.record();
    assert_eq!(run.count("/metrics/http_reqs/count"), record.count("GET /"));
    assert_eq!((record.count("POST /seed"), record.count("DELETE /seed")), (1, 1));
}

#[test]
fn a_report_that_cannot_be_written_is_found_before_any_load_is_made() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(2, "1s"))
        .target(&origin)
        .file("taken", "a file is no folder")
        .args(["--out", "taken/report"])
        .exit(1);
    run.says("taken");
    assert_eq!((origin.requests(), origin.connections()), (0, 0));

    let run =
        Palier::run(&steady(2, "1s")).target(&origin).file("palier-report/junit.xml/x", "in the way").exit(1);
    run.says("junit.xml");
    assert_eq!((origin.requests(), origin.connections()), (0, 0));
}

#[test]
fn a_report_that_cannot_be_written_at_the_end_is_no_success() {
    let origin = Origin::start(Script::ok());
    let running = Palier::run(&steady(2, "1s")).target(&origin).start();
    let running = running.wait_until(|| origin.requests() > 4);
    let folder = running.folder().join("palier-report");
    std::fs::remove_dir_all(&folder).unwrap();
    write(&folder, "a file is no folder");
    running.finish().exit(1).says("palier-report");
}

#[test]
fn an_earlier_runs_reports_are_not_left_for_a_killed_one() {
    let origin = Origin::start(Script::ok());
    let running = Palier::run(&steady(2, "20s"))
        .target(&origin)
        .file("palier-report/summary.json", "{\"verdict\":\"pass\"}")
        .start();
    let running = running.wait_until(|| origin.requests() > 4);
    let summary = running.folder().join("palier-report/summary.json");
    assert!(!summary.exists());
    let run = running.signal(crate::support::palier::Signal::KILL).finish();
    assert_eq!(run.code, None);
    assert!(!run.path("palier-report/summary.json").exists());
}

#[test]
fn a_run_in_which_no_iteration_was_completed_is_no_pass() {
    // Each request is answered well, but the pass takes longer than load and grace.
    let origin = Origin::start(Script::ok());
    let profile = steady(2, "1s").replace("pause = \"20ms\"", "pause = \"10s\"");
    let run = Palier::run(&profile).target(&origin).exit(98).verdict("invalid");
    assert_eq!(run.summary()["metrics"]["iterations"]["count"].as_f64(), Some(0.0));
    assert_eq!(run.count("/metrics/errors/passes"), 0);
}

#[test]
fn our_own_limits_are_not_blamed_on_the_target() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(60, "1s")).target(&origin).files(40).exit(98).verdict("invalid");
    let own = run.errors("generator");
    assert!(own > 0);
    assert_eq!(own, run.count("/metrics/errors/passes"), "nothing else went wrong");
    assert_eq!(run.threshold("rate<1%")["outcome"], "invalid");
    assert!(run.reasons().contains("own limits"), "{}", run.reasons());
}

#[test]
fn our_own_limits_do_not_excuse_a_target_that_fails() {
    let origin = Origin::start(Script::status(500));
    let run = Palier::run(&steady(60, "1s")).target(&origin).files(40).exit(99).verdict("fail");
    assert!(run.errors("generator") > 0);
    assert!(run.errors("status") > 0);
}
