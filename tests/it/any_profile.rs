//! Whatever `palier check` accepts runs to its end.

use std::cell::Cell;
use std::collections::BTreeSet;

use palier::demo::{Demo, Options};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::palier::Palier;
use crate::support::profile::CREATE_AND_DELETE;

fn load() -> impl Strategy<Value = String> {
    let stages = "stages = [{ duration = \"100ms\", target = 3 }, { duration = \"0s\", target = 1 }, \
                  { name = \"calm\", duration = \"100ms\", target = 0 }]";
    prop_oneof![
        3 => Just("executor = \"constant-vus\"\nvus = 3\nduration = \"200ms\"".to_owned()),
        3 => Just(format!("executor = \"ramping-vus\"\n{stages}")),
        3 => Just("executor = \"per-vu-iterations\"\nvus = 2\niterations = 3".to_owned()),
        3 => Just("executor = \"shared-iterations\"\nvus = 2\niterations = 5".to_owned()),
        3 => Just("executor = \"constant-arrival-rate\"\nrate = 30\nduration = \"200ms\"\npreallocated_vus = 2\nmax_vus = 4".to_owned()),
        3 => Just(format!("executor = \"ramping-arrival-rate\"\npreallocated_vus = 2\nstart_rate = 20\n{stages}")),
        // None of these is right.
        1 => Just("executor = \"constant-vus\"\nvus = 3".to_owned()),
        1 => Just(format!("executor = \"shared-iterations\"\n{stages}")),
    ]
}

/// The keys of one step after the first, which captures `id`.
fn step() -> impl Strategy<Value = String> {
    let request = prop::sample::select(vec![
        "get = \"/health\"",
        "get = \"/employees?page={{iteration}}&per_page={{random(1,9)}}\"",
        "get = \"/employees/{{id}}\"\nneeds = [\"id\"]",
        "get = \"/employees/{{id}}\"",
        "head = \"/health\"",
        "options = \"/\"",
        "put = \"/employees/{{pick(\\\"1\\\",\\\"2\\\")}}\"\njson = { salary = 1 }",
        "post = \"/nowhere\"\nbody = \"{{now}}\"\nredirects = 0",
        "patch = \"/health\"\nform = { a = \"{{uuid}}\" }",
        // Nobody captures that.
        "get = \"/{{nobody}}\"",
    ]);
    let more = prop::sample::subsequence(
        vec![
            "checks = [{ name = \"c\", status = \"2xx\" }, { name = \"d\", body = { contains = \"e\" } }]",
            "timeout = \"50ms\"",
            "pause = { min = \"0s\", max = \"20ms\" }",
            "tags = { kind = \"read\" }",
            "headers = { X-Run = \"{{run}}\", Accept = \"*/*\" }",
        ],
        0..4,
    );
    (request, more).prop_map(|(request, more)| format!("{request}\n{}", more.join("\n")))
}

fn threshold() -> impl Strategy<Value = String> {
    let trends = prop::sample::select(vec!["http_req_duration", "http_req_waiting", "iteration_duration"]);
    let of_trends =
        prop::sample::select(vec!["p(95)<1s", "avg<=200ms", "max<5", "p(99.9)>1h", "med!=0", "count>=0"]);
    let rates = prop::sample::select(vec!["errors", "http_req_failed"]);
    let of_rates = prop::sample::select(vec!["rate<10%", "rate>0.5", "rate==0"]);
    let counters = prop::sample::select(vec!["http_reqs", "iterations", "data_received", "http_req_cut"]);
    let of_counters = prop::sample::select(vec!["count>=0", "rate>0.5", "count<3"]);
    let pair = prop_oneof![
        8 => (trends, of_trends),
        8 => (rates, of_rates.clone()),
        8 => (counters, of_counters),
        // Gauges have no rate.
        1 => (Just("vus"), of_rates),
    ];
    let selector = prop::sample::select(vec!["", "", "", "{step:create}", "{load:nowhere}"]);
    (pair, selector).prop_map(|((metric, expression), selector)| {
        // Iterations have no step.
        let selector = if metric.starts_with("iteration") { "" } else { selector };
        format!("\"{metric}{selector}\" = [\"{expression}\"]")
    })
}

fn profile() -> impl Strategy<Value = String> {
    let steps = prop::collection::vec(step(), 0..3);
    let thresholds = prop::collection::btree_set(threshold(), 0..4);
    let connections = prop::sample::select(vec![
        "",
        "[target.connections]\nreuse = \"request\"\n",
        "[target.connections]\nmax_requests = 2\n",
    ]);
    (load(), steps, thresholds, connections, any::<bool>()).prop_map(
        |(load, steps, thresholds, connections, has_setup)| {
            let step = |(n, step): (usize, &String)| format!("[[step]]\nname = \"s{n}\"\n{step}\n");
            let steps: String = steps.iter().enumerate().map(step).collect();
            let setup = "[[setup]]\nname = \"seed\"\nget = \"/stats\"\ncapture = { n = { json = \"$.total_employees\" } }\n";
            // One metric may be named once only.
            let mut named = BTreeSet::new();
            let thresholds: Vec<_> =
                thresholds.into_iter().filter(|it| named.insert(it.split(" = ").next().map(str::to_owned))).collect();
            format!(
                "[target]\nurl = \"http://127.0.0.1:9\"\n{connections}[load]\ngraceful_stop = \"200ms\"\n{load}\n{}{CREATE_AND_DELETE}{steps}\
                 [thresholds]\n{}\n",
                if has_setup { setup } else { "" },
                thresholds.join("\n"),
            )
        },
    )
}

/// How many profiles are tried: each takes half a second of two processes.
const PROFILES: u32 = 16;

#[test]
fn every_profile_that_check_accepts_runs() {
    let demo = Demo::start(Options::default()).expect("a demo");
    let seen = Cell::new((0, 0));
    let config =
        Config { cases: PROFILES, max_shrink_iters: 16, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&profile(), |text| {
        let check = Palier::new(["check", "load.toml"]).file("load.toml", &text).finish();
        let run = check.then(["run", "load.toml", "--target", &demo.url()]).finish();
        let said =
            || format!("check {:?}, run {:?}\n{text}\n{}\n{}", check.code, run.code, run.stdout, run.stderr);
        prop_assert!(!run.stderr.contains("panicked") && !check.stderr.contains("panicked"), "{}", said());
        let (accepted, refused) = seen.get();
        match check.code {
            Some(0) => {
                seen.set((accepted + 1, refused));
                prop_assert!(matches!(run.code, Some(0 | 98 | 99)), "{}", said());
                prop_assert!(!run.stdout.contains("palier itself failed"), "{}", said());
                prop_assert_eq!(run.summary()["exit_code"].as_i64(), run.code.map(i64::from));
                run.junit();
            }
            Some(2) => {
                seen.set((accepted, refused + 1));
                prop_assert_eq!(run.code, Some(2), "{}", said());
            }
            _ => prop_assert!(false, "{}", said()),
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let (accepted, refused) = seen.get();
    assert!(accepted >= 3, "{accepted} were accepted, {refused} refused: too few to say anything");
}
