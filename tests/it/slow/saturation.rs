//! A generator that is left too little of the machine must say so, and blame nobody; a healthy one excuses nobody.

use std::time::Duration;

use super::told;
use crate::arrivals::arriving;
use crate::support::cpu::Fifth;
use crate::support::origin::{Origin, Script};
use crate::support::palier::{Done, Palier};
use crate::support::profile::steady;
use crate::support::swift::Swift;

fn endless(vus: u32, seconds: u32) -> String {
    format!("executor = \"constant-vus\"\nvus = {vus}\nduration = \"{seconds}s\"\ngraceful_stop = \"5s\"")
}

fn arrivals(rate: u32, vus: u32) -> String {
    format!(
        "executor = \"constant-arrival-rate\"\nrate = \"{rate}/s\"\nduration = \"5s\"\npreallocated_vus = {vus}\ngraceful_stop = \"5s\""
    )
}

/// Nothing is blamed on the target, and the generator says that it was late.
#[track_caller]
fn blames_nobody(run: Done) -> Done {
    let run = run.exit(98).verdict("invalid");
    let summary = run.summary();
    let reasons = summary["reasons"].as_array().expect("a list");
    let blamed = reasons.iter().any(|reason| reason["verdict"] == "fail");
    assert!(!blamed, "{}", run.reasons());
    assert!(run.reasons().contains("palier"), "{}", run.reasons());
    assert_eq!(summary["generator"]["sound"], false);
    told(&format!(
        "lag p99 {:.1} ms, throttled {}, p95 {:.1} ms, {:.0} requests/s: {}",
        run.number("/generator/lag/p(99)"),
        summary["generator"]["throttled"],
        run.number("/metrics/http_req_duration/p(95)"),
        run.number("/metrics/http_reqs/rate"),
        run.reasons().lines().next().unwrap_or_default()
    ));
    run
}

/// k6 says p95 727 ms of such a server, and exits 0.
#[test]
#[ignore = "slow: takes a fifth of a core to its limit for twelve seconds"]
fn two_thousand_users_without_a_pause_on_a_fifth_of_a_core_are_invalid() {
    let _turn = super::take_turn();
    let server = Swift::start();
    let fifth = Fifth::of_a_core();
    let thresholds = "http_req_duration = [\"p(50)<5ms\", \"p(95)<5ms\"]";
    let palier = Palier::run(&arriving(&endless(2_000, 12), thresholds)).args(["--target", &server.url()]);
    let run = blames_nobody(fifth.holds(palier).finish());
    for expression in ["p(50)<5ms", "p(95)<5ms"] {
        assert_eq!(run.threshold(expression)["outcome"], "invalid");
    }
}

/// So few that all of them start in time: only their latency tells.
#[test]
#[ignore = "slow: takes a fifth of a core to its limit for ten seconds"]
fn latency_that_fails_by_our_own_delay_is_invalid() {
    let _turn = super::take_turn();
    let server = Swift::start();
    let fifth = Fifth::of_a_core();
    let thresholds = "http_req_duration = [\"p(50)<1ms\", \"p(95)<2ms\", \"avg<1ms\"]";
    let palier = Palier::run(&arriving(&endless(100, 10), thresholds)).args(["--target", &server.url()]);
    let run = blames_nobody(fifth.holds(palier).finish());
    assert!(run.number("/metrics/http_req_duration/p(95)") > 2.0);
}

#[test]
#[ignore = "slow: takes a fifth of a core to its limit for ten seconds"]
fn arrivals_beyond_what_a_fifth_of_a_core_can_start_are_invalid() {
    let _turn = super::take_turn();
    let server = Swift::start();
    for fifth in [Fifth::of_a_core(), Fifth::among_neighbours()] {
        let palier = Palier::run(&arriving(&arrivals(40_000, 200), "")).args(["--target", &server.url()]);
        let run = blames_nobody(fifth.holds(palier).finish());
        assert!(run.reasons().contains("did not offer the planned load"), "{}", run.reasons());
        assert!(!run.reasons().contains("not absorbed"), "{}", run.reasons());
    }
}

#[test]
#[ignore = "slow: takes a fifth of a core to its limit for five seconds"]
fn throughput_that_a_fifth_of_a_core_cannot_reach_is_invalid() {
    let _turn = super::take_turn();
    let server = Swift::start();
    let fifth = Fifth::of_a_core();
    let profile = arriving(&endless(50, 5), "http_reqs = [\"rate>100000\"]");
    let run = blames_nobody(fifth.holds(Palier::run(&profile).args(["--target", &server.url()])).finish());
    assert_eq!(run.threshold("rate>100000")["outcome"], "invalid");
}

/// On a healthy generator, and on one that has only a fifth of a core and does not need more.
#[test]
#[ignore = "slow: wants a machine that does little else"]
fn a_target_that_is_slow_itself_is_never_excused() {
    let _turn = super::take_turn();
    let slow = || Origin::start(Script::ok().delay(Duration::from_millis(120)));
    let latency = steady(10, "4s") + "[thresholds]\nhttp_req_duration = [\"p(95)<50ms\", \"p(50)<50ms\"]\n";
    let origin = slow();
    Palier::run(&latency).target(&origin).exit(99).verdict("fail");

    let fifth = Fifth::of_a_core();
    let origin = slow();
    fifth.holds(Palier::run(&latency)).target(&origin).exit(99).verdict("fail");

    // 100 a second that take 120 ms each are twelve at once; there are five.
    let origin = slow();
    let run = Palier::run(&arriving(&arrivals(100, 5), "")).target(&origin).exit(99).verdict("fail");
    assert!(run.reasons().contains("was not absorbed"), "{}", run.reasons());
    let origin = slow();
    let few = fifth.holds(Palier::run(&arriving(&arrivals(100, 5), "")));
    few.target(&origin).exit(99).verdict("fail");
}
