//! Latencies against known answers.

use std::time::Duration;

use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;

const PROFILE: &str = r#"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "constant-vus"
vus = 10
duration = "4s"
[[step]]
name = "get"
get = "/"
checks = [{ name = "is ok", status = 200 }]
[thresholds]
http_req_duration = ["p(50)<1m", "p(95)<1m", "p(99)<1m"]
"#;

/// Of 200 requests, 180 wait for `unit`, 17 for three and 3 for eight times as long.
fn known(unit: Duration) -> Script {
    Script::ok().delays(&[(180, unit), (17, unit * 3), (3, unit * 8)], 3)
}

/// Compares p(50), p(95) and p(99) with the server's own record: within 1 % or 0.2 ms.
///
/// What else the machine does only ever adds time between the server's clock and ours, so one of five runs has to
/// agree; an error of palier's own would show in all of them.
#[track_caller]
pub(crate) fn agree_with_the_server(profile: &str, unit: Duration) {
    let mut misses = Vec::new();
    for _ in 0..5 {
        let origin = Origin::start(known(unit));
        let run = Palier::run(profile).target(&origin).exit(0);
        let requests = origin.requests();
        let record = origin.record();
        assert_eq!(run.count("/metrics/http_req_duration/count"), requests);
        let too_far: Vec<String> = [(0.50, 0, 1.0), (0.95, 1, 3.0), (0.99, 2, 8.0)]
            .into_iter()
            .filter_map(|(q, threshold, units)| {
                let held = record.hold(q);
                let reported = run.number(&format!("/thresholds/{threshold}/observed"));
                assert!(held >= unit.as_secs_f64() * 1e3 * units, "the server answered too early: {held} ms");
                assert!(reported >= held, "an answer came before it was sent: {reported} ms, held {held} ms");
                let tolerance = (held * 0.01).max(0.2);
                (reported - held > tolerance)
                    .then(|| format!("p({}): {reported} ms, held {held} ms", q * 100.0))
            })
            .collect();
        if too_far.is_empty() {
            return;
        }
        misses.push(too_far);
    }
    panic!("{misses:#?}");
}

/// For who wants to see a distribution of that unit: so many users that p(99) has the samples that it needs.
pub(crate) fn profile(vus: u32) -> String {
    PROFILE.replace("vus = 10", &format!("vus = {vus}"))
}

/// Long enough that the debug build's own time, of some 0.3 ms, is less than 1 %; the release build is tested with
/// shorter ones in `slow::latency`.
#[test]
fn percentiles_agree_with_a_known_distribution() {
    agree_with_the_server(&profile(40), Duration::from_millis(100));
}

#[test]
fn exact_values_stand_beside_the_histogram() {
    let ms = Duration::from_millis;
    let origin = Origin::start(Script::ok().delays(&[(9, ms(20)), (1, ms(120))], 5));
    let run = Palier::run(
        &PROFILE
            .replace("vus = 10", "vus = 1")
            .replace("\"p(50)<1m\", \"p(95)<1m\", \"p(99)<1m\"", "\"max<60s\""),
    )
    .target(&origin)
    .exit(0);
    let record = origin.record();
    let holds: Vec<f64> = record.requests.iter().map(|seen| seen.hold.as_secs_f64() * 1e3).collect();
    let mean = holds.iter().sum::<f64>() / holds.len() as f64;
    let least = holds.iter().copied().fold(f64::INFINITY, f64::min);
    let most = holds.iter().copied().fold(0.0, f64::max);
    assert!(run.number("/metrics/http_req_duration/avg") >= mean);
    assert!(run.number("/metrics/http_req_duration/min") >= least);
    assert!(run.number("/metrics/http_req_duration/max") >= most);
    // One after another on one connection: the answers and what lies between them are all the time there is.
    let sum = run.number("/metrics/http_req_duration/avg") * run.number("/metrics/http_req_duration/count");
    assert!(sum <= 4_000.0 + 120.0 + 500.0, "{sum} ms of waiting in 4 s");
    // The parts add up.
    let part = |name: &str| run.number(&format!("/metrics/http_req_{name}/avg"));
    let parts = part("sending") + part("waiting") + part("receiving");
    // Each mean is rounded to whole nanoseconds.
    assert!((parts - part("duration")).abs() < 1e-5, "{parts} {}", part("duration"));
}

#[test]
fn a_second_and_a_stage_hold_what_started_in_them() {
    // A request that starts at 0.9 s and ends at 1.5 s belongs to the second, and the stage, of its start.
    let origin = Origin::start(Script::ok().delay(Duration::from_millis(600)));
    let profile = PROFILE
        .replace("executor = \"constant-vus\"\nvus = 10\nduration = \"4s\"", "executor = \"ramping-vus\"\nstart_vus = 1\nstages = [{ name = \"a\", duration = \"1s\", target = 1 }, { name = \"b\", duration = \"1s\", target = 1 }]")
        .replace("\"p(50)<1m\", \"p(95)<1m\", \"p(99)<1m\"", "\"max<60s\"");
    let run = Palier::run(&profile).target(&origin).exit(0);
    let summary = run.summary();
    // Starts at 0, 0.6, 1.2 and 1.8 s.
    let requests =
        |list: &str, index: usize| summary.pointer(list).unwrap()[index]["requests"].as_u64().unwrap();
    assert_eq!((requests("/stages", 0), requests("/stages", 1)), (2, 2));
    assert_eq!((requests("/series/points", 0), requests("/series/points", 1)), (2, 2));
    assert_eq!(origin.requests(), 4);
}
