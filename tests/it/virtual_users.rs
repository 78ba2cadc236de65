//! Virtual users over time: as planned, as reported, and as the server sees them.

use std::time::Duration;

use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;
use crate::support::profile::steady;

/// Up to 20 within 2 s, on to 30 within 2 s, down to 0 within 2 s: `quick`, five times as fast.
const RAMP: &str = r#"
pause = "20ms"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "ramping-vus"
graceful_ramp_down = "1s"
graceful_stop = "1s"
stages = [
  { name = "climb", duration = "2s", target = 20 },
  { name = "peak", duration = "2s", target = 30 },
  { name = "stop", duration = "2s", target = 0 },
]
[[step]]
name = "get"
get = "/"
checks = [{ name = "is ok", status = 200 }]
"#;

/// The line that the stages draw, from k6's first virtual user on.
fn line(seconds: f64) -> f64 {
    match seconds {
        t if t <= 2.0 => 1.0 + 19.0 * t / 2.0,
        t if t <= 4.0 => 20.0 + 10.0 * (t - 2.0) / 2.0,
        t => 30.0 - 30.0 * (t - 4.0) / 2.0,
    }
}

#[test]
fn they_follow_the_stages_to_within_one() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(RAMP).target(&origin).exit(0).verdict("pass");
    let summary = run.summary();
    let points = summary["series"]["points"].as_array().unwrap();
    assert!(points.len() >= 6, "{points:#?}");
    for (second, point) in points.iter().take(6).enumerate() {
        assert_eq!(point["time"].as_f64(), Some(second as f64 * 1e3));
        let vus = point["vus"].as_f64().unwrap();
        let planned = line(second as f64);
        // Sampled a moment after the second began, by when the line has gone on by half a user.
        assert!((vus - planned).abs() <= 1.0, "{vus} instead of {planned:.1} at {second} s");
    }
    let most: Vec<_> =
        summary["stages"].as_array().unwrap().iter().map(|stage| stage["target"].as_f64().unwrap()).collect();
    assert_eq!(most.iter().map(f64::to_string).collect::<Vec<_>>(), ["20", "30", "0"]);

    // A virtual user has a connection of its own while it runs, so the server can count them, too. One that is
    // asked to stop finishes its pass, of some 20 ms; the first request came when the load began.
    let record = origin.record();
    let start = record.first("/");
    for tenth in 1..60_u32 {
        let at = f64::from(tenth) / 10.0;
        let open = record.open_at(start + Duration::from_secs_f64(at)) as f64;
        let (low, high) =
            (line(at - 0.1).min(line(at)).floor(), line((at - 0.1).max(0.0)).max(line(at)).ceil());
        assert!(open >= low - 1.0 && open <= high + 1.0, "{open} at {at} s, planned {low} to {high}");
    }
}

#[test]
fn constant_vus_are_constant() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(7, "3s")).target(&origin).exit(0);
    let summary = run.summary();
    let vus: Vec<_> = (summary["series"]["points"].as_array().unwrap().iter().take(3))
        .map(|point| point["vus"].as_u64().unwrap())
        .collect();
    assert_eq!(vus, [7, 7, 7]);
    assert_eq!(run.number("/metrics/vus/max").to_string(), "7");
    // One more to see whether the target is there.
    assert_eq!(origin.connections(), 8);
    assert_eq!(run.count("/metrics/http_reqs/count"), origin.requests());
    // To the byte, heads included.
    let bytes = (run.count("/metrics/data_sent/count"), run.count("/metrics/data_received/count"));
    assert_eq!(bytes, origin.bytes());
}

#[test]
fn what_is_under_way_at_the_end_may_finish_and_counts_in_no_stage_and_no_rate() {
    let origin = Origin::start(Script::ok().delay(Duration::from_millis(700)));
    // Passes of two requests begin at 0 and 1.4 s; the load ends at 1 s, so the second request of each first pass
    // begins within the load, and ends in the grace.
    let two = steady(3, "1s").replace("graceful_stop = \"1s\"", "graceful_stop = \"5s\"")
        + "[[step]]\nname = \"second\"\nget = \"/second\"\n[[step]]\nname = \"third\"\nget = \"/third\"\n";
    let run = Palier::run(&two).target(&origin).exit(0);
    assert_eq!(run.count("/metrics/iterations/count"), 3);
    assert_eq!(run.count("/metrics/http_reqs/count"), 9);
    assert_eq!(run.count("/metrics/http_req_failed/passes"), 0);
    assert_eq!(run.summary()["metrics"]["http_req_cut"]["count"].as_f64().unwrap_or(0.0).to_string(), "0");
    let summary = run.summary();
    assert_eq!(summary["stages"][0]["requests"], 6, "the third begins in the grace");
    assert!((run.number("/metrics/http_reqs/rate") - 6.0).abs() < 1e-9);
    let step = &summary["steps"][2];
    assert_eq!((&step["name"], &step["requests"]), (&"third".into(), &3.into()));
    assert_eq!(step["rate"].as_f64(), Some(0.0));
    assert_eq!(run.count("/metrics/http_req_duration/count"), 9, "their latency counts");
    assert_eq!(origin.requests(), 9);
}

#[test]
fn who_is_ramped_down_finishes_within_its_grace_and_is_cut_after_it() {
    // All five begin at once; four are asked to stop at once after 500 ms, when each has a request under way.
    let profile = |grace: &str| {
        format!(
            r#"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "ramping-vus"
start_vus = 5
graceful_ramp_down = "{grace}"
graceful_stop = "3s"
stages = [{{ duration = "500ms", target = 5 }}, {{ duration = "0s", target = 1 }}, {{ duration = "1s", target = 1 }}]
[[step]]
name = "get"
get = "/"
[thresholds]
defaults = false
"#
        )
    };
    let slow = || Origin::start(Script::ok().delay(Duration::from_secs(1)));
    let origin = slow();
    let run = Palier::run(&profile("2s")).target(&origin).exit(0);
    assert_eq!(run.errors("cut"), 0);
    assert_eq!(run.count("/metrics/iterations/count"), run.count("/metrics/http_reqs/count"));

    let origin = slow();
    let run = Palier::run(&profile("100ms")).target(&origin).finish();
    assert_eq!(run.errors("cut"), 4);
    assert_eq!(run.count("/metrics/http_req_cut/count"), 4);
    assert_eq!(run.count("/metrics/http_reqs/count"), origin.requests());
}

/// Users who pause for 150 ms between requests: long enough for their connections to be taken apart meanwhile.
fn pausing(vus: u32) -> String {
    steady(vus, "1s").replace("pause = \"20ms\"", "pause = \"150ms\"")
}

#[test]
fn a_long_pause_does_not_cost_the_connection() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&pausing(3)).target(&origin).exit(0).verdict("pass");
    assert_eq!(run.count("/metrics/http_reqs/count"), origin.requests());
    assert!(origin.requests() > 6, "{}", origin.requests());
    assert_eq!(origin.connections(), 1 + 3, "one to see whether the target is there, and one for each user");
}

#[test]
fn a_connection_closed_in_a_long_pause_is_made_anew() {
    let origin = Origin::start(Script::ok().closing());
    let run = Palier::run(&pausing(2)).target(&origin).exit(0).verdict("pass");
    assert_eq!(run.count("/metrics/http_reqs/count"), origin.requests());
    assert_eq!(origin.connections(), 1 + origin.requests(), "none of them went wrong for it");
}
