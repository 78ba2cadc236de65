//! Latencies against known answers, to the tenth of a millisecond.

use std::time::Duration;

use crate::latency::{agree_with_the_server, profile};

#[test]
#[ignore = "slow: wants the release build, and a machine that does nothing else"]
fn percentiles_agree_with_a_known_distribution_of_short_times() {
    let _turn = super::take_turn();
    agree_with_the_server(&profile(10), Duration::from_millis(10));
    agree_with_the_server(&profile(2), Duration::from_millis(1));
}
