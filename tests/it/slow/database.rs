//! What happens in a real database under the Flask backend, each provoked for real: seen, judged and explained.
//!
//! Servers are shared by the cases of a test, because starting one with Flask takes as long as a case.

mod cost;
mod entry;
mod mariadb;
mod mysql;

use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCaseStatus};
use serde_json::Value;

use super::backend::Backend;
use crate::support::palier::{Done, Palier};

/// Who watches.
const OBSERVER: &str = "observer:observer-Password-1";

/// A profile of so many users for so long, that watches the database as this user, and both logs.
fn profile(backend: &Backend, login: &str, load: &str, step: &str, more: &str) -> String {
    let (mysql, gunicorn) = (backend.log("mysql.log"), backend.log("backend.log"));
    format!(
        r#"
        observers = ["mysql", "logs"]
        [target]
        url = "{url}"
        [load]
        executor = "constant-vus"
        {load}
        {step}
        [thresholds]
        defaults = false
        [observe.mysql]
        url = "{mysql_url}"
        [observe.mysql.thresholds]
        mysql_connections_refused = ["count==0"]
        mysql_deadlocks = ["count==0"]
        mysql_lock_wait_timeouts = ["count==0"]
        [observe.mysql.warnings]
        mysql_connections_used = ["max<80%"]
        [observe.logs]
        files = ["{mysql}", "{gunicorn}"]
        [observe.logs.thresholds]
        "log_matches{{pattern:Too many connections}}" = ["count==0"]
        "log_matches{{pattern:Deadlock}}" = ["count==0"]
        "log_matches{{pattern:Lock wait timeout}}" = ["count==0"]
        {more}
        "#,
        url = backend.url,
        mysql_url = backend.mysql_url(login),
        mysql = mysql.display(),
        gunicorn = gunicorn.display(),
    )
}

const LIST: &str = "[[step]]\nname = \"list\"\nget = \"/employees\"\n";

fn run(profile: &str) -> Done {
    Palier::run(profile).patience(Duration::from_secs(120)).finish()
}

/// What became of the threshold of that id, and its figure.
#[track_caller]
fn threshold(run: &Done, id: &str) -> (String, f64) {
    let summary = run.summary();
    let all = summary["thresholds"].as_array().expect("an array");
    let found = all.iter().find(|it| it["id"] == id).unwrap_or_else(|| panic!("no `{id}` in {all:#?}"));
    (found["outcome"].as_str().expect("a text").to_owned(), found["observed"].as_f64().unwrap_or(f64::NAN))
}

/// The case of that name in the suite `database`.
#[track_caller]
fn case(run: &Done, name: &str) -> TestCaseStatus {
    let report = run.junit();
    let suite = report.test_suites.iter().find(|suite| suite.name.as_str() == "database").expect("a suite");
    let case = suite.test_cases.iter().find(|case| case.name.as_str() == name);
    case.unwrap_or_else(|| panic!("no case `{name}`")).status.clone()
}

#[track_caller]
fn fails(run: &Done, id: &str) {
    let status = case(run, id);
    assert!(
        matches!(status, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. }),
        "{id}: {status:?}"
    );
    assert_eq!(threshold(run, id).0, "fail", "{id}");
}

#[track_caller]
fn passes(run: &Done, id: &str) {
    assert!(matches!(case(run, id), TestCaseStatus::Success { .. }), "{id}: {:?}", case(run, id));
    assert_eq!(threshold(run, id).0, "pass", "{id}");
}

/// The case could not be judged: an `error` in JUnit.
#[track_caller]
fn is_invalid(run: &Done, id: &str) {
    let status = case(run, id);
    assert!(
        matches!(status, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. }),
        "{id}: {status:?}"
    );
    assert_eq!(threshold(run, id).0, "invalid", "{id}");
}

/// The hint whose text holds this.
#[track_caller]
fn hint(run: &Done, text: &str) -> Value {
    let summary = run.summary();
    let hints = summary["diagnosis"].as_array().expect("an array");
    let found = hints.iter().find(|hint| hint["text"].as_str().expect("a text").contains(text));
    let hint = found.unwrap_or_else(|| panic!("no hint on `{text}` in {hints:#?}")).clone();
    assert!(!hint["evidence"].as_array().expect("an array").is_empty(), "a hint without evidence: {hint:#}");
    hint
}

/// How many lines of a log hold a text.
fn lines(log: &Path, text: &str) -> usize {
    let log = std::fs::read(log).expect("a log");
    String::from_utf8_lossy(&log).lines().filter(|line| line.contains(text)).count()
}

/// How many lines palier counted for a pattern in a file.
fn counted(run: &Done, pattern: &str, file: &Path) -> f64 {
    let summary = run.summary();
    let observers = summary["observers"].as_array().expect("an array");
    let logs = observers.iter().find(|it| it["name"] == "logs").expect("an observer");
    let series = logs["series"].as_array().expect("an array").iter().find(|series| {
        series["labels"]["pattern"] == pattern && series["labels"]["source"] == file.display().to_string()
    });
    series.map_or(0.0, |series| {
        series["points"].as_array().expect("an array").last().expect("a point")[1].as_f64().expect("a number")
    })
}
