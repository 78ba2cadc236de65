//! Nothing is left behind in a real database, whatever happens to palier or to the target.

use std::time::{Duration, Instant};

use super::backend::Backend;
use crate::support::palier::{Done, Palier, Running, Signal};

/// Half a minute of `quick` in so many tenths of the time; its peak has 30 users.
fn quick(backend: &Backend, time_scale: &str) -> Palier {
    Palier::new(["run", "quick", "--time-scale", time_scale, "--target", &backend.url])
        .patience(Duration::from_secs(180))
}

/// Thirty users, each of whom has an employee for most of the time: a run that ends in the middle has many to undo.
const HOLDING: &str = r#"
pause = "50ms"
[target]
url = "http://127.0.0.1:9"
ready = { get = "/health" }
[load]
executor = "constant-vus"
vus = 30
duration = "4s"
[[step]]
name = "create employee"
post = "/employees"
json = { name = "LoadTest User {{run}}-{{vu}}-{{iteration}}", email = "loadtest-{{uuid}}@example.com" }
capture = { id = { json = "$.id" } }
undo = "delete employee"
pause = "400ms"
[[step]]
name = "delete employee"
delete = "/employees/{{id}}"
needs = ["id"]
"#;

/// The names of the employees that load tests have left.
fn left(backend: &Backend) -> Vec<String> {
    let names = backend.sql("SELECT name FROM employees WHERE name LIKE 'LoadTest User%'");
    names.lines().map(str::to_owned).collect()
}

/// Every employee that is left is one whose creation was never answered, and is named in the text. They are deleted
/// by their names, which hold the id of the run.
#[track_caller]
fn only_what_cannot_be_known_is_left(backend: &Backend, before: u64, named: &str, what: &str) -> usize {
    let left = left(backend);
    assert_eq!(backend.rows(), before + left.len() as u64, "{what}");
    for name in &left {
        assert!(named.contains(&format!("\"{name}\"")), "{what}: nobody was told of {name}\n{named}");
        backend.sql(&format!("DELETE FROM employees WHERE name = '{name}'"));
    }
    assert_eq!(backend.rows(), before, "{what}");
    left.len()
}

#[track_caller]
fn everything_is_undone(run: &Done, backend: &Backend, before: u64, what: &str) {
    assert_eq!(backend.rows(), before, "{what}");
    assert_eq!(run.count("/cleanup/created"), run.count("/cleanup/undone"), "{what}");
    assert_eq!(run.count("/cleanup/left") + run.count("/cleanup/unanswered"), 0, "{what}");
    let journal = run.read("palier-report/journal.jsonl");
    assert!(journal.trim_end().ends_with(r#"{"end":"done","left":0,"unanswered":0}"#), "{what}: {journal}");
    assert!(!journal.contains("\"made\""), "{what}: {journal}");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn a_run_that_ends_well_leaves_as_many_rows_as_before() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let run = quick(&backend, "0.3").finish();
    assert!(run.count("/cleanup/created") > 50);
    everything_is_undone(&run, &backend, before, "at the end");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn deletions_that_fail_one_time_in_five_leave_as_many_rows_as_before() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start_with(&[("FAIL_DELETE", "0.2")]) else { return };
    let before = backend.rows();
    let run = quick(&backend, "0.3").finish();
    assert!(run.count("/metrics/http_req_failed/passes") > 5, "deletions failed");
    assert!(run.count("/metrics/http_reqs{phase:cleanup}/count") > 5, "and were tried again");
    everything_is_undone(&run, &backend, before, "at the end");
}

/// Sends a signal at a random moment of a run of four seconds.
fn at_a_random_moment(backend: &Backend, signal: Signal) -> (Running, Instant, String) {
    let moment = Duration::from_millis(fastrand::u64(200..3_500));
    let run = Palier::run(HOLDING).args(["--target", &backend.url]).patience(Duration::from_secs(60));
    let running = run.start().wait(moment).signal(signal);
    (running, Instant::now(), format!("{signal:?} after {moment:?}"))
}

#[test]
#[ignore = "slow: two minutes against Flask and MariaDB"]
fn interrupted_at_any_moment_it_leaves_as_many_rows_as_before() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let mut created = 0;
    for signal in [Signal::INT, Signal::TERM].repeat(10) {
        let (running, signalled, what) = at_a_random_moment(&backend, signal);
        let run = running.finish();
        let took = signalled.elapsed();
        assert!(matches!(run.code, Some(105 | 99)), "{what}: {:?}", run.code);
        assert!(took < Duration::from_secs(7), "{what}: {took:?}");
        assert_eq!(run.summary()["run"]["ended_early"]["cause"], "interrupt", "{what}");
        everything_is_undone(&run, &backend, before, &what);
        created += run.count("/cleanup/created");
    }
    assert!(created > 500, "it was interrupted in the middle of things: {created} created");
}

#[test]
#[ignore = "slow: two minutes against Flask and MariaDB"]
fn killed_at_any_moment_and_swept_it_leaves_nothing_that_was_answered() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let (mut undone, mut unknown) = (0, 0);
    for _ in 0..20 {
        let (running, _, what) = at_a_random_moment(&backend, Signal::KILL);
        let run = running.finish();
        assert_eq!(run.code, None, "{what}");
        // What palier had asked for goes on without it.
        std::thread::sleep(Duration::from_millis(500));
        let rows = backend.rows() - before;
        let swept = run.then(["sweep"]).finish();
        assert!(matches!(swept.code, Some(0 | 98)), "{what}: {:?}\n{}", swept.code, swept.stderr);
        undone += rows - left(&backend).len() as u64;
        unknown += only_what_cannot_be_known_is_left(&backend, before, &swept.stdout, &what);
        run.then(["sweep"]).exit(0);
    }
    assert!(undone > 100, "it was killed in the middle of things: {undone} undone, {unknown} unknown");
}

#[test]
#[ignore = "slow: crashes Flask and MariaDB"]
fn a_target_that_crashes_and_comes_back_is_left_as_it_was() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let profile = "extends = \"quick\"\n[load]\nexecutor = \"constant-vus\"\nvus = 30\nduration = \"20s\"\n";
    let running = Palier::run(profile).args(["--target", &backend.url]);
    let running = running.patience(Duration::from_secs(180)).start().wait(Duration::from_secs(5));
    backend.crash();
    backend.revive();
    let run = running.finish();
    assert!(run.errors("connect-refused") > 0, "it was down");
    assert_eq!(run.count("/cleanup/left"), 0, "{}", run.reasons());
    let named = run.read("palier-report/journal.jsonl").replace("\\\"", "\"");
    let lost = only_what_cannot_be_known_is_left(&backend, before, &named, "after the crash");
    assert!(lost as u64 <= run.count("/cleanup/unanswered"));
    let points = run.summary()["series"]["points"].clone();
    let last = points.as_array().unwrap().iter().rev().nth(2).unwrap().clone();
    assert!(last["requests"].as_u64() > Some(0), "no user was held up for good: {last}");
}
