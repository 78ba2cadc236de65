//! What happens in a real MariaDB under the Flask backend, each provoked for real: seen, judged and explained.

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

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn a_database_at_ease_passes() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let before = backend.status("Questions");
    let run =
        run(&profile(&backend, OBSERVER, "vus = 5\nduration = \"6s\"", LIST, "")).exit(0).verdict("pass");
    passes(&run, "mysql_connections_refused count==0");
    passes(&run, "mysql_deadlocks count==0");
    passes(&run, "log_matches{pattern:Deadlock} count==0");
    let summary = run.summary();
    assert_eq!(summary["diagnosis"].as_array().unwrap().len(), 0);
    // Its own statements are not among those that it reports: what is left of all is what it sent itself.
    let queries = run.number("/metrics/mysql_queries/count");
    let requests = run.number("/metrics/http_reqs/count");
    assert!(queries >= 2.0 * requests - 2.0, "{queries} for {requests} requests of two statements each");
    assert!(queries < 2.0 * requests + 30.0, "{queries} for {requests} requests of two statements each");
    assert!((backend.status("Questions") - before) as f64 > queries, "palier's own were sent, too");
    assert!(!run.stdout.contains("Password") && !run.stderr.contains("Password"));
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn refused_connections_are_counted_as_the_server_counts_them() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start_with_options(&["--max-connections=10"]) else { return };
    let counters = || backend.status("Aborted_connects") - backend.status("Access_denied_errors");
    let before = counters();
    let run =
        run(&profile(&backend, OBSERVER, "vus = 30\nduration = \"6s\"", LIST, "")).exit(99).verdict("fail");
    let refused = counters() - before;
    assert!(refused > 20, "{refused}");
    assert_eq!(threshold(&run, "mysql_connections_refused count==0"), ("fail".to_owned(), refused as f64));
    fails(&run, "mysql_connections_refused count==0");
    fails(&run, "log_matches{pattern:Too many connections} count==0");
    assert_eq!(threshold(&run, "mysql_connections_used max<80%").0, "warn");
    passes(&run, "mysql_deadlocks count==0");
    passes(&run, "log_matches{pattern:Deadlock} count==0");
    // Each one stands in the log of whoever was refused; MariaDB writes down those that it turned away at the door.
    for log in ["backend.log", "mysql.log"] {
        let log = backend.log(log);
        assert!(lines(&log, "Too many connections") > 0, "{}", log.display());
        assert!(
            (counted(&run, "Too many connections", &log) - lines(&log, "Too many connections") as f64).abs()
                < 0.5
        );
    }
    let hint = hint(&run, "limit of connections");
    assert!(hint["mend"].as_str().unwrap().contains("max_connections"), "{hint:#}");
    let evidence = hint["evidence"].to_string();
    assert!(evidence.contains(&format!("refused {refused} connections")), "{evidence}");
    assert!(evidence.contains("of 10 connections were in use"), "{evidence}");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn transactions_in_opposite_order_are_found_as_deadlocks() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let step = r#"
        [[step]]
        name = "raise"
        post = "/raises"
        json = { first = "{{pick(1, 2)}}", second = "{{pick(1, 2)}}", pause = 0.01 }
        checks = [{ name = "raised", status = 200 }]
        "#;
    let deadlocks = || backend.status("Innodb_deadlocks");
    let before = deadlocks();
    let run =
        run(&profile(&backend, OBSERVER, "vus = 10\nduration = \"6s\"", step, "")).exit(99).verdict("fail");
    let found = deadlocks() - before;
    assert!(found > 0);
    assert_eq!(threshold(&run, "mysql_deadlocks count==0"), ("fail".to_owned(), found as f64));
    fails(&run, "mysql_deadlocks count==0");
    fails(&run, "log_matches{pattern:Deadlock} count==0");
    passes(&run, "mysql_connections_refused count==0");
    // MySQL tells the client alone.
    assert_eq!(lines(&backend.log("mysql.log"), "eadlock"), 0);
    let log = backend.log("backend.log");
    assert!((counted(&run, "Deadlock", &log) - lines(&log, "Deadlock") as f64).abs() < 0.5);
    let hint = hint(&run, "different orders");
    assert!(hint["evidence"].to_string().contains("Deadlock found when trying to get lock"), "{hint:#}");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn a_held_row_ends_in_lock_wait_timeouts() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start_with_options(&["--innodb-lock-wait-timeout=1"]) else { return };
    let step = r#"
        [[step]]
        name = "update"
        put = "/employees/7"
        json = { name = "somebody else", salary = 1 }
        timeout = "10s"
        checks = [{ name = "updated", status = 200 }]
        "#;
    let mut holder =
        backend.sql_meanwhile("BEGIN; UPDATE employees SET salary = 2 WHERE id = 7; DO SLEEP(8); COMMIT");
    std::thread::sleep(Duration::from_secs(1));
    let more = "[warnings]\nhttp_req_duration = [\"p(90)<100ms\"]\n";
    let run =
        run(&profile(&backend, OBSERVER, "vus = 4\nduration = \"5s\"", step, more)).exit(99).verdict("fail");
    holder.wait().expect("a child of ours");
    let timeouts =
        backend.sql("SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_timeouts'");
    let timeouts: f64 = timeouts.parse().unwrap();
    assert!(timeouts >= 4.0);
    assert_eq!(threshold(&run, "mysql_lock_wait_timeouts count==0"), ("fail".to_owned(), timeouts));
    fails(&run, "mysql_lock_wait_timeouts count==0");
    fails(&run, "log_matches{pattern:Lock wait timeout} count==0");
    passes(&run, "mysql_deadlocks count==0");
    assert_eq!(lines(&backend.log("mysql.log"), "Lock wait timeout"), 0);
    hint(&run, "innodb_lock_wait_timeout");
    // The time that was waited explains the latency.
    assert!(run.number("/metrics/mysql_row_lock_time/count") > 3_000.0);
    let hint = hint(&run, "waiting for locked rows");
    assert_eq!(hint["section"], "performance");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn a_restart_during_the_run_is_noticed_and_counting_goes_on() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let more = "[warnings]\nmysql_restarts = [\"count==0\"]\nmysql_queries = [\"count>0\"]\n";
    let profile = profile(&backend, OBSERVER, "vus = 3\nduration = \"20s\"", LIST, more);
    let running = Palier::run(&profile).patience(Duration::from_secs(120)).start();
    let running = running.wait(Duration::from_secs(6));
    let before = backend.status("Questions");
    backend.restart_database();
    let run = running.finish();
    let after = backend.status("Questions");
    assert_eq!(threshold(&run, "mysql_restarts count==0"), ("warn".to_owned(), 1.0));
    let summary = run.summary();
    let fact = summary["facts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|fact| fact["text"].as_str().unwrap().contains("started anew"));
    let at = fact.expect("a fact")["at"].as_f64().unwrap();
    assert!((5_000.0..20_000.0).contains(&at), "{at}");
    hint(&run, "restarted");
    // Both servers' statements are counted, never once more: all but what was not yet read of the first one.
    let queries = threshold(&run, "mysql_queries count>0").1;
    assert!(
        queries > after as f64 * 0.5 && queries < (before + after + 1_000) as f64,
        "{queries}: {before} + {after}"
    );
    passes(&run, "mysql_deadlocks count==0");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn what_cannot_be_seen_is_invalid_and_says_how_to_mend_it() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let load = "vus = 2\nduration = \"3s\"";

    let run_as = |login: &str| run(&profile(&backend, login, load, LIST, ""));
    // A user without rights: what needs one cannot be judged, all else can.
    let without = run_as("guest:guest-Password-1").exit(98).verdict("invalid");
    is_invalid(&without, "mysql_lock_wait_timeouts count==0");
    passes(&without, "mysql_connections_refused count==0");
    let hint_of = hint(&without, "mysql_lock_wait_timeouts");
    assert_eq!(hint_of["mend"], "GRANT PROCESS ON *.* TO 'guest'@'127.0.0.1'");
    drop(without);

    let wrong = run_as("observer:Wrong-Password-9").exit(98).verdict("invalid");
    is_invalid(&wrong, "mysql_deadlocks count==0");
    passes(&wrong, "log_matches{pattern:Deadlock} count==0");
    assert!(wrong.reasons().contains("Access denied for user 'observer'@'127.0.0.1'"), "{}", wrong.reasons());
    let everything = format!("{}{}{}", wrong.stdout, wrong.stderr, wrong.summary());
    assert!(!everything.contains("Wrong-Password-9"));
    hint(&wrong, "saw nothing");

    // Nobody listens there.
    let elsewhere = profile(&backend, OBSERVER, load, LIST, "").replace(&backend.mysql_port.to_string(), "1");
    let unreachable = run(&elsewhere).exit(98).verdict("invalid");
    is_invalid(&unreachable, "mysql_deadlocks count==0");
    assert!(unreachable.reasons().contains("connection refused"), "{}", unreachable.reasons());

    // What is not asked for is not judged.
    let none = Palier::run(&profile(&backend, OBSERVER, load, LIST, "")).args(["--observe", "none"]).exit(0);
    assert_eq!(threshold(&none, "mysql_deadlocks count==0").0, "skipped");
    assert!(matches!(case(&none, "mysql_deadlocks count==0"), TestCaseStatus::Skipped { .. }));
    assert_eq!(none.summary()["observers"][0]["state"], "inactive");
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn what_a_run_leaves_in_the_database_is_deleted() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let rows = backend.rows();
    let step = r#"
        [[step]]
        name = "create"
        post = "/employees"
        json = { name = "LoadTest User {{run}}-{{vu}}", email = "{{uuid}}@example.com" }
        "#;
    let cleanup = r#"
        [cleanup.mysql]
        delete = "DELETE FROM employees WHERE name LIKE 'LoadTest User {{run}}-%'"
        verify = "SELECT COUNT(*) FROM employees"
        "#;
    // Rows of another run are none of its business.
    backend.sql("INSERT INTO employees (name, email) VALUES ('LoadTest User other-1', 'other@example.com')");
    let done = run(&profile(&backend, OBSERVER, "vus = 3\nduration = \"3s\"", step, cleanup)).exit(0);
    assert_eq!(backend.rows(), rows + 1);
    let summary = done.summary();
    let database = &summary["cleanup"]["database"];
    assert_eq!((database["before"].as_u64(), database["after"].as_u64()), (Some(rows + 1), Some(rows + 1)));
    assert_eq!(database["deleted"].as_f64(), Some(done.number("/metrics/http_reqs/count")));
    drop(done);

    // It may not delete: that is said, and so is what is left.
    let denied =
        run(&profile(&backend, "guest:guest-Password-1", "vus = 1\nduration = \"2s\"", step, cleanup));
    assert!(denied.reasons().contains("could not be cleaned up"), "{}", denied.reasons());
    drop(denied);

    // A sweep needs no journal.
    let mysql = format!("mysql://observer:observer-Password-1@127.0.0.1:{}/businessdb", backend.mysql_port);
    let swept = Palier::new(["sweep", "--profile", "standard"]).env("MYSQL_URL", &mysql).finish();
    assert_eq!(swept.code, Some(0), "{}", swept.stderr);
    assert!(swept.stdout.contains(&format!("and {rows} after")), "{}", swept.stdout);

    // Interrupted, it is cleaned up all the same.
    let profile = profile(&backend, OBSERVER, "vus = 3\nduration = \"30s\"", step, cleanup);
    let running = Palier::run(&profile).start().wait(Duration::from_secs(4));
    let stopped = running.signal(crate::support::palier::Signal::INT).finish();
    assert!(stopped.took < Duration::from_secs(11), "{:?}", stopped.took);
    assert_eq!(backend.rows(), rows);
}

#[test]
#[ignore = "slow: starts Flask and MariaDB"]
fn the_doctor_says_what_is_wrong_and_what_mends_it() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let doctor = |login: &str| {
        let profile = profile(&backend, login, "vus = 2\nduration = \"3s\"", LIST, "");
        Palier::new(["doctor", "load.toml"]).file("load.toml", &profile).finish()
    };
    let well = doctor(OBSERVER);
    assert_eq!(well.code, Some(0), "{}{}", well.stdout, well.stderr);
    for line in [
        "lets `observer` in",
        "`mysql_lock_wait_timeouts` can be read",
        "backend.log can be read",
        "nothing is wrong",
    ] {
        assert!(well.stdout.contains(line), "no `{line}` in\n{}", well.stdout);
    }
    let ill = doctor("guest:guest-Password-1");
    assert_eq!(ill.code, Some(1), "{}", ill.stdout);
    assert!(ill.stdout.contains("mend: GRANT PROCESS ON *.* TO 'guest'@'127.0.0.1'"), "{}", ill.stdout);
    let locked_out = doctor("observer:Wrong-Password-9");
    assert_eq!(locked_out.code, Some(1));
    assert!(locked_out.stdout.contains("Access denied") && !locked_out.stdout.contains("Wrong-Password-9"));
}

#[test]
#[ignore = "slow: starts Flask and MariaDB, half a minute"]
fn sampling_costs_the_database_next_to_nothing() {
    let _turn = super::take_turn();
    let Some(backend) = Backend::start() else { return };
    let pid = backend.sql("SELECT @@pid_file");
    let pid = std::fs::read_to_string(pid).expect("its pid");
    let cpu = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, in hundredths of a second (proc_pid_stat(5)).
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    };
    // An idle load of 20 s, once unwatched and once watched: the difference is what watching costs.
    let idle = "[[step]]\nname = \"nothing\"\nget = \"/employees/1\"\npause = \"60s\"\n";
    let profile =
        profile(&backend, OBSERVER, "vus = 1\nduration = \"20s\"\ngraceful_stop = \"0s\"", idle, "");
    let mut costs = Vec::new();
    for observe in ["none", "mysql"] {
        let before = cpu();
        let run =
            Palier::run(&profile).args(["--observe", observe]).patience(Duration::from_secs(90)).finish();
        costs.push(cpu() - before);
        drop(run);
    }
    let share = (costs[1] - costs[0]) / 20.0;
    println!("sampling every second took {:.2} % of a core ({costs:?} s of CPU in 20 s)", share * 100.0);
    assert!(share < 0.01, "{share}");
}
