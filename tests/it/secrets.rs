//! What nobody may read, and what nobody may smuggle in: secrets in outputs, line breaks in requests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::palier::{Done, Palier, REPORTS};
use crate::support::rogue::{Reply, Rogue};

/// What is planted: each of them stands nowhere else.
const PLANTED: [(&str, &str); 6] = [
    ("TOKEN", "t0ken-planted-4711"),
    ("DB_PASSWORD", "db-pass-planted-4711"),
    ("LOGIN", "us3r-planted-4711"),
    ("NAME", "dat4-planted-4711"),
    ("HEADER", "he4der-planted-4711"),
    ("KEY", "k3y-planted-4711&x=1"),
];

/// Credentials that stand in the profile itself, which does not call them secrets.
const LITERAL: &str = "liter4l-planted-4711";

const PROFILE: &str = r#"
description = "for ${LOGIN}"
secrets = ["TOKEN", "DB_PASSWORD", "LOGIN", "NAME", "HEADER", "KEY"]
observers = ["mysql"]
[target]
url = "http://127.0.0.1:9"
headers = { Authorization = "Bearer ${TOKEN}", Cookie = "session=LITERAL" }
[load]
executor = "shared-iterations"
vus = 2
iterations = 4
[observe.mysql]
url = "mysql://root:${DB_PASSWORD}@127.0.0.1:1/shop"
[[step]]
name = "create ${NAME}"
post = "/things?key=${KEY}"
headers = { X-Header = "${HEADER}", X-Api-Key = "LITERAL" }
json = { name = "${NAME}", login = "${LOGIN}" }
capture = { id = { json = "$.id" } }
undo = "delete"
checks = [{ name = "is ${NAME}", json = "$.name", equals = "${LOGIN}" }]
tags = { who = "${NAME}" }
[[step]]
name = "delete"
delete = "/things/{{id}}?key=${KEY}"
needs = ["id"]
[thresholds]
"http_req_duration{step:delete}" = ["max<1us"]
http_req_duration = ["max<1us"]
"#;

/// Every text that a run left behind, and what it said.
fn outputs(run: &Done, folder: &Path) -> Vec<(String, String)> {
    let mut texts =
        vec![("stdout".to_owned(), run.stdout.clone()), ("stderr".to_owned(), run.stderr.clone())];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "load.toml") {
                let bytes = fs::read(&path).expect("a file");
                texts.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    texts
}

/// Says where a secret stands, in any of the ways that palier itself writes texts.
#[track_caller]
fn holds_none(texts: &[(String, String)]) {
    let mut found = Vec::new();
    for (place, text) in texts {
        for secret in PLANTED.map(|(_, secret)| secret).into_iter().chain([LITERAL]) {
            // The results of a shard carry the profile, in which it stands for all to read.
            if secret == LITERAL && place.contains("/shard/") {
                continue;
            }
            let encoded = secret.replace('&', "%26").replace('=', "%3D");
            let escaped = secret.replace('&', "&amp;");
            for form in [secret, &encoded, &escaped, &secret[..12]] {
                if text.contains(form) {
                    found.push(format!("{place} holds {form}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_planted_secret_is_in_no_file_and_no_stream() {
    // It sends back what it was sent, and lets nothing be deleted, so that the journal stays. What nobody has called a
    // secret it keeps to itself: palier could not know it again.
    let target = Rogue::start(|asked| {
        let head = asked.head.replace(LITERAL, "");
        if asked.method == "DELETE" {
            return Reply::with("405 Method Not Allowed", "", head.as_bytes());
        }
        let body = serde_json::json!({ "id": 7, "name": head, "body": asked.body, "path": asked.path });
        Reply::with("201 Created", "Content-Type: application/json\r\n", body.to_string().as_bytes())
    });
    let profile = PROFILE.replace("LITERAL", LITERAL);
    let with = |palier: Palier| PLANTED.iter().fold(palier, |palier, (name, value)| palier.env(name, value));
    let run = with(Palier::run(&profile))
        .args(["--target", &target.url(), "-v", "--history", "history.jsonl"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", "step.md")
        .env("GITHUB_OUTPUT", "output.txt")
        .exit(99);
    // What is hidden was there to be shown.
    assert!(target.requests() > 4);
    let journal = run.read("palier-report/journal.jsonl");
    assert!(journal.contains("${TOKEN}") && journal.contains("/things/7"), "{journal}");
    assert!(run.read("step.md").contains("***"));
    let folder = run.path("");
    holds_none(&outputs(&run, &folder));
    let mode = |name: &str| fs::metadata(run.path(name)).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode("palier-report/journal.jsonl"), 0o600);
    // Reports are read by whoever collects them.
    assert!(REPORTS.iter().all(|name| mode(&format!("palier-report/{name}")) & 0o400 != 0));

    // One that lets go of what was created takes no time.
    let kind = Rogue::start(|_| Reply::with("200 OK", "", br#"{"id":7}"#));
    let again = [
        with(run.then(["check", "load.toml", "--target", &target.url()])),
        with(run.then(["doctor", "load.toml", "--target", &target.url(), "--within", "1s"])),
        with(run.then(["sweep", "--within", "1s"])),
        run.then(["report", "palier-report/summary.json"]),
        with(run.then(["run", "load.toml", "--set", "load.vus=${TOKEN}"])),
        with(run.then(["run", "load.toml", "--shard", "1/2", "--out", "shard", "--target", &kind.url()])),
    ];
    for command in again {
        let done = command.finish();
        holds_none(&outputs(&done, &folder));
    }
}

/// A value of a response that would be two requests if it were written as it is.
const EVIL: &str = "7\r\nX-Evil: yes\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n";

fn smuggled(path: &str, headers: &str) -> String {
    format!(
        r#"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "per-vu-iterations"
[[step]]
name = "find"
get = "/find"
capture = {{ id = {{ json = "$.id" }} }}
[[step]]
name = "use"
get = "{path}"
{headers}
[thresholds]
errors = ["rate<=1"]
"#
    )
}

#[test]
fn no_value_makes_a_header_or_a_request() {
    let target = Rogue::start(|asked| {
        let is_evil = asked.path.starts_with("/evil") || !asked.header("x-evil").is_empty();
        let body = serde_json::json!({ "id": EVIL }).to_string();
        Reply::with(if is_evil { "599 Evil" } else { "200 OK" }, "", body.as_bytes())
    });
    let run = |profile: String| Palier::run(&profile).args(["--target", &target.url()]).finish();
    // In an address it is encoded.
    for path in ["/things/{{id}}", "/things?id={{id}}"] {
        let run = run(smuggled(path, ""));
        assert_eq!((outcome(&run), target_count(&run)), ("sound", 2), "{path}: {}", run.stdout);
    }
    for part in ["query = { id = \"{{id}}\" }", "form = { id = \"{{id}}\" }", "json = { id = \"{{id}}\" }"] {
        let method = if part.starts_with("query") { "get" } else { "post" };
        let run =
            run(smuggled("/things", part).replace("get = \"/things\"", &format!("{method} = \"/things\"")));
        assert_eq!((outcome(&run), target_count(&run)), ("sound", 2), "{part}: {}", run.stdout);
    }
    // In a header it cannot stand: nothing is sent, and the scenario is at fault.
    for headers in ["headers = { X-Id = \"{{id}}\" }", "headers = { Cookie = \"id={{id}}\" }"] {
        let run = run(smuggled("/things", headers));
        assert_eq!((outcome(&run), target_count(&run)), ("at fault", 1), "{headers}: {}", run.stdout);
    }
    let evil = smuggled("/things", "headers = { X-Id = \"${ID}\" }");
    let run = Palier::run(&evil).env("ID", "1\r\nX-Evil: yes").args(["--target", &target.url()]).exit(2);
    run.says("load.toml");
    let evil = smuggled("/things", "").replace("http://127.0.0.1:9", "http://127.0.0.1:9/a\\r\\nX-Evil: yes");
    Palier::run(&evil).exit(2);
    let name = smuggled("/things", "headers = { \"X-Id\\r\\nX-Evil\" = \"1\" }");
    Palier::run(&name).exit(2);
}

/// On a machine that stands still for a while a run says nothing of performance, which is not asked here.
fn outcome(run: &Done) -> &'static str {
    match run.code {
        Some(0 | 98) => "sound",
        Some(99) => "at fault",
        _ => run.fail("it did not end with a verdict"),
    }
}

/// Requests that were answered as what they are.
fn target_count(run: &Done) -> u64 {
    assert_eq!(run.errors("status"), 0, "a request or a header was smuggled in");
    run.count("/metrics/http_reqs/count")
}
