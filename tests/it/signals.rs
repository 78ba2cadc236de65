//! What a cancelled job leaves: reports, a verdict, and a target without anything of ours in it.

use std::time::{Duration, Instant};

use palier::demo::{Demo, Options};

use crate::support::client::Count;
use crate::support::origin::{Act, Origin, Script};
use crate::support::palier::{Done, Palier, REPORTS, Signal};
use crate::support::profile::steady;

/// GitHub kills a cancelled job so long after the first signal.
const GITHUB_WAITS: Duration = Duration::from_secs(7);

/// Interrupts `quick` while employees are being created, which takes the demo a while.
fn interrupt(signal: Signal, more: [&str; 2]) -> (Demo, Done, Duration) {
    let demo =
        Demo::start(Options { latency: Duration::from_millis(100), ..Options::default() }).expect("a demo");
    let running =
        Palier::new(["run", "quick", "--time-scale", "0.5", "--target", &demo.url()]).args(more).start();
    let addr = demo.addr();
    let creates = || crate::support::client::get(addr, "/__count")["routes"]["POST /employees"].as_u64();
    let running = running.wait_until(|| creates() > Some(8)).signal(signal);
    let signalled = Instant::now();
    let run = running.finish();
    (demo, run, signalled.elapsed())
}

#[track_caller]
fn left_in_order(demo: &Demo, run: &Done, signal: &str) {
    let summary = run.summary();
    assert_eq!(summary["run"]["ended_early"]["cause"], "interrupt");
    let text = summary["run"]["ended_early"]["text"].as_str().unwrap_or_default();
    assert!(text.contains(signal), "{text}");
    let count = Count::of(demo);
    assert_eq!(count.rows(), 200, "what was created is undone");
    assert!(run.count("/cleanup/created") >= 8);
    assert_eq!(run.count("/cleanup/created"), count.route("POST /employees"));
    assert_eq!(summary["cleanup"]["created"], summary["cleanup"]["undone"]);
    for name in REPORTS {
        assert!(!run.read(&format!("palier-report/{name}")).is_empty(), "{name}");
    }
    assert!(run.number("/run/load_duration") < 15_000.0);
}

#[test]
fn an_interrupted_run_undoes_what_it_created_and_reports() {
    let (demo, run, took) = interrupt(Signal::INT, ["--progress", "plain"]);
    let run = run.exit(105);
    left_in_order(&demo, &run, "SIGINT");
    assert!(took < GITHUB_WAITS, "{took:?}");
    assert!(
        !matches!(run.case("load phase completed"), quick_junit::TestCaseStatus::Success { .. }),
        "a cut run is no green test"
    );
}

#[test]
fn a_terminated_run_undoes_what_it_created_and_reports() {
    let (demo, run, took) = interrupt(Signal::TERM, ["--progress", "plain"]);
    let run = run.exit(105);
    left_in_order(&demo, &run, "SIGTERM");
    assert!(took < GITHUB_WAITS, "{took:?}");
}

#[test]
fn a_signal_does_not_hide_a_failed_threshold() {
    let warned = "thresholds.http_req_duration=[\"p(95)<10ms\"]";
    let (demo, run, _) = interrupt(Signal::INT, ["--set", warned]);
    let run = run.exit(99).verdict("fail");
    left_in_order(&demo, &run, "SIGINT");
    assert_eq!(run.threshold("p(95)<10ms")["outcome"], "fail");
}

#[test]
fn requests_cut_by_a_signal_count_apart() {
    let origin = Origin::start(Script::ok().after(20, Act::Hang));
    let named = "[thresholds]\n\"http_req_cut{cause:interrupt}\" = [\"count>=0\"]\n";
    let running = Palier::run(&(steady(4, "20s") + named)).target(&origin).start();
    let run = running.wait_until(|| origin.requests() >= 24).signal(Signal::INT).finish().exit(105);
    assert_eq!(run.count("/metrics/http_reqs/count"), 20);
    assert_eq!(run.count("/metrics/http_req_failed/passes"), 0);
    assert_eq!(run.count("/metrics/http_req_cut{cause:interrupt}/count"), 4);
    assert_eq!(origin.requests(), 24);
}

/// Creates something that cannot be undone in time, because the server never answers to that.
const STUBBORN: &str = r#"
pause = "20ms"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "constant-vus"
vus = 2
duration = "20s"
[[step]]
name = "create"
post = "/things"
capture = { id = { json = "$.id" } }
undo = "delete"
[[step]]
name = "wait"
get = "/wait"
[[step]]
name = "delete"
delete = "/things/{{id}}"
"#;

fn stubborn() -> Origin {
    let script = Script::ok().answers("/things", r#"{"id":7}"#);
    Origin::start(script.path("/wait", Act::Hang).path("/things/7", Act::Hang))
}

#[test]
fn what_cannot_be_undone_in_time_is_named_and_the_files_still_come_in_time() {
    let origin = stubborn();
    let running = Palier::run(STUBBORN).target(&origin).start();
    let running = running.wait_until(|| origin.requests() >= 4).signal(Signal::INT);
    let signalled = Instant::now();
    let run = running.finish().exit(105);
    let took = signalled.elapsed();
    assert!(took < GITHUB_WAITS, "{took:?}");
    let summary = run.summary();
    assert_eq!(summary["cleanup"]["created"], 2);
    assert_eq!(summary["cleanup"]["left"], 2);
    let names: Vec<_> =
        summary["cleanup"]["left_behind"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["DELETE /things/7", "DELETE /things/7"]);
    assert!(run.reasons().contains("DELETE /things/7"), "{}", run.reasons());
}

#[test]
fn a_second_signal_leaves_at_once_and_still_writes_the_reports() {
    let origin = stubborn();
    let running = Palier::run(STUBBORN).target(&origin).start();
    // After the first signal, the undoing has begun once its requests have come.
    let running = running.wait_until(|| origin.requests() >= 4).signal(Signal::INT);
    let running = running.wait_until(|| origin.requests() >= 6).signal(Signal::INT);
    let signalled = Instant::now();
    let run = running.finish().exit(105);
    let took = signalled.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(run.summary()["cleanup"]["left"], 2);
    for name in REPORTS {
        assert!(!run.read(&format!("palier-report/{name}")).is_empty(), "{name}");
    }
    let journal = run.read("palier-report/journal.jsonl");
    assert!(journal.ends_with("{\"end\":\"done\",\"left\":2,\"unanswered\":0}\n"), "{journal}");
    assert_eq!(journal.matches("{\"made\":").count(), 2, "{journal}");

    // The next run says so and keeps it; once the server lets go, a sweep leaves nothing.
    let calm = Origin::start(Script::ok().answers("/things", r#"{"id":8}"#));
    let next = run.then(["run", "load.toml", "--set", "load.duration=\"300ms\""]).target(&calm).exit(0);
    next.says("an earlier run left something behind: 2 things in http://127.0.0.1:");
    next.then(["sweep", "--target", &calm.url()]).exit(0).says("undone: 2");
    assert_eq!(calm.record().count("DELETE /things/7"), 2);
}

#[test]
fn a_signal_while_waiting_for_the_target_ends_the_run_without_load() {
    let origin = Origin::start(Script::status(503));
    let profile = steady(2, "1s").replace(
        "url = \"http://127.0.0.1:9\"",
        "url = \"http://127.0.0.1:9\"\nready = { get = \"/up\", within = \"30s\" }",
    );
    let running = Palier::run(&profile).target(&origin).start();
    let run = running.wait_until(|| origin.requests() > 1).signal(Signal::INT).finish().exit(105);
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    assert_eq!(origin.record().count("GET /"), 0);
}
