//! What takes many minutes: `ci/test --long` runs them.

use std::fmt::Write as _;
use std::time::Duration;

use crate::slow::backend::Backend;
use crate::slow::latency::{OK, agree, distribution, open_loads};
use crate::slow::{take_turn, told};
use crate::support::cpu::on_the_first_core;
use crate::support::metronome::{Holds, Metronome};
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
        told(&format!(
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

#[test]
#[ignore = "long: finds out what this machine can do, and takes half of it"]
fn quantiles_are_true_at_half_of_what_the_generator_can_do() {
    let _turn = take_turn();
    // Answers that palier has to look into: it must be the one that is at its limit, and not the server, which has to be
    // on time at half of it.
    let items: Vec<String> =
        (0..100).map(|id| format!(r#"{{"id":{id},"name":"item {id}","price":12.5}}"#)).collect();
    let body = format!(r#"{{"items":[{}],"ok":true}}"#, items.join(","));
    let mut checks = OK.to_owned();
    for item in [9, 39, 69, 99] {
        let _ =
            write!(checks, r#", {{ name = "item {item}", json = "$.items[{item}].id", equals = {item} }}"#);
    }
    let holds = Holds::from([("/a", distribution(Duration::from_millis(20), 1))]);
    // What it can do is what would take all of its core: a closed loop would do more, because answers come in heaps
    // there, and one look at the sockets serves many.
    let server = Metronome::start(holds.clone(), &body);
    let (profile, files) = open_loads(&["/a"], &checks, 4_000, 4);
    let palier = files.iter().fold(Palier::run(&profile), |palier, (name, text)| palier.file(name, text));
    let run = on_the_first_core(palier).args(["--target", &server.url()]).finish();
    assert_eq!(run.count("/metrics/checks/fails"), 0);
    let capacity = 4_000.0 / run.number("/generator/cpu");
    drop(server);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ten thousand")]
    let rate = ((capacity / 2.0) as u64 / 1_000).max(1) * 1_000;
    told(&format!("capacity {capacity:.0}/s, so {rate}/s"));
    // A request now and then finds others before it, which at half load is twice what one takes: 1 % of a time that is
    // some hundred times as long.
    agree(&holds, &body, &checks, rate, 10_000_u64.div_ceil(rate).max(4));
}
