//! The tools around a run: bench, init, explain, schema, completions, man pages.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;

/// What `palier bench --json` printed.
#[track_caller]
fn json(run: &crate::support::palier::Done) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
}

#[test]
fn bench_makes_as_many_requests_as_it_was_asked_for() {
    let origin = Origin::start(Script::ok());
    let run = Palier::new(["bench", "-n", "1000", "-c", "10", &format!("{}/a?b=c", origin.url())]).exit(0);
    let record = origin.record();
    assert_eq!(record.requests.len(), 1000);
    assert_eq!(record.count("GET /a"), 1000);
    for text in [
        "Requests               1000",
        "Failed requests        0",
        "200                    1000",
        "99%",
        "PASS",
        "■",
    ] {
        run.says(text);
    }
    // It leaves nothing where nobody asked for it.
    assert_eq!(fs::read_dir(run.path("")).expect("a folder").count(), 0);
}

#[test]
fn bench_keeps_connections_unless_it_is_asked_not_to() {
    let connections = |args: &[&str]| {
        let origin = Origin::start(Script::ok());
        let mut run = Palier::new(["bench", "-q", "-n", "60", "-c", "3"]);
        for arg in args {
            run = run.args([arg]);
        }
        run.args([&origin.url()]).exit(0);
        origin.connections()
    };
    // One more may have been tried before the load.
    assert!(connections(&["-k"]) <= 4);
    assert!(connections(&["--no-keepalive"]) >= 60);
}

#[test]
fn bench_sends_what_it_was_told_to() {
    let origin = Origin::start(Script::ok());
    let run = Palier::new([
        "bench",
        "-q",
        "-n",
        "2",
        "-X",
        "put",
        "-H",
        "X-Who: {{vu}}",
        "-T",
        "text/plain",
        "-d",
        "@body.txt",
    ])
    .file("body.txt", "ten bytes!")
    .args([&origin.url()])
    .exit(0);
    assert!(run.stderr.is_empty(), "{}", run.stderr);
    let record = origin.record();
    assert_eq!(record.count("PUT /"), 2);
    for seen in &record.requests {
        let head = seen.head.to_lowercase();
        for line in ["x-who: ", "content-type: text/plain", "content-length: 10"] {
            assert!(head.contains(line), "{head}");
        }
    }
}

#[test]
fn bench_fails_as_run_does() {
    let origin = Origin::start(Script::status(500));
    let run = Palier::new(["bench", "-n", "300", &origin.url()]).exit(99);
    run.says("500                    300");
    run.says("FAIL");
    // Slower than palier's own delay could explain.
    let slow = Origin::start(Script::ok().delay(Duration::from_millis(300)));
    let run = Palier::new(["bench", "-n", "300", "--threshold", "p(95)<1ms", &slow.url()]).exit(99);
    run.says("http_req_duration p(95)");
    // One who is not there is nobody to be judged.
    Palier::new(["bench", "-n", "1", "http://127.0.0.1:1/"]).exit(98).says("INVALID");
    Palier::new(["bench", "ftp://x/"]).exit(2).says("http://HOST");
    Palier::new(["bench", "-n", "1", "--threshold", "p(95)<soon", &slow.url()]).exit(2).says("soon");
    Palier::new(["bench", "-c", "0", &slow.url()]).exit(2);
}

#[test]
fn bench_in_the_open_model_counts_from_when_a_request_was_due() {
    let origin = Origin::start(Script::ok());
    let run =
        Palier::new(["bench", "-r", "100", "-n", "100", "--json", "--threshold", "p(50)<10s", &origin.url()])
            .exit(0);
    let summary = json(&run);
    assert_eq!(summary["schema"], "palier.summary/1");
    assert_eq!(summary["metrics"]["http_reqs"]["count"], 100.0);
    assert_eq!(summary["thresholds"][0]["metric"], "http_req_corrected");
    assert_eq!(origin.requests(), 100);
}

#[test]
fn bench_writes_every_report_where_it_is_asked_to() {
    let origin = Origin::start(Script::ok());
    let run = Palier::new(["bench", "-n", "50", "--out", "out", &origin.url()]).exit(0);
    for name in ["summary.json", "junit.xml", "report.html", "badge.svg", "latency.hlog"] {
        assert!(!run.read(&format!("out/{name}")).is_empty(), "{name}");
    }
    run.then(["report", "out"]).exit(0).says("PASS");
}

#[test]
fn init_writes_what_check_accepts_and_overwrites_nothing() {
    let files: [(&[&str], &[&str]); 4] = [
        (&["init"], &[]),
        (&["init", "github"], &[".github/workflows/load-test.yml"]),
        (&["init", "gitlab"], &[".gitlab/palier.yml", ".gitlab-ci.yml"]),
        (&["init", "kubernetes"], &["kubernetes/palier-job.yaml", "kubernetes/palier-observe.yaml"]),
    ];
    for (args, written) in files {
        let mut init = Palier::new([]).file(".gitlab-ci.yml.txt", "");
        for arg in args {
            init = init.args([arg]);
        }
        let run = init.exit(0);
        run.then(["check", "load-test"]).exit(0);
        for name in written.iter().chain(&["profiles/load-test.toml"]) {
            assert!(!run.read(name).is_empty(), "{name}");
        }
        let mut again = run.then([]);
        for name in written.iter().chain(&["profiles/load-test.toml"]) {
            again = again.file(name, "mine");
        }
        for arg in args {
            again = again.args([arg]);
        }
        let again = again.exit(0);
        again.says("kept");
        for name in written.iter().chain(&["profiles/load-test.toml"]) {
            assert_eq!(run.read(name), "mine", "{name}");
        }
    }
    Palier::new(["init", "gitlub"]).exit(2).says("gitlab");
}

#[test]
fn a_repository_gets_its_files_at_its_root() {
    let folder = Palier::new(["--version"]).exit(0);
    fs::create_dir_all(folder.path(".git")).expect("a folder");
    fs::create_dir_all(folder.path("a/b")).expect("a folder");
    let words = format!("cd {}", folder.path("a/b").display());
    folder.then(["init", "github"]).before(&words).exit(0);
    assert!(folder.path("profiles/load-test.toml").exists());
    assert!(folder.path(".github/workflows/load-test.yml").exists());
}

#[test]
fn what_palier_writes_is_explained() {
    Palier::new(["explain", "98"]).exit(0).says("what to do:");
    Palier::new(["explain", "mysql_deadlocks"]).exit(0).says("--observe mysql");
    Palier::new(["explain", "connect-refusd"]).exit(2).says("`connect-refused`");
}

#[test]
fn schemas_completions_and_pages_are_those_of_this_palier() {
    let root = env!("CARGO_MANIFEST_DIR");
    for (of, file) in [("profile", "profile.schema.json"), ("summary", "summary.schema.json")] {
        let run = Palier::new(["schema", of]).exit(0);
        assert_eq!(run.stdout, fs::read_to_string(format!("{root}/{file}")).expect("a file"));
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Palier::new(["completions", shell]).exit(0);
        for word in ["bench", "time-scale", "on-warn"] {
            assert!(run.stdout.contains(word), "{shell}: {word}");
        }
    }
    let run = Palier::new(["man", "pages"]).exit(0);
    assert!(run.read("pages/palier.1").contains("palier"));
    assert!(run.read("pages/palier-run.1").contains("105"), "the exit codes are on the page");
    assert!(Palier::new(["man"]).exit(0).stdout.contains(".TH"));
}
