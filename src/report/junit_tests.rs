use super::*;
use crate::report::sample;
use crate::report::summary::{History, Ms, Reason};

/// The document as quick-junit's own reader takes it.
#[track_caller]
fn read(summary: &Summary) -> Report {
    Report::deserialize_from_str(&render(summary)).expect("well-formed JUnit")
}

#[track_caller]
fn case<'a>(report: &'a Report, suite: &str, name: &str) -> &'a TestCase {
    let suite = report.test_suites.iter().find(|it| it.name.as_str() == suite).expect("the suite");
    let names: Vec<&str> = suite.test_cases.iter().map(|it| it.name.as_str()).collect();
    suite
        .test_cases
        .iter()
        .find(|it| it.name.as_str() == name)
        .unwrap_or_else(|| panic!("no case {name:?} among {names:?}"))
}

fn system_out(case: &TestCase) -> &str {
    case.system_out.as_ref().map_or("", |it| it.as_str())
}

/// `pass`, `failure palier.x`, `error palier.x` or `skipped palier.x`.
fn outcome(case: &TestCase) -> String {
    let word = |ty: &Option<quick_junit::XmlString>| ty.as_ref().map_or("", |it| it.as_str()).to_owned();
    match &case.status {
        TestCaseStatus::Success { .. } => "pass".to_owned(),
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, ty, .. } => {
            format!("failure {}", word(ty))
        }
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, ty, .. } => format!("error {}", word(ty)),
        TestCaseStatus::Skipped { ty, .. } => format!("skipped {}", word(ty)),
    }
}

#[test]
fn each_verdict_has_its_document() {
    for (name, summary) in sample::all() {
        insta::assert_snapshot!(format!("junit-{name}"), render(&summary));
    }
}

#[test]
fn every_document_keeps_the_contract() {
    let samples = sample::all().map(|(_, summary)| summary).into_iter().chain([sample::hostile()]);
    for summary in samples {
        let report = read(&summary);
        let mut total = Duration::ZERO;
        let mut keys = HashSet::new();
        for suite in &report.test_suites {
            assert!(suite.time.is_some() && suite.timestamp.is_some(), "{}", suite.name.as_str());
            for case in &suite.test_cases {
                let name = case.name.as_str();
                assert!(keys.insert((suite.name.clone(), name.to_owned())), "{name} is there twice");
                assert!((1..=255).contains(&name.chars().count()));
                assert!(!name.contains("<s"), "{name}");
                assert!(case.classname.as_ref().is_some_and(|it| it.as_str().starts_with("palier.quick")));
                assert!(case.extra.get("file").is_some_and(|it| !it.as_str().is_empty()));
                assert!(case.extra["line"].as_str().parse::<u32>().is_ok_and(|it| it > 0));
                total += case.time.expect("a time");
                let (TestCaseStatus::NonSuccess { message, description, ty, .. }
                | TestCaseStatus::Skipped { message, description, ty }) = &case.status
                else {
                    continue;
                };
                let [message, body, ty] =
                    [message, description, ty].map(|it| it.as_ref().expect("set").as_str());
                assert!(body.starts_with(message) && !message.is_empty(), "{message:?} in {body:?}");
                assert!(!message.contains('\n'));
                assert!(ty.starts_with("palier."));
            }
        }
        assert_eq!(total, wall_time(&summary), "readers show the sum of the cases");
        assert_eq!(report.time, Some(total));
    }
}

#[test]
fn names_are_the_same_whatever_was_measured() {
    let names = |summary: &Summary| -> Vec<String> {
        let report = read(summary);
        let suites = report.test_suites.iter().filter(|it| it.name.as_str() != RUN);
        suites.flat_map(|it| &it.test_cases).map(|it| it.name.as_str().to_owned()).collect()
    };
    assert_eq!(names(&sample::pass()), names(&sample::warn()));
    assert_eq!(names(&sample::pass()), names(&sample::invalid()));
}

#[test]
fn what_could_not_be_judged_is_an_error() {
    let report = read(&sample::invalid());
    assert_eq!(outcome(case(&report, "run", "load phase completed")), "error palier.not_started");
    assert_eq!(outcome(case(&report, "run", "target not ready")), "error palier.target_not_ready");
    assert_eq!(outcome(case(&report, "checks", "checks rate>90%")), "error palier.no_data");
    assert_eq!(outcome(case(&report, "checks", "health check is healthy")), "skipped palier.not_tried");
}

#[test]
fn a_warning_that_does_not_hold_is_a_passed_case() {
    let report = read(&sample::warn());
    let case = case(&report, "performance", "http_reqs rate>100");
    assert_eq!(outcome(case), "pass");
    assert_eq!(system_out(case), "warning: http_reqs rate 31.1/s is under 100/s");
}

#[test]
fn an_interrupted_run_says_so_once() {
    let report = read(&sample::interrupted());
    assert_eq!(outcome(case(&report, "run", "load phase completed")), "error palier.interrupted");
    assert_eq!(report.errors, 1);
}

#[test]
fn a_check_fails_only_as_a_culprit_of_a_failed_threshold() {
    let report = read(&sample::fail());
    let culprit = case(&report, "checks", "POST employee status 201");
    assert_eq!(outcome(culprit), "failure palier.check");
    let minor = case(&report, "checks", "GET specific employee status 200");
    assert_eq!(outcome(minor), "pass", "99.87 % is not below 99 %");
    assert_eq!(system_out(minor), "held 762 of 763 times; first: 500 \"Too many connections\"");

    let mut summary = sample::fail();
    summary.thresholds[2].outcome = Outcome::Pass;
    assert_eq!(outcome(case(&read(&summary), "checks", "POST employee status 201")), "pass");

    let mut summary = sample::fail();
    summary.thresholds[2].selector = [("step".to_owned(), "get employee".to_owned())].into();
    let report = read(&summary);
    assert_eq!(outcome(case(&report, "checks", "POST employee status 201")), "pass");
}

#[test]
fn checks_of_the_same_name_are_told_apart_by_their_steps() {
    let mut summary = sample::pass();
    summary.checks[1].name = "status".into();
    summary.checks[2].name = "status".into();
    let report = read(&summary);
    assert_eq!(outcome(case(&report, "checks", "health: status")), "pass");
    assert_eq!(outcome(case(&report, "checks", "list employees: status")), "pass");
}

#[test]
fn a_name_holds_nothing_that_begins_a_tag() {
    assert_eq!(case_name("p(95)<baseline+10%"), "p(95)< baseline+10%");
    assert_eq!(case_name("p(95)<500ms"), "p(95)<500ms");
    assert_eq!(case_name("\u{7}"), "unnamed");
}

#[test]
fn figures_among_those_of_earlier_runs_have_their_units() {
    let figure = |name: &str, value: f64, low: f64, high: f64| Expected {
        name: name.into(),
        value,
        mean: f64::midpoint(low, high),
        low,
        high,
        change: Change::Worse,
    };
    let mut summary = sample::pass();
    summary.history = Some(History {
        runs: 9,
        least: 8,
        figures: vec![
            figure("http_req_duration p(95)", 612.0, 480.0, 1_200.0),
            figure("errors rate", 0.02, 0.0, 0.004),
            figure("http_reqs rate", 31.06, 40.0, 44.5),
        ],
    });
    let report = read(&summary);
    for (name, text) in [
        ("http_req_duration p(95)", "worse: 612 ms, expected from 480 ms to 1.2 s"),
        ("errors rate", "worse: 2.0 %, expected from 0 % to 0.4 %"),
        ("http_reqs rate", "worse: 31.1/s, expected from 40/s to 44.5/s"),
    ] {
        let case = case(&report, "regression", &format!("{name} within its history"));
        assert_eq!((system_out(case), &*outcome(case)), (text, "failure palier.history"));
    }
}

#[test]
fn several_reasons_of_a_kind_share_a_case() {
    let mut summary = sample::pass();
    let reason = |text: &str| Reason {
        kind: "load-not-offered".into(),
        verdict: Verdict::Invalid,
        section: Some(Section::Performance),
        text: text.into(),
        threshold: None,
    };
    summary.reasons = vec![reason("first"), reason("second")];
    let report = read(&summary);
    let case = case(&report, "performance", "load not offered");
    assert_eq!(outcome(case), "error palier.load_not_offered");
    assert_eq!(report.errors, 1);
}

#[test]
fn a_time_that_is_none_does_not_keep_the_report_from_being_written() {
    let mut summary = sample::pass();
    summary.run.start = "yesterday".into();
    summary.run.duration = Ms(-1.0);
    assert_eq!(read(&summary).time, Some(Duration::ZERO));
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_document(text in ".{0,40}", other in "[\\x00-\\x7f\u{fffe}\u{ffff}\u{202e}]{0,40}") {
        let mut summary = sample::fail();
        summary.thresholds[0].id = format!("{text}{other}");
        summary.thresholds[0].reason = format!("{other}{text}");
        summary.checks[6].name = other;
        summary.run.profile.name = text;
        let report = read(&summary);
        assert_eq!(report.tests, 18);
        assert_eq!(report.failures, 4);
    }
}
