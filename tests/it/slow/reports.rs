//! What a run writes, whatever its verdict, read by readers that are not ours.

use std::time::Duration;

use serde_json::Value;

use super::consumers;
use crate::support::origin::{Act, Origin, Script};
use crate::support::palier::{Done, Palier, Signal, binary};
use crate::support::profile::steady;

/// How much of a page is looked at in a browser, which takes longer than all other readers together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Whole,
    Fast,
}

#[track_caller]
fn are_read(run: &Done, page: Page) {
    let file = |name: &str| run.path("palier-report").join(name);
    let path = |name: &str| file(name).display().to_string();
    let (html, summary) = (path("report.html"), file("summary.json"));
    std::thread::scope(|scope| {
        scope.spawn(|| match page {
            Page::Whole => consumers::accept("check-report.sh", &[&html, "How it was measured"]),
            Page::Fast => consumers::accept("check-report.sh", &[&html, "--fast", "How it was measured"]),
        });
        consumers::accept("check-junit.sh", &[&path("junit.xml"), "--contract", "--fast"]);
        consumers::accept("check-badge.py", &[&path("badge.json"), &path("badge.svg")]);
        consumers::accept("check-gitlab-load.py", &[&path("k6-summary.json")]);
        consumers::accept("check-openmetrics.sh", &[&path("metrics.txt")]);
        consumers::accept("check-annotations.py", &[&path("annotations.json")]);
        consumers::accept("check-hlog.sh", &[&path("latency.hlog")]);
        consumers::validate(&consumers::root().join("summary.schema.json"), &summary);
    });
}

#[test]
#[ignore = "slow: starts the readers of reports again and again"]
fn reports_of_every_verdict_are_read() {
    if !consumers::are_there() {
        return;
    }
    let _turn = super::share_turn();
    let ok = Origin::start(Script::ok());
    let profile = steady(2, "1s");
    are_read(&Palier::run(&profile).target(&ok).exit(0).verdict("pass"), Page::Fast);
    let warning = "[warnings]\nhttp_reqs = [\"count<1\"]\n";
    are_read(&Palier::run(&(profile.clone() + warning)).target(&ok).exit(0).verdict("warn"), Page::Fast);
    let few = "[thresholds]\nhttp_req_duration = [\"p(99)<10s\"]\n";
    are_read(&Palier::run(&(profile.clone() + few)).target(&ok).exit(98).verdict("invalid"), Page::Fast);
    are_read(&Palier::run(&profile).exit(98).verdict("invalid"), Page::Fast);

    // A database and a cluster were watched, and the scale-down followed.
    let sample = consumers::root().join("tests/samples/summary-standard-fail.json");
    let sample = std::fs::read_to_string(sample).expect("a sample");
    let again = Palier::new(["report", "summary.json", "--out", "palier-report"]);
    are_read(&again.file("summary.json", &sample).exit(0), Page::Fast);

    // Its answer holds what is an escape, markup or no character at all in one format or another.
    let body = "\u{1b}[31m]]> <script>&\u{0}\u{fffe}\u{2028}| `a` \\".to_owned();
    let bad = Origin::start(Script::all(Act::Answer { status: 500, body }));
    are_read(&Palier::run(&profile).target(&bad).exit(99).verdict("fail"), Page::Whole);
    let hung = Origin::start(Script::all(Act::Hang));
    are_read(&Palier::run(&profile).target(&hung).exit(99).verdict("fail"), Page::Fast);

    let running = Palier::run(&steady(2, "20s")).target(&ok).start();
    let before = ok.requests();
    let running = running.wait_until(|| ok.requests() > before + 4).signal(Signal::INT);
    are_read(&running.finish().exit(105), Page::Fast);
}

/// The summary of ten minutes and fifty steps, made from that of a shorter run.
fn long_summary() -> String {
    let sample = consumers::root().join("tests/samples/summary-standard-fail.json");
    let sample = std::fs::read_to_string(sample).expect("a sample");
    let mut summary: Value = serde_json::from_str(&sample).expect("JSON");
    let repeat = |list: &Value, n: usize, change: &dyn Fn(&mut Value, usize)| {
        let items = list.as_array().expect("a list").iter().cycle().take(n).cloned().enumerate();
        let items = items.map(|(n, mut item)| {
            change(&mut item, n);
            item
        });
        Value::Array(items.collect())
    };
    let name = |n: usize| Value::String(format!("step {n}"));
    summary["steps"] = repeat(&summary["steps"], 50, &|step, n| step["name"] = name(n));
    let at = |point: &mut Value, n: usize| point["time"] = Value::from(n as f64 * 1e3);
    summary["series"]["points"] = repeat(&summary["series"]["points"], 600, &at);
    let distributions = summary["histograms"].as_object_mut().expect("distributions");
    for steps in distributions.values_mut() {
        let own: Vec<Value> = steps.as_object().expect("steps").values().cloned().collect();
        let fifty = own.iter().cycle().take(50).cloned().enumerate();
        *steps = Value::Object(fifty.map(|(n, times)| (format!("step {n}"), times)).collect());
    }
    summary.to_string()
}

/// The time is that of the whole process, and the least of ten: others use the machine, too.
#[test]
#[ignore = "slow: a time means something in a release build only"]
fn a_page_of_ten_minutes_and_fifty_steps_is_drawn_in_less_than_300_ms() {
    let _turn = super::take_turn();
    if !binary().to_string_lossy().contains("release") {
        consumers::missing("a release build, in `PALIER_BIN`");
        return;
    }
    let summary = long_summary();
    let draw = |_| {
        let drawn = Palier::new(["report", "summary.json", "--format", "report.html"])
            .file("summary.json", &summary)
            .exit(0);
        assert!(drawn.stdout.contains("step 49") && drawn.stdout.len() < 1 << 20, "{}", drawn.stdout.len());
        drawn.took
    };
    let times: Vec<Duration> = (0..10).map(draw).collect();
    let least = times.iter().min().expect("ten times");
    println!("{least:?} of {times:?}");
    assert!(*least < Duration::from_millis(300), "{times:?}");
}
