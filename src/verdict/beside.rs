//! A run beside what it is compared with: relative thresholds, and what holds where a profile has none.

use std::time::Duration;

use super::judge::Ruling;
use super::sentence::{self, subject, value};
use super::{Judged, Reason};
use crate::compare::{self, Comparison, Estimate, Figure, Recording, Selected};
use crate::metrics::{Results, over_run};
use crate::plan::{Aggregation, Bound, Plan, Threshold};
use crate::words::{Against, Change, Level, Metric, Outcome, Phase, Section};

/// What a run is compared with.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Whether it is earlier runs, or another build in the same run.
    pub against: Against,
    /// The baseline runs.
    pub base: Vec<Recording>,
    /// The run itself.
    pub new: Recording,
    /// The two beside each other, figure by figure.
    pub comparison: Comparison,
}

impl Beside {
    /// A run beside earlier ones.
    pub fn baseline(base: Vec<Recording>, new: Recording, terms: compare::Terms) -> Self {
        let comparison = compare::compare(&base, &new, terms);
        Self { against: Against::Baseline, base, new, comparison }
    }

    fn figure(&self, selection: &Selected<'_>, figure: Figure) -> compare::Difference {
        compare::compare_figure(&self.base, &self.new, selection, figure, self.comparison.terms)
    }

    /// What it is called in a sentence.
    fn name(&self) -> &'static str {
        match self.against {
            Against::Baseline if self.base.len() > 1 => "the baseline runs",
            Against::Baseline => "the baseline",
            Against::Build => "the other build",
        }
    }
}

/// What a relative threshold compares; planning lets no other through.
fn compared(threshold: &Threshold) -> Option<Figure> {
    match (threshold.metric, threshold.aggregation) {
        (Metric::HttpReqDuration, Aggregation::Avg) => Some(Figure::Mean),
        (Metric::HttpReqDuration, Aggregation::Med | Aggregation::Percentile(_)) => {
            threshold.aggregation.quantile().map(Figure::Quantile)
        }
        (Metric::HttpReqs, Aggregation::Rate) => Some(Figure::Rate),
        (Metric::Errors, Aggregation::Rate) => Some(Figure::Errors),
        (Metric::HttpReqFailed, Aggregation::Rate) => Some(Figure::Failed),
        _ => None,
    }
}

/// Judges a threshold that is relative to the baseline: it holds, or does not, where the whole interval says so.
pub(super) fn rule(
    plan: &Plan,
    results: &Results,
    threshold: &Threshold,
    factor: f64,
    beside: &Beside,
) -> Ruling {
    let subject = subject(threshold);
    let Some(figure) = compared(threshold) else {
        let text = format!("{subject} was skipped: it cannot be compared");
        return Ruling::without_figure("no-baseline", Outcome::Skipped, text);
    };
    let steps: Vec<String> =
        threshold.selection.steps.iter().map(|step| compare::recording::step_name(plan, *step)).collect();
    let stretches = stretches(plan, threshold);
    let found = beside.figure(&Selected { steps: &steps, stretches: stretches.as_deref() }, figure);
    let measured = over_run(plan, results, threshold.metric, &threshold.selection);
    let case = measured.figure(threshold.aggregation).zip(found.base).zip(found.estimate);
    let Some(((observed, base), estimate)) = case else {
        let text = format!(
            "{subject} could not be judged: there are too few requests or too short runs to compare it with {}",
            beside.name()
        );
        return Ruling::without_figure("few-samples", Outcome::Invalid, text);
    };
    // Of a share 1 % more is a point more: of none there is no percentage.
    let bound = if figure.is_share() { base + factor - 1.0 } else { base * factor };
    // Several such thresholds are several chances of a false alarm (Bonferroni).
    let relative = plan.thresholds.iter().filter(|it| matches!(it.bound, Bound::Baseline(_))).count();
    let alpha = beside.comparison.terms.alpha / relative.max(1) as f64;
    let (low, high) = estimate.interval(alpha);
    let limit = if figure.is_share() { factor - 1.0 } else { factor.ln() };
    let upper = threshold.operator.is_upper_bound();
    let (surely_holds, surely_not) =
        if upper { (high <= limit, low > limit) } else { (low >= limit, high < limit) };
    let shown = sentence::observed(threshold, observed, bound);
    let must = format!("{} {}", threshold.operator, value(threshold, bound));
    let beside_base =
        format!("{} beside {} in {}", change(figure, estimate, alpha), value(threshold, base), beside.name());
    let doubts = &beside.comparison.doubts;
    let but = if doubts.is_empty() { String::new() } else { format!(", but {}", doubts.join(", and ")) };
    // More than the figure itself takes, where the profile asks for them.
    let few = measured.samples().zip(threshold.min_samples).filter(|(samples, least)| samples < least);
    let (kind, outcome, reason) = if surely_holds && few.is_none() {
        let (kind, outcome) =
            if doubts.is_empty() { ("threshold", Outcome::Pass) } else { ("inconclusive", Outcome::Warn) };
        (kind, outcome, format!("{subject} is {shown}, as it must be: {must} ({beside_base}){but}"))
    } else if surely_not {
        let outcome =
            if threshold.level == Level::Warn || !doubts.is_empty() { Outcome::Warn } else { Outcome::Fail };
        ("threshold", outcome, format!("{subject} is {shown}, but must be {must} ({beside_base}){but}"))
    } else if let Some((samples, least)) = few {
        let text =
            format!("{subject} is {shown}, but {samples} samples are too few to say so: it takes {least}");
        ("few-samples", Outcome::Invalid, text)
    } else {
        let text = format!("{subject} is {shown}, and whether it is {must} cannot be said ({beside_base})");
        ("inconclusive", Outcome::Warn, text)
    };
    Ruling {
        kind,
        judged: Judged {
            outcome,
            observed: Some(observed),
            bound: Some(bound),
            margin: (bound != 0.0)
                .then(|| if upper { (bound - observed) / bound } else { (observed - bound) / bound }),
            samples: measured.samples(),
            reason,
        },
    }
}

/// The stretches of the load that a threshold is about; none for all of it.
fn stretches(plan: &Plan, threshold: &Threshold) -> Option<Vec<(Duration, Duration)>> {
    threshold.selector.iter().any(|(key, _)| key == "stage").then(|| {
        let spans = threshold.selection.spans.iter().map(|span| plan.span(*span));
        let stages = spans.filter(|span| span.phase == Phase::Load);
        let mut stretches: Vec<(Duration, Duration)> = Vec::new();
        for stage in stages {
            let (from, to) = (stage.start, stage.start + stage.duration);
            match stretches.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => stretches.push((from, to)),
            }
        }
        stretches
    })
}

/// A difference with its interval: `+12.3 %, +8.1 % to +16.9 %,`.
fn change(figure: Figure, estimate: Estimate, alpha: f64) -> String {
    let shown = |value: f64| {
        if figure.is_share() {
            format!("{:+.2} points", value * 100.0)
        } else {
            format!("{:+.1} %", value.exp_m1() * 100.0)
        }
    };
    let (low, high) = estimate.interval(alpha);
    format!("{}, {} to {},", shown(estimate.value), shown(low), shown(high))
}

/// What the comparison makes of a run whose profile has no relative thresholds: nothing may be worse.
pub(super) fn reason(plan: &Plan, beside: &Beside) -> Option<Reason> {
    if plan.thresholds.iter().any(|it| matches!(it.bound, Bound::Baseline(_))) {
        return None;
    }
    let comparison = &beside.comparison;
    let verdict = comparison.verdict();
    let of = |change: Change| comparison.differences.iter().filter(move |it| it.change == change);
    let (kind, text) = match comparison.change() {
        Change::Worse => {
            let named: Vec<String> = of(Change::Worse).take(3).map(named).collect();
            let n = of(Change::Worse).count();
            let more =
                if n > named.len() { format!(", and {} more", n - named.len()) } else { String::new() };
            let doubts = if comparison.doubts.is_empty() {
                String::new()
            } else {
                format!("; it is a warning only, because {}", comparison.doubts.join(", and "))
            };
            ("regression", format!("worse than {}: {}{more}{doubts}", beside.name(), named.join(", ")))
        }
        Change::Inconclusive => {
            let text = format!(
                "whether anything is worse than {} cannot be said: the runs vary too much, or are too short",
                beside.name()
            );
            ("inconclusive", text)
        }
        Change::Better | Change::Same if comparison.doubts.is_empty() => return None,
        Change::Better | Change::Same => {
            let text = format!(
                "no worse than {}, but that is a hint only: {}",
                beside.name(),
                comparison.doubts.join(", and ")
            );
            ("inconclusive", text)
        }
    };
    Some(Reason { kind, verdict, section: Some(Section::Regression), text, threshold: None })
}

fn named(difference: &compare::Difference) -> String {
    let step = difference.step.as_ref().map_or_else(String::new, |step| format!(" of `{step}`"));
    let figure = match difference.figure {
        Figure::Quantile(q) if (q - 0.5).abs() < 1e-9 => "med".to_owned(),
        Figure::Quantile(q) => format!("p({})", (q * 1e8).round() / 1e6),
        Figure::Mean => "avg".to_owned(),
        Figure::Rate => "http_reqs rate".to_owned(),
        Figure::Errors => "errors rate".to_owned(),
        Figure::Failed => "http_req_failed rate".to_owned(),
    };
    let change = match (difference.estimate, difference.figure.is_share()) {
        (Some(estimate), true) => format!("{:+.2} points", estimate.value * 100.0),
        (Some(estimate), false) => format!("{:+.1} %", estimate.value.exp_m1() * 100.0),
        (None, _) => String::new(),
    };
    format!("{figure}{step} {change}")
}
