//! Thresholds and warnings, and the exit codes they lead to.

use std::time::Duration;

use crate::support::origin::{Act, Origin, Script};
use crate::support::palier::Palier;
use crate::support::profile::steady;

fn with_warning() -> String {
    steady(2, "1s") + "[warnings]\nhttp_reqs = [\"count<1\"]\n"
}

#[test]
fn a_warning_that_does_not_hold_is_green_by_default() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&with_warning()).target(&origin).exit(0).verdict("warn");
    let threshold = run.threshold("count<1");
    assert_eq!((&threshold["level"], &threshold["outcome"]), (&"warn".into(), &"warn".into()));
    assert!(matches!(run.case("http_reqs count<1"), quick_junit::TestCaseStatus::Success { .. }));
}

#[test]
fn a_warning_that_does_not_hold_is_orange_or_red_where_that_is_asked_for() {
    for (level, code) in [("warn", 3), ("fail", 99)] {
        let origin = Origin::start(Script::ok());
        let run = Palier::run(&with_warning()).target(&origin).args(["--on-warn", level]).exit(code);
        assert_eq!(run.threshold("count<1")["outcome"], "warn", "what it is does not depend on it");
    }
}

#[test]
fn a_failed_threshold_goes_before_one_that_could_not_be_judged() {
    let origin = Origin::start(Script::ok());
    let profile = steady(2, "1s")
        + "[thresholds]\nhttp_req_duration = [\"p(99)<10s\", \"min>1s\"]\n[warnings]\nhttp_reqs = [\"count<1\"]\n";
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    let summary = run.summary();
    let verdicts: Vec<_> =
        summary["reasons"].as_array().unwrap().iter().map(|it| it["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["fail", "invalid", "warn"], "all of them, the worst first");
}

#[test]
fn the_best_moment_of_a_run_does_not_hide_its_worst_window() {
    // Two seconds of three are fine.
    let stall = Script::ok().stall(Duration::from_secs(1), Duration::from_millis(900));
    let origin = Origin::start(stall);
    let threshold =
        "[thresholds]\nhttp_req_duration = [{ expr = \"avg<100ms\", window = \"1s\" }, \"avg<100ms\"]\n";
    let run = Palier::run(&(steady(4, "3s") + threshold)).target(&origin).exit(99).verdict("fail");
    let summary = run.summary();
    let judged = summary["thresholds"].as_array().unwrap();
    assert_eq!((&judged[0]["outcome"], &judged[0]["window"]), (&"fail".into(), &1000.0.into()));
    assert_eq!((&judged[1]["outcome"], &judged[1]["window"]), (&"pass".into(), &().into()));
}

#[test]
fn a_threshold_that_aborts_ends_the_run_early_and_what_was_cut_is_said() {
    let hang = Script::status(500).after(40, Act::Hang);
    let origin = Origin::start(hang);
    let threshold = "[thresholds]\nerrors = [{ expr = \"rate<50%\", abort = true }]\n\
        \"http_req_cut{cause:abort}\" = [\"count>=0\"]\n";
    let run = Palier::run(&(steady(4, "20s") + threshold)).target(&origin).exit(99).verdict("fail");
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    let summary = run.summary();
    assert_eq!(summary["run"]["ended_early"]["cause"], "abort");
    assert!(summary["run"]["ended_early"]["text"].as_str().unwrap().contains("errors"));
    assert!(run.number("/run/load_duration") < 10_000.0);
    assert_eq!(run.count("/metrics/http_reqs/count"), 40);
    assert_eq!(run.count("/metrics/http_req_cut{cause:abort}/count"), 4);
}

#[test]
fn an_abort_waits_for_its_delay() {
    let origin = Origin::start(Script::status(500));
    let threshold = "[thresholds]\nerrors = [{ expr = \"rate<50%\", abort = true, delay = \"3s\" }]\n";
    let run = Palier::run(&(steady(1, "20s") + threshold)).target(&origin).exit(99).verdict("fail");
    assert!(run.number("/run/ended_early/at") >= 3_000.0);
}

#[test]
fn a_status_that_a_check_expects_is_no_failure() {
    let origin = Origin::start(Script::status(404));
    let run =
        Palier::run(&steady(2, "1s").replace("status = 200", "status = [404, 410]")).target(&origin).exit(0);
    assert_eq!(run.count("/metrics/http_req_failed/passes"), 0);
    assert_eq!(run.count("/metrics/errors/passes"), 0);
}

#[test]
fn a_selector_judges_what_it_selects() {
    let slow = Act::Late(Duration::from_millis(40), "{}".to_owned());
    let origin = Origin::start(Script::ok().path("/slow", slow));
    let profile = steady(2, "1s")
        + "[[step]]\nname = \"slow\"\nget = \"/slow\"\n[thresholds]\n\
           \"http_req_duration{step:get}\" = [\"med<30ms\"]\n\"http_req_duration{step:slow}\" = [\"med<30ms\"]\n";
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    let summary = run.summary();
    let judged = summary["thresholds"].as_array().unwrap();
    assert_eq!((&judged[0]["selector"]["step"], &judged[0]["outcome"]), (&"get".into(), &"pass".into()));
    assert_eq!((&judged[1]["selector"]["step"], &judged[1]["outcome"]), (&"slow".into(), &"fail".into()));
    assert!(run.number("/metrics/http_req_duration{step:slow}/min") >= 40.0);
}
