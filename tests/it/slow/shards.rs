//! What it costs to put many shards together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use palier::metrics::{Failure, IterationEnd, Recorder, Results, Sample, Timings};
use palier::plan::{self, LoadId, Plan, Shard, SpanId, StepId};
use palier::profile::{self, Files as _};
use palier::shard::{About, Part, Recipe, encode, file_name};

use crate::slow::{take_turn, told};
use crate::support::palier::{Palier, binary, write};

const SHARDS: u32 = 64;
const SAMPLES: u64 = 10_000_000 / SHARDS as u64;
/// Distinct ones; what is in a file does not change what it costs.
const DISTINCT: u32 = 4;

const PROFILE: &str = r#"
[target]
url = "http://127.0.0.1:9"

[load]
executor = "constant-vus"
vus = 640
duration = "60s"

[[step]]
name = "list"
get = "/list"

[[step]]
name = "one"
get = "/one"

[thresholds]
http_req_duration = ["p(95)<10s", "p(99)<10s"]
"#;

#[test]
#[ignore = "slow: ten million samples are recorded first"]
fn ten_million_samples_of_64_shards_are_merged_in_two_seconds_and_200_megabytes() {
    let _turn = take_turn();
    let files = [(PathBuf::from("load.toml"), Some(PROFILE.to_owned()))].into_iter().collect();
    let recipe = Recipe { profile: "load.toml".into(), files, time_scale: 1.0, ..Recipe::default() };
    assert!(recipe.exists(Path::new("load.toml")));
    let plan = planned(&recipe);
    let results: Vec<Results> = (0..DISTINCT).map(|seed| measured(&plan, u64::from(seed))).collect();
    // The kernel ends a process that takes more: CPU time in seconds, address space in KiB. A debug build is slower.
    let seconds = if binary().components().any(|part| part.as_os_str() == "debug") { 30 } else { 2 };
    let merge = Palier::new(["merge", "shards"]).before(&format!("ulimit -t {seconds}; ulimit -v 204800"));
    let mut size = 0;
    for (number, results) in (1..=SHARDS).zip(results.iter().cycle()) {
        let shard = Shard::new(number, SHARDS).expect("a shard");
        let part = Part {
            shard,
            recipe: recipe.clone(),
            about: About {
                run: format!("r-{number}of{SHARDS}"),
                start: SystemTime::UNIX_EPOCH,
                duration: Duration::from_secs(61),
                start_at: Some(SystemTime::UNIX_EPOCH),
                memory: None,
                host: "{}".into(),
                notes: Vec::new(),
            },
            results: results.clone(),
        };
        let bytes = encode(&part).expect("bytes");
        size += bytes.len();
        let path = merge.folder().join("shards").join(file_name(shard));
        write(&path, "");
        std::io::Write::write_all(&mut fs::File::create(path).expect("a file"), &bytes).expect("room");
    }
    let merged = merge.exit(0).verdict("pass");
    assert_eq!(merged.count("/metrics/http_reqs/count"), SAMPLES * u64::from(SHARDS));
    told(&format!("64 files of {} kB in all were merged in {:.2?}", size / 1000, merged.took));
}

fn planned(recipe: &Recipe) -> Plan {
    let variables = BTreeMap::new();
    let request =
        profile::Request { name: "load.toml", folder: Path::new(""), overrides: &[], variables: &variables };
    let profile = profile::load(&request, recipe).expect("a profile");
    plan::build(
        &profile,
        &plan::Settings { run: String::new(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() },
    )
    .expect("a plan")
}

/// A minute of latencies from 1 ms to 1 s, most of them short.
fn measured(plan: &Plan, seed: u64) -> Results {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut results = Results::new(plan);
    for second in 0..60 {
        let mut recorder = Recorder::new(plan);
        let start = Duration::from_secs(second);
        // What the division leaves over is of the last second.
        let rest = if second == 59 { SAMPLES % 60 } else { 0 };
        for number in 0..SAMPLES / 60 + rest {
            let took = Duration::from_secs_f64(0.001 * 1000_f64.powf(rng.f64() * rng.f64()));
            let sample = Sample {
                step: StepId(u16::from(number % 2 == 1)),
                span: SpanId(0),
                start,
                timings: Some(Timings { waiting: took, ..Timings::default() }),
                status: Some(200),
                failure: Failure::None,
                passes: 0,
                fails: 0,
                sent: 100,
                received: 1000,
            };
            recorder.request(&sample);
            let end = start + took;
            recorder.iteration(&IterationEnd { load: LoadId(0), span: SpanId(0), end, duration: took });
        }
        results.add(recorder.take());
    }
    results.elapsed = Duration::from_secs(60);
    results.ends = vec![results.elapsed];
    results.clock.began = Some(SystemTime::UNIX_EPOCH);
    results
}
