//! Latencies against known answers, to the tenth of a millisecond.

use std::time::Duration;

use crate::arrivals::arriving;
use crate::latency::{agree_with_the_server, profile};
use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;

#[test]
#[ignore = "slow: wants the release build, and a machine that does nothing else"]
fn percentiles_agree_with_a_known_distribution_of_short_times() {
    let _turn = super::take_turn();
    agree_with_the_server(&profile(10), Duration::from_millis(10));
    agree_with_the_server(&profile(2), Duration::from_millis(1));
}

/// With 50 users at most, 200/s and 20 ms a request, a target that freezes for one second of ten is as slow as
/// 525 ms for one user in twenty and as 925 ms for one in a hundred. A tool that counts from the moment at which it
/// came to send says 27 ms (performance.md, 4.2).
#[test]
#[ignore = "slow: ten seconds of arrivals, and wants a machine that does little else"]
fn a_freeze_of_the_target_is_felt_by_all_who_arrive_in_it() {
    let _turn = super::take_turn();
    let load =
        "executor = \"constant-arrival-rate\"\nrate = \"200/s\"\nduration = \"10s\"\npreallocated_vus = 50";
    let thresholds = "http_req_corrected = [\"p(95)<1m\", \"p(99)<1m\"]";
    let script = || {
        let freeze = Script::ok().delay(Duration::from_millis(20));
        freeze.stall(Duration::from_secs(5), Duration::from_secs(1))
    };
    let origin = Origin::start(script());
    let run = Palier::run(&arriving(load, thresholds)).target(&origin).exit(0);
    assert_eq!(run.count("/metrics/iterations/count"), 2000);
    for (threshold, truth) in [(0, 525.0), (1, 925.0)] {
        let felt = run.number(&format!("/thresholds/{threshold}/observed"));
        assert!((felt - truth).abs() <= 0.03 * truth, "{felt} ms, not {truth} ms");
    }
}
