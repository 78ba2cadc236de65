//! Much, and for long: exact counts, even load, memory that does not grow.

use super::told;
use crate::arrivals::arriving;
use crate::support::cpu::on_the_first_core;
use crate::support::palier::Palier;
use crate::support::swift::Swift;

#[test]
#[ignore = "slow: ten seconds of ten thousand arrivals each"]
fn ten_thousand_a_second_for_ten_seconds_are_a_hundred_thousand() {
    let _turn = super::take_turn();
    let server = Swift::start();
    let load = "executor = \"constant-arrival-rate\"\nrate = \"10000/s\"\nduration = \"10s\"\npreallocated_vus = 100\nmax_vus = 1000\ngraceful_stop = \"10s\"";
    // On a busy machine some may be late, which the verdict then says; none may be missing or too many.
    let run = Palier::run(&arriving(load, "")).args(["--target", &server.url()]).finish();
    // It is left out where there was none.
    let dropped = run.summary()["metrics"]["dropped_iterations"]["count"].as_f64().unwrap_or(0.0);
    let all = run.number("/metrics/iterations/count") + dropped;
    assert!((all - 100_000.0).abs() < f64::EPSILON, "{all}");
    assert_eq!(run.count("/metrics/iterations/count"), server.requests());
    assert_eq!(run.count("/metrics/iteration_lag/count"), server.requests());
    told(&format!("iteration_lag p99 {} ms, dropped {dropped}", run.number("/metrics/iteration_lag/p(99)")));
}

/// Ten thousand users with one request a second each, on one core.
#[test]
#[ignore = "slow: twenty seconds, 20,000 sockets"]
fn ten_thousand_users_are_offered_in_full() {
    let _turn = super::take_turn();
    let server = Swift::start();
    // They come one after another, as their pauses would have them after a while.
    let profile = r#"
pause = "1s"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "ramping-vus"
start_vus = 0
graceful_ramp_down = "3s"
stages = [
  { name = "come", duration = "5s", target = 10000 },
  { name = "stay", duration = "10s", target = 10000 },
]
[[step]]
name = "get"
get = "/"
checks = [{ name = "is ok", status = 200 }]
"#;
    let mut misses = Vec::new();
    for _ in 0..3 {
        let run = on_the_first_core(Palier::run(profile)).args(["--target", &server.url()]).finish();
        if run.summary()["generator"]["short"].to_string().contains("file descriptors") {
            // This system grants fewer files than that.
            return;
        }
        assert_eq!(run.count("/metrics/errors/passes"), 0);
        assert_eq!(run.count("/metrics/vus/max"), 10_000);
        let (offered, lag) = (run.number("/stages/1/rate"), run.number("/generator/lag/p(99)"));
        told(&format!(
            "{offered:.0} requests/s of 10,000, lag p99 {lag:.2} ms, CPU {:.2} of {} core, memory {:.1} MB, sound {}",
            run.number("/generator/cpu"),
            run.number("/generator/cores"),
            run.number("/generator/memory") / 1e6,
            run.summary()["generator"]["sound"]
        ));
        if offered > 9_700.0 && lag < 10.0 {
            return;
        }
        misses.push((offered, lag));
    }
    panic!("{misses:?}");
}

#[test]
#[ignore = "slow: three quarters of a minute at full rate"]
fn memory_does_not_grow_with_the_length_of_a_run() {
    let _turn = super::take_turn();
    let server = Swift::start();
    let [short, long] = [4, 40].map(|seconds| {
        let load = format!("executor = \"constant-vus\"\nvus = 50\nduration = \"{seconds}s\"");
        let run = Palier::run(&arriving(&load, "")).args(["--target", &server.url()]).finish();
        told(&format!(
            "{seconds} s, {} requests: {:.2} MB",
            run.count("/metrics/http_reqs/count"),
            run.number("/generator/memory") / 1e6
        ));
        (run.number("/generator/memory"), run.number("/metrics/http_reqs/count"))
    });
    let (grown, more) = (long.0 - short.0, long.1 - short.1);
    told(&format!("{grown:.0} bytes more for {more:.0} requests more"));
    // Of each second a point is kept, for ten minutes at most, and more requests fill more of their histograms: some three
    // megabytes. A release build makes nearly two million requests more, so that a byte for each would be seen.
    assert!(grown < 4e6, "{grown} bytes more for {more} requests more");
}
