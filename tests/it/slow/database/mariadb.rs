//! What happens in a MariaDB, in one after another.

use std::time::Duration;

use super::{LIST, OBSERVER, counted, fails, hint, lines, passes, profile, run, threshold};
use crate::slow::backend::Backend;
use crate::support::palier::Palier;

#[test]
#[ignore = "slow: starts Flask and MariaDB, a minute"]
fn what_happens_in_mariadb_is_seen_judged_and_explained() {
    let _turn = crate::slow::share_turn();
    let Some(backend) = Backend::start_with_options(&["--innodb-lock-wait-timeout=1"]) else { return };
    // It holds for who is not in yet, and until the server is restarted.
    backend.sql("SET GLOBAL max_connections = 10");
    refused_connections_are_counted_as_the_server_counts_them(&backend);
    backend.sql("SET GLOBAL max_connections = 151");
    a_database_at_ease_passes(&backend);
    transactions_in_opposite_order_are_found_as_deadlocks(&backend);
    a_held_row_ends_in_lock_wait_timeouts(&backend);
    a_restart_during_the_run_is_noticed_and_counting_goes_on(&backend);
}

fn refused_connections_are_counted_as_the_server_counts_them(backend: &Backend) {
    let counters = || backend.status("Aborted_connects") - backend.status("Access_denied_errors");
    let before = counters();
    let run =
        run(&profile(backend, OBSERVER, "vus = 30\nduration = \"5s\"", LIST, "")).exit(99).verdict("fail");
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
    assert!(hint["mend"].as_str().expect("a text").contains("max_connections"), "{hint:#}");
    let evidence = hint["evidence"].to_string();
    assert!(evidence.contains(&format!("refused {refused} connections")), "{evidence}");
    assert!(evidence.contains("of 10 connections were in use"), "{evidence}");
}

fn a_database_at_ease_passes(backend: &Backend) {
    let before = backend.status("Questions");
    let run =
        run(&profile(backend, OBSERVER, "vus = 5\nduration = \"3s\"", LIST, "")).exit(0).verdict("pass");
    passes(&run, "mysql_connections_refused count==0");
    passes(&run, "mysql_deadlocks count==0");
    passes(&run, "log_matches{pattern:Deadlock} count==0");
    let summary = run.summary();
    assert_eq!(summary["diagnosis"].as_array().expect("an array").len(), 0);
    // Its own statements are not among those that it reports: what is left of all is what it sent itself.
    let queries = run.number("/metrics/mysql_queries/count");
    let requests = run.number("/metrics/http_reqs/count");
    assert!(queries >= 2.0 * requests - 2.0, "{queries} for {requests} requests of two statements each");
    assert!(queries < 2.0 * requests + 30.0, "{queries} for {requests} requests of two statements each");
    assert!((backend.status("Questions") - before) as f64 > queries, "palier's own were sent, too");
    assert!(!run.stdout.contains("Password") && !run.stderr.contains("Password"));
}

fn transactions_in_opposite_order_are_found_as_deadlocks(backend: &Backend) {
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
        run(&profile(backend, OBSERVER, "vus = 10\nduration = \"4s\"", step, "")).exit(99).verdict("fail");
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

fn a_held_row_ends_in_lock_wait_timeouts(backend: &Backend) {
    let step = r#"
        [[step]]
        name = "update"
        put = "/employees/7"
        json = { name = "somebody else", salary = 1 }
        timeout = "10s"
        checks = [{ name = "updated", status = 200 }]
        "#;
    let before = backend.lock_timeouts();
    let mut holder =
        backend.sql_meanwhile("BEGIN; UPDATE employees SET salary = 2 WHERE id = 7; DO SLEEP(5); COMMIT");
    std::thread::sleep(Duration::from_secs(1));
    let more = "[warnings]\nhttp_req_duration = [\"p(90)<100ms\"]\n";
    let run =
        run(&profile(backend, OBSERVER, "vus = 4\nduration = \"4s\"", step, more)).exit(99).verdict("fail");
    holder.wait().expect("a child of ours");
    let timeouts = backend.lock_timeouts() - before;
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

fn a_restart_during_the_run_is_noticed_and_counting_goes_on(backend: &Backend) {
    let more = "[warnings]\nmysql_restarts = [\"count==0\"]\nmysql_queries = [\"count>0\"]\n";
    let profile = profile(backend, OBSERVER, "vus = 3\nduration = \"9s\"", LIST, more);
    let running = Palier::run(&profile).patience(Duration::from_secs(120)).start();
    let running = running.wait(Duration::from_secs(4));
    let before = backend.status("Questions");
    backend.restart_database();
    let run = running.finish();
    let after = backend.status("Questions");
    assert_eq!(threshold(&run, "mysql_restarts count==0"), ("warn".to_owned(), 1.0));
    let summary = run.summary();
    let fact = summary["facts"]
        .as_array()
        .expect("an array")
        .iter()
        .find(|fact| fact["text"].as_str().expect("a text").contains("started anew"));
    let at = fact.expect("a fact")["at"].as_f64().expect("a number");
    assert!((2_000.0..9_500.0).contains(&at), "{at}");
    hint(&run, "restarted");
    // Both servers' statements are counted, never once more: all but what was not yet read of the first one.
    let queries = threshold(&run, "mysql_queries count>0").1;
    assert!(
        queries > after as f64 * 0.5 && queries < (before + after + 1_000) as f64,
        "{queries}: {before} + {after}"
    );
    passes(&run, "mysql_deadlocks count==0");
}
