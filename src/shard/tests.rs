//! Shards against one process: fed the same samples, they have to end in the same results, to the last bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::metrics::{Failure, FirstError, IterationEnd, Recorder, Sample, Stop, Timings};
use crate::plan::{self, LoadId, Plan, SpanId, StepId};
use crate::profile;
use crate::verdict::judge;
use crate::words::ErrorKind;

const PROFILE: &str = r#"
[target]
url = "http://127.0.0.1:9"

[load]
executor = "ramping-vus"
stages = [{ duration = "4s", target = 8 }, { duration = "4s", target = 0 }]

[[step]]
name = "list"
get = "/list"
checks = [{ name = "is ok", status = 200 }]

[[step]]
name = "one"
get = "/one"
checks = [{ name = "is there", status = 200 }]

[thresholds]
http_req_duration = ["p(95)<200ms", "p(99)<10s"]
"http_req_duration{status:500}" = [{ expr = "max<20s", allow_empty = true }]
errors = ["rate<50%"]
"#;

fn recipe(text: &str) -> Recipe {
    let files = [(PathBuf::from("sample.toml"), Some(text.to_owned()))].into_iter().collect();
    Recipe { profile: "sample.toml".into(), files, time_scale: 1.0, ..Recipe::default() }
}

fn plan(text: &str) -> Plan {
    let variables = BTreeMap::new();
    let request = profile::Request {
        name: "sample.toml",
        folder: Path::new(""),
        overrides: &[],
        variables: &variables,
    };
    let profile = profile::load(&request, &recipe(text)).expect("a profile");
    let settings = plan::Settings { run: String::new(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
    plan::build(&profile, &settings).expect("a plan")
}

/// One request of an iteration: when, of which step, how long it took, and how it ended.
#[derive(Clone, Copy, Debug)]
struct Request {
    second: u64,
    step: u16,
    nanos: u64,
    fails: bool,
}

fn measured<'a>(plan: &Plan, requests: impl Iterator<Item = &'a Request>) -> Results {
    let mut recorder = Recorder::new(plan);
    for Request { second, step, nanos, fails } in requests {
        let (start, took) = (Duration::from_secs(*second), Duration::from_nanos(*nanos));
        let (span, step) = (SpanId(u16::from(*second >= 4)), StepId(*step));
        let sample = Sample {
            step,
            span,
            start,
            timings: Some(Timings { waiting: took, ..Timings::default() }),
            status: Some(if *fails { 500 } else { 200 }),
            failure: if *fails { Failure::Kind(ErrorKind::Status) } else { Failure::None },
            passes: u32::from(!*fails),
            fails: u32::from(*fails),
            sent: 100,
            received: 200,
        };
        recorder.request(&sample);
        recorder.check(span, step, 0, !*fails);
        if *fails {
            let example = || FirstError { at: start, vu: 1, message: "status 500".into() };
            recorder.error(&sample, ErrorKind::Status, example);
        }
        recorder.iteration(&IterationEnd { load: LoadId(0), span, end: start + took, duration: took });
    }
    let mut results = Results::new(plan);
    results.add(recorder.take());
    results.elapsed = Duration::from_secs(8);
    results.ends = vec![Duration::from_secs(8)];
    results.clock.began = Some(SystemTime::UNIX_EPOCH);
    results
}

fn part(number: u32, count: u32, results: Results) -> Part {
    Part {
        shard: Shard::new(number, count).expect("a shard"),
        recipe: recipe(PROFILE),
        about: About {
            run: format!("r-{number}of{count}"),
            start: SystemTime::UNIX_EPOCH,
            duration: Duration::from_secs(9),
            start_at: None,
            memory: None,
            host: "{}".into(),
            notes: Vec::new(),
        },
        results,
    }
}

fn requests() -> impl Strategy<Value = Vec<(Request, u32)>> {
    let one =
        (0..8_u64, 0..2_u16, (0..35_u32).prop_flat_map(|bits| 0..(2_u64 << bits)), prop::bool::weighted(0.2));
    let one = one.prop_map(|(second, step, nanos, fails)| Request { second, step, nanos, fails });
    prop::collection::vec((one, 1..=8_u32), 1..300).prop_map(|mut requests| {
        // As they are recorded: of two errors the one that comes first is the example.
        requests.sort_by_key(|(request, _)| request.second);
        requests
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn eight_shards_are_one_process(requests in requests(), order in Just((1..=8_u32).collect::<Vec<_>>()).prop_shuffle()) {
        let plan = plan(PROFILE);
        let whole = measured(&plan, requests.iter().map(|(request, _)| request));
        let mut assembly = Assembly::default();
        for number in order {
            let own = requests.iter().filter(|(_, shard)| *shard == number).map(|(request, _)| request);
            let bytes = encode(&part(number, 8, measured(&plan, own))).expect("bytes");
            let part = decode(&bytes).expect("the same");
            assembly.add(file_name(part.shard), part, plan.clone());
        }
        let (merged_plan, merged, reasons) = assembly.finish().expect("readable");
        prop_assert_eq!(reasons, Vec::new());
        prop_assert_eq!(judge(&merged_plan, &merged), judge(&plan, &whole));
        for threshold in &plan.thresholds {
            let (one, all) = (whole.select(&threshold.selection), merged.select(&threshold.selection));
            for q in [0.5, 0.95, 0.99, 1.0] {
                prop_assert_eq!(one.trends.duration.quantile(q), all.trends.duration.quantile(q));
            }
            prop_assert_eq!(one.trends.duration.max(), all.trends.duration.max());
            prop_assert_eq!(one.requests, all.requests);
        }
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..2000_usize, to in any::<u8>()) {
        prop_assert_eq!(decode(&bytes), Err(Unreadable::NotAShard));
        let plan = plan(PROFILE);
        let whole = encode(&part(1, 2, measured(&plan, std::iter::empty()))).expect("bytes");
        let mut bytes = whole.clone();
        let at = at % bytes.len();
        bytes[at] = to;
        prop_assert_eq!(decode(&bytes).is_ok(), bytes == whole);
        prop_assert!(decode(&whole[..at]).is_err());
    }
}

/// What is said of parts; each has made the same small load.
#[track_caller]
fn check(parts: Vec<Part>, expected: &[&str]) {
    let mut assembly = Assembly::default();
    for (index, part) in parts.into_iter().enumerate() {
        let text = part.recipe.files.values().flatten().next().cloned().expect("a profile");
        assembly.add(format!("{index}.palier"), part, plan(&text));
    }
    let (plan, results, reasons) = assembly.finish().expect("readable");
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert_eq!(texts, expected);
    let judgement = judge(&plan, &results).of_other_load(&plan, reasons);
    let invalid = judgement.verdict == crate::words::Verdict::Invalid;
    assert_eq!(invalid, !expected.is_empty(), "{judgement:?}");
}

fn parts(count: u32) -> Vec<Part> {
    let plan = plan(PROFILE);
    let request = Request { second: 1, step: 0, nanos: 1_000_000, fails: false };
    // Enough for a p99.
    let requests = vec![request; 2000];
    (1..=count).map(|number| part(number, count, measured(&plan, requests.iter()))).collect()
}

#[test]
fn whole_sets_are_sound() {
    check(parts(1), &[]);
    check(parts(3), &[]);
}

#[test]
fn missing_shards_are_found() {
    let mut four = parts(4);
    four.remove(2);
    check(four.clone(), &["the results of 1 of 4 shards are missing: shard 3"]);
    four.remove(0);
    check(four, &["the results of 2 of 4 shards are missing: shards 1, 3"]);
}

#[test]
fn shards_that_are_there_twice_count_once() {
    let mut two = parts(2);
    two.push(two[1].clone());
    check(two, &["`2.palier` was not merged: shard 2/2 is already there, from `1.palier`"]);
    let mut two = parts(2);
    two.push(parts(3).remove(2));
    check(two, &["`2.palier` could not be merged: it is shard 3/3, and `0.palier` is one of 2"]);
}

#[test]
fn shards_of_another_plan_are_not_added() {
    let mut two = parts(2);
    let other = PROFILE.replace("target = 8", "target = 9");
    two[1].recipe = recipe(&other);
    check(
        two,
        &[
            "`1.palier` could not be merged: shard 2/2 ran another plan than the first one",
            "the results of 1 of 2 shards are missing: shard 2",
        ],
    );
}

#[test]
fn results_of_another_shape_are_not_added() {
    let mut two = parts(2);
    two[1].results = Results::default();
    check(
        two,
        &[
            "`1.palier` could not be merged: it is damaged: its results are not those of its plan",
            "the results of 1 of 2 shards are missing: shard 2",
        ],
    );
}

#[test]
fn shards_that_began_late_are_found() {
    let late = |millis| Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    let mut three = parts(3);
    three[1].results.clock.began = late(900);
    check(three.clone(), &[]);
    three[1].results.clock.began = late(3500);
    let text = "shard 2/3 began 3.5 s after shard 1/3, so their load was never that of the plan; give all the same `--start-at`";
    check(three.clone(), &[text]);
    for part in &mut three {
        part.about.start_at = late(500);
    }
    check(three, &["shard 2/3 began 3 s after the moment of `--start-at`"]);
}

#[test]
fn clocks_that_tell_no_time_are_found() {
    let mut two = parts(2);
    two[0].results.clock.target_ahead = Some((-400, 700));
    two[1].results.clock.target_ahead = Some((300, 1400));
    check(two.clone(), &[]);
    two[1].results.clock.target_ahead = Some((5700, 6800));
    check(
        two,
        &[
            "the clock of shard 1/2 is ahead of that of shard 2/2 by 5 s or more, so they did not begin together",
        ],
    );
    let mut two = parts(2);
    two[0].results.clock.jumped = Duration::from_secs(60);
    check(two, &["the clock of shard 1/2 was set by 1m during its load"]);
}

#[test]
fn a_shard_that_made_no_load_takes_nothing_from_the_others() {
    let mut two = parts(2);
    two[1].results.stop = Stop::NotStarted("no target".into());
    two[1].results.clock.began = None;
    check(two.clone(), &["shard 2/2 made no load: no target"]);
    let mut assembly = Assembly::default();
    two[0].results.stop = Stop::NotStarted("no target".into());
    for part in two {
        assembly.add(file_name(part.shard), part, plan(PROFILE));
    }
    let (plan, results, reasons) = assembly.finish().expect("readable");
    let judgement = judge(&plan, &results).of_other_load(&plan, reasons);
    let texts: Vec<&str> = judgement.reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert_eq!(texts, ["no load was made: no target"]);
}

#[test]
fn another_version_is_not_read() {
    let bytes = encode(&parts(1).remove(0)).expect("bytes");
    let version = env!("CARGO_PKG_VERSION");
    let head = format!("palier-shard 1 {version} 1/1 ");
    assert!(bytes.starts_with(head.as_bytes()));
    let other = [b"palier-shard 1 9.9.9 1/1 ", &bytes[head.len()..]].concat();
    assert_eq!(decode(&other), Err(Unreadable::OtherVersion("9.9.9".into())));
    let mut assembly = Assembly::default();
    assembly.refuse("x.palier", &Unreadable::OtherVersion("9.9.9".into()));
    let reasons = assembly.finish().expect_err("nothing is there");
    assert!(reasons[0].text.contains("palier 9.9.9 wrote it"), "{reasons:?}");
}

#[test]
fn secrets_stay_out_of_a_recipe() {
    let variables = [("TOKEN", "s3cret"), ("HOST", "db"), ("OTHER", "x")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let secrets = profile::Secrets::new([variables[0].clone()]);
    let mut recipe = recipe("a = '${TOKEN} ${HOST:-none} s3cret'");
    recipe.variables = variables.into_iter().collect();
    recipe.set = vec!["b=s3cret".into()];
    let recipe = recipe.without_secrets(&secrets);
    let kept: Vec<(&str, &str)> =
        recipe.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(kept, [("HOST", "db"), ("TOKEN", "***")]);
    assert!(!format!("{recipe:?}").contains("s3cret"));
}
