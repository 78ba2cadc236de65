//! What a run writes, and `palier report`, which writes it again.

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
