//! What a killed run leaves: a journal, and `palier sweep`, which undoes what is in it.

use std::path::PathBuf;
use std::time::Duration;

use palier::demo::{Demo, Options};
use serde_json::Value;

use crate::support::client::{Count, get};
use crate::support::origin::{Act, Origin, Script};
use crate::support::palier::{Done, Palier, Signal};
use crate::support::rogue::{Reply, Rogue};

/// One iteration of one user, which creates `/things/7` and deletes it.
const ONCE: &str = r#"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "per-vu-iterations"
[[step]]
name = "create"
post = "/things"
json = { name = "thing of {{run}}" }
capture = { id = { json = "$.id" } }
undo = "delete"
[[step]]
name = "delete"
delete = "/things/{{id}}"
needs = ["id"]
[thresholds]
errors = ["rate<=1"]
"#;

/// The same with a credential in every request.
fn authorized(value: &str) -> String {
    let headers = format!("url = \"http://127.0.0.1:9\"\nheaders = {{ Authorization = \"{value}\" }}");
    format!("secrets = [\"TOKEN\"]\n{}", ONCE.replace("url = \"http://127.0.0.1:9\"", &headers))
}

fn things() -> Script {
    Script::ok().answers("/things", r#"{"id":7}"#)
}

/// One that creates, and will not let go of, `/things/7`.
fn clinging() -> Origin {
    Origin::start(things().path("/things/7", Act::Answer { status: 405, body: "{}".to_owned() }))
}

fn journals(run: &Done) -> Vec<String> {
    let entries = std::fs::read_dir(run.path("palier-report")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("journal")).collect();
    names.sort();
    names
}

fn lines(run: &Done) -> Vec<Value> {
    let text = run.read("palier-report/journal.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Kills `quick` against that demo while employees are being created.
fn kill(demo: &Demo, more: u64) -> Done {
    let addr = demo.addr();
    let creates = || get(addr, "/__count")["routes"]["POST /employees"].as_u64();
    let until = creates().unwrap_or(0) + more;
    let running = Palier::new(["run", "quick", "--time-scale", "0.5", "--target", &demo.url()]).start();
    let run = running.wait_until(|| creates() > Some(until)).signal(Signal::KILL).finish();
    assert_eq!(run.code, None, "it was killed");
    run
}

fn slow_demo() -> Demo {
    Demo::start(Options { latency: Duration::from_millis(100), ..Options::default() }).expect("a demo")
}

#[test]
fn what_a_killed_run_left_is_undone_and_what_cannot_be_known_is_named() {
    let demo = slow_demo();
    let run = kill(&demo, 12);
    // Its last requests are still being answered.
    std::thread::sleep(Duration::from_millis(300));
    let left = Count::of(&demo).rows() - 200;
    assert!(left > 0, "it was killed in the middle");

    let swept = run.then(["sweep"]).finish();
    swept.says("to be undone");
    let unknown = swept.stdout.lines().filter(|line| line.contains("POST /employees {")).count() as u64;
    let rows = Count::of(&demo).rows();
    // Every row that is still there is one whose answer palier never saw: the sweep has named it.
    assert!(rows - 200 <= unknown, "{rows} rows, {unknown} named");
    let swept = swept.exit(if unknown > 0 { 98 } else { 0 });
    if unknown > 0 {
        swept.says("LoadTest User");
    }

    // There is nothing more to be done, and what was told is told again, without an alarm.
    run.then(["sweep"]).exit(0).says("nothing is left to be undone");
    let again = run.then(["run", "quick", "--time-scale", "0.02", "--target", &demo.url()]).finish();
    assert!(!again.stderr.contains("an earlier run"), "{}", again.stderr);
    assert_eq!(journals(&again), ["journal.jsonl"]);
}

#[test]
fn a_request_that_was_never_answered_is_named_once_as_an_alarm() {
    let origin = Origin::start(Script::ok().path("/things", Act::Hang));
    let running = Palier::run(ONCE).target(&origin).start();
    let run = running.wait_until(|| origin.requests() > 0).signal(Signal::KILL).finish();
    run.then(["sweep", "--dry-run"]).exit(98);
    let swept = run.then(["sweep"]).exit(98);
    swept.says("unknown: 1 request without an answer");
    swept.says("POST /things {\"name\":\"thing of 20");
    run.then(["sweep"]).exit(0).says("unknown: 1 request");
}

#[test]
fn more_lines_than_are_written_at_once_are_written_soon() {
    let origin = Origin::start(Script::ok().path("/things", Act::Hang));
    let profile = ONCE.replace("[load]\n", "[load]\nvus = 200\n");
    let running = Palier::run(&profile).target(&origin).start();
    let running = running.wait_until(|| origin.requests() >= 200);
    // A hundred times as long as they may wait, for a machine that has other things to do.
    let run = running.wait(Duration::from_millis(500)).signal(Signal::KILL).finish();
    run.then(["sweep"]).exit(98).says("unknown: 200 requests without an answer");
}

#[test]
fn who_does_not_want_to_wait_for_the_start_finds_all_put_back() {
    let origin = Origin::start(things());
    let profile = r#"
[target]
url = "http://127.0.0.1:9"
[load]
executor = "constant-vus"
duration = "20s"
[[setup]]
name = "create"
post = "/things"
capture = { id = { json = "$.id" } }
[[step]]
name = "look"
get = "/"
[[teardown]]
name = "delete"
delete = "/things/{{id}}"
needs = ["id"]
"#;
    let running = Palier::run(profile).target(&origin).args(["--start-at", "@4102444800"]).start();
    let running = running.wait_until(|| origin.requests() > 0).wait(Duration::from_millis(300));
    running.signal(Signal::INT).finish().exit(105);
    let record = origin.record();
    assert_eq!((record.count("DELETE /things/7"), record.count("GET /")), (1, 0), "no load was made");
}

#[test]
fn what_was_redirected_was_sent_even_if_nobody_is_there() {
    let target =
        Rogue::start(|_| Reply::with("303 See Other", "location: http://127.0.0.1:9/there\r\n", b""));
    let allowing = ONCE.replace("[load]", "allow = [\"http://127.0.0.1:9\"]\n[load]");
    let run = Palier::run(&allowing).args(["--target", &target.url()]).finish();
    assert_eq!(run.count("/cleanup/unanswered"), 1, "{}", run.reasons());
}

#[test]
fn a_run_whose_request_was_never_answered_says_so() {
    let origin = Origin::start(Script::ok().path("/things", Act::Close));
    let run = Palier::run(ONCE).target(&origin).exit(0).verdict("warn");
    assert_eq!(run.count("/cleanup/unanswered"), 1);
    assert!(run.reasons().contains("never got an answer"), "{}", run.reasons());
    let end = lines(&run).pop().unwrap();
    assert_eq!((end["end"].as_str(), end["unanswered"].as_u64()), (Some("done"), Some(1)), "{end}");
    run.then(["sweep"]).exit(0).says("POST /things {");
    let origin = Origin::start(things());
    let run = run.then(["run", "load.toml"]).target(&origin).exit(0);
    assert!(!run.stderr.contains("an earlier run"), "the summary had told it");
}

#[test]
fn the_journal_of_a_run_that_left_nothing_says_so() {
    let run = Palier::run(ONCE).target(&Origin::start(things())).exit(0);
    let lines = lines(&run);
    let kinds = ["format", "step", "end"];
    assert_eq!(lines.len(), kinds.len(), "{lines:#?}");
    for (line, kind) in lines.iter().zip(kinds) {
        assert!(!line[kind].is_null(), "no `{kind}` in {line}");
    }
    assert_eq!((lines[2]["left"].as_u64(), lines[2]["unanswered"].as_u64()), (Some(0), Some(0)));
    run.then(["sweep"]).exit(0).says("nothing is left to be undone");
    let origin = Origin::start(things());
    let without = Palier::run(&crate::support::profile::steady(1, "200ms")).target(&origin).exit(0);
    assert_eq!(journals(&without), Vec::<String>::new(), "nothing can be left where nothing is created");
}

#[test]
fn what_a_run_could_not_undo_is_kept_and_told_until_it_is_swept() {
    let clinging = clinging();
    let run = Palier::run(ONCE).target(&clinging).exit(0).verdict("warn");
    assert_eq!(run.count("/cleanup/left"), 1);
    let next = run.then(["run", "load.toml"]).target(&Origin::start(things())).exit(0);
    next.says("an earlier run left something behind: 1 thing in http://127.0.0.1:");
    next.says("palier sweep palier-report");
    let names = journals(&run);
    assert_eq!(names.len(), 2, "{names:?}");

    let dry = run.then(["sweep", "--dry-run"]).exit(99);
    dry.says("would undo DELETE /things/7");
    let still = run.then(["sweep", "--within", "2s"]).exit(99);
    still.says("left: DELETE /things/7: status 405");

    // 404: somebody else has deleted it.
    let gone = Script::ok().path("/things/7", Act::Answer { status: 404, body: "{}".to_owned() });
    let gone = Origin::start(gone);
    let swept = run.then(["sweep", "palier-report", "--target", &gone.url()]).exit(0);
    swept.says("undone: 0, and 1 that were gone already");
    assert_eq!(gone.record().count("DELETE /things/7"), 1);
    run.then(["sweep"]).exit(0);
}

#[test]
fn no_secret_is_in_a_journal_and_sweep_takes_it_from_the_same_variable() {
    let clinging = clinging();
    let secret = "s3cr3t-0451";
    let profile = authorized("Bearer ${TOKEN}");
    let run = Palier::run(&profile).env("TOKEN", secret).target(&clinging).exit(0);
    let text = run.read("palier-report/journal.jsonl");
    assert!(text.contains("Bearer ${TOKEN}") && !text.contains(secret), "{text}");

    let origin = Origin::start(Script::ok());
    let sweep = || run.then(["sweep", "--target"]).args([&origin.url()]);
    sweep().exit(2).says("the variable `TOKEN` is not set");
    sweep().env("TOKEN", "a-new-one").exit(0);
    let record = origin.record();
    assert_eq!(record.count("DELETE /things/7"), 1);
    assert!(record.requests[0].head.contains("Bearer a-new-one"), "{}", record.requests[0].head);
}

#[test]
fn a_credential_of_another_origin_is_left_out_and_asked_for() {
    let clinging = clinging();
    let run = Palier::run(&authorized("Bearer from-the-profile-itself")).target(&clinging).exit(0);
    let text = run.read("palier-report/journal.jsonl");
    assert!(!text.contains("from-the-profile-itself"), "{text}");
    let origin = Origin::start(Script::ok());
    let sweep = || run.then(["sweep", "--target"]).args([&origin.url()]);
    sweep().exit(2).says("--header \"authorization: …\"");
    sweep().args(["--header", "Authorization: Bearer given"]).exit(0);
    assert!(origin.record().requests[0].head.contains("Bearer given"));
}

#[test]
fn a_run_that_goes_on_is_neither_swept_nor_disturbed() {
    let demo = slow_demo();
    let running = Palier::new(["run", "quick", "--time-scale", "0.2", "--target", &demo.url()]).start();
    let journal: PathBuf = running.folder().join("palier-report/journal.jsonl");
    let running = running.wait_until(|| journal.exists());
    running.beside(["sweep"]).exit(2).says("a run still writes");
    running.beside(["run", "quick", "--demo"]).exit(2).says("choose another folder with `--out`");
    let run = running.finish();
    assert_eq!(Count::of(&demo).rows(), 200);
    assert_eq!(run.summary()["cleanup"]["left"], 0);
}

#[test]
fn runs_side_by_side_never_touch_each_others_rows() {
    let demo = slow_demo();
    let other = Palier::new(["run", "quick", "--time-scale", "0.3", "--target", &demo.url()]).start();
    let killed = kill(&demo, 20);
    let swept = killed.then(["sweep"]).finish();
    assert!(swept.code == Some(0) || swept.code == Some(98), "{:?}", swept.code);
    let other = other.finish();
    assert_eq!(
        other.count("/metrics/http_req_failed/passes"),
        0,
        "none of its employees was deleted by another"
    );
    assert_eq!(other.count("/cleanup/created"), other.count("/cleanup/undone"));
}

#[test]
fn a_line_that_cannot_be_read_is_told_and_the_others_count() {
    let clinging = clinging();
    let run = Palier::run(ONCE).target(&clinging).exit(0);
    let text = run.read("palier-report/journal.jsonl");
    let lines: Vec<_> = text.lines().collect();
    let torn = [&lines[..2], &["{\"made\":1,\"st"], &lines[2..], &["{\"undo"]].concat().join("\n");
    crate::support::palier::write(&run.path("palier-report/journal.jsonl"), &torn);
    let origin = Origin::start(Script::ok());
    let swept = run.then(["sweep", "--target", &origin.url()]).exit(1);
    swept.says("palier-report/journal.jsonl:3: this line of the journal cannot be read");
    swept.says("undone: 1");
    assert_eq!(origin.record().count("DELETE /things/7"), 1);
}

#[test]
fn what_is_no_journal_is_refused() {
    let empty = Palier::new(["sweep", "nowhere"]).exit(2);
    empty.says("there is no journal or folder `nowhere`");
    let other = Palier::new(["sweep", "notes.txt"]).file("notes.txt", "buy milk\n").exit(2);
    other.says("line 1 is not the first line of a journal");
    let nothing = Palier::new(["sweep", "palier-report"]).file("palier-report/junit.xml", "").exit(0);
    nothing.says("nothing to sweep");
}

#[test]
fn a_journal_that_cannot_be_begun_means_no_load() {
    let origin = Origin::start(things());
    let run = Palier::run(ONCE).target(&origin).file("palier-report/journal.jsonl/in-the-way", "").exit(1);
    run.says("cannot begin the journal");
    assert_eq!(origin.requests(), 0);
}

#[test]
fn a_target_that_fails_holds_no_user_up() {
    let script = things().path("/things/7", Act::Answer { status: 503, body: "{}".to_owned() });
    let origin = Origin::start(script);
    let profile =
        ONCE.replace("executor = \"per-vu-iterations\"", "executor = \"per-vu-iterations\"\niterations = 20");
    let running = Palier::run(&profile).target(&origin).start();
    // Three requests an iteration; the others come from the attempts beside the load.
    let running = running.wait_until(|| origin.requests() >= 80);
    let run = running.signal(Signal::INT).finish();
    assert_eq!(run.count("/cleanup/created"), 20);
    assert_eq!(run.count("/cleanup/left"), 20);
    assert_eq!(origin.record().count("POST /things"), 20, "no iteration waited for the deletions before it");
}
