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

/// At 200/s and 20 ms a request, a target that freezes for one second of ten is as slow as 525 ms for one user in
/// twenty and as 925 ms for one in a hundred, if nobody has to queue for anything but the target. A tool that counts
/// from the moment at which it came to send says 27 ms with 50 users (performance of the peers, measured).
#[test]
#[ignore = "slow: twenty seconds of arrivals, and wants a machine that does little else"]
fn a_freeze_of_the_target_is_felt_by_all_who_arrive_in_it() {
    let _turn = super::take_turn();
    // With 50 users, whoever is in the middle of the queue also waits while those before are served, 50 at a time:
    // two rounds of 20 ms. That is no error, it is what a limit of 50 does.
    for (vus, queue) in [(300, 0.0), (50, 40.0)] {
        let load = format!(
            "executor = \"constant-arrival-rate\"\nrate = \"200/s\"\nduration = \"10s\"\npreallocated_vus = {vus}"
        );
        let thresholds = "http_req_corrected = [\"p(95)<1m\", \"p(99)<1m\"]";
        let script = Script::ok().delay(Duration::from_millis(20));
        let origin = Origin::start(script.stall(Duration::from_secs(5), Duration::from_secs(1)));
        let run = Palier::run(&arriving(&load, thresholds)).target(&origin).exit(0);
        assert_eq!(run.count("/metrics/iterations/count"), 2000);
        for (threshold, truth) in [(0, 525.0), (1, 925.0)] {
            let felt = run.number(&format!("/thresholds/{threshold}/observed"));
            assert!(felt >= 0.97 * truth && felt <= 1.03 * truth + queue, "{felt} ms, not {truth} ms");
        }
    }
}
