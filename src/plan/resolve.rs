//! Thresholds, from what a profile names to the cells of the results.

use super::compile::locate;
use super::threshold::{Bound, Cause, Selection, Threshold};
use super::{Aggregation, Operator, Plan, SpanId, StepId};
use crate::profile::{self, Diagnostic, Profile, SelectorKey};
use crate::units::show_duration;
use crate::words::{Level, Metric, ObservedPhase, Phase, Section, Unit};

/// The thresholds and warnings of a profile, and those that hold by default.
pub(super) fn thresholds(
    profile: &Profile,
    plan: &Plan,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Threshold> {
    let mut thresholds: Vec<Threshold> = Vec::new();
    for written in &profile.thresholds {
        if let Some(threshold) = threshold(profile, plan, written, diagnostics) {
            thresholds.push(threshold);
        }
    }
    if profile.default_thresholds && !thresholds.iter().any(replaces_defaults) {
        thresholds.extend(defaults(plan));
    }
    make_names_unique(&mut thresholds);
    thresholds
}

/// Whether a threshold says how many errors are too many, so that the defaults need not.
fn replaces_defaults(threshold: &Threshold) -> bool {
    threshold.level == Level::Fail
        && threshold.selector.is_empty()
        && matches!(threshold.metric, Metric::HttpReqFailed | Metric::Errors | Metric::Checks)
}

fn defaults(plan: &Plan) -> Vec<Threshold> {
    let has_checks =
        plan.loads.iter().flat_map(|load| &load.steps).any(|step| !plan.step(*step).checks.is_empty());
    let mut defaults = vec![
        (Metric::HttpReqFailed, "rate<1%", Operator::Less, 0.01),
        (Metric::Errors, "rate<1%", Operator::Less, 0.01),
    ];
    if has_checks {
        defaults.push((Metric::Checks, "rate>99%", Operator::Greater, 0.99));
    }
    (defaults.into_iter())
        .map(|(metric, expression, operator, bound)| Threshold {
            name: format!("{metric} {expression}"),
            metric,
            selector: Vec::new(),
            selection: everything(plan),
            expression: expression.to_owned(),
            aggregation: Aggregation::Rate,
            operator,
            bound: Bound::Value(bound),
            unit: metric.unit(),
            section: metric.section(),
            level: Level::Fail,
            window: None,
            abort: None,
            min_samples: None,
            allow_empty: false,
            default: true,
            place: plan.place.clone(),
        })
        .collect()
}

/// What a metric means without a selector: the load and its grace.
fn everything(plan: &Plan) -> Selection {
    Selection {
        spans: plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)).collect(),
        steps: plan.loads.iter().flat_map(|load| load.steps.iter().copied()).collect(),
        ..Selection::default()
    }
}

/// Says why a threshold cannot be relative to a baseline, if it cannot: only what is kept by the second in each step can
/// be compared with its error.
fn comparable(written: &profile::Threshold, diagnostics: &mut Vec<Diagnostic>) {
    let compared = matches!(
        (written.metric, written.expression.aggregation),
        (Metric::HttpReqDuration, Aggregation::Avg | Aggregation::Med | Aggregation::Percentile(_))
            | (Metric::HttpReqs | Metric::Errors | Metric::HttpReqFailed, Aggregation::Rate)
    );
    let operator = written.expression.operator;
    if !compared {
        let message = format!("`{}` cannot be compared with a baseline", written.text);
        let help = "what can be is `avg`, `med` and `p(N)` of `http_req_duration`, and `rate` of `http_reqs`, `errors` and \
                    `http_req_failed`";
        diagnostics.push(Diagnostic::new(written.place, message).help(help));
    } else if !operator.is_upper_bound() && !operator.is_lower_bound() {
        let message = "nothing is ever equal to a baseline, or surely differs from it";
        diagnostics.push(Diagnostic::new(written.place, message).help("compare with `<` or `>`"));
    } else if written.unit() == Unit::Fraction && written.text.contains('*') {
        let message = "a share is compared by its difference";
        diagnostics
            .push(Diagnostic::new(written.place, message).help("write `baseline+1%` for a point more"));
    } else if written.window.is_some() || written.abort {
        let message = "a run is compared with a baseline as a whole, at its end";
        diagnostics.push(Diagnostic::new(written.place, message).help("take `window` and `abort` out"));
    }
    let narrows = |key: &SelectorKey| {
        matches!(key, SelectorKey::Step | SelectorKey::Load | SelectorKey::Stage | SelectorKey::Tag(_))
    };
    if let Some(part) = written.selector.iter().find(|part| !narrows(&part.key)) {
        let message = "what is compared with a baseline cannot be narrowed by that";
        let help = "it can be by `step`, `load`, `stage` and tags of steps";
        diagnostics.push(Diagnostic::new(part.value.place, message).help(help));
    }
}

fn threshold(
    profile: &Profile,
    plan: &Plan,
    written: &profile::Threshold,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Threshold> {
    let n_before = diagnostics.len();
    let bound = match written.expression.bound {
        profile::Bound::Baseline(factor) => {
            comparable(written, diagnostics);
            Bound::Baseline(factor)
        }
        profile::Bound::Absolute(_) => {
            if written.bound().is_none() {
                let message = format!(
                    "the unit of the bound does not fit `{}`, which is in {}",
                    written.metric,
                    written.unit()
                );
                diagnostics.push(Diagnostic::new(written.place, message));
            }
            Bound::Value(written.bound().unwrap_or_default())
        }
    };
    let selection = selection(plan, written, diagnostics);
    let window =
        written.window.map(|window| window.mul_f64(plan.time_scale).max(std::time::Duration::from_secs(1)));
    if window.is_some() && !has_windows(written.metric) {
        let names: Vec<String> = Metric::ALL
            .iter()
            .filter(|metric| has_windows(**metric) && metric.observer().is_none())
            .map(|metric| format!("`{metric}`"))
            .collect();
        let message = format!("`{}` is not kept by the second, so it has no windows", written.metric);
        diagnostics.push(
            Diagnostic::new(written.place, message).help(format!("windows exist for {}", names.join(", "))),
        );
    }
    let is_of_arrivals = matches!(written.metric, Metric::HttpReqCorrected | Metric::IterationLag);
    if is_of_arrivals && !plan.loads.iter().any(|load| load.executor.is_open()) {
        let message =
            format!("`{}` is measured of arrivals, and no load of this profile has any", written.metric);
        let help = "it comes with `constant-arrival-rate` and `ramping-arrival-rate`";
        diagnostics.push(Diagnostic::new(written.key_place, message).help(help));
    }
    if diagnostics.len() > n_before {
        return None;
    }
    let selector: Vec<(String, String)> = (written.selector.iter())
        .map(|part| (key_name(&part.key).to_owned(), part.value.value.clone()))
        .collect();
    let narrowed: Vec<String> = selector.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    let narrowed = if narrowed.is_empty() { String::new() } else { format!("{{{}}}", narrowed.join(",")) };
    let text = match written.window {
        Some(window) => {
            format!("{}{narrowed} in any {} {}", written.metric, show_duration(window), written.text)
        }
        None => format!("{}{narrowed} {}", written.metric, written.text),
    };
    Some(Threshold {
        name: written.name.clone().unwrap_or(text),
        metric: written.metric,
        selector,
        selection,
        expression: written.text.clone(),
        aggregation: written.expression.aggregation,
        operator: written.expression.operator,
        bound,
        unit: written.unit(),
        section: written.section.unwrap_or(if matches!(bound, Bound::Baseline(_)) {
            Section::Regression
        } else {
            written.metric.section()
        }),
        level: written.level,
        window,
        abort: written.abort.then(|| written.delay.mul_f64(plan.time_scale)),
        min_samples: written.min_samples,
        allow_empty: written.allow_empty,
        default: false,
        place: locate(profile, written.place),
    })
}

/// Whether a metric is kept in the one-second series, by step.
fn has_windows(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::HttpReqs
            | Metric::HttpReqDuration
            | Metric::HttpReqFailed
            | Metric::Checks
            | Metric::Errors
            | Metric::DataSent
            | Metric::DataReceived
    ) || metric.observer().is_some()
}

fn key_name(key: &SelectorKey) -> &str {
    match key {
        SelectorKey::Step => "step",
        SelectorKey::Load => "load",
        SelectorKey::Stage => "stage",
        SelectorKey::Phase | SelectorKey::ObservedPhase => "phase",
        SelectorKey::Label(label) => label,
        SelectorKey::Status => "status",
        SelectorKey::Cause => "cause",
        SelectorKey::Tag(tag) => tag,
    }
}

/// The parts of a selector, broad ones first. A phase outside the load has steps of its own, so it comes before all others,
/// wherever it is written; and steps come last, so that one which a load or a stage does not have is an error.
fn by_breadth(written: &profile::Threshold) -> Vec<&profile::Selection> {
    let mut parts: Vec<&profile::Selection> = written.selector.iter().collect();
    parts.sort_by_key(|part| match part.key {
        SelectorKey::Phase => 0,
        SelectorKey::Stage | SelectorKey::Load => 1,
        SelectorKey::Step
        | SelectorKey::Status
        | SelectorKey::Cause
        | SelectorKey::ObservedPhase
        | SelectorKey::Label(_)
        | SelectorKey::Tag(_) => 2,
    });
    parts
}

fn selection(plan: &Plan, written: &profile::Threshold, diagnostics: &mut Vec<Diagnostic>) -> Selection {
    let mut selection = everything(plan);
    for part in by_breadth(written) {
        let value = part.value.value.as_str();
        let mut wrong = |message: String, help: Option<String>| {
            let mut diagnostic = Diagnostic::new(part.value.place, message);
            diagnostic.help = help;
            diagnostics.push(diagnostic);
        };
        match &part.key {
            SelectorKey::Phase => match Phase::from_name(value) {
                Some(phase) => {
                    selection.spans = plan.spans_of(phase).collect();
                    match phase {
                        Phase::Setup => selection.steps.clone_from(&plan.setup),
                        Phase::Teardown => selection.steps.clone_from(&plan.teardown),
                        Phase::Load | Phase::Grace | Phase::Cleanup => {}
                    }
                }
                None => wrong(
                    format!("there is no phase `{value}`"),
                    Some(one_of(Phase::ALL.iter().map(|phase| phase.name()))),
                ),
            },
            SelectorKey::Stage => {
                retain_stage(plan, &mut selection, value);
                let names = || plan.spans_of(Phase::Load).map(|span| plan.span(span).name.as_str());
                if !names().any(|name| name == value) {
                    wrong(format!("there is no stage `{value}`"), Some(one_of(names())));
                }
            }
            SelectorKey::Load => {
                let names = || plan.loads.iter().map(|load| load.name.as_str());
                if names().any(|name| name == value) {
                    let of_load = |span: &SpanId| {
                        plan.span(*span).load.is_some_and(|load| plan.load(load).name == value)
                    };
                    selection.spans.retain(of_load);
                    retain_steps(plan, &mut selection, |step| {
                        step.load.is_some_and(|load| plan.load(load).name == value)
                    });
                } else {
                    wrong(format!("there is no load `{value}`"), Some(one_of(names())));
                }
            }
            SelectorKey::Step => {
                let candidates = selection.steps.clone();
                retain_steps(plan, &mut selection, |step| step.name == value);
                if selection.steps.is_empty() && !candidates.is_empty() {
                    let names = candidates.iter().map(|step| plan.step(*step).name.as_str());
                    wrong(format!("there is no step `{value}`"), Some(one_of(names)));
                }
            }
            SelectorKey::Tag(tag) => {
                retain_steps(plan, &mut selection, |step| {
                    step.tags.iter().any(|(key, own)| key == tag && own == value)
                });
                if selection.steps.is_empty() {
                    wrong(format!("no step has the tag `{tag}` with the value `{value}`"), None);
                }
            }
            SelectorKey::Status => match value.parse::<u16>() {
                Ok(status) if (100..=599).contains(&status) => selection.status = Some(status),
                Ok(_) | Err(_) => {
                    wrong(format!("`{value}` is no status"), Some("for example `status:500`".to_owned()));
                }
            },
            SelectorKey::Cause => match Cause::from_name(value) {
                Some(cause) => selection.cause = Some(cause),
                None => wrong(format!("there is no cause `{value}`"), Some(one_of(Cause::NAMES.into_iter()))),
            },
            SelectorKey::Label(label) => selection.labels.push(((*label).to_owned(), value.to_owned())),
            SelectorKey::ObservedPhase => match ObservedPhase::from_name(value) {
                Some(phase) => selection.observed = phase,
                None => wrong(
                    format!("there is no phase `{value}`"),
                    Some(one_of(ObservedPhase::ALL.iter().map(|phase| phase.name()))),
                ),
            },
        }
    }
    let has_phase = written.selector.iter().any(|part| part.key == SelectorKey::ObservedPhase);
    if written.metric == Metric::HpaScaleDownTime && !has_phase {
        // There is none before the load is over.
        selection.observed = ObservedPhase::After;
    }
    let selects = |key: &SelectorKey| written.selector.iter().find(|part| part.key == *key);
    if let (Some(part), Some(_)) = (selects(&SelectorKey::ObservedPhase), selects(&SelectorKey::Stage))
        && selection.observed != ObservedPhase::During
    {
        let message =
            format!("a stage is a part of the load, and not of what is `{}` it", selection.observed);
        diagnostics.push(Diagnostic::new(part.value.place, message));
    }
    selection
}

/// Keeps the stages of that name, and the steps of their loads: other loads go on meanwhile, and are not what was asked for.
fn retain_stage(plan: &Plan, selection: &mut Selection, name: &str) {
    selection.spans.retain(|span| plan.span(*span).phase == Phase::Load && plan.span(*span).name == name);
    let loads: Vec<_> = selection.spans.iter().filter_map(|span| plan.span(*span).load).collect();
    if !loads.is_empty() {
        retain_steps(plan, selection, |step| step.load.is_some_and(|load| loads.contains(&load)));
    }
}

fn retain_steps(plan: &Plan, selection: &mut Selection, keep: impl Fn(&super::Step) -> bool) {
    let steps: Vec<StepId> = selection.steps.iter().copied().filter(|step| keep(plan.step(*step))).collect();
    selection.steps = steps;
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        let name = format!("`{name}`");
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    format!("there {} {}", if seen.len() == 1 { "is only" } else { "are" }, seen.join(", "))
}

/// Reports keep history by name, so no two may share one: the same words a second time get a number.
fn make_names_unique(thresholds: &mut [Threshold]) {
    for index in 1..thresholds.len() {
        let (before, rest) = thresholds.split_at_mut(index);
        let name = rest[0].name.clone();
        let mut number = 1;
        while before.iter().any(|other| other.name == rest[0].name) {
            number += 1;
            rest[0].name = format!("{name} #{number}");
        }
    }
}
