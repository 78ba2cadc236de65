//! Thresholds that are relative to a baseline.

use std::time::Duration;

use super::tests::{planned_from, sample};
use super::{Beside, Judgement, judge, judge_beside};
use crate::compare::{Circumstances, Recording, Terms};
use crate::metrics::{IterationEnd, Recorder, Results};
use crate::plan::{LoadId, Plan};
use crate::words::{Outcome, Verdict};

/// Two loads of the same step at the same time: one has a stage `peak`, the other none.
fn two_loads(thresholds: &str) -> Plan {
    planned_from(&format!(
        r#"
        [target]
        url = "http://127.0.0.1:1"
        [[loads]]
        name = "a"
        executor = "ramping-vus"
        stages = [
            {{ name = "before", duration = "20s", target = 5 }},
            {{ name = "peak", duration = "40s", target = 5 }},
        ]
        [[loads]]
        name = "b"
        executor = "constant-vus"
        vus = 5
        duration = "60s"
        [[step]]
        name = "get"
        get = "/"
        [thresholds]
        {thresholds}
        "#
    ))
}

/// Twenty requests a second to the step of each load, which take that many milliseconds.
fn results(plan: &Plan, a: u64, b: u64) -> Results {
    let mut recorder = Recorder::new(plan);
    for index in 0..1200_u32 {
        let start = Duration::from_millis(50) * index;
        for (id, took) in [(LoadId(0), a), (LoadId(1), b)] {
            let load = plan.load(id);
            let span = (load.stages.iter().copied())
                .find(|id| plan.span(*id).start + plan.span(*id).duration > start)
                .expect("it is within the load");
            let took = Duration::from_millis(took) + Duration::from_micros(u64::from(index % 40) * 100);
            recorder.request(&sample(load.steps[0], span, start, took));
            recorder.iteration(&IterationEnd { load: id, span, end: start, duration: took });
        }
    }
    (0..1000).for_each(|_| recorder.lag(Duration::from_micros(100)));
    let mut results = Results::new(plan);
    results.add(recorder.take());
    results.elapsed = plan.duration();
    results.generator.planned = Duration::from_secs(600);
    results
}

fn recording(plan: &Plan, results: &Results) -> Recording {
    let run = Circumstances { sound: true, ..Circumstances::of(plan, results) };
    Recording::of_results(plan, results, run)
}

/// A run of the second beside one of the first, each with the answer times of both loads.
fn judged(plan: &Plan, base: (u64, u64), new: (u64, u64), edit: fn(&mut Recording)) -> Judgement {
    let base = recording(plan, &results(plan, base.0, base.1));
    let results = results(plan, new.0, new.1);
    let mut own = recording(plan, &results);
    edit(&mut own);
    let beside = Beside::baseline(vec![base], own, Terms::default());
    judge_beside(plan, &results, Some(&beside), None)
}

#[test]
fn a_stage_of_one_load_is_not_judged_by_the_requests_of_another() {
    let plan = two_loads("\"http_req_duration{stage:peak}\" = [\"p(95)<baseline+10%\"]");
    let found = judged(&plan, (100, 100), (100, 300), |_| ());
    assert_eq!(found.thresholds[0].outcome, Outcome::Pass, "{}", found.thresholds[0].reason);
    let found = judged(&plan, (100, 100), (130, 100), |_| ());
    assert_eq!(found.thresholds[0].outcome, Outcome::Fail, "{}", found.thresholds[0].reason);

    let plan =
        two_loads("\"http_req_duration{stage:peak}\" = [{ expr = \"p(95)<200ms\", window = \"15s\" }]");
    let judged = judge(&plan, &results(&plan, 100, 300)).thresholds[0].clone();
    assert_eq!(judged.outcome, Outcome::Pass, "{}", judged.reason);
}

#[test]
fn a_step_that_only_another_load_has_is_none_of_the_stage() {
    let plan = two_loads("\"http_req_duration{step:get,stage:peak}\" = [\"p(95)<1s\"]");
    assert_eq!(plan.thresholds[0].selection.steps, plan.load(LoadId(0)).steps);
}

#[test]
fn the_samples_that_a_profile_asks_for_are_asked_for_beside_a_baseline_too() {
    let threshold = |least: u32| {
        two_loads(&format!(
            "http_req_duration = [{{ expr = \"p(95)<baseline+10%\", min_samples = {least} }}]"
        ))
    };
    let outcome = |least: u32, new: u64| {
        judged(&threshold(least), (100, 100), (new, new), |_| ()).thresholds[0].clone()
    };
    assert_eq!(outcome(2400, 100).outcome, Outcome::Pass);
    let few = outcome(2401, 100);
    assert_eq!(few.outcome, Outcome::Invalid);
    assert!(few.reason.contains("2400 samples are too few to say so: it takes 2401"), "{}", few.reason);
    assert_eq!(outcome(2401, 150).outcome, Outcome::Fail, "more of them would not mend it");
}

#[test]
fn what_holds_with_doubts_is_a_warning() {
    let relative = two_loads("http_req_duration = [\"p(95)<baseline+10%\"]");
    let other: fn(&mut Recording) = |it| it.run.fingerprint = "another".to_owned();
    let found = judged(&relative, (100, 100), (100, 100), other);
    let first = &found.thresholds[0];
    assert_eq!(first.outcome, Outcome::Warn, "{}", first.reason);
    assert!(first.reason.contains("but the runs were made on different machines"), "{}", first.reason);

    // So it is where nothing relative was asked.
    let plain = two_loads("http_req_duration = [\"p(95)<1s\"]");
    assert_eq!(judged(&plain, (100, 100), (100, 100), |_| ()).verdict, Verdict::Pass);
    let found = judged(&plain, (100, 100), (100, 100), other);
    assert_eq!(found.verdict, Verdict::Warn);
    assert_eq!(
        found.reasons[0].text,
        "no worse than the baseline, but that is a hint only: the runs were made on different machines"
    );
}
