//! What a run writes, and `palier report`, which writes it again.

use std::fs;
use std::path::Path;

use crate::support::origin::{Origin, Script};
use crate::support::palier::{Done, Palier, REPORTS, Signal};
use crate::support::profile::steady;

/// Renders the reports of a run again, from its summary alone, and compares them byte by byte.
#[track_caller]
fn renders_the_same_again(run: &Done) {
    let again = Palier::new(["report", "summary.json", "--out", "again"])
        .file("summary.json", &run.read("palier-report/summary.json"))
        .finish();
    for name in REPORTS {
        let (first, second) =
            (run.read(&format!("palier-report/{name}")), again.read(&format!("again/{name}")));
        assert!(first == second, "{name} differs:\n{first}\n---\n{second}");
    }
}

#[test]
fn the_same_reports_can_be_rendered_again_from_the_summary() {
    let origin = Origin::start(Script::ok());
    renders_the_same_again(&Palier::run(&steady(2, "1s")).target(&origin).exit(0));

    let origin = Origin::start(Script::status(500));
    renders_the_same_again(&Palier::run(&steady(2, "1s")).target(&origin).exit(99));

    renders_the_same_again(&Palier::run(&steady(2, "1s")).exit(98));

    let origin = Origin::start(Script::ok());
    let running = Palier::run(&steady(2, "20s")).target(&origin).start();
    renders_the_same_again(
        &running.wait_until(|| origin.requests() > 4).signal(Signal::INT).finish().exit(105),
    );
}

/// `palier report …` beside two summaries that are kept in the repository.
fn report_of_two<const N: usize>(args: [&str; N]) -> Palier {
    let sample = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
        fs::read_to_string(path).expect("a sample")
    };
    Palier::new(["report", "a/summary.json", "b"])
        .args(args)
        .file("a/summary.json", &sample("summary-pass.json"))
        .file("b/summary.json", &sample("summary-standard-fail.json").replace("q7f3k2", "k3x"))
}

#[test]
fn several_summaries_get_a_folder_each() {
    let two = report_of_two(["--out", "pages"]).exit(0);
    for (summary, again) in [("a", "q7f3k2"), ("b", "k3x")] {
        assert_eq!(
            two.read(&format!("{summary}/summary.json")),
            two.read(&format!("pages/{again}/summary.json"))
        );
        for name in REPORTS {
            assert!(!two.read(&format!("pages/{again}/{name}")).is_empty(), "{name}");
        }
    }
    let printed = report_of_two([]).exit(0);
    let (first, second) = printed.stdout.split_once("== b ==").expect("two parts");
    assert!(first.starts_with("== a/summary.json ==") && first.contains("\nPASS "), "{first}");
    assert!(second.contains("\nFAIL "), "{second}");
}

#[test]
fn several_summaries_are_not_mixed() {
    let mixed = report_of_two(["--format", "junit.xml"]).exit(2);
    assert!(mixed.stdout.is_empty(), "{}", mixed.stdout);
    mixed.says("the reports of several runs do not go into one stream");
    mixed.says("`--out DIR` writes those of each run into a folder of its own");

    let twice = report_of_two(["a", "--out", "pages"]).exit(2);
    twice.says("`a/summary.json` and `a` are of the same run");
    assert!(!twice.path("pages").exists(), "all or nothing");

    let missing = report_of_two(["c", "--out", "pages"]).exit(2);
    missing.says("cannot read `c`");
    assert!(!missing.path("pages").exists(), "all or nothing");

    let elsewhere = report_of_two(["c", "--out", "pages"]);
    let summary = fs::read_to_string(elsewhere.folder().join("a/summary.json")).expect("a sample");
    let elsewhere = elsewhere.file("c/summary.json", &summary.replace("q7f3k2", "../../x")).exit(2);
    elsewhere.says("which is no name for a folder");
}

#[test]
fn in_a_github_job_the_page_is_appended_and_lines_are_annotated() {
    let origin = Origin::start(Script::status(500));
    let run = Palier::run(&steady(2, "1s"))
        .target(&origin)
        .file("step-summary.md", "# Before\n")
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", "step-summary.md")
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("GITHUB_REPOSITORY", "example/shop")
        .env("GITHUB_RUN_ID", "42")
        .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
        .env("GITHUB_REF_NAME", "main")
        .exit(99)
        .verdict("fail");
    let page = run.read("step-summary.md");
    assert!(page.starts_with("# Before\n"), "{page}");
    assert!(page.contains("errors"), "{page}");
    let annotations = run.stdout.lines().chain(run.stderr.lines()).filter(|line| line.starts_with("::error"));
    assert!(annotations.count() > 0);
    let summary = run.summary();
    let environment = &summary["run"]["environment"];
    assert_eq!(environment["ci"], "github");
    assert_eq!(environment["commit"], "0123456789abcdef0123456789abcdef01234567");
    assert_eq!(environment["branch"], "main");
    assert!(environment["job_url"].as_str().unwrap().contains("example/shop/actions/runs/42"));
}

#[test]
fn in_a_gitlab_job_the_environment_is_known() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(1, "1s"));
    let folder = run.folder().display().to_string();
    let run = run
        .target(&origin)
        .env("CI_PROJECT_DIR", &folder)
        .env("CI", "true")
        .env("GITLAB_CI", "true")
        .env("CI_COMMIT_SHA", "0123456789abcdef0123456789abcdef01234567")
        .env("CI_COMMIT_REF_NAME", "topic")
        .env("CI_JOB_URL", "https://gitlab.example.com/shop/-/jobs/42")
        .exit(0);
    let summary = run.summary();
    let environment = &summary["run"]["environment"];
    assert_eq!((&environment["ci"], &environment["branch"]), (&"gitlab".into(), &"topic".into()));
    assert_eq!(environment["job_url"], "https://gitlab.example.com/shop/-/jobs/42");
    let annotations = run.read("palier-report/annotations.json");
    let annotations: serde_json::Value = serde_json::from_str(&annotations).expect("JSON");
    let link = &annotations["palier"][0]["external_link"];
    let url = link["url"].as_str().expect("a link to the report");
    assert!(
        url.starts_with("https://gitlab.example.com/shop/-/jobs/42/artifacts/file/palier-report/"),
        "{url}"
    );
    assert!(link["label"].as_str().expect("a label").contains("pass"), "{link}");
}

#[test]
fn no_escape_sequence_is_written_where_nobody_can_see_colours() {
    let origin = Origin::start(Script::all(crate::support::origin::Act::Answer {
        status: 500,
        body: "\u{1b}[31mred\u{1b}[0m <script>alert(1)</script>\n::error::not ours".to_owned(),
    }));
    let run = Palier::run(&steady(1, "1s")).target(&origin).env("GITHUB_ACTIONS", "true").exit(99);
    for name in REPORTS {
        let report = run.read(&format!("palier-report/{name}"));
        assert!(!report.contains('\u{1b}'), "{name}");
        // Every second part lies within backquotes, where Markdown shows what is written.
        let shown: String = match name {
            "summary.md" => report.split('`').step_by(2).collect(),
            "summary.json" => String::new(),
            // It has a script of its own.
            "report.html" => report.replace("<script>\n\"use strict\";", ""),
            _ => report,
        };
        assert!(!shown.contains("<script>"), "{name}");
    }
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'));
    let lines = run.stdout.lines().chain(run.stderr.lines());
    assert!(!lines.clone().any(|line| line.starts_with("::error::not ours")), "the target cannot annotate");
}

#[test]
fn a_summary_that_is_none_is_an_error() {
    let run =
        Palier::new(["report", "summary.json"]).file("summary.json", "{\"schema\":\"other/1\"}").finish();
    assert!(run.code != Some(0), "{:?}", run.code);
    run.says("summary.json");
    let run = Palier::new(["report", "missing.json"]).finish();
    assert!(run.code != Some(0), "{:?}", run.code);
    run.says("missing.json");
}
