//! From plan, results and judgement to the [`Summary`] that every report is rendered from.
//!
//! The one place that knows both sides: what was measured, in ids and durations, and what reports read, in names
//! and milliseconds. A function of its arguments.

mod metrics;
mod observed;
mod parts;
mod route;

use std::time::{Duration, SystemTime};

use crate::compare::{self, Recording};
use crate::metrics::{Results, Stop};
use crate::plan::{Bound, Plan};
use crate::report::summary as out;
use crate::report::summary::{EndCause, EndedEarly, Environment, Host, Ms, SCHEMA};
use crate::report::{Summary, recording};
use crate::units::human_duration;
use crate::verdict::Judgement;

/// What is known of a run beside its plan and its results.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// When the run began.
    pub start: SystemTime,
    /// How long it took in all, on the monotonic clock.
    pub duration: Duration,
    /// The pipeline and the commit.
    pub environment: Environment,
    /// The machine.
    pub host: Host,
    /// The most memory that the process held, in bytes.
    pub memory: Option<u64>,
    /// The command that runs the same again.
    pub command: String,
    /// What a reader must know of how the run differed from its profile, one sentence each.
    pub notes: Vec<String>,
    /// What the run was compared with, and by how much it differs.
    pub regression: Option<out::Regression>,
    /// Where the run was expected among the earlier ones of its history.
    pub history: Option<out::History>,
    /// The code that the process will exit with.
    pub exit_code: u8,
}

/// Builds the summary. Secrets are masked in every text that may hold one.
pub fn summarize(
    plan: &Plan,
    results: &Results,
    judgement: &Judgement,
    circumstances: &Circumstances,
) -> Summary {
    let view = View { plan, results };
    let mask = |text: &str| plan.secrets.mask(text).into_owned();
    let (facts, diagnosis) = observed::diagnose(&view, judgement);
    Summary {
        schema: SCHEMA.to_owned(),
        palier: env!("CARGO_PKG_VERSION").to_owned(),
        run: run(&view, circumstances),
        verdict: judgement.verdict,
        exit_code: circumstances.exit_code,
        reasons: (judgement.reasons.iter())
            .map(|reason| out::Reason {
                kind: reason.kind.to_owned(),
                verdict: reason.verdict,
                section: reason.section,
                text: mask(&reason.text),
                threshold: reason.threshold.map(|index| mask(&plan.thresholds[index].name)),
            })
            .collect(),
        thresholds: thresholds(&view, judgement),
        checks: parts::checks(&view),
        metrics: metrics::all(&view),
        steps: parts::steps(&view),
        stages: parts::stages(&view),
        loads: parts::loads(&view),
        errors: parts::errors(&view),
        series: parts::series(&view),
        histograms: metrics::histograms(&view),
        windows: view.started().then(|| {
            recording::pack(&Recording::of_results(plan, results, compare::Circumstances::of(plan, results)))
        }),
        regression: circumstances.regression.clone(),
        history: circumstances.history.clone(),
        cleanup: parts::cleanup(&view),
        generator: parts::generator(&view, judgement, circumstances),
        host: circumstances.host.clone(),
        facts,
        diagnosis,
        observers: observed::observers(&view),
        pods: observed::pods(&view),
    }
}

/// What every part of the summary is a view of.
struct View<'a> {
    plan: &'a Plan,
    results: &'a Results,
}

impl View<'_> {
    /// A text with every secret in it masked.
    fn mask(&self, text: &str) -> String {
        self.plan.secrets.mask(text).into_owned()
    }

    /// The name of a load, where there is more than one, or it has a name of its own.
    fn load_name(&self, load: crate::plan::LoadId) -> Option<String> {
        compare::recording::load_name(self.plan, load)
    }

    /// Whether any load was made.
    fn started(&self) -> bool {
        !matches!(self.results.stop, Stop::NotStarted(_))
    }
}

fn run(view: &View<'_>, circumstances: &Circumstances) -> out::Run {
    let View { plan, results } = view;
    let time = |at: SystemTime| humantime::format_rfc3339_millis(at).to_string();
    let elapsed = human_duration(results.elapsed);
    let ended_early = match &results.stop {
        Stop::Done => None,
        Stop::Aborted(threshold) => {
            Some((EndCause::Abort, format!("the threshold `{threshold}` ended the load after {elapsed}")))
        }
        Stop::Interrupted(signal) => {
            Some((EndCause::Interrupt, format!("{signal} ended the load after {elapsed}")))
        }
        Stop::NotStarted(why) => Some((EndCause::NotStarted, why.clone())),
    };
    let mut notes = circumstances.notes.clone();
    let defaults: Vec<&str> = plan
        .thresholds
        .iter()
        .filter(|threshold| threshold.default)
        .map(|threshold| threshold.name.as_str())
        .collect();
    if !defaults.is_empty() {
        notes.push(format!(
            "the profile says nothing of errors, so these hold by default: {} (`defaults = false` opts out)",
            defaults.join(", ")
        ));
    }
    notes.extend(route::notes(view));
    out::Run {
        id: plan.run.clone(),
        profile: out::Profile {
            name: plan.profile.clone(),
            path: plan.origin.clone(),
            description: plan.description.as_deref().map(|text| view.mask(text)),
        },
        target: view.mask(&plan.target.url),
        route: view.mask(&route::words(view)),
        forward: results.route.as_ref().map(|route| route::forward(view, route)),
        start: time(circumstances.start),
        end: time(circumstances.start + circumstances.duration),
        duration: circumstances.duration.into(),
        load_duration: results.elapsed.into(),
        time_scale: plan.time_scale,
        ended_early: ended_early.map(|(cause, text)| EndedEarly {
            cause,
            at: results.elapsed.into(),
            text: view.mask(&text),
        }),
        environment: circumstances.environment.clone(),
        command: Some(view.mask(&circumstances.command)),
        notes: notes.iter().map(|note| view.mask(note)).collect(),
    }
}

fn thresholds(view: &View<'_>, judgement: &Judgement) -> Vec<out::Threshold> {
    (view.plan.thresholds.iter().zip(&judgement.thresholds))
        .map(|(threshold, judged)| out::Threshold {
            id: view.mask(&threshold.name),
            metric: threshold.metric.name().to_owned(),
            selector: (threshold.selector.iter())
                .map(|(key, value)| (view.mask(key), view.mask(value)))
                .collect(),
            expression: view.mask(&threshold.expression),
            aggregation: threshold.aggregation.to_string(),
            operator: threshold.operator.to_string(),
            section: threshold.section,
            level: threshold.level,
            outcome: judged.outcome,
            observed: judged.observed.filter(|figure| figure.is_finite()),
            bound: match threshold.bound {
                Bound::Value(bound) => Some(bound),
                Bound::Baseline(_) => judged.bound,
            },
            unit: threshold.unit,
            margin: judged.margin.filter(|margin| margin.is_finite()),
            samples: judged.samples,
            window: threshold.window.map(Ms::from),
            file: (!threshold.default).then(|| threshold.place.file.clone()),
            line: (!threshold.default).then_some(threshold.place.line),
            reason: view.mask(&judged.reason),
        })
        .collect()
}
