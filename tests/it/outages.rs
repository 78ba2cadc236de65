//! Targets that are not there, die, hang, or break off: never a pass, and never a latency that was not measured.

use std::time::Duration;

use palier::demo::{Demo, Options};

use crate::support::origin::{Act, Origin, Script};
use crate::support::palier::Palier;
use crate::support::profile::steady;

/// A port that nothing listens on: it was free a moment ago, and the system gives it to nobody so soon.
fn nothing_there() -> String {
    let origin = Origin::start(Script::ok());
    let url = origin.url();
    drop(origin.record());
    url
}

#[test]
fn nothing_listening_is_invalid_and_no_load_is_made() {
    let run = Palier::run(&steady(2, "1s")).args(["--target", &nothing_there()]).exit(98).verdict("invalid");
    let summary = run.summary();
    assert_eq!(summary["run"]["ended_early"]["cause"], "not-started");
    assert!(summary["metrics"]["http_reqs"]["count"].as_f64().is_none_or(|count| count == 0.0));
    for threshold in summary["thresholds"].as_array().unwrap() {
        assert_eq!(threshold["outcome"], "invalid", "{threshold}");
    }
    assert!(run.reasons().contains("refused"), "{}", run.reasons());
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    assert!(run.junit().errors > 0);
    assert!(run.read("palier-report/badge.json").contains("invalid"));
}

#[test]
fn a_target_that_is_up_but_never_ready_is_invalid() {
    let origin = Origin::start(Script::status(503));
    let profile = steady(2, "1s").replace(
        "url = \"http://127.0.0.1:9\"",
        "url = \"http://127.0.0.1:9\"\nready = { get = \"/up\", within = \"1s\" }",
    );
    let run = Palier::run(&profile).target(&origin).exit(98).verdict("invalid");
    assert!(run.reasons().contains("503"), "{}", run.reasons());
    let record = origin.record();
    assert_eq!(record.count("GET /"), 0, "no load was made");
    assert!(record.count("GET /up") >= 2, "it is asked again");
}

#[test]
fn a_service_that_is_still_starting_is_waited_for() {
    let demo = Demo::start(Options::default()).unwrap();
    let addr = demo.addr();
    demo.stop();
    let running = Palier::run(&steady(2, "1s").replace("\"/\"", "\"/health\""))
        .args(["--target", &format!("http://{addr}"), "--wait", "20s"])
        .start();
    let running = running.wait(Duration::from_millis(700));
    let _late = Demo::start(Options { port: Some(addr.port()), ..Options::default() }).unwrap();
    let run = running.finish().exit(0);
    assert_eq!(run.count("/metrics/errors/passes"), 0);
}

#[test]
fn a_target_that_dies_half_way_fails_without_a_single_latency_of_zero() {
    let demo = Demo::start(Options::default()).unwrap();
    let running = Palier::new(["run", "quick", "--time-scale", "0.1", "--target", &demo.url()]).start();
    let addr = demo.addr();
    let running =
        running.wait_until(|| crate::support::client::get(addr, "/__count")["total"].as_u64() > Some(100));
    demo.stop();
    let run = running.finish().exit(99).verdict("fail");
    let gone = run.errors("connect-refused") + run.errors("closed-early") + run.errors("reset");
    assert!(run.errors("connect-refused") > 0);
    // Who was not answered has no latency, so there are as many samples as answers.
    assert_eq!(run.count("/metrics/http_req_duration/count") + gone, run.count("/metrics/http_reqs/count"));
    assert!(run.number("/metrics/http_req_duration/min") > 0.0);
    assert_eq!(run.count("/metrics/http_req_failed/passes"), gone);
}

#[test]
fn refused_connections_have_no_latency() {
    let origin = Origin::start(Script::ok().after(10, Act::Refuse));
    let run = Palier::run(&steady(2, "1s")).target(&origin).exit(99).verdict("fail");
    // Of the two connections, one met the end; the other closed at its next request.
    assert_eq!(run.count("/metrics/http_req_duration/count"), 10);
    assert!(run.number("/metrics/http_req_duration/min") > 0.0);
    assert!(run.errors("connect-refused") > 0);
    let reasons = run.reasons();
    assert!(reasons.contains("errors") || reasons.contains("http_req_failed"), "{reasons}");
}

#[test]
fn a_hung_server_fails_and_its_cut_requests_count_with_their_age() {
    let origin = Origin::start(Script::all(Act::Hang));
    let profile = steady(3, "1s") + "[thresholds]\nhttp_req_duration = [\"p(95)<500ms\"]\n";
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    assert_eq!(run.count("/metrics/http_reqs/count"), 3);
    assert_eq!(run.count("/metrics/http_req_failed/passes"), 3);
    assert_eq!(run.count("/metrics/errors/passes"), 3);
    assert_eq!(run.count("/metrics/http_req_cut/count"), 3);
    assert_eq!(run.errors("cut"), 3);
    assert_eq!(run.count("/metrics/http_req_duration/count"), 3);
    // One second of load, one of grace: each was open for as long.
    assert!(run.number("/metrics/http_req_duration/min") > 1_900.0);
    assert_ne!(run.threshold("p(95)<500ms")["outcome"], "pass");
    assert_eq!(run.summary()["metrics"]["iterations"]["count"].as_f64(), Some(0.0));
    assert_eq!(origin.record().count("GET /"), 3);
}

#[test]
fn a_request_that_times_out_counts_with_its_timeout() {
    let origin = Origin::start(Script::all(Act::Hang));
    let profile = steady(2, "1s").replace("get = \"/\"", "get = \"/\"\ntimeout = \"200ms\"");
    let run = Palier::run(&profile).target(&origin).exit(99).verdict("fail");
    let requests = run.count("/metrics/http_reqs/count");
    assert!(requests >= 4, "{requests}");
    assert_eq!(run.errors("timeout") + run.errors("cut"), requests);
    assert!(run.errors("timeout") > 0);
    assert!(run.number("/metrics/http_req_duration/med") >= 199.0);
    assert_eq!(origin.record().count("GET /"), requests);
}

#[test]
fn a_stall_of_the_target_is_seen() {
    let stall = Script::ok().stall(Duration::from_millis(500), Duration::from_millis(800));
    let origin = Origin::start(stall);
    let run = Palier::run(&steady(5, "2s")).target(&origin).exit(0);
    // All five were waiting.
    assert!(run.number("/metrics/http_req_duration/max") >= 600.0);
    let points = run.summary()["series"]["points"].clone();
    assert!(points[0]["max"].as_f64() >= Some(600.0), "it belongs to the second of its start: {points:#}");
}

#[test]
fn a_connection_closed_before_the_answer_is_an_error_of_that_name() {
    let origin = Origin::start(Script::all(Act::Close));
    let run = Palier::run(&steady(1, "1s")).target(&origin).exit(99).verdict("fail");
    let requests = run.count("/metrics/http_reqs/count");
    assert_eq!(run.errors("closed-early") + run.errors("reset"), requests);
    assert_eq!(run.count("/metrics/http_req_duration/count"), 0);
    assert_eq!(origin.record().count("GET /"), requests, "nothing is sent twice");
}

#[test]
fn an_answer_that_breaks_off_is_an_error_of_that_name() {
    let origin = Origin::start(Script::all(Act::CloseInBody));
    let run = Palier::run(&steady(1, "1s")).target(&origin).exit(99).verdict("fail");
    let requests = run.count("/metrics/http_reqs/count");
    assert_eq!(run.errors("closed-early"), requests);
    assert_eq!(run.count("/metrics/http_req_failed/passes"), requests);
    assert_eq!(run.count("/metrics/http_req_duration/count"), 0);
    assert_eq!(origin.record().count("GET /"), requests);
}

#[test]
fn a_connection_that_is_reset_is_an_error_of_that_name() {
    let origin = Origin::start(Script::all(Act::Reset));
    let run = Palier::run(&steady(1, "1s")).target(&origin).exit(99).verdict("fail");
    assert_eq!(run.errors("reset"), run.count("/metrics/http_reqs/count"));
    assert_eq!(run.count("/metrics/http_req_duration/count"), 0);
}

#[test]
fn a_kept_connection_that_the_target_closed_between_requests_is_no_error() {
    // Every answer is followed by a close, which keep-alive allows at any time.
    let origin = Origin::start(Script::ok().closing());
    let run = Palier::run(&steady(1, "1s")).target(&origin).exit(0);
    let requests = run.count("/metrics/http_reqs/count");
    assert_eq!(run.count("/metrics/errors/passes"), 0);
    assert!(origin.connections() > requests, "a connection a request, and one to see whether it is there");
    assert_eq!(origin.record().count("GET /"), requests);
}
