//! One run in several processes.

use std::fs;
use std::time::{Duration, SystemTime};

use palier::demo::{Demo, Options};

use crate::support::client::Count;
use crate::support::palier::Palier;

const PROFILE: &str = r#"
secrets = ["TOKEN"]

[target]
url = "http://127.0.0.1:9"
ready = { get = "/health", status = 200, within = "30s" }
headers = { Authorization = "Bearer ${TOKEN}" }

[load]
executor = "per-vu-iterations"
vus = 20
iterations = 10

[[step]]
name = "list"
get = "/employees"
checks = [{ name = "is ok", status = 200 }]

[thresholds]
http_reqs = ["count>=200", "count<=200"]
"#;

const TOKEN: &str = "t0p-s3cret";

#[test]
fn eight_shards_are_one_run_request_for_request() {
    let demo = Demo::start(Options::default()).unwrap();
    // All eight have to be there by then.
    let at = SystemTime::now() + Duration::from_secs(5);
    let at = format!("@{}", at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
    let first = Palier::new(["check", "load.toml"]).file("load.toml", PROFILE).env("TOKEN", TOKEN).exit(0);
    let shards: Vec<_> = (1..=8)
        .map(|number| {
            let (shard, out) = (format!("{number}/8"), format!("all/{number}"));
            let args = ["run", "load.toml", "--shard", &shard, "--start-at", &at, "--out", &out];
            first.then(args).args(["--target", &demo.url()]).env("TOKEN", TOKEN).start()
        })
        .collect();
    for shard in shards {
        let done = shard.finish().exit(0);
        done.says("`palier merge` judges all 8 shards together");
    }

    // Neither files nor variables of the shards are needed.
    fs::remove_file(first.path("load.toml")).unwrap();
    let merged = first.then(["merge", "all"]).exit(0).verdict("pass");
    let count = Count::of(&demo);
    assert_eq!(count.route("GET /employees"), 200);
    assert_eq!(merged.count("/metrics/http_reqs/count"), 200);
    assert_eq!(merged.count("/metrics/iterations/count"), 200);
    assert_eq!(merged.count("/metrics/checks/passes"), 200);
    assert_eq!(count.route("GET /health"), 8, "each asks once whether the target is ready");
    let thresholds = merged.summary()["thresholds"].as_array().unwrap().len();
    assert_eq!(thresholds, 5, "each once, with the three by default");
    let notes = merged.summary()["run"]["notes"].to_string();
    assert!(notes.contains("8 shards were merged"), "{notes}");

    for number in 1..=8 {
        let bytes = fs::read(first.path(&format!("all/{number}/shard-{number}-of-8.palier"))).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with(&format!("palier-shard 1 {} {number}/8 ", env!("CARGO_PKG_VERSION"))));
        assert!(!text.contains(TOKEN));
        assert!(!first.path(&format!("all/{number}/summary.json")).exists(), "a shard judges nothing");
    }

    // Whatever is missing, too much or damaged is said.
    let third = first.path("all/3/shard-3-of-8.palier");
    fs::copy(first.path("all/4/shard-4-of-8.palier"), first.path("all/again.palier")).unwrap();
    let mut bytes = fs::read(&third).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::remove_file(&third).unwrap();
    std::io::Write::write_all(&mut fs::File::create(&third).unwrap(), &bytes).unwrap();
    let merged = first.then(["merge", "all"]).exit(98).verdict("invalid");
    let reasons = merged.reasons();
    for expected in [
        "its checksum is not that of its content",
        "shard 4/8 is already there, from",
        "the results of 1 of 8 shards are missing: shard 3",
        "count",
    ] {
        assert!(reasons.contains(expected), "{expected}: {reasons}");
    }
}

#[test]
fn a_shard_without_a_target_says_so_and_so_does_merge() {
    let shard = Palier::new(["run", "load.toml", "--shard", "1/2", "--out", "all", "--wait", "100ms"])
        .file("load.toml", PROFILE)
        .env("TOKEN", TOKEN)
        .exit(98);
    shard.says("no load was made");
    let merged = shard.then(["merge", "all"]).exit(98).verdict("invalid");
    let reasons = merged.reasons();
    assert!(reasons.contains("no load was made"), "{reasons}");
    assert!(reasons.contains("shard 2"), "{reasons}");
}

#[test]
fn what_is_no_shard_is_refused() {
    for (args, expected) in [
        (["run", "quick", "--shard", "9/8"], "2/8"),
        (["run", "quick", "--start-at", "soon"], "2026-11-25T12:30:00Z"),
        (["merge", ".", "--out", "out"], "no results of shards"),
    ] {
        let done = Palier::new(args).exit(2);
        assert!(done.stderr.contains(expected), "{}", done.stderr);
    }
}
