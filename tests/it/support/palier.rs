//! The built binary, run as a pipeline would run it: in a folder of its own, and read from outside.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::origin::Origin;

/// A run to come.
#[must_use]
pub(crate) struct Palier {
    folder: Rc<TempDir>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    patience: Duration,
    /// What it is run by: `taskset -c 0`.
    through: Vec<String>,
    /// What a shell does before it becomes palier.
    before: Vec<String>,
}

impl Palier {
    /// `palier ARGS…`
    pub(crate) fn new<const N: usize>(args: [&str; N]) -> Self {
        let folder = tempfile::Builder::new().prefix("palier-it-").tempdir().expect("a folder");
        let args = args.map(str::to_owned).to_vec();
        Self::within(Rc::new(folder), args)
    }

    fn within(folder: Rc<TempDir>, args: Vec<String>) -> Self {
        Self {
            folder,
            args,
            env: Vec::new(),
            patience: Duration::from_secs(60),
            through: Vec::new(),
            before: Vec::new(),
        }
    }

    /// `palier run load.toml` with that profile.
    pub(crate) fn run(profile: &str) -> Self {
        Self::new(["run", "load.toml"]).file("load.toml", profile)
    }

    /// Writes a file into the folder.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        write(&self.folder.path().join(name), content);
        self
    }

    /// Where it will run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.args.extend(args.map(str::to_owned));
        self
    }

    pub(crate) fn target(self, origin: &Origin) -> Self {
        self.args(["--target", &origin.url()])
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// It may have so many files open, sockets included.
    pub(crate) fn files(self, files: u32) -> Self {
        self.before(&format!("ulimit -n {files}"))
    }

    /// A shell does this, and then becomes palier.
    pub(crate) fn before(mut self, command: &str) -> Self {
        self.before.push(command.to_owned());
        self
    }

    /// It is run by that program: `["taskset", "-c", "0"]`.
    pub(crate) fn through<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.through.extend(words.map(str::to_owned));
        self
    }

    /// After that long the test has failed.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let mut words = self.through;
        if !self.before.is_empty() {
            let script = format!("{}; exec \"$0\" \"$@\"", self.before.join("; "));
            words.extend(["/bin/sh".to_owned(), "-c".to_owned(), script]);
        }
        words.push(binary().display().to_string());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(&self.args)
            .current_dir(self.folder.path())
            // Tests run in pipelines too, and what those set must not show.
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.folder.path())
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let stdout = read_all(child.stdout.take().expect("piped"));
        let stderr = read_all(child.stderr.take().expect("piped"));
        Running {
            child,
            stdout,
            stderr,
            folder: self.folder,
            args: self.args,
            started: Instant::now(),
            patience: self.patience,
        }
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn finish(self) -> Done {
        self.start().finish()
    }

    /// Runs it to its end, which has to have that exit code.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Done {
        self.finish().exit(code)
    }
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    folder: Rc<TempDir>,
    args: Vec<String>,
    started: Instant,
    patience: Duration,
}

impl Running {
    /// Waits until something has become true, or the run has ended: then the test will see what is missing.
    pub(crate) fn wait_until(mut self, what: impl Fn() -> bool) -> Self {
        while !what() && self.started.elapsed() < self.patience {
            if self.child.try_wait().expect("a child of ours").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self
    }

    /// Waits that long.
    pub(crate) fn wait(self, time: Duration) -> Self {
        std::thread::sleep(time);
        self
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_under_way(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    pub(crate) fn signal(self, signal: Signal) -> Self {
        let pid = Pid::from_child(&self.child);
        // One that has ended is not reaped yet, so the pid is still its own.
        kill_process(pid, signal).expect("a child of ours");
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `palier ARGS…` in the same folder.
    pub(crate) fn beside<const N: usize>(&self, args: [&str; N]) -> Palier {
        Palier::within(self.folder.clone(), args.map(str::to_owned).to_vec())
    }

    /// Waits for its end; one that does not come is a failed test.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Done {
        let ended = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break Some(status);
            }
            if self.started.elapsed() > self.patience {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = self.started.elapsed();
        if ended.is_none() {
            // It may end by itself in this moment.
            let _ = self.child.kill();
            self.child.wait().expect("a child of ours");
        }
        let done = Done {
            code: ended.and_then(|status| status.code()),
            took,
            stdout: self.stdout.join().expect("a reader"),
            stderr: self.stderr.join().expect("a reader"),
            folder: self.folder,
            args: self.args,
            is_shown: Cell::new(false),
        };
        if ended.is_none() {
            done.fail(&format!("it was still running after {took:?}"));
        }
        done
    }
}

/// A run that has ended. If the test fails, it shows what the run said.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: Rc<TempDir>,
    args: Vec<String>,
    is_shown: Cell<bool>,
}

impl Done {
    /// It has to have ended with that code, and its summary, where there is one, has to say so.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Self {
        if self.code != Some(code) {
            self.fail(&format!("exit code {:?} instead of {code}", self.code));
        }
        let is_run = self.args.first().is_some_and(|command| command == "run");
        if is_run && self.path("palier-report/summary.json").exists() && code != 1 {
            let noted = self.summary()["exit_code"].as_i64();
            if noted != Some(i64::from(code)) {
                self.fail(&format!("exit code {code}, but the summary says {noted:?}"));
            }
        }
        self
    }

    /// `palier ARGS…` in the same folder.
    pub(crate) fn then<const N: usize>(&self, args: [&str; N]) -> Palier {
        Palier::within(self.folder.clone(), args.map(str::to_owned).to_vec())
    }

    /// The verdict has to be this one, and every report has to be there.
    #[track_caller]
    pub(crate) fn verdict(self, verdict: &str) -> Self {
        let found = self.summary()["verdict"].as_str().map(str::to_owned);
        if found.as_deref() != Some(verdict) {
            self.fail(&format!("verdict {found:?} instead of {verdict}"));
        }
        for name in REPORTS {
            if self.read(&format!("palier-report/{name}")).is_empty() {
                self.fail(&format!("{name} is empty"));
            }
        }
        self.junit();
        self
    }

    #[track_caller]
    pub(crate) fn summary(&self) -> Value {
        match serde_json::from_str(&self.read("palier-report/summary.json")) {
            Ok(summary) => summary,
            Err(error) => self.fail(&format!("summary.json is no JSON: {error}")),
        }
    }

    /// The JUnit report, as a parser that is not ours reads it.
    #[track_caller]
    pub(crate) fn junit(&self) -> quick_junit::Report {
        match quick_junit::Report::deserialize_from_str(&self.read("palier-report/junit.xml")) {
            Ok(report) => report,
            Err(error) => self.fail(&format!("junit.xml is no JUnit: {error}")),
        }
    }

    /// What became of the case of that name in the JUnit report.
    #[track_caller]
    pub(crate) fn case(&self, name: &str) -> quick_junit::TestCaseStatus {
        let report = self.junit();
        let cases: Vec<_> = report.test_suites.iter().flat_map(|suite| &suite.test_cases).collect();
        if let Some(case) = cases.iter().find(|case| case.name.as_str() == name) {
            return case.status.clone();
        }
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        self.fail(&format!("junit.xml has no case `{name}` among {names:#?}"))
    }

    /// The reasons of the verdict, one a line.
    #[track_caller]
    pub(crate) fn reasons(&self) -> String {
        let summary = self.summary();
        let reasons = summary["reasons"].as_array().cloned().unwrap_or_default();
        reasons.iter().filter_map(|reason| Some(reason["text"].as_str()?.to_owned() + "\n")).collect()
    }

    /// The threshold of that expression.
    #[track_caller]
    pub(crate) fn threshold(&self, expression: &str) -> Value {
        let summary = self.summary();
        let thresholds = summary["thresholds"].as_array().cloned().unwrap_or_default();
        match thresholds.iter().find(|it| it["expression"] == expression) {
            Some(threshold) => threshold.clone(),
            None => self.fail(&format!("no threshold `{expression}` in {thresholds:#?}")),
        }
    }

    /// How many errors of that kind there were.
    #[track_caller]
    pub(crate) fn errors(&self, kind: &str) -> u64 {
        let summary = self.summary();
        let groups = summary["errors"].as_array().cloned().unwrap_or_default();
        groups.iter().filter(|it| it["kind"] == kind).filter_map(|it| it["count"].as_u64()).sum()
    }

    /// One value of the summary, by its JSON pointer; it has to be a number.
    #[track_caller]
    pub(crate) fn number(&self, pointer: &str) -> f64 {
        let summary = self.summary();
        match summary.pointer(pointer).and_then(Value::as_f64) {
            Some(number) => number,
            None => self.fail(&format!("{pointer} is {:?}", summary.pointer(pointer))),
        }
    }

    /// The same for a number that is whole.
    #[track_caller]
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        let number = self.number(pointer);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is lost is told by the comparison"
        )]
        let count = number as u64;
        assert!((count as f64 - number).abs() < f64::EPSILON, "{pointer} is {number}");
        count
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of a file in the folder.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => text,
            Err(error) => self.fail(&format!("cannot read {name}: {error}")),
        }
    }

    /// The stream has to hold that text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        if !self.stderr.contains(text) && !self.stdout.contains(text) {
            self.fail(&format!("neither stream holds `{text}`"));
        }
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by it")]
    pub(crate) fn fail(&self, why: &str) -> ! {
        self.show();
        panic!("{why}");
    }

    #[expect(clippy::print_stderr, reason = "that is where a failed test explains itself")]
    fn show(&self) {
        if self.is_shown.replace(true) {
            return;
        }
        let reasons = fs::read_to_string(self.path("palier-report/summary.json"))
            .ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok())
            .map(|summary| format!("verdict {}\nreasons {:#}\n", summary["verdict"], summary["reasons"]));
        eprintln!(
            "palier {}\nended with {:?} after {:?}\n--- stdout\n{}--- stderr\n{}---\n{}",
            self.args.join(" "),
            self.code,
            self.took,
            self.stdout,
            self.stderr,
            reasons.unwrap_or_default()
        );
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
    }
}

/// The binary: the one that was built with the tests, unless `PALIER_BIN` names another.
#[expect(clippy::disallowed_methods, reason = "the tests have no other environment")]
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("PALIER_BIN").map_or_else(|| env!("CARGO_BIN_EXE_palier").into(), PathBuf::from)
}

/// Every file that a run leaves.
pub(crate) const REPORTS: [&str; 10] = [
    "annotations.json",
    "badge.json",
    "badge.svg",
    "junit.xml",
    "k6-summary.json",
    "latency.hlog",
    "metrics.txt",
    "report.html",
    "summary.json",
    "summary.md",
];

pub(crate) fn write(path: &Path, content: &str) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder");
    }
    File::create(path).and_then(|mut file| file.write_all(content.as_bytes())).expect("written");
}

fn read_all(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until then is what is shown.
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
