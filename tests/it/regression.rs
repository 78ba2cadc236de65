//! Runs beside each other: `palier compare`, and what it says of runs against real servers.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;
use crate::support::profile::steady;

/// Summaries of two runs against quick servers and of one against a slow one, of eleven seconds each, side by side.
fn recorded() -> &'static [String; 3] {
    static RUNS: OnceLock<[String; 3]> = OnceLock::new();
    RUNS.get_or_init(|| {
        let origins =
            [20, 20, 100].map(|delay| Origin::start(Script::ok().delay(Duration::from_millis(delay))));
        let running = origins.each_ref().map(|origin| Palier::run(&steady(4, "11s")).target(origin).start());
        running.map(|run| {
            // Where others keep the machine busy palier itself may be late; here it is not to matter.
            let mut summary = run.finish().summary();
            summary["generator"]["sound"] = true.into();
            summary.to_string()
        })
    })
}

fn compare(base: &str, new: &str) -> Palier {
    Palier::new(["compare", "base.json", "new.json"]).file("base.json", base).file("new.json", new)
}

#[test]
fn the_same_server_is_neither_worse_nor_better() {
    let [quick, again, _] = recorded();
    let run = compare(quick, quick).exit(0);
    assert!(run.stdout.contains("SAME of 8 figures beside the baseline: "), "{}", run.stdout);
    for (base, new) in [(quick, again), (again, quick)] {
        // A busy machine may leave it inconclusive.
        let run = compare(base, new).exit(0);
        assert!(!run.stdout.contains("WORSE") && !run.stdout.contains("BETTER"), "{}", run.stdout);
    }
}

#[test]
fn a_slower_build_is_worse_and_a_faster_one_is_better() {
    let [quick, _, slow] = recorded();
    let run = compare(quick, slow).args(["--format", "json"]).exit(99);
    let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((&found["change"], &found["verdict"]), (&"worse".into(), &"fail".into()));
    let difference = |metric: &str, aggregation: &str| {
        let all = found["differences"].as_array().expect("a list");
        let mut whole = all.iter().filter(|it| it["step"].is_null());
        whole
            .find(|it| it["metric"] == metric && it["aggregation"] == aggregation)
            .expect("it is there")
            .clone()
    };
    let p95 = difference("http_req_duration", "p(95)");
    assert_eq!(p95["change"], "worse");
    let (low, difference_of_p95) = (p95["low"].as_f64().unwrap(), p95["difference"].as_f64().unwrap());
    assert!(low > 0.05 && low < difference_of_p95, "{p95}");
    assert_eq!(difference("http_reqs", "rate")["change"], "worse", "fewer requests are worse");
    assert_eq!(difference("errors", "rate")["change"], "same");

    let run = compare(quick, slow).args(["--format", "markdown"]).exit(99);
    assert!(run.stdout.starts_with("## ❌ palier compare: worse"), "{}", run.stdout);

    let run = compare(slow, quick).exit(0);
    assert!(run.stdout.contains("\nBETTER of"), "{}", run.stdout);
}

#[test]
fn another_machine_makes_it_a_warning_at_most() {
    let [quick, _, slow] = recorded();
    let mut other: Value = serde_json::from_str(slow).expect("JSON");
    other["host"]["fingerprint"] = "another".into();
    let other = other.to_string();
    let run = compare(quick, &other).args(["--on-warn", "warn"]).exit(3);
    assert!(run.stdout.contains("doubt: the runs were made on different machines"), "{}", run.stdout);
    compare(quick, &other).exit(0);
}

#[test]
fn several_baseline_runs_show_how_much_runs_differ() {
    let [quick, _, slow] = recorded();
    // Where the baseline itself is now quick and now slow, a slow run is nothing new.
    let run = Palier::new(["compare", "a.json", "b.json", "c.json", "d.json", "new.json"])
        .file("a.json", quick)
        .file("b.json", slow)
        .file("c.json", quick)
        .file("d.json", slow)
        .file("new.json", slow)
        .args(["--format", "json"])
        .exit(0);
    let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(found["change"], "inconclusive");
    assert_eq!(found["base"].as_array().map(Vec::len), Some(4));
}

/// A profile with what is to follow it, run for eleven seconds beside a run against the quick server.
fn beside_quick(delay: u64, rest: &str) -> Palier {
    let [quick, ..] = recorded();
    let origin = Box::leak(Box::new(Origin::start(Script::ok().delay(Duration::from_millis(delay)))));
    let run = Palier::run(&(steady(4, "11s") + rest)).target(origin).file("base.json", quick);
    run.args(["--baseline", "base.json"])
}

const RELATIVE: &str = "
[thresholds]
http_req_duration = [\"p(95)<baseline+25%\"]
\"http_reqs{step:get}\" = [\"rate>baseline-25%\"]
[warnings]
errors = [\"rate<=baseline+1%\"]
";

#[test]
fn a_run_is_judged_beside_its_baseline() {
    // All of them at once, for each takes eleven seconds.
    let [same, slow, by_default, skipped] = [
        beside_quick(20, RELATIVE).start(),
        beside_quick(100, RELATIVE).start(),
        beside_quick(100, "").start(),
        beside_quick(20, RELATIVE).args(["--set", "load.duration=\"300ms\""]).start(),
    ];
    let same = same.finish().exit(0);
    assert_ne!(same.threshold("p(95)<baseline+25%")["outcome"], "fail");
    // A busy machine may leave it inconclusive.
    assert_ne!(same.summary()["regression"]["change"], "worse", "{}", same.stdout);

    // A run in which palier itself was late is a hint only.
    let expected = |run: &crate::support::palier::Done| {
        if run.summary()["generator"]["sound"] == true { (99, "fail") } else { (0, "warn") }
    };
    let slow = slow.finish();
    let (code, outcome) = expected(&slow);
    let slow = slow.exit(code).verdict(outcome);
    let judged = slow.threshold("p(95)<baseline+25%");
    assert_eq!((&judged["outcome"], &judged["section"]), (&outcome.into(), &"regression".into()));
    let (observed, bound) = (judged["observed"].as_f64().unwrap(), judged["bound"].as_f64().unwrap());
    assert!(observed > bound && bound > 25.0, "{judged}");
    assert_eq!(slow.threshold("rate>baseline-25%")["outcome"], outcome);
    assert!(slow.reasons().contains("beside 2"), "the figure of the baseline is named: {}", slow.reasons());

    let by_default = by_default.finish();
    let (code, outcome) = expected(&by_default);
    let by_default = by_default.exit(code).verdict(outcome);
    assert!(by_default.reasons().contains("worse than the baseline: "), "{}", by_default.reasons());
    assert!(by_default.stdout.contains("beside the baseline: "), "{}", by_default.stdout);
    assert!(by_default.read("palier-report/summary.md").contains("### Beside the baseline"));
    assert!(by_default.summary()["run"]["command"].as_str().unwrap().contains("--baseline base.json"));

    // Too short to be compared with anything.
    let short = skipped.finish().exit(98);
    assert_eq!(short.threshold("p(95)<baseline+25%")["outcome"], "invalid");
}

#[test]
fn without_a_baseline_what_is_relative_to_it_is_skipped() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&(steady(1, "300ms") + RELATIVE)).target(&origin).exit(0);
    let judged = run.threshold("p(95)<baseline+25%");
    assert_eq!((&judged["outcome"], &judged["bound"]), (&"skipped".into(), &Value::Null));
    assert!(run.summary()["regression"].is_null());
}

#[test]
fn what_cannot_be_relative_to_a_baseline_is_an_error_of_the_profile() {
    for (threshold, message) in [
        ("http_req_duration = [\"max<baseline\"]", "`max<baseline` cannot be compared with a baseline"),
        ("http_req_duration = [\"p(95)==baseline\"]", "nothing is ever equal to a baseline"),
        ("errors = [\"rate<baseline*1.1\"]", "a share is compared by its difference"),
        ("\"http_reqs{phase:load}\" = [\"rate>baseline\"]", "cannot be narrowed by that"),
        ("errors = [{ expr = \"rate<baseline\", abort = true }]", "take `window` and `abort` out"),
    ] {
        let profile = steady(1, "1s") + "[thresholds]\n" + threshold;
        let run = Palier::new(["check", "load.toml"]).file("load.toml", &profile).exit(2);
        assert!(run.stderr.contains(message), "{message} in {}", run.stderr);
    }
    let profile = steady(1, "1s");
    let run = Palier::run(&profile).args(["--baseline", "nowhere.json"]).exit(2);
    assert!(run.stderr.contains("leave `--baseline` out"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_compared_is_refused_with_a_reason() {
    let [quick, ..] = recorded();
    let run = compare(quick, "{}").exit(2);
    assert!(run.stderr.contains("it has no `schema`"), "{}", run.stderr);
    let mut old: Value = serde_json::from_str(quick).expect("JSON");
    old.as_object_mut().expect("an object").remove("windows");
    let run = compare(quick, &old.to_string()).exit(2);
    assert!(
        run.stderr.contains("it holds no `windows`") && run.stderr.contains("run it again"),
        "{}",
        run.stderr
    );
    let run = Palier::new(["compare", "base.json", "nowhere.json"]).file("base.json", quick).exit(2);
    assert!(run.stderr.contains("nowhere.json"), "{}", run.stderr);
    Palier::new(["compare", "base.json"]).file("base.json", quick).exit(2);
    Palier::new(["compare", "a", "b", "--effect", "0%"]).exit(2);
}

#[test]
fn the_newest_run_is_judged_by_its_history_once_there_is_one() {
    let quick = Origin::start(Script::ok().delay(Duration::from_millis(20)));
    let profile = steady(4, "400ms") + "[thresholds]\ndefaults = false\n";
    let first = Palier::run(&profile).target(&quick).args(["--history", "runs.jsonl"]).exit(0);
    let case = first.case("within its history");
    assert!(matches!(case, quick_junit::TestCaseStatus::Skipped { .. }), "{case:?}");
    let url = quick.url();
    for _ in 1..8 {
        first.then(["run", "load.toml", "--history", "runs.jsonl", "--target", &url]).exit(0);
    }
    assert_eq!(first.read("runs.jsonl").lines().count(), 8);

    let slow = Origin::start(Script::ok().delay(Duration::from_millis(150)));
    let worse = first.then(["run", "load.toml", "--history", "runs.jsonl", "--target", &slow.url()]).exit(99);
    assert!(worse.reasons().contains("worse than 8 earlier runs would have it"), "{}", worse.reasons());
    assert_eq!(worse.summary()["history"]["runs"], 8);
    let case = worse.case("http_req_duration med within its history");
    assert!(matches!(case, quick_junit::TestCaseStatus::NonSuccess { .. }), "{case:?}");
    assert_eq!(
        worse.read("runs.jsonl").lines().count(),
        9,
        "a regression is kept, or it would be red for ever"
    );

    // Merged in git, lines may be twice and in any order.
    let mut lines: Vec<String> = worse.read("runs.jsonl").lines().map(str::to_owned).collect();
    lines.reverse();
    lines.push(lines[0].clone());
    crate::support::palier::write(&worse.path("merged.jsonl"), &lines.join("\n"));
    let trend = worse.then(["trend", "merged.jsonl", "--csv"]).exit(0);
    assert_eq!(trend.stdout.lines().count(), 10, "{}", trend.stdout);

    let broken = Palier::run(&profile)
        .target(&quick)
        .file("runs.jsonl", "{}\n")
        .args(["--history", "runs.jsonl"])
        .exit(2);
    assert!(broken.stderr.contains("line 1 is no run"), "{}", broken.stderr);
}

#[test]
fn a_trend_names_the_commit_at_which_a_metric_changed() {
    let line = |n: u32| {
        let p95 = if n < 12 { 100 } else { 130 } + n * 7 % 5;
        format!(
            r#"{{"time":"2026-10-{:02}T02:17:00Z","commit":"c{n}","branch":"main","profile":"quick","verdict":"pass","metrics":{{"http_req_duration p(95)":{p95},"http_reqs rate":50.0}}}}"#,
            n + 1
        ) + "\n"
    };
    let history: String = (0..24).map(line).collect();
    let run = Palier::new(["trend", "history.jsonl", "--svg", "t.svg", "--html", "t.html"])
        .file("history.jsonl", &history)
        .exit(0);
    assert!(
        run.stdout.contains("at commit c12, 2026-10-13T02:17:00Z (the run before: c11): worse by 29"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("1 of 2 metrics changed"), "{}", run.stdout);
    assert!(run.read("t.svg").starts_with("<svg") && run.read("t.html").contains("c12 +30 %"));
    let other = history.replace(
        "\"profile\":\"quick\",\"verdict\":\"pass\",\"metrics\":{\"http_req_duration p(95)\":100",
        "\"profile\":\"other\",\"verdict\":\"pass\",\"metrics\":{\"http_req_duration p(95)\":100",
    );
    let run = Palier::new(["trend", "history.jsonl"]).file("history.jsonl", &other).exit(2);
    assert!(
        run.stderr.contains("several profiles: other, quick") && run.stderr.contains("--profile"),
        "{}",
        run.stderr
    );
    Palier::new(["trend", "history.jsonl"]).exit(2);
}
