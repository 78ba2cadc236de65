//! Runs that were made by hand, beside each other.

use std::time::Duration;

use super::recording::{Bin, Circumstances, Recording, Step, Times, Window};
use super::{Comparison, Difference, Figure, Selected, Terms, compare, compare_figure};
use crate::words::{Change, Verdict};

const P95: Figure = Figure::Quantile(0.95);

/// What a step did in one window: its answers in milliseconds, and how many requests were refused beside them.
#[derive(Clone, Default)]
struct Moment {
    answers: Vec<f64>,
    refused: u64,
}

fn times(answers: &[f64]) -> Times {
    let bin = |ms: &f64| Bin { from: (ms * 1e6).floor(), width: 1.0, count: 1.0 };
    let mut all = Times::default();
    all.merge(&Times(answers.iter().map(bin).collect()));
    all
}

fn step(name: &str, moments: &[Moment]) -> Step {
    let window = |moment: &Moment| Window {
        requests: moment.answers.len() as u64 + moment.refused,
        failed: moment.refused,
        errors: moment.refused,
        times: times(&moment.answers).coarse(),
    };
    let answers: Vec<f64> = moments.iter().flat_map(|it| it.answers.iter().copied()).collect();
    Step { name: name.to_owned(), windows: moments.iter().map(window).collect(), times: times(&answers) }
}

/// A run in windows of a second.
fn run(steps: Vec<Step>) -> Recording {
    let n = steps.iter().map(|it| it.windows.len()).max().unwrap_or_default();
    let load = Duration::from_secs(n as u64);
    Recording {
        run: Circumstances {
            load,
            stages: vec![(None, Duration::ZERO, load, 5.0)],
            sound: true,
            complete: true,
            ..Circumstances::default()
        },
        window: Duration::from_secs(1),
        steps,
    }
}

/// So many windows with so many answers each, all of them between 100 and 110 ms.
fn steady(windows: usize, each: usize) -> Vec<Moment> {
    let answers: Vec<f64> = (0..each).map(|it| 100.0 + 10.0 * it as f64 / each as f64).collect();
    vec![Moment { answers, refused: 0 }; windows]
}

fn slower(moments: &[Moment], factor: f64) -> Vec<Moment> {
    let slower = |moment: &Moment| Moment {
        answers: moment.answers.iter().map(|it| it * factor).collect(),
        refused: moment.refused,
    };
    moments.iter().map(slower).collect()
}

fn beside(base: &Recording, new: &Recording) -> Comparison {
    compare(std::slice::from_ref(base), new, Terms::default())
}

fn of<'a>(comparison: &'a Comparison, step: Option<&str>, figure: Figure) -> &'a Difference {
    let mut all = comparison.differences.iter();
    all.find(|it| it.step.as_deref() == step && it.figure == figure).expect("it is compared")
}

/// All that a run asks once at its start is one accident: that it differs says nothing of how it would differ again.
#[test]
fn requests_of_one_moment_tell_nothing_of_how_they_vary() {
    let mut once = vec![Moment::default(); 60];
    once[0] = steady(1, 300).remove(0);
    // Too few beside all others for a `p(95)` of all steps together to be theirs.
    let base = run(vec![step("often", &steady(60, 600)), step("once", &once)]);
    let new = run(vec![step("often", &steady(60, 600)), step("once", &slower(&once, 1.12))]);
    let found = beside(&base, &new);
    for figure in [Figure::Quantile(0.5), P95, Figure::Errors] {
        let of_once = of(&found, Some("once"), figure);
        assert_eq!((of_once.estimate, of_once.change), (None, Change::Inconclusive), "{figure:?}");
    }
    assert_eq!(of(&found, None, P95).change, Change::Same, "what goes on all the time is as it was");
    assert_ne!(found.change(), Change::Worse);

    // Where it comes now and then there is something to see.
    let often = |factor: f64| {
        let mut moments = vec![Moment::default(); 60];
        for index in (0..60).step_by(5) {
            moments[index] = slower(&steady(1, 30), factor * (1.0 + 0.01 * (index % 7) as f64)).remove(0);
        }
        run(vec![step("often", &steady(60, 40)), step("once", &moments)])
    };
    let found = beside(&often(1.0), &often(1.12));
    assert_eq!(of(&found, Some("once"), P95).change, Change::Worse);
    let freedom = of(&found, Some("once"), P95).estimate.map(|it| it.freedom);
    assert!(freedom.is_some_and(|it| it <= 11.0), "twelve windows have {freedom:?} degrees of freedom");
}

/// Windows of which one holds nearly everything are hardly more than that one.
#[test]
fn a_few_stragglers_do_not_make_one_moment_many() {
    let mut moments = vec![Moment::default(); 60];
    moments[0] = steady(1, 3000).remove(0);
    for moment in moments.iter_mut().step_by(4).skip(1) {
        *moment = steady(1, 1).remove(0);
    }
    let base = run(vec![step("often", &steady(60, 20)), step("once", &moments)]);
    let new = run(vec![step("often", &steady(60, 20)), step("once", &slower(&moments, 1.08))]);
    let change = of(&beside(&base, &new), Some("once"), P95).change;
    assert_eq!(change, Change::Inconclusive);
}

/// A thousand requests with ten answers are ten where it is of times.
#[test]
fn a_quantile_rests_on_answers_and_not_on_requests() {
    let mut moments = vec![Moment { answers: Vec::new(), refused: 16 }; 60];
    for moment in moments.iter_mut().step_by(5) {
        *moment = Moment { answers: vec![100.0], refused: 15 };
    }
    let refused = run(vec![step("get", &moments)]);
    let selection = Selected { steps: &["get".to_owned()], stretches: None };
    for (figure, is_known) in
        [(Figure::Quantile(0.5), false), (P95, false), (Figure::Mean, true), (Figure::Errors, true)]
    {
        let found =
            compare_figure(std::slice::from_ref(&refused), &refused, &selection, figure, Terms::default());
        assert_eq!(found.estimate.is_some(), is_known, "{figure:?}");
    }
    // Nor is such a run the same as another one.
    let found = beside(&refused, &refused);
    assert_eq!((found.change(), found.verdict()), (Change::Inconclusive, Verdict::Warn));
}

/// What nothing is known of beside what other runs of it came to is known better from four of them than from one.
#[test]
fn a_share_of_several_runs_is_surer_than_that_of_one() {
    let sound = run(vec![step("get", &steady(60, 20))]);
    let error = |n: usize| {
        let base = vec![sound.clone(); n];
        let found = compare(&base, &sound, Terms::default());
        of(&found, None, Figure::Errors).estimate.expect("there are enough").error
    };
    // The errors of a mean of four and of one run beside it, as against one beside one.
    let expected = (0.25_f64 + 1.0).sqrt() / 2.0_f64.sqrt();
    assert!((error(4) / error(1) - expected).abs() < 1e-9, "{} {}", error(4), error(1));
}

#[test]
fn where_runs_differ_in_more_than_the_target_nothing_passes() {
    let base = run(vec![step("get", &steady(60, 20))]);
    assert_eq!(beside(&base, &base).verdict(), Verdict::Pass);
    let edits: [fn(&mut Recording); 5] = [
        |new| new.run.fingerprint = "another machine".to_owned(),
        |new| new.run.sound = false,
        |new| new.run.complete = false,
        |new| new.run.stages[0].3 = 10.0,
        |new| new.steps.push(step("more", &steady(60, 20))),
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut new = base.clone();
        edit(&mut new);
        let found = beside(&base, &new);
        assert_eq!((found.doubts.len(), found.verdict()), (1, Verdict::Warn), "{index}: {:?}", found.doubts);
        // Twice the load is no regression of the target.
        let mut new = run(vec![step("get", &slower(&steady(60, 20), 2.0))]);
        edit(&mut new);
        let found = beside(&base, &new);
        assert_eq!((found.change(), found.verdict()), (Change::Worse, Verdict::Warn), "{index}");
    }
    let found = beside(&run(vec![step("get", &steady(60, 20)), step("more", &steady(60, 20))]), &base);
    assert_eq!(found.doubts, ["the step `more` is in the baseline alone"]);
    assert_eq!(found.verdict(), Verdict::Warn);
}

/// A run that gets slower all the time, in windows of one and of two seconds.
#[test]
fn the_same_stretch_is_taken_of_windows_of_any_length() {
    let moments: Vec<Moment> =
        (0..60).flat_map(|it| slower(&steady(1, 20), 1.0 + 0.05 * f64::from(it))).collect();
    let fine = run(vec![step("get", &moments)]);
    let mut coarse = fine.clone();
    coarse.halve();
    let stretches = [(Duration::from_secs(3), Duration::from_secs(43))];
    let selection = Selected { steps: &["get".to_owned()], stretches: Some(&stretches) };
    let found = compare_figure(&[fine], &coarse, &selection, P95, Terms::default());
    assert_eq!(found.base, found.new);
    // Windows keep times to two digits, and no figure of them is surer than that.
    let estimate = found.estimate.expect("there are nineteen windows");
    assert!(estimate.value.abs() < 1e-12 && estimate.error >= 0.004, "{estimate:?}");
}
