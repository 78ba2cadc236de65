//! The open model: iterations arrive by the clock, whatever the target does.

use std::time::Duration;

use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;

/// A plain GET under an arrival rate.
pub(crate) fn arriving(load: &str, thresholds: &str) -> String {
    format!(
        r#"
[target]
url = "http://127.0.0.1:9"
[load]
{load}
[[step]]
name = "get"
get = "/"
checks = [{{ name = "is ok", status = 200 }}]
[thresholds]
{thresholds}
"#
    )
}

#[test]
fn an_arrival_rate_is_exact_over_the_whole_run() {
    let load = "executor = \"constant-arrival-rate\"\nrate = \"150/s\"\nduration = \"2s\"\npreallocated_vus = 5\nmax_vus = 20";
    let origin = Origin::start(Script::ok());
    // On a busy machine some may be late, which the verdict then says; none may be missing or too many.
    let run = Palier::run(&arriving(load, "")).target(&origin).finish();
    assert_eq!((run.count("/metrics/iterations/count"), run.count("/metrics/http_reqs/count")), (300, 300));
    assert_eq!(origin.requests(), 300);
    assert_eq!(run.count("/metrics/iteration_lag/count"), 300);
    assert!(
        run.number("/metrics/vus/min") >= 5.0,
        "those that are there from the start count from the start"
    );
}

#[test]
fn a_ramping_arrival_rate_brings_the_area_under_its_line() {
    let load = "executor = \"ramping-arrival-rate\"\nstart_rate = \"50/s\"\npreallocated_vus = 20\nstages = [{ duration = \"1s\", target = \"150/s\" }, { duration = \"1s\", target = \"50/s\" }]";
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&arriving(load, "")).target(&origin).finish();
    assert_eq!(run.count("/metrics/iterations/count"), 200);
    assert_eq!(origin.requests(), 200);
}

#[test]
fn arrivals_that_find_nobody_wait_and_are_not_forgotten() {
    // Two users, half a second a request: four a second can be served, and forty arrive.
    let load = "executor = \"constant-arrival-rate\"\nrate = \"20/s\"\nduration = \"2s\"\npreallocated_vus = 2\ngraceful_stop = \"2s\"";
    let origin = Origin::start(Script::ok().delay(Duration::from_millis(500)));
    let run = Palier::run(&arriving(load, "")).target(&origin).exit(99);
    let (served, dropped) =
        (run.count("/metrics/iterations/count"), run.count("/metrics/dropped_iterations/count"));
    assert_eq!(served + dropped, 40, "{served} served, {dropped} dropped");
    assert!((6..=10).contains(&served), "{served} served");
    assert!(run.reasons().contains("the offered load was not absorbed"), "{}", run.reasons());
    // The answers took half a second; those who asked waited longer, and those who were never served longest.
    assert!(run.number("/metrics/http_req_duration/max") < 1000.0);
    assert!(run.number("/metrics/http_req_corrected/max") > 1500.0);
}

#[test]
fn iterations_are_counted_out() {
    let each = "executor = \"per-vu-iterations\"\nvus = 3\niterations = 7";
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&arriving(each, "")).target(&origin).exit(0);
    assert_eq!((run.count("/metrics/iterations/count"), origin.requests()), (21, 21));

    let shared = "executor = \"shared-iterations\"\nvus = 3\niterations = 20";
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&arriving(shared, "")).target(&origin).exit(0);
    assert_eq!((run.count("/metrics/iterations/count"), origin.requests()), (20, 20));
}

#[test]
fn iterations_without_the_time_for_them_are_dropped() {
    let load = "executor = \"shared-iterations\"\nvus = 2\niterations = 100\nmax_duration = \"1s\"\ngraceful_stop = \"1s\"";
    let origin = Origin::start(Script::ok().delay(Duration::from_millis(300)));
    let run = Palier::run(&arriving(load, "")).target(&origin).exit(99);
    let (done, dropped) =
        (run.count("/metrics/iterations/count"), run.count("/metrics/dropped_iterations/count"));
    assert_eq!(done + dropped, 100);
    assert!(done <= 8, "{done} done");
}

#[test]
fn several_loads_run_at_once_and_are_kept_apart() {
    let profile = r#"
[target]
url = "http://127.0.0.1:9"
[[loads]]
name = "browse"
executor = "constant-vus"
vus = 2
duration = "2s"
scenario = "browse.toml"
[[loads]]
name = "order"
executor = "constant-arrival-rate"
rate = "20/s"
duration = "1s"
start_after = "1s"
preallocated_vus = 5
scenario = "order.toml"
[thresholds]
"http_reqs{load:order}" = ["count==20"]
"http_req_duration{step:look}" = ["max<1m"]
"#;
    let step = |name: &str, path: &str| {
        format!(
            "pause = \"100ms\"\n[[step]]\nname = \"{name}\"\nget = \"{path}\"\nchecks = [{{ name = \"ok\", status = 200 }}]\n"
        )
    };
    let origin = Origin::start(Script::ok());
    let run = Palier::run(profile)
        .file("browse.toml", &step("look", "/look"))
        .file("order.toml", &step("order", "/order"))
        .target(&origin)
        .finish();
    let record = origin.record();
    assert_eq!(record.count("GET /order"), 20);
    assert_eq!(run.count("/metrics/http_reqs/count"), 20 + record.count("GET /look"));
    assert_eq!(run.count("/loads/1/iterations"), 20);
    assert!(record.first("/order") - record.first("/look") >= Duration::from_millis(900));
}
