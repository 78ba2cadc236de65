//! Verdicts on hand-made results: what a pipeline must be able to rely on, trap by trap.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{Judgement, judge};
use crate::metrics::{Failure, IterationEnd, Recorder, Results, Sample, Stop, Timings};
use crate::plan::{self, LoadId, Plan, SpanId, StepId};
use crate::profile::{self, Files};
use crate::words::{ErrorKind, Outcome, Verdict};

/// One profile, held in memory.
struct Text(String);

impl Files for Text {
    fn read(&self, path: &Path) -> io::Result<String> {
        if self.exists(path) { Ok(self.0.clone()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn exists(&self, path: &Path) -> bool {
        path.ends_with("test.toml")
    }
}

/// A plan of ten seconds with one step and one check, and these thresholds.
fn planned(thresholds: &str) -> Plan {
    let text = format!(
        r#"
        [target]
        url = "http://127.0.0.1:1"
        [load]
        executor = "constant-vus"
        vus = 5
        duration = "10s"
        [[step]]
        name = "get"
        get = "/"
        checks = [{{ name = "ok", status = 200 }}]
        {thresholds}
        "#
    );
    planned_from(&text)
}

pub(super) fn planned_from(text: &str) -> Plan {
    let request = profile::Request {
        name: "test.toml",
        folder: Path::new(""),
        overrides: &[],
        variables: &BTreeMap::new(),
    };
    let profile = profile::load(&request, &Text(text.to_owned())).unwrap();
    let settings = plan::Settings { run: "r".into(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
    plan::build(&profile, &settings).unwrap()
}

/// What one request came to.
#[derive(Clone, Copy, Debug)]
enum Request {
    /// Answered with 200 after so many milliseconds.
    Took(u64),
    /// Answered with 500 after so many milliseconds.
    Status500(u64),
    /// Refused: no latency.
    Refused,
    /// Cut at the end, at that age in milliseconds.
    Cut(u64),
}

/// A request that was answered with what was expected.
pub(super) fn sample(step: StepId, span: SpanId, start: Duration, took: Duration) -> Sample {
    Sample {
        step,
        span,
        start,
        timings: Some(Timings { waiting: took, ..Timings::default() }),
        status: None,
        failure: Failure::None,
        passes: 0,
        fails: 0,
        sent: 10,
        received: 10,
    }
}

/// Results of these requests, spread over the ten seconds, with a healthy generator.
fn results(plan: &Plan, requests: &[Request]) -> Results {
    let mut recorder = Recorder::new(plan);
    let stage = plan.loads[0].stages[0];
    for (index, request) in requests.iter().enumerate() {
        let start = Duration::from_secs(10).mul_f64(index as f64 / requests.len() as f64);
        let (took, failure) = match *request {
            Request::Took(ms) => (Some(ms), Failure::None),
            Request::Status500(ms) => (Some(ms), Failure::Kind(ErrorKind::Status)),
            Request::Refused => (None, Failure::Kind(ErrorKind::ConnectRefused)),
            Request::Cut(ms) => (Some(ms), Failure::Kind(ErrorKind::Cut)),
        };
        let cut = failure == Failure::Kind(ErrorKind::Cut);
        let answered = took.is_some() && !cut;
        if answered {
            recorder.check(stage, StepId(0), 0, failure == Failure::None);
        }
        recorder.request(&Sample {
            step: StepId(0),
            span: stage,
            start,
            timings: took.map(|ms| Timings {
                waiting: Duration::from_millis(ms),
                lower_bound: cut,
                ..Timings::default()
            }),
            status: None,
            failure,
            passes: u32::from(answered && failure == Failure::None),
            fails: u32::from(answered && failure != Failure::None),
            sent: 10,
            received: 10,
        });
        if !cut {
            let duration = Duration::from_millis(took.unwrap_or_default());
            recorder.iteration(&IterationEnd { load: LoadId(0), span: stage, end: start, duration });
        }
    }
    lags(&mut recorder, Duration::from_micros(100));
    let mut results = Results::new(plan);
    results.add(recorder.take());
    results.elapsed = plan.duration();
    results.generator.planned = Duration::from_secs(50);
    results
}

/// Adds to the results that the probe of the generator took so long, far more often than before.
fn delays(plan: &Plan, results: &mut Results, delay: Duration) {
    let mut recorder = Recorder::new(plan);
    for _ in 0..10_000 {
        recorder.delay(delay);
    }
    results.add(recorder.take());
}

/// The same for its heartbeat.
fn late(plan: &Plan, results: &mut Results, lag: Duration) {
    let mut recorder = Recorder::new(plan);
    for _ in 0..10 {
        lags(&mut recorder, lag);
    }
    results.add(recorder.take());
}

fn lags(recorder: &mut Recorder, lag: Duration) {
    for _ in 0..1_000 {
        recorder.lag(lag);
    }
}

/// The outcome of the first threshold, and the verdict.
fn first(thresholds: &str, requests: &[Request]) -> (Outcome, Verdict, String) {
    let plan = planned(thresholds);
    let judgement = judge(&plan, &results(&plan, requests));
    let judged = &judgement.thresholds[0];
    (judged.outcome, judgement.verdict, judged.reason.clone())
}

fn verdict_on(thresholds: &str, requests: &[Request]) -> Verdict {
    let plan = planned(thresholds);
    judge(&plan, &results(&plan, requests)).verdict
}

fn reasons(judgement: &Judgement) -> Vec<&str> {
    judgement.reasons.iter().map(|reason| reason.kind).collect()
}

const P95: &str = "[thresholds]\nhttp_req_duration = [\"p(95)<500ms\"]";

#[test]
fn what_holds_is_a_pass_and_says_its_figure() {
    let (outcome, verdict, reason) = first(P95, &[Request::Took(100); 1000]);
    assert_eq!((outcome, verdict), (Outcome::Pass, Verdict::Pass));
    assert_eq!(reason, "http_req_duration p(95) is 100 ms, as it must be: < 500 ms");
}

#[test]
fn what_does_not_hold_is_a_fail_with_figure_bound_and_margin() {
    let (outcome, verdict, reason) = first(P95, &[Request::Took(610); 1000]);
    assert_eq!((outcome, verdict), (Outcome::Fail, Verdict::Fail));
    assert_eq!(reason, "http_req_duration p(95) is 610 ms (22 % over), but must be < 500 ms");
}

#[test]
fn a_warning_that_does_not_hold_only_warns() {
    let warning = "[warnings]\nhttp_req_duration = [\"avg<50ms\"]";
    assert_eq!(verdict_on(warning, &[Request::Took(100); 1000]), Verdict::Warn);
}

#[test]
fn no_samples_are_no_pass() {
    let threshold = "[thresholds]\n\"http_req_duration{status:404}\" = [\"p(95)<500ms\"]";
    let (outcome, verdict, reason) = first(threshold, &[Request::Took(100); 1000]);
    assert_eq!((outcome, verdict), (Outcome::Invalid, Verdict::Invalid));
    assert_eq!(reason, "http_req_duration{status:404} p(95) has no samples, so it could not be judged");
    let allowed =
        "[thresholds]\n\"http_req_duration{status:404}\" = [{ expr = \"p(95)<500ms\", allow_empty = true }]";
    assert_eq!(verdict_on(allowed, &[Request::Took(100); 1000]), Verdict::Pass);
}

#[test]
fn too_few_samples_prevent_a_pass_but_not_a_clear_fail() {
    let (outcome, _, reason) = first(P95, &[Request::Took(100); 199]);
    assert_eq!(outcome, Outcome::Invalid, "{reason}");
    assert_eq!(first(P95, &[Request::Took(100); 200]).0, Outcome::Pass);
    // One of twenty beyond the bound is what chance does; five of twenty are not (p = 0.0026).
    let mut some = [Request::Took(100); 20];
    some[..2].fill(Request::Took(900));
    assert_eq!(first(P95, &some).0, Outcome::Invalid);
    some[..5].fill(Request::Took(900));
    assert_eq!(first(P95, &some).0, Outcome::Fail);
}

#[test]
fn errors_fail_by_default_and_only_by_default() {
    let mut requests = [Request::Took(10); 1000];
    requests[..20].fill(Request::Status500(10));
    assert_eq!(verdict_on("", &requests), Verdict::Fail);
    assert_eq!(verdict_on("[thresholds]\ndefaults = false", &requests), Verdict::Pass);
    assert_eq!(verdict_on("[thresholds]\nerrors = [\"rate<5%\"]", &requests), Verdict::Pass);
    // A warning on errors does not say how many are too many.
    assert_eq!(verdict_on("[warnings]\nerrors = [\"rate<5%\"]", &requests), Verdict::Fail);
}

#[test]
fn a_refused_connection_is_no_latency() {
    let plan = planned(P95);
    let judgement = judge(&plan, &results(&plan, &[Request::Refused; 500]));
    assert_eq!(judgement.thresholds[0].outcome, Outcome::Invalid, "no latency at all");
    assert_eq!(judgement.verdict, Verdict::Fail, "for its errors");
}

#[test]
fn a_latency_that_was_cut_may_have_been_any_longer() {
    let mut requests = [Request::Took(100); 1000];
    requests[..100].fill(Request::Cut(200));
    let threshold = "[thresholds]\nhttp_req_duration = [\"p(95)<500ms\"]\nerrors = [\"rate<50%\"]";
    let (outcome, _, reason) = first(threshold, &requests);
    assert_eq!(outcome, Outcome::Invalid, "{reason}");
    // Ten of a thousand, had they taken for ever, would not move the p(95).
    requests[10..].fill(Request::Took(100));
    assert_eq!(first(threshold, &requests).0, Outcome::Pass);
}

#[test]
fn a_breach_that_our_own_delay_explains_is_invalid() {
    let plan = planned(P95);
    let mut results = results(&plan, &[Request::Took(510); 1000]);
    let mut late = Recorder::new(&plan);
    for _ in 0..10 {
        lags(&mut late, Duration::from_millis(20));
    }
    results.add(late.take());
    let judgement = judge(&plan, &results);
    assert_eq!(judgement.thresholds[0].outcome, Outcome::Invalid, "{}", judgement.thresholds[0].reason);
    assert_eq!(reasons(&judgement), ["generator"]);
}

#[test]
fn a_throughput_that_our_own_limits_explain_is_invalid() {
    let plan = planned("[thresholds]\nhttp_reqs = [\"rate>1000\"]");
    let mut results = results(&plan, &[Request::Took(1); 1000]);
    assert_eq!(judge(&plan, &results).thresholds[0].outcome, Outcome::Fail);
    results.generator.throttled = Some(Duration::from_millis(400));
    assert_eq!(judge(&plan, &results).thresholds[0].outcome, Outcome::Fail, "4 % of the time explain little");
    results.generator.throttled = Some(Duration::from_millis(600));
    let judgement = judge(&plan, &results);
    assert_eq!(judgement.thresholds[0].outcome, Outcome::Invalid, "{}", judgement.thresholds[0].reason);
}

#[test]
fn a_figure_that_is_mostly_our_own_says_nothing_of_the_target() {
    let plan = planned("[thresholds]\nhttp_req_duration = [\"p(50)<5ms\"]");
    let mut own = results(&plan, &[Request::Took(120); 1000]);
    late(&plan, &mut own, Duration::from_millis(40));
    assert_eq!(judge(&plan, &own).verdict, Verdict::Fail, "40 of 120 ms explain no 5 ms");
    delays(&plan, &mut own, Duration::from_millis(100));
    let judgement = judge(&plan, &own);
    assert_eq!(judgement.verdict, Verdict::Invalid);
    assert!(judgement.thresholds[0].reason.contains("most of it"), "{}", judgement.thresholds[0].reason);
    // A target that takes the time itself is not excused by a palier that has little to do with it.
    let mut slow = results(&plan, &[Request::Took(1_200); 1000]);
    late(&plan, &mut slow, Duration::from_millis(40));
    delays(&plan, &mut slow, Duration::from_millis(100));
    assert_eq!(judge(&plan, &slow).verdict, Verdict::Fail);
}

/// 20 iterations a second for ten seconds and five virtual users; of 200 iterations 50 never started.
fn unabsorbed(took: u64) -> (Plan, Results) {
    let mut plan = planned("");
    plan.loads[0].executor = plan::Executor::ConstantArrivalRate {
        rate: 20.0,
        duration: Duration::from_secs(10),
        preallocated_vus: 5,
        max_vus: 5,
    };
    let mut all = results(&plan, &[Request::Took(took); 150]);
    let mut recorder = Recorder::new(&plan);
    for _ in 0..50 {
        recorder.dropped(plan.loads[0].stages[0], None, Duration::from_secs(1));
    }
    all.add(recorder.take());
    (plan, all)
}

#[test]
fn load_that_we_could_not_start_is_not_blamed_on_the_target() {
    let (plan, all) = unabsorbed(330);
    let judgement = judge(&plan, &all);
    assert_eq!((judgement.verdict, reasons(&judgement)), (Verdict::Fail, vec!["not-absorbed"]));
    // Had palier not taken 300 of the 330 ms itself, five virtual users would have been more than enough.
    let mut own = all.clone();
    late(&plan, &mut own, Duration::from_millis(200));
    delays(&plan, &mut own, Duration::from_millis(300));
    let judgement = judge(&plan, &own);
    assert_eq!((judgement.verdict, reasons(&judgement)), (Verdict::Invalid, vec!["load-not-offered"]));
    assert!(!judgement.sound);
    // Without the 30 ms of its own that it takes here, the target still needs six.
    let (plan, mut all) = unabsorbed(330);
    late(&plan, &mut all, Duration::from_millis(20));
    delays(&plan, &mut all, Duration::from_millis(30));
    assert_eq!(judge(&plan, &all).verdict, Verdict::Fail);
}

#[test]
fn a_generator_that_was_held_back_is_not_sound() {
    let plan = planned("");
    let mut held = results(&plan, &[Request::Took(1); 1000]);
    assert!(judge(&plan, &held).sound);
    held.generator.throttled = Some(Duration::from_millis(600));
    assert!(!judge(&plan, &held).sound);
    held.generator.throttled = Some(Duration::from_millis(400));
    assert!(judge(&plan, &held).sound);
    late(&plan, &mut held, Duration::from_millis(11));
    assert!(!judge(&plan, &held).sound);
}

#[test]
fn what_holds_in_spite_of_our_delay_holds() {
    let plan = planned(P95);
    let mut results = results(&plan, &[Request::Took(100); 1000]);
    let mut late = Recorder::new(&plan);
    for _ in 0..10 {
        lags(&mut late, Duration::from_millis(80));
    }
    results.add(late.take());
    assert_eq!(judge(&plan, &results).verdict, Verdict::Pass);
}

#[test]
fn load_that_was_not_offered_takes_away_latency_but_not_errors() {
    let plan = planned("[thresholds]\nhttp_req_duration = [\"p(95)<500ms\"]\nchecks = [\"rate>99%\"]");
    let mut requests = [Request::Took(100); 1000];
    requests[..100].fill(Request::Status500(10));
    let mut results = results(&plan, &requests);
    results.generator.lost = Duration::from_secs(1);
    let judgement = judge(&plan, &results);
    assert_eq!(judgement.thresholds[0].outcome, Outcome::Invalid);
    assert_eq!(judgement.thresholds[1].outcome, Outcome::Fail);
    assert_eq!(judgement.verdict, Verdict::Fail);
}

#[test]
fn an_interrupted_run_is_no_pass_and_hides_no_fail() {
    let plan = planned(P95);
    let mut good = results(&plan, &[Request::Took(100); 1000]);
    good.stop = Stop::Interrupted("SIGINT".into());
    good.elapsed = Duration::from_secs(4);
    let judgement = judge(&plan, &good);
    assert_eq!(judgement.verdict, Verdict::Invalid);
    assert!(reasons(&judgement).contains(&"interrupted"));
    let mut bad = results(&plan, &[Request::Took(900); 1000]);
    bad.stop = Stop::Interrupted("SIGINT".into());
    bad.elapsed = Duration::from_secs(4);
    assert_eq!(judge(&plan, &bad).verdict, Verdict::Fail);
}

#[test]
fn a_load_that_was_not_made_is_invalid_and_said_once() {
    let plan = planned(P95);
    let mut none = Results::new(&plan);
    none.stop = Stop::NotStarted("nothing listens there".into());
    let judgement = judge(&plan, &none);
    assert_eq!(judgement.verdict, Verdict::Invalid);
    assert_eq!(reasons(&judgement), ["not-started"]);
    assert!(judgement.thresholds.iter().all(|judged| judged.outcome == Outcome::Invalid));
}

#[test]
fn a_rate_per_second_is_one_of_the_load_and_not_of_its_grace() {
    let plan = planned("[thresholds]\nhttp_reqs = [\"rate>=100\", \"count==1010\"]");
    let mut all = results(&plan, &[Request::Took(1); 1000]);
    let mut late = Recorder::new(&plan);
    for _ in 0..10 {
        late.request(&Sample {
            step: StepId(0),
            span: plan.loads[0].grace,
            start: Duration::from_secs(10),
            timings: None,
            status: None,
            failure: Failure::None,
            passes: 0,
            fails: 0,
            sent: 0,
            received: 0,
        });
    }
    all.add(late.take());
    let judgement = judge(&plan, &all);
    assert_eq!(judgement.thresholds[0].observed, Some(100.0));
    assert_eq!(judgement.thresholds[1].observed, Some(1010.0));
}

#[test]
fn a_window_is_judged_by_its_worst() {
    let mut requests = [Request::Took(10); 1000];
    requests[500..600].fill(Request::Status500(10));
    let whole = "[thresholds]\nerrors = [\"rate<20%\"]";
    assert_eq!(verdict_on(whole, &requests), Verdict::Pass);
    let window = "[thresholds]\nerrors = [{ expr = \"rate<20%\", window = \"2s\" }]";
    let (outcome, _, reason) = first(window, &requests);
    assert_eq!(outcome, Outcome::Fail);
    assert_eq!(reason, "errors rate in its worst 2 s is 50.0 % (30 points over), but must be < 20 %");
    let longer = "[thresholds]\nerrors = [{ expr = \"rate<20%\", window = \"11s\" }]";
    assert_eq!(first(longer, &requests).0, Outcome::Invalid, "no such window lies within the load");
}

#[test]
fn no_finished_iteration_is_no_pass() {
    let plan = planned("[thresholds]\ndefaults = false\nhttp_reqs = [\"count>0\"]");
    let judgement = judge(&plan, &results(&plan, &[Request::Cut(30_000); 5]));
    assert_eq!(judgement.verdict, Verdict::Invalid);
    assert!(reasons(&judgement).contains(&"no-iterations"));
}

/// A worker's share of a run, as a number of requests of each sort.
fn share() -> impl Strategy<Value = Vec<Request>> {
    let request = prop_oneof![
        (1_u64..2_000).prop_map(Request::Took),
        (1_u64..2_000).prop_map(Request::Status500),
        Just(Request::Refused),
        (1_u64..30_000).prop_map(Request::Cut),
    ];
    prop::collection::vec(request, 1..60)
}

proptest! {
    /// Workers, shards and machines report in any order, and are merged in any grouping.
    #[test]
    fn who_reports_first_changes_neither_results_nor_verdict(a in share(), b in share(), c in share()) {
        let plan = planned(P95);
        let [a, b, c] = [a, b, c].map(|requests| results(&plan, &requests));
        let merged = |parts: [&Results; 3]| {
            let mut all = Results::new(&plan);
            for part in parts {
                all.merge(part);
            }
            all
        };
        let mut later = b.clone();
        later.merge(&c);
        let mut grouped = a.clone();
        grouped.merge(&later);
        let forward = merged([&a, &b, &c]);
        prop_assert_eq!(&forward, &merged([&c, &a, &b]));
        prop_assert_eq!(&forward, &grouped);
        prop_assert_eq!(judge(&plan, &forward), judge(&plan, &grouped));
    }
}

/// Figures of every sort, as thresholds and as warnings.
const ALL_SORTS: &str = r#"
    [thresholds]
    http_req_duration = ["p(95)<200ms", "avg<150ms", "max<900ms", "p(50)<=120ms"]
    errors = ["rate<10%"]
    checks = ["rate>90%"]
    http_req_failed = ["rate<20%"]
    [warnings]
    http_req_duration = ["p(90)<180ms"]
    checks = ["rate>=95%"]
"#;

/// A better outcome is less; one that could not be judged lies between.
fn badness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass | Outcome::Skipped => 0,
        Outcome::Invalid => 1,
        Outcome::Warn => 2,
        Outcome::Fail => 3,
    }
}

proptest! {
    /// Each request takes as long or longer, and what failed still fails.
    #[test]
    fn what_is_worse_gets_no_better_verdict(
        requests in prop::collection::vec((0..1_000_u64, prop::bool::weighted(0.1)), 1..120),
        more in prop::collection::vec((0..600_u64, prop::bool::weighted(0.1)), 120),
        share in 0_usize..=100,
    ) {
        let plan = planned(ALL_SORTS);
        let request = |(ms, fails): (u64, bool)| if fails { Request::Status500(ms) } else { Request::Took(ms) };
        let changed = requests.len() * share / 100;
        let worse = requests.iter().zip(&more).enumerate().map(|(index, (it, more))| {
            if index < changed { (it.0 + more.0, it.1 || more.1) } else { *it }
        });
        let worse: Vec<Request> = worse.map(request).collect();
        let better: Vec<Request> = requests.iter().copied().map(request).collect();
        let (better, worse) = (judge(&plan, &results(&plan, &better)), judge(&plan, &results(&plan, &worse)));
        for ((a, b), threshold) in better.thresholds.iter().zip(&worse.thresholds).zip(&plan.thresholds) {
            prop_assert!(badness(a.outcome) <= badness(b.outcome), "{:?}: {a:?} and worse {b:?}", threshold.expression);
        }
        prop_assert!(better.verdict <= worse.verdict, "{better:#?}\n{worse:#?}");
    }
}
