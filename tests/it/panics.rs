//! A bug of palier's own: a virtual user panics in the midst of an iteration.
//!
//! No profile can make it, so this is the one test that calls the library: it takes a sound plan and tears a hole in it,
//! into which a virtual user falls.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use palier::demo::{Demo, Options};
use palier::engine::{self, RunPhase, Watcher};
use palier::metrics::Results;
use palier::plan::{self, Plan, StepId};
use palier::profile::{self, Disk, Override};
use palier::report::summary::{Environment, Host};
use palier::report::{Format, Outputs};
use palier::summarize::{Circumstances, summarize};
use palier::words::Verdict;
use palier::{journal, verdict};

use crate::support::client::Count;
use crate::support::profile::CREATE_AND_DELETE;

/// The loads of users who create and delete, and of one who falls after creating.
const TWO_LOADS: &str = r#"
[target]
url = "http://127.0.0.1:9"
[[loads]]
name = "sound"
executor = "constant-vus"
vus = 4
duration = "1s"
[[loads]]
name = "falling"
executor = "per-vu-iterations"
vus = 1
iterations = 1
"#;

fn plan(folder: &Path, target: String) -> Plan {
    crate::support::palier::write(&folder.join("load.toml"), &format!("{TWO_LOADS}{CREATE_AND_DELETE}"));
    let target = Override::Flag { flag: "--target", path: "target.url", value: target };
    let request =
        profile::Request { name: "load.toml", folder, overrides: &[target], variables: &BTreeMap::new() };
    let profile = profile::load(&request, &Disk).expect("a sound profile");
    let settings =
        plan::Settings { run: "r-1".to_owned(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
    plan::build(&profile, &settings).expect("a plan")
}

struct Nobody;

impl Watcher for Nobody {
    fn phase(&mut self, _: RunPhase) {}

    fn second(&mut self, _: &mut Results, _: Duration) -> Option<String> {
        None
    }
}

fn circumstances(start: SystemTime, duration: Duration) -> Circumstances {
    Circumstances {
        start,
        duration,
        environment: Environment { ci: None, commit: None, branch: None, job_url: None, report_url: None },
        host: Host {
            fingerprint: "test".to_owned(),
            cpu: None,
            cores: 1,
            memory: None,
            os: "test".to_owned(),
            kernel: None,
        },
        memory: None,
        command: String::new(),
        notes: Vec::new(),
        regression: None,
        history: None,
        exit_code: 98,
    }
}

#[test]
fn what_a_virtual_user_created_who_panics_is_undone_and_the_run_reports() {
    let demo = Demo::start(Options::default()).expect("a demo");
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(folder.path(), demo.url());
    let mut torn = plan.clone();
    let nowhere = StepId(u16::MAX);
    torn.loads[1].steps[1] = nowhere;
    let path = folder.path().join(journal::FILE_NAME);
    let writer = journal::Writer::create(&path, &plan, None).expect("a journal");

    let (start, began) = (SystemTime::now(), Instant::now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (_sender, mut signals) = tokio::sync::mpsc::unbounded_channel();
    let results = runtime.block_on(engine::run(Arc::new(torn), None, &writer, &mut signals, &mut Nobody));

    assert_eq!(results.generator.panics.len(), 1, "{:?}", results.generator.panics);
    assert!(results.generator.panics[0].starts_with("a virtual user panicked: index out of bounds"));
    let count = Count::of(&demo);
    assert_eq!(count.rows(), 200, "what was created is undone");
    assert!(results.cleanup.created > 4, "the others went on");
    assert_eq!(results.cleanup.created, count.route("POST /employees"));
    assert_eq!(results.cleanup.created, results.cleanup.undone);
    writer.finish().expect("a whole journal");
    let journal = journal::read(std::io::BufReader::new(std::fs::File::open(&path).expect("it is there")));
    assert!(!journal.expect("a journal").has_leftovers());

    let judgement = verdict::judge(&plan, &results);
    assert_eq!(judgement.verdict, Verdict::Invalid, "{:?}", judgement.reasons);
    let summary = summarize(&plan, &results, &judgement, &circumstances(start, began.elapsed()));
    let outputs = Outputs::open(&folder.path().join("report")).expect("a folder");
    outputs.write_all(&summary).expect("every report");
    for format in Format::ALL {
        let written = std::fs::metadata(outputs.path(format)).expect("a report");
        assert!(written.len() > 0, "{format:?}");
    }
    let junit = std::fs::read_to_string(outputs.path(Format::Junit)).expect("a report");
    assert!(junit.contains("a virtual user panicked"), "no green test");
}
