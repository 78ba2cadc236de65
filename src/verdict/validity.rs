//! Whether what was measured can carry a verdict at all, and what else speaks against a run.

use std::time::Duration;

use crate::metrics::{FirstError, Results, Stop};
use crate::plan::{Load, Plan, SpanId, StepId};
use crate::units::{Fraction, human_duration};
use crate::words::{ErrorKind, Phase, Section, Verdict};

use super::Reason;

/// The share of the planned load that may be missing by our fault.
const SHORT: f64 = 0.01;

/// What each virtual user may come late by all the same: in a run of a second, the kernel's turn-taking on a busy
/// machine alone is 1 %.
const A_MOMENT: Duration = Duration::from_millis(50);

/// Beyond this lateness of the 99th percentile of its heartbeats, palier could not keep up.
const SATURATED: Duration = Duration::from_millis(10);

/// Held back by a CPU quota for more than this share of the time, it could not either.
const THROTTLED: f64 = 0.05;

/// Everything that speaks against the run and is no threshold.
pub(super) fn reasons(plan: &Plan, results: &Results) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |kind, verdict, section, text| {
        reasons.push(Reason { kind, verdict, section, text, threshold: None });
    };
    match &results.stop {
        Stop::Done => {}
        Stop::NotStarted(why) => {
            add("not-started", Verdict::Invalid, None, format!("no load was made: {why}"));
        }
        Stop::Interrupted(signal) => {
            let text = format!("the run was interrupted by {signal} {}", after(plan, results));
            add("interrupted", Verdict::Invalid, None, text);
        }
        Stop::Aborted(threshold) => {
            let text = format!("the threshold `{threshold}` ended the run {}", after(plan, results));
            add("aborted", Verdict::Fail, None, text);
        }
    }
    if !results.generator.panics.is_empty() {
        let text = format!("palier itself failed: {}", results.generator.panics.join("; "));
        add("internal", Verdict::Invalid, None, text);
    }
    let started = !matches!(results.stop, Stop::NotStarted(_));
    if started && let Some(short) = load_not_offered(plan, results) {
        add("load-not-offered", Verdict::Invalid, None, short);
    }
    let all_spans: Vec<_> =
        plan.loads.iter().flat_map(|load| load.stages.iter().copied().chain([load.grace])).collect();
    if started && results.stop == Stop::Done && results.iterations_of(&all_spans).completed == 0 {
        add("no-iterations", Verdict::Invalid, None, "not one iteration came to its end".to_owned());
    }
    // Whether it was ours or the target's, it is said once.
    if let Some((dropped, due)) = never_started(plan, results)
        && unstarted_by_ourselves(plan, results).is_none()
    {
        let text = format!(
            "the offered load was not absorbed: {dropped} of {due} iterations were never started, because every virtual user was still waiting for the target"
        );
        add("not-absorbed", Verdict::Fail, Some(Section::Performance), text);
    }
    for (step, first, count) in scenario_errors(plan, results) {
        let text = format!(
            "step `{step}`: the scenario does not fit the answers, {count} times; the first: {first}"
        );
        add("scenario-error", Verdict::Fail, Some(Section::Checks), text);
    }
    if results.cleanup.left_count > 0 {
        let named = results
            .cleanup
            .left
            .first()
            .map(|left| format!(", among them `{}`: {}", left.request, left.reason));
        let text = format!(
            "{} of {} things that the run created {} left behind{}",
            results.cleanup.left_count,
            results.cleanup.created,
            if results.cleanup.left_count == 1 { "was" } else { "were" },
            named.unwrap_or_default()
        );
        add("left-behind", Verdict::Warn, None, text);
    }
    let unanswered = results.cleanup.unanswered;
    if unanswered > 0 {
        let text = format!(
            "{unanswered} request{} that create{} something never got an answer: whether anything is left of {} cannot be known",
            if unanswered == 1 { "" } else { "s" },
            if unanswered == 1 { "s" } else { "" },
            if unanswered == 1 { "it" } else { "them" },
        );
        add("unanswered", Verdict::Warn, None, text);
    }
    if let Some(found) = &results.database_cleanup {
        if let Some(trouble) = &found.trouble {
            let text = format!("the database could not be cleaned up: {trouble}");
            add("cleanup-failed", Verdict::Warn, Some(Section::Database), text);
        }
        if let (Some(before), Some(after)) = (found.before, found.after)
            && before != after
        {
            let text = format!(
                "`verify` of `[cleanup.mysql]` said {before} before the load and {after} after the clean-up: something was left behind, or somebody else changed it"
            );
            add("left-in-database", Verdict::Warn, Some(Section::Database), text);
        }
    }
    for failure in &results.teardown_failures {
        add("teardown-failed", Verdict::Warn, None, format!("teardown failed: {failure}"));
    }
    reasons
}

fn after(plan: &Plan, results: &Results) -> String {
    let (went, planned) = (human_duration(results.elapsed), human_duration(plan.duration()));
    if results.elapsed < plan.duration() {
        format!("after {went} of {planned}")
    } else {
        format!("after its {planned} of load, while iterations were let finish")
    }
}

/// Until when the load went, if that was not its end.
pub(super) fn ended_early(plan: &Plan, results: &Results) -> Option<String> {
    let who = match &results.stop {
        Stop::Done | Stop::NotStarted(_) => return None,
        Stop::Interrupted(signal) => format!("{signal} ended the run"),
        Stop::Aborted(threshold) => format!("the threshold `{threshold}` ended the run"),
    };
    Some(format!("{who} {}", after(plan, results)))
}

/// The planned load was not offered, by our fault.
pub(super) fn load_not_offered(plan: &Plan, results: &Results) -> Option<String> {
    let generator = &results.generator;
    let late = generator.late_arrivals as f64 / generator.arrivals as f64;
    if late > SHORT {
        let share = Fraction::new(late).map(Fraction::human).unwrap_or_default();
        return Some(format!(
            "palier did not offer the planned load in time: {share} of the iterations started late though a virtual user was idle"
        ));
    }
    if let Some((own, all, first)) = own_errors(plan, results)
        && own as f64 / all as f64 > SHORT
    {
        return Some(format!(
            "palier did not offer the planned load: {own} of {all} requests failed at its own limits, not at the target; the first: {first}"
        ));
    }
    if let Some((dropped, due)) = never_started(plan, results)
        && let Some(limit) = unstarted_by_ourselves(plan, results)
    {
        return Some(format!(
            "palier did not offer the planned load: {dropped} of {due} iterations were never started, which is not the target's fault; {limit}"
        ));
    }
    let share = generator.lost.as_secs_f64() / generator.planned.as_secs_f64();
    let vus: u32 = plan.loads.iter().map(|load| load.executor.max_vus()).sum();
    (share > SHORT && generator.lost > A_MOMENT * vus).then(|| {
        let share = Fraction::new(share).map(Fraction::human).unwrap_or_default();
        format!("palier did not offer the planned load: virtual users were missing for {share} of their time")
    })
}

/// How many iterations of the plan were never started, of how many that were due, where they are too many.
fn never_started(plan: &Plan, results: &Results) -> Option<(u64, u64)> {
    if results.stop != Stop::Done {
        return None;
    }
    let (dropped, due) = plan
        .loads
        .iter()
        .map(|load| results.iterations_of(&spans_of(load)))
        .map(|found| (found.dropped, found.completed + found.cut + found.dropped))
        .fold((0, 0), |(dropped, due), (more, all)| (dropped + more, due + all));
    (dropped as f64 / due as f64 > SHORT).then_some((dropped, due))
}

fn spans_of(load: &Load) -> Vec<SpanId> {
    load.stages.iter().copied().chain([load.grace]).collect()
}

/// Palier could not keep up, and without its own delay every iteration would have found a virtual user: what it
/// was at its limit of. A target that is too slow for its load is so whatever palier's health.
pub(super) fn unstarted_by_ourselves(plan: &Plan, results: &Results) -> Option<String> {
    let limit = saturated(results)?;
    let own = results.generator.delay.avg()?.as_secs_f64();
    plan.loads.iter().all(|load| absorbs_without(own, load, results)).then_some(limit)
}

/// Whether the virtual users of a load would have been enough if each of its requests had been faster by that many
/// seconds: so many are busy at once as start in the time that an iteration takes (Little's law).
fn absorbs_without(own: f64, load: &Load, results: &Results) -> bool {
    let found = results.iterations_of(&spans_of(load));
    if found.dropped == 0 {
        return true;
    }
    let Some(took) = found.durations.avg() else { return false };
    let without = (took.as_secs_f64() - own * requests_each(load, results)).max(0.0);
    let due = (found.completed + found.cut + found.dropped) as f64;
    let busy = due / load.duration().as_secs_f64() * without;
    busy <= f64::from(load.executor.max_vus())
}

/// Requests of a load for each of its iterations.
fn requests_each(load: &Load, results: &Results) -> f64 {
    let spans = spans_of(load);
    let cells = spans.iter().flat_map(|span| load.steps.iter().filter_map(|step| results.cell(*span, *step)));
    let requests: u64 = cells.map(|cell| cell.requests).sum();
    let found = results.iterations_of(&spans);
    requests as f64 / ((found.completed + found.cut) as f64).max(1.0)
}

/// The most requests that an iteration of any load makes, on average.
pub(super) fn most_requests_each(plan: &Plan, results: &Results) -> f64 {
    plan.loads.iter().map(|load| requests_each(load, results)).fold(1.0, f64::max)
}

/// Requests of the load that failed at our own limits (sockets, file descriptors, ports), of how many, and the
/// first of them; `None` where there are none.
pub(super) fn own_errors<'a>(plan: &Plan, results: &'a Results) -> Option<(u64, u64, &'a str)> {
    let (mut own, mut all) = (0, 0);
    let mut first: Option<&FirstError> = None;
    for (span, _) in
        (0_u16..).zip(&plan.spans).filter(|(_, span)| matches!(span.phase, Phase::Load | Phase::Grace))
    {
        for (step, _) in (0_u16..).zip(&plan.steps) {
            let Some(cell) = results.cell(SpanId(span), StepId(step)) else { continue };
            all += cell.requests;
            for error in cell.error_kinds.iter().filter(|error| error.kind == ErrorKind::Generator) {
                own += error.count;
                if first.is_none_or(|first| error.first < *first) {
                    first = Some(&error.first);
                }
            }
        }
    }
    first.map(|first| (own, all, first.message.as_str()))
}

/// Whether palier itself kept up.
pub fn is_sound(plan: &Plan, results: &Results) -> bool {
    load_not_offered(plan, results).is_none()
        && saturated(results).is_none()
        && results.generator.panics.is_empty()
}

/// Palier could not keep up: what it was at its limit of, in a sentence.
pub fn saturated(results: &Results) -> Option<String> {
    if let Some(share) = results.generator.throttled_share(results.elapsed).filter(|share| *share > THROTTLED)
    {
        let share = Fraction::new(share).map(Fraction::human).unwrap_or_default();
        return Some(format!("palier itself was held back by its CPU quota for {share} of the time"));
    }
    let late = results.generator.lag.quantile(0.99)?;
    (late > SATURATED).then(|| {
        format!(
            "palier itself was at its limit: 1 % of its heartbeats came {} late or more",
            human_duration(late)
        )
    })
}

/// Captures that found nothing, and templates left unfilled, by step: name, first example, count.
fn scenario_errors<'a>(plan: &'a Plan, results: &'a Results) -> Vec<(&'a str, &'a str, u64)> {
    let mut errors = Vec::new();
    for (id, step) in (0_u16..).zip(&plan.steps) {
        let cells = (0_u16..).zip(&plan.spans).filter_map(|(span, _)| results.cell(SpanId(span), StepId(id)));
        let (mut count, mut first) = (0, None);
        for cell in cells {
            count += cell.scenario_errors;
            if let Some(own) = &cell.first_scenario_error
                && first.is_none_or(|first| own < first)
            {
                first = Some(own);
            }
        }
        if let Some(first) = first {
            errors.push((step.name.as_str(), first.message.as_str(), count));
        }
    }
    errors
}
