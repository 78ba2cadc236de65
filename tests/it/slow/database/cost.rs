//! What watching costs the database, and the schedule of the load.

use std::time::Duration;

use super::{LIST, OBSERVER, profile};
use crate::slow::backend::Backend;
use crate::slow::told;
use crate::support::palier::Palier;

#[test]
#[ignore = "slow: starts Flask and MariaDB, half a minute"]
fn sampling_costs_the_database_next_to_nothing_and_the_schedule_nothing() {
    let _turn = crate::slow::share_turn();
    let Some(backend) = Backend::start() else { return };
    let pid = backend.database_pid();
    let profile =
        profile(&backend, OBSERVER, "rate = \"50/s\"\nduration = \"8s\"\npreallocated_vus = 100", LIST, "");
    let profile = profile.replace("constant-vus", "constant-arrival-rate");
    for observe in ["none", "mysql"] {
        let before = seconds_of(pid);
        let running = Palier::run(&profile)
            .args(["--observe", observe])
            .patience(Duration::from_secs(90))
            .start()
            .wait(Duration::from_secs(2));
        // MariaDB tells which of its threads serves a connection.
        let thread = backend.sql("SELECT TID FROM information_schema.PROCESSLIST WHERE USER = 'observer'");
        let of_thread = || thread.parse().ok().map(|thread: u32| nanoseconds_of(pid, thread));
        let at_first = of_thread();
        let running = running.wait(Duration::from_secs(5));
        let cost = at_first.zip(of_thread()).map(|(before, after)| (after - before) as f64 / 5e9);
        let run = running.finish();
        let cpu = seconds_of(pid) - before;
        // Whoever watches: each arrival is started, and at its time.
        assert_eq!(run.count("/metrics/iterations/count"), 400, "--observe {observe}");
        let dropped = run.summary()["metrics"]["dropped_iterations"]["count"].as_u64().unwrap_or(0);
        assert_eq!(dropped, 0, "--observe {observe}");
        let lag = |quantile: &str| run.number(&format!("/metrics/iteration_lag/{quantile}"));
        told(&format!(
            "--observe {observe}: 400 of 400 arrivals, iteration_lag med {} p99 {} ms, {cpu:.2} s of CPU in the database",
            lag("med"),
            lag("p(99)")
        ));
        // Half of them: the others are late where another process has the core.
        assert!(lag("med") < 10.0, "--observe {observe}: {} ms", lag("med"));
        assert_eq!(cost.is_some(), observe == "mysql");
        if let Some(share) = cost {
            told(&format!("sampling every second: {:.3} % of a core in the database", share * 100.0));
            assert!(share < 0.01, "{share}");
        }
    }
}

/// User and system time of a process (utime and stime of `proc_pid_stat(5)`, in hundredths of a second).
fn seconds_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    fields[11..13].iter().map(|time| time.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}

/// How long a thread has run.
fn nanoseconds_of(pid: u32, thread: u32) -> u64 {
    let path = format!("/proc/{pid}/task/{thread}/schedstat");
    let times = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    times.split_whitespace().next().and_then(|time| time.parse().ok()).expect("a number")
}
