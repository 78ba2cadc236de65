//! Nothing is left behind in a real database, whatever happens to palier or to the target.
//!
//! Several runs go on at once against one backend, each with thirty users of its own, so that these tests take less
//! than two minutes and none of them can pass by deleting what is another's.

use std::time::{Duration, Instant};

use super::backend::Backend;
use crate::support::palier::{Done, Palier, Signal};

/// Thirty users, each of whom has an employee for most of the time: a run that ends in the middle has many to undo.
const HOLDING: &str = r#"
pause = "100ms"
[target]
url = "http://127.0.0.1:9"
ready = { get = "/health" }
[[step]]
name = "create employee"
post = "/employees"
json = { name = "LoadTest User {{run}}-{{vu}}-{{iteration}}", email = "loadtest-{{uuid}}@example.com" }
capture = { id = { json = "$.id" } }
undo = "delete employee"
pause = "800ms"
[[step]]
name = "delete employee"
delete = "/employees/{{id}}"
needs = ["id"]
"#;

const CONSTANT: &str = "[load]\nexecutor = \"constant-vus\"\nvus = 30\nduration = \"30s\"\n";

/// How many runs go on at once, and how many times each of those that are repeated.
const AT_ONCE: usize = 4;
const TIMES: usize = 20;

fn run(backend: &Backend, profile: &str) -> Palier {
    Palier::run(profile).args(["--target", &backend.url]).patience(Duration::from_secs(120))
}

fn holding(load: &str) -> String {
    format!("{HOLDING}{load}")
}

/// The same with the statement that deletes what no request can undo.
fn with_cleanup(backend: &Backend) -> String {
    let observed = format!(
        r#"
        [observe.mysql]
        url = "mysql://127.0.0.1:{}/businessdb"
        user = "observer"
        password = "${{MYSQL_PASSWORD}}"
        [cleanup.mysql]
        delete = "DELETE FROM employees WHERE name LIKE 'LoadTest User {{{{run}}}}-%'"
        "#,
        backend.mysql_port
    );
    format!("observers = [\"mysql\"]\n{}{observed}", holding(CONSTANT))
}

fn with_password(palier: Palier) -> Palier {
    palier.env("MYSQL_PASSWORD", "observer-Password-1")
}

/// A moment in which a run is in the midst of things.
fn any_moment() -> Duration {
    Duration::from_millis(fastrand::u64(400..2_600))
}

/// Does something a number of times, some of them at once; what came of each.
fn often<T: Send>(times: usize, what: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let what = &what;
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|worker| scope.spawn(move || (worker..times).step_by(AT_ONCE).map(what).collect::<Vec<_>>()))
            .collect();
        let of_each = workers.into_iter().map(|worker| match worker.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        of_each.flatten().collect()
    })
}

/// The employees that the run in this folder has left, by the id that its journal has.
fn left(backend: &Backend, run: &Done) -> Vec<String> {
    let journal = run.read("palier-report/journal.jsonl");
    let head: serde_json::Value =
        serde_json::from_str(journal.lines().next().unwrap_or("")).expect("a journal");
    let id = head["run"].as_str().expect("the id of a run");
    let names = backend.sql(&format!("SELECT name FROM employees WHERE name LIKE 'LoadTest User {id}-%'"));
    names.lines().map(str::to_owned).collect()
}

/// By requests alone.
#[track_caller]
fn everything_is_undone(run: &Done, backend: &Backend, what: &str) {
    assert_eq!(left(backend, run), Vec::<String>::new(), "{what}");
    assert_eq!(run.count("/cleanup/created"), run.count("/cleanup/undone"), "{what}");
    assert_eq!(run.count("/cleanup/left") + run.count("/cleanup/unanswered"), 0, "{what}");
    let journal = run.read("palier-report/journal.jsonl");
    assert!(journal.trim_end().ends_with(r#"{"end":"done","left":0,"unanswered":0}"#), "{what}: {journal}");
    assert!(!journal.contains("\"made\""), "{what}: {journal}");
}

/// One run of `quick`, in a third of its time.
fn quick(backend: &Backend) -> Done {
    run(backend, "extends = \"quick\"").args(["--time-scale", "0.3"]).finish()
}

fn ends_well(backend: &Backend) {
    let run = quick(backend);
    assert!(run.count("/cleanup/created") > 50);
    everything_is_undone(&run, backend, "at the end");
}

fn deletions_fail_one_time_in_five(backend: &Backend) {
    let failing = "extends = \"quick\"\n[target]\nheaders = { X-Fail-Delete = \"0.2\" }\n";
    let run = run(backend, failing).args(["--time-scale", "0.3"]).finish();
    assert!(run.count("/metrics/http_req_failed/passes") > 5, "deletions failed");
    assert!(run.count("/metrics/http_reqs{phase:cleanup}/count") > 5, "and were tried again");
    everything_is_undone(&run, backend, "with failing deletions");
}

fn is_ended_by_a_threshold(backend: &Backend) {
    let aborting =
        "[thresholds]\nhttp_req_duration = [{ expr = \"max<1us\", abort = true, delay = \"2s\" }]\n";
    let run = run(backend, &(holding(CONSTANT) + aborting)).exit(99).verdict("fail");
    assert_eq!(run.summary()["run"]["ended_early"]["cause"], "abort");
    assert!(run.count("/metrics/http_reqs{phase:cleanup}/count") > 10, "it had something to undo");
    everything_is_undone(&run, backend, "after an abort");
}

fn ramps_down_without_patience(backend: &Backend) {
    let ramp = r#"
        [load]
        executor = "ramping-vus"
        start_vus = 30
        graceful_ramp_down = "100ms"
        graceful_stop = "100ms"
        stages = [{ duration = "2s", target = 30 }, { duration = "2s", target = 0 }]
        "#;
    let run = run(backend, &holding(ramp)).finish();
    assert!(run.count("/metrics/http_reqs{phase:cleanup}/count") > 10, "iterations were cut");
    everything_is_undone(&run, backend, "after a ramp-down");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn however_a_run_ends_it_leaves_as_many_rows_as_before() {
    let _turn = super::share_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let ways =
        [ends_well, deletions_fail_one_time_in_five, is_ended_by_a_threshold, ramps_down_without_patience];
    often(ways.len(), |way| ways[way](&backend));
    assert_eq!(backend.rows(), before);
}

#[test]
#[ignore = "slow: twenty runs against Flask and MariaDB"]
fn interrupted_at_any_moment_it_leaves_as_many_rows_as_before() {
    let _turn = super::share_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let created = often(TIMES, |number| {
        let signal = if number % 2 == 0 { Signal::INT } else { Signal::TERM };
        let moment = any_moment();
        let what = format!("{signal:?} after {moment:?}");
        let running = run(&backend, &holding(CONSTANT)).start().wait(moment).signal(signal);
        let signalled = Instant::now();
        let run = running.finish().exit(105);
        let took = signalled.elapsed();
        assert!(took < Duration::from_secs(7), "{what}: {took:?}");
        assert_eq!(run.summary()["run"]["ended_early"]["cause"], "interrupt", "{what}");
        everything_is_undone(&run, &backend, &what);
        run.count("/cleanup/created")
    });
    assert_eq!(created.len(), TIMES);
    assert_eq!(backend.rows(), before);
    let created: u64 = created.iter().sum();
    assert!(created > 500, "it was interrupted in the midst of things: {created} created");
}

/// Ends a run the hard way, and sweeps: how many rows there were before that.
fn swept(backend: &Backend, profile: &str, signals: &[Signal]) -> usize {
    let moment = any_moment();
    let what = format!("{signals:?} after {moment:?}");
    let mut running = with_password(run(backend, profile)).start().wait(moment);
    for signal in signals {
        running = running.signal(*signal).wait(Duration::from_millis(50));
    }
    let run = running.finish();
    assert_eq!(run.code, if signals == [Signal::KILL] { None } else { Some(105) }, "{what}");
    let found = left(backend, &run).len();
    // Where deletions were told to fail, they no longer are.
    let swept = with_password(run.then(["sweep", "--header", "X-Fail-Delete: 0"])).exit(0);
    assert_eq!(left(backend, &run), Vec::<String>::new(), "{what}: {}", swept.stdout);
    if found > 0 {
        swept.says("from the database: DELETE FROM employees WHERE name LIKE 'LoadTest User 20");
    }
    run.then(["sweep"]).exit(0).says("nothing is left to be undone");
    found
}

#[test]
#[ignore = "slow: twenty runs against Flask and MariaDB"]
fn killed_at_any_moment_and_swept_it_leaves_as_many_rows_as_before() {
    let _turn = super::share_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let other = run(&backend, &holding(&CONSTANT.replace("30s", "100s"))).start();
    let profile = with_cleanup(&backend);
    let found = often(TIMES, |_| swept(&backend, &profile, &[Signal::KILL]));
    let other = other.signal(Signal::INT).finish().exit(105);
    assert_eq!(found.len(), TIMES);
    let found: usize = found.iter().sum();
    assert!(found > 100, "it was killed in the midst of things: {found} rows");
    assert_eq!(other.count("/metrics/http_req_failed/passes"), 0, "no sweep took a row of this one");
    everything_is_undone(&other, &backend, "beside the others");
    assert_eq!(backend.rows(), before);
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn ended_by_a_second_signal_and_swept_it_leaves_as_many_rows_as_before() {
    let _turn = super::share_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    // Most deletions fail: all that is there at the first signal would be undone before the second one.
    let failing = "[thresholds]\ndefaults = false\n[target]\nheaders = { X-Fail-Delete = \"0.9\" }\n";
    let profile = with_cleanup(&backend).replace("[target]\n", failing);
    let found = often(AT_ONCE, |number| {
        let second = if number % 2 == 0 { Signal::INT } else { Signal::TERM };
        swept(&backend, &profile, &[Signal::INT, second])
    });
    assert_eq!(found.len(), AT_ONCE);
    super::told(&format!("rows that the second signal left: {found:?}"));
    let found: usize = found.iter().sum();
    assert!(found > 0, "the second signal came before all was undone: {found}");
    assert_eq!(backend.rows(), before);
}

#[test]
#[ignore = "slow: crashes Flask and MariaDB"]
fn a_target_that_crashes_and_comes_back_is_left_as_it_was() {
    let _turn = super::share_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.rows();
    let profile = "extends = \"quick\"\n[load]\nexecutor = \"constant-vus\"\nvus = 30\nduration = \"12s\"\n";
    let running = run(&backend, profile).start().wait(Duration::from_secs(3));
    backend.crash();
    backend.revive();
    let run = running.finish();
    assert!(run.errors("connect-refused") > 0, "it was down");
    assert_eq!(run.count("/cleanup/left"), 0, "{}", run.reasons());
    // What is left was asked for in the crash and never answered; the journal names it.
    let named = run.read("palier-report/journal.jsonl").replace("\\\"", "\"");
    let left = left(&backend, &run);
    assert_eq!(backend.rows(), before + left.len() as u64);
    assert!(left.len() as u64 <= run.count("/cleanup/unanswered"));
    for name in &left {
        assert!(named.contains(&format!("\"{name}\"")), "nobody was told of {name}\n{named}");
    }
    // What no request can undo is deleted by the statement of the profile, where sweep is asked for it.
    let swept = with_password(run.then(["sweep", "palier-report", "--profile", "quick"]))
        .env("MYSQL_URL", &format!("mysql://127.0.0.1:{}/businessdb", backend.mysql_port))
        .env("MYSQL_USER", "observer")
        .exit(0);
    assert_eq!(backend.rows(), before, "{}", swept.stdout);
    let points = run.summary()["series"]["points"].clone();
    let last = points
        .as_array()
        .unwrap()
        .iter()
        .filter(|point| (9e3..12e3).contains(&point["time"].as_f64().unwrap()));
    let requests: u64 = last.filter_map(|point| point["requests"].as_u64()).sum();
    assert!(requests > 0, "no user was held up for good: {points}");
}
