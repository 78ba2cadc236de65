//! What comes from outside, read as palier reads it: the functions that fuzzing calls.
//!
//! Each takes whatever bytes there are. It may refuse them, as palier does; what it may not is panic, take for ever, or
//! break what its document promises. `tests/fuzz` runs them under libFuzzer, `tests/it/fuzz.rs` with its seeds and with
//! what it makes of them. Nothing else calls them, so they are in no binary.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;
use std::path::Path;

use crate::cli::fuzz::quoted;
use crate::compare::{Terms, compare};
use crate::plan::{self, Plan, Settings};
use crate::profile::{self, Files, Profile, Request};
use crate::report::{Format, json, recording};
use crate::{cli, engine, journal, shard};

/// A reader of bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called: its folder of seeds, and its binary under libFuzzer.
    pub name: &'static str,
    /// Reads them.
    pub read: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target { name: "profile", read: profile },
    Target { name: "words", read: words },
    Target { name: "answer", read: answer },
    Target { name: "summary", read: summary },
    Target { name: "journal", read: journal },
    Target { name: "shard", read: shard },
    Target { name: "history", read: history },
    Target { name: "import", read: import },
];

/// A profile: what is read is laid out, what is not is told with its places.
pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    laid_out(text);
}

/// The small languages inside a profile, a line each: key and expression of a threshold, duration, template, JSONPath,
/// regular expression, status list, rate.
pub fn words(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n').map(quoted);
    let mut next = || lines.next().unwrap_or_else(|| quoted(""));
    let (key, threshold, duration, template) = (next(), next(), next(), next());
    let (path, regex, status, rate) = (next(), next(), next(), next());
    // One at a time, so that none is hidden behind another that is wrong.
    for profile in [
        of_words(&key, &threshold, "", ""),
        of_words("'checks'", "'rate>0.5'", &format!("graceful_stop = {duration}"), ""),
        of_words("'checks'", "'rate>0.5'", "", &format!("get = {template}")),
        of_words("'checks'", "'rate>0.5'", "", &format!("headers = {{ a = {template} }}")),
        of_words("'checks'", "'rate>0.5'", "", &format!("capture = {{ a = {{ json = {path} }} }}")),
        of_words(
            "'checks'",
            "'rate>0.5'",
            "",
            &format!("checks = [{{ name = \"c\", json = {path}, equals = {template} }}]"),
        ),
        of_words("'checks'", "'rate>0.5'", "", &format!("capture = {{ a = {{ regex = {regex} }} }}")),
        of_words("'checks'", "'rate>0.5'", "", &format!("checks = [{{ name = \"c\", status = {status} }}]")),
        of_words("'checks'", "'rate>0.5'", "", &format!("pause = {duration}")),
        format!(
            "[target]\nurl = {template}\n[load]\nexecutor = \"constant-arrival-rate\"\nrate = {rate}\nduration = {duration}\npreallocated_vus = 1\n[[step]]\nname = \"a\"\nget = \"/\"\n"
        ),
    ] {
        laid_out(&profile);
    }
}

/// A summary: what is read is written in every format, and read again is the same.
pub fn summary(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(summary) = json::parse(text) else { return };
    for format in Format::ALL {
        black_box(format.render(&summary));
    }
    let again = json::render(&summary);
    let read = json::parse(&again).expect("what was written can be read");
    assert_eq!(again, json::render(&read), "what is read again is written as it was");
    if let Some(recording) = recording::unpack(&summary) {
        black_box(compare(std::slice::from_ref(&recording), &recording, Terms::default()));
    }
}

/// A journal: a line that is damaged costs that line.
pub fn journal(data: &[u8]) {
    let Ok(journal) = journal::read(data) else { return };
    for (_, thing, _) in journal.left() {
        black_box((journal.creator(thing), journal.method(thing), journal.undoing(thing)));
    }
    assert!(journal.left().count() == 0 || journal.has_leftovers());
}

/// The file of a shard: what is read is written again, and read again is the same.
pub fn shard(data: &[u8]) {
    let Ok(part) = shard::decode(data) else { return };
    let again = shard::encode(&part).expect("what was read can be written");
    let read = shard::decode(&again).expect("what was written can be read");
    assert_eq!(again, shard::encode(&read).expect("what was read can be written"));
    let plan = laid_out(PLAIN).expect("a plan");
    black_box(part.results.fit(&plan));
}

/// A file of earlier runs.
pub fn history(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    cli::fuzz::history(text);
}

/// Curl commands, HAR files, k6's options: what is printed is a profile.
pub fn import(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    cli::fuzz::import(text);
}

/// An answer: a line with its status, one for each header, an empty one, its body.
pub fn answer(data: &[u8]) {
    thread_local! {
        static PLAN: OnceCell<Plan> = const { OnceCell::new() };
    }
    PLAN.with(|plan| {
        let plan = plan.get_or_init(|| laid_out(ANSWERED).expect("a plan"));
        engine::fuzz::answer(plan, data);
    });
}

/// The smallest plan.
const PLAIN: &str = "[target]\nurl = \"http://localhost\"\n[load]\nexecutor = \"constant-vus\"\nduration = \"1s\"\n[[step]]\nname = \"a\"\nget = \"/\"\n";

/// One step with each kind of check and capture.
const ANSWERED: &str = include_str!("../tests/fuzz/answered.toml");

fn of_words(key: &str, threshold: &str, load: &str, step: &str) -> String {
    let get = if step.starts_with("get") { "" } else { "get = \"/\"\n" };
    format!(
        "[target]\nurl = \"http://localhost\"\n[load]\nexecutor = \"constant-vus\"\nduration = \"1s\"\n{load}\n\
         [[step]]\nname = \"a\"\n{get}{step}\n[thresholds]\n{key} = {threshold}\n"
    )
}

/// The plan of a profile's text; what is wrong with it is told, in colours and without.
fn laid_out(text: &str) -> Option<Plan> {
    let variables = BTreeMap::from([("SET".to_owned(), "it is".to_owned())]);
    let request = Request { name: "p.toml", folder: Path::new("/"), overrides: &[], variables: &variables };
    let profile: Profile = match profile::load(&request, &Memory(text)) {
        Ok(profile) => profile,
        Err(error) => {
            let profile::Error::Rejected(rejected) = error else { panic!("{error}") };
            assert!(!rejected.diagnostics.is_empty(), "what is refused has a reason");
            for color in [false, true] {
                black_box(rejected.render(color));
            }
            return None;
        }
    };
    let settings = Settings { run: "r".to_owned(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
    match plan::build(&profile, &settings) {
        Ok(plan) => {
            black_box((plan.duration(), plan.vus()));
            Some(plan)
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "what is refused has a reason");
            black_box(profile::render(&diagnostics, &profile.sources, false));
            None
        }
    }
}

/// A profile, and no other file.
struct Memory<'a>(&'a str);

impl Files for Memory<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        if self.exists(path) { Ok(self.0.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn exists(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == "p.toml")
    }
}
