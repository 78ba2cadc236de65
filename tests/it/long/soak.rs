//! An hour of moderate load: what a run holds does not grow with it, and its last arrival is as punctual as its first.

use std::fs;
use std::time::{Duration, Instant};

use palier::demo::{Demo, Options};

use crate::slow::{take_turn, told};
use crate::support::palier::{Palier, Running};

/// How long; `PALIER_SOAK` names another number of seconds.
const HOUR: u64 = 3600;

/// Seven requests each, of which one creates something and one takes it back.
const PASSES: u64 = 50;

/// What is in the process at one moment.
struct Sample {
    seconds: f64,
    resident: f64,
    files: f64,
}

#[test]
#[ignore = "long: an hour at 350 requests/s"]
fn an_hour_leaves_memory_files_and_schedule_as_they_were() {
    let _turn = take_turn();
    let seconds = seconds();
    let demo = Demo::start(Options::default()).expect("a demo");
    let profile = format!(
        "scenario = \"employees.toml\"\n[target]\nurl = \"{}\"\n[load]\nexecutor = \"constant-arrival-rate\"\nrate = \"{PASSES}/s\"\nduration = \"{seconds}s\"\npreallocated_vus = 50\nmax_vus = 50\n",
        demo.url()
    );
    let mut run = Palier::run(&profile)
        .file("employees.toml", include_str!("../../../profiles/scenarios/employees.toml"))
        .patience(Duration::from_secs(seconds + 120))
        .start();
    let (begin, mut samples) = (Instant::now(), Vec::new());
    // Of the load alone: what comes after it is judged elsewhere.
    while begin.elapsed() < Duration::from_secs(seconds) && run.is_under_way() {
        std::thread::sleep(Duration::from_secs(5));
        samples.extend(look(&run, begin));
    }
    let run = run.finish();
    // What is bought once, at the start, is no growth.
    let steady = &samples[samples.len() / 6..samples.len() - 1];
    let (memory, files) = (slope(steady, |it| it.resident), slope(steady, |it| it.files));
    let lag = |figure: &str| run.number(&format!("/metrics/iteration_lag/{figure}"));
    told(&format!(
        "{seconds} s, {} passes, {} requests, {} looks; resident {:.2} MB at first, {:.2} MB at the end, slope {:.0} bytes/s; \
         files slope {files:.6}/s; lag med {:.2} ms, p99 {:.2} ms, max {:.2} ms; verdict {}",
        run.count("/metrics/iterations/count"),
        run.count("/metrics/http_reqs/count"),
        samples.len(),
        steady.first().expect("looks").resident / 1e6,
        steady.last().expect("looks").resident / 1e6,
        memory,
        lag("med"),
        lag("p(99)"),
        lag("max"),
        run.summary()["verdict"]
    ));
    assert_eq!(run.count("/metrics/iterations/count"), PASSES * seconds, "each arrival, and no more");
    assert_eq!(run.count("/metrics/errors/passes"), 0);
    assert_eq!(run.summary()["cleanup"]["left"], 0);
    // Latency over time is what grows: 450 points of 8 s after an hour, with some 280 buckets of 8 bytes for each of seven
    // steps, are 7 MB, of which 2 MB are there after ten minutes. A dozen bytes for each request would be twice that.
    assert!(memory < 2_500.0, "memory grows by {memory:.0} bytes a second");
    assert!(files.abs() < 1e-3, "open files change by {files} a second");
    // A schedule that drifts has its arrivals later and later: half of them would be late.
    assert!(lag("med") < 10.0, "half of all arrivals were {} ms late", lag("med"));
}

#[expect(clippy::disallowed_methods, reason = "the tests have no other environment")]
fn seconds() -> u64 {
    std::env::var("PALIER_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(HOUR)
}

/// What the process holds; nothing of one that is gone.
fn look(run: &Running, begin: Instant) -> Option<Sample> {
    let folder = format!("/proc/{}", run.pid());
    let status = fs::read_to_string(format!("{folder}/status")).ok()?;
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB");
    Some(Sample {
        seconds: begin.elapsed().as_secs_f64(),
        resident: kilobytes.trim().parse::<f64>().ok()? * 1024.0,
        files: fs::read_dir(format!("{folder}/fd")).ok()?.count() as f64,
    })
}

/// By how much a figure changes in a second: the line of least squares through it.
fn slope(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    let n = samples.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|it| it.seconds), mean(&|it| figure(it)));
    let along: f64 = samples.iter().map(|it| (it.seconds - x) * (figure(it) - y)).sum();
    along / samples.iter().map(|it| (it.seconds - x).powi(2)).sum::<f64>()
}
