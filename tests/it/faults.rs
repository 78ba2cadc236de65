//! What goes wrong around palier itself: full disks, closed streams, tight limits, odd names, a clock that jumps.
//!
//! The verdict stays what it is, it is told wherever there is somebody to hear it, and nothing panics.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use palier::demo::{Demo, Options};
use serde_json::Value;

use crate::support::client::Count;
use crate::support::origin::{Origin, Script};
use crate::support::palier::{Done, Palier, REPORTS, write};
use crate::support::profile::{CREATE_AND_DELETE, steady};
use crate::support::terminal::Terminal;

/// A run of that long that passes, if it gets so far.
fn sound(origin: &Origin) -> Palier {
    Palier::run(&steady(2, "300ms")).target(origin)
}

/// The same by way of a line of a shell, in which `"$@"` is the command.
fn by(origin: &Origin, shell: &str) -> Palier {
    sound(origin).through(["/bin/sh", "-c", shell, "sh"])
}

/// Whether this user may have a file system of its own here, which not every pipeline lets one.
fn may_mount() -> bool {
    let mut unshare = Command::new("unshare");
    let unshare = unshare.args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).stderr(Stdio::null());
    unshare.status().is_ok_and(|status| status.success())
}

#[track_caller]
fn is_calm(run: &Done) {
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}

/// Everything in a folder but what is hidden, and what a report must not leave: files half written.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_full_disk_keeps_no_verdict_from_the_terminal_and_the_most_of_the_reports() {
    let origin = Origin::start(Script::ok());
    // A limit on files is met as a full disk is, and asks for no rights. 4 KiB: the summary is larger.
    let run = sound(&origin).before("trap '' XFSZ; ulimit -f 8").exit(1);
    is_calm(&run);
    run.says("cannot write `palier-report/summary.json`");
    assert!(run.stdout.contains("PASS") && run.stdout.trim_end().ends_with("100.00%"), "{}", run.stdout);
    let names = names(&run.path("palier-report"));
    assert!(names.iter().any(|name| name == "junit.xml"), "{names:?}");
    assert!(names.iter().all(|name| REPORTS.contains(&name.as_str())), "{names:?}");
    run.junit();
}

#[test]
fn a_journal_that_fills_the_disk_leaves_the_reports_their_room() {
    if !may_mount() {
        return;
    }
    let demo = Demo::start(Options::default()).expect("a demo");
    let load = "[target]\nurl = \"http://127.0.0.1:9\"\n[load]\nexecutor = \"shared-iterations\"\nvus = 4\niterations = 400\n";
    let profile = load.to_owned() + &CREATE_AND_DELETE.replace("LoadTest", &"x".repeat(1_000));
    let before = Count::of(&demo).rows();
    // Room for the reports, and not for what a journal has to say of four hundred rows.
    let small = "mkdir small kept; mount -t tmpfs -o size=200k none small || exit 90; \
                 \"$@\" --out small/out; code=$?; cp -r small/out kept; exit $code";
    let run = Palier::run(&profile).through(["unshare", "-rm", "/bin/sh", "-c", small, "sh"]);
    let run = run.args(["--target", &demo.url()]).exit(1);
    is_calm(&run);
    run.says("cannot write `small/out/journal.jsonl`");
    assert!(run.stdout.contains("PASS"), "{}", run.stdout);
    assert_eq!(Count::of(&demo).rows(), before, "all was undone");
    let summary: Value = serde_json::from_str(&run.read("kept/out/summary.json")).expect("a summary");
    assert_eq!(summary["cleanup"]["left"], 0);
    for name in REPORTS {
        assert!(!run.read(&format!("kept/out/{name}")).is_empty(), "{name}");
    }
    let journal = run.read("kept/out/journal.jsonl");
    assert!(journal.lines().last().is_some_and(|line| line.contains("\"done\"")), "{journal}");
}

#[test]
fn a_file_system_that_is_only_read_is_told_before_any_load_is_made() {
    if !may_mount() {
        return;
    }
    let origin = Origin::start(Script::ok());
    let shell = "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && exec \"$@\"";
    let through = ["unshare", "-rm", "/bin/sh", "-c", shell, "sh"];
    let run = sound(&origin).through(through).exit(1);
    run.says("choose another with `--out`");
    assert_eq!(origin.requests(), 0);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let out = elsewhere.path().join("out").display().to_string();
    sound(&origin).through(through).args(["--out", &out]).exit(0);
    assert_eq!(names(Path::new(&out)).len(), REPORTS.len());
}

#[test]
fn who_stops_listening_changes_no_verdict() {
    let origin = Origin::start(Script::ok());
    let run = by(&origin, "{ \"$@\"; echo $? > code; } | head -n 1").finish();
    assert_eq!((run.read("code").trim(), run.stdout.lines().count()), ("0", 1));
    for streams in [">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"] {
        let run = by(&origin, &format!("exec \"$@\" {streams}")).exit(0).verdict("pass");
        is_calm(&run);
    }
}

#[test]
fn a_result_that_cannot_be_printed_is_no_success() {
    let origin = Origin::start(Script::ok());
    let run = by(&origin, "exec \"$@\" >/dev/full").finish();
    assert_eq!(run.code, Some(1));
    run.says("cannot print the result\n  because: No space left on device");
    let run = run.verdict("pass");
    let full = ["/bin/sh", "-c", "exec \"$@\" >/dev/full", "sh"];
    run.then(["report", "palier-report/summary.json"]).through(full).exit(1).says("cannot print the result");
    run.then(["check", "load.toml"]).through(full).exit(1).says("cannot print the result");
    run.then(["explain", "98"]).through(full).exit(1).says("cannot print the result");
    Palier::new(["--help"]).through(full).exit(1);
    let gone = ["/bin/sh", "-c", "{ \"$@\"; echo $? > code; } | true", "sh"];
    assert_eq!(run.then(["check", "load.toml"]).through(gone).finish().read("code").trim(), "0");
}

#[test]
fn neither_a_home_nor_any_variable_is_needed() {
    let origin = Origin::start(Script::ok());
    by(&origin, "exec env -i \"$@\"").exit(0).verdict("pass");
    by(&origin, "HOME=/nowhere/at/all exec \"$@\"").exit(0).verdict("pass");
}

#[test]
fn too_few_open_files_end_in_words() {
    let origin = Origin::start(Script::ok());
    for files in [6, 7, 9, 12] {
        let run = sound(&origin).files(files).exit(1);
        is_calm(&run);
        run.says(&format!("this process may have {files} files open"));
    }
    assert_eq!(origin.requests(), 0);
    for files in [16, 19, 22] {
        let run = sound(&origin).files(files).exit(98).verdict("invalid");
        is_calm(&run);
        run.says("Too many open files");
    }
}

#[test]
fn a_tight_limit_on_memory_is_enough() {
    let origin = Origin::start(Script::ok());
    // In KiB, of addresses: those of threads and of the binary itself are among them.
    sound(&origin).before("ulimit -v 200000").exit(0).verdict("pass");
}

#[test]
fn names_that_are_no_text_are_names() {
    let origin = Origin::start(Script::ok());
    let run = by(&origin, "exec \"$@\" --out \"$(printf 'out\\377')\"").exit(0);
    run.then(["run"]).through(["/bin/sh", "-c", "mv out* out; rm -f out/journal*", "sh"]).finish();
    assert_eq!(names(&run.path("out")).len(), REPORTS.len());

    let variables = "export HOME=\"$(printf '/\\377')\" TERM=\"$(printf '\\377')\" \
                     GITHUB_REF=\"$(printf 'x\\377')\" CI=\"$(printf '\\377')\"; exec \"$@\"";
    by(&origin, variables).exit(0).verdict("pass");
    let unused = "env \"$(printf 'X\\377=1')\" \"$@\"";
    by(&origin, unused).exit(0).verdict("pass");

    let shell = "exec \"$@\" --set \"$(printf 'load.vus\\377=1')\"";
    is_calm(&by(&origin, shell).exit(2));
    let run = by(&origin, "exec \"$1\" run \"$(printf 'no\\377.toml')\"").exit(2);
    is_calm(&run);
    let within = "d=\"$(printf 'in\\377')\"; mkdir \"$d\"; cp load.toml \"$d\"; cd \"$d\"; exec \"$@\"";
    by(&origin, within).exit(0).says("PASS");
}

#[test]
fn a_file_that_is_no_text_is_told_with_its_line() {
    let run = Palier::run("");
    let file = fs::File::create(run.folder().join("load.toml"));
    file.and_then(|mut it| it.write_all(b"[target]\nurl = \"http://\xff\"\n")).expect("written");
    run.exit(2).says("line 2 is not UTF-8");
}

#[test]
fn a_terminal_of_any_size_is_drawn_on_and_left_clean() {
    let origin = Origin::start(Script::ok());
    let start = |columns| Terminal::run(&steady(2, "2s"), &origin, columns, &[]);
    for mut terminal in [1, 2, 9_999].map(start) {
        assert_eq!(terminal.finish(), Some(0), "{:#?}", terminal.lines());
        let text = terminal.lines().concat();
        assert!(!text.contains(['━', '─', '▁', '█']), "{text}");
        assert!(text.contains("PASS"), "{text}");
    }
}

/// Debian's `faketime`: the library that gives a program another clock.
fn clock_library() -> Option<String> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut paths = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    paths.find(|path| path.exists()).map(|path| path.display().to_string())
}

#[test]
fn a_clock_that_jumps_during_the_run_changes_no_figure() {
    let Some(library) = clock_library() else {
        return crate::slow::consumers::missing("libfaketime.so.1 (Debian's faketime)");
    };
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(2, "2s")).target(&origin).file("clock", "-40d\n");
    let clock = run.folder().join("clock");
    let running = run
        .env("LD_PRELOAD", &library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string())
        .env("FAKETIME_NO_CACHE", "1")
        // Only what may be set is set: the monotonic clock goes on as it does.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    let running = running.wait_until(|| origin.requests() > 20);
    let day_back = clock.with_extension("new");
    write(&day_back, "-41d\n");
    fs::rename(&day_back, &clock).expect("renamed");
    let run = running.finish().exit(0).verdict("pass");
    let summary = run.summary();
    let time = |pointer: &str| {
        let text = summary.pointer(pointer).and_then(Value::as_str).expect("a time");
        humantime::parse_rfc3339(text).expect("a time")
    };
    let (start, end) = (time("/run/start"), time("/run/end"));
    let ago = SystemTime::now().duration_since(start).expect("a clock that is behind");
    assert!(ago > Duration::from_secs(30 * 86_400), "the run saw no other clock: {ago:?}");
    // The clock of the start counts, and from there on what time went by.
    let took = end.duration_since(start).expect("the end after the start").as_secs_f64() * 1e3;
    assert!((took - run.number("/run/duration")).abs() < 2.0, "{took} ms");
    assert!((run.number("/run/load_duration") - 2_000.0).abs() < 1.0);
    assert!(run.number("/run/duration") < 20_000.0);
    assert!(run.number("/metrics/http_req_duration/max") < 2_000.0);
}
