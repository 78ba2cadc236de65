//! What takes many minutes: `ci/test --long` runs them.

use std::time::Duration;

use crate::slow::backend::Backend;
use crate::slow::take_turn;
use crate::support::palier::Palier;

/// Generator, Flask and MariaDB share two cores, as they do in a small pipeline. The target may fail; that palier was
/// the one to blame is never true here.
#[test]
#[ignore = "long: twenty runs of half a minute beside Flask and MariaDB"]
fn twenty_quick_runs_beside_the_system_under_test_are_not_invalid() {
    let _turn = take_turn();
    quick_runs(20, "1");
}

#[track_caller]
pub(crate) fn quick_runs(runs: u32, scale: &str) {
    let Some(backend) = Backend::start() else { return };
    let mut invalid = Vec::new();
    for number in 1..=runs {
        let run = Palier::new(["run", "quick", "--target", &backend.url, "--time-scale", scale])
            .patience(Duration::from_secs(120))
            .finish();
        let verdict = run.summary()["verdict"].clone();
        crate::slow::told(&format!(
            "run {number}: {verdict}, lag p99 {:.2} ms, p95 {:.0} ms, sound {}",
            run.number("/generator/lag/p(99)"),
            run.number("/metrics/http_req_duration/p(95)"),
            run.summary()["generator"]["sound"]
        ));
        if verdict == "invalid" {
            invalid.push(run.reasons());
        }
    }
    assert!(invalid.is_empty(), "{} of {runs}: {invalid:#?}", invalid.len());
}
