//! Thresholds against their figures.

use crate::metrics::{Measured, Results, Stop, Trend, millis, over_run, over_windows};
use crate::plan::{Aggregation, Bound, Operator, Plan, Threshold};
use crate::words::{Level, Metric, MetricKind, Outcome, Section, Verdict};

use super::sentence::{condition, distance, observed, subject, value};
use super::sight::{self, Sight};
use super::statistics::binomial_at_least;
use super::{Beside, Judged, Reason, beside, validity};

/// Chance is ruled out where it is less probable than this.
const CHANCE: f64 = 0.01;

/// How many samples must lie beyond a quantile for it to be a figure, on average.
const BEYOND_QUANTILE: f64 = 10.0;

/// One outcome with the sort of reason that it is.
pub(super) struct Ruling {
    pub(super) judged: Judged,
    /// A stable word for [`Reason::kind`].
    pub(super) kind: &'static str,
}

/// Judges one threshold.
pub(super) fn rule(plan: &Plan, results: &Results, threshold: &Threshold, beside: Option<&Beside>) -> Ruling {
    let subject = subject(threshold);
    let sight = sight::sight(plan, results, threshold);
    if let Sight::NotAsked(why) = sight {
        let text = format!("{subject} was not judged: {why}");
        return Ruling::without_figure("not-observed", Outcome::Skipped, text);
    }
    if let Stop::NotStarted(_) = &results.stop {
        return Ruling::invalid("not-started", format!("{subject} could not be judged: no load was made"));
    }
    let bound = match (threshold.bound, beside) {
        (Bound::Value(bound), _) => bound,
        (Bound::Baseline(factor), Some(beside)) => {
            return beside::rule(plan, results, threshold, factor, beside);
        }
        (Bound::Baseline(_), None) => {
            let text = format!("{subject} was skipped: there is no baseline");
            return Ruling::without_figure("no-baseline", Outcome::Skipped, text);
        }
    };
    if let Sight::Nothing(why) = sight {
        return Ruling::invalid("not-observed", format!("{subject} could not be judged: {why}"));
    }
    let found = worst(plan, results, threshold, bound)
        .and_then(|measured| Some((measured.figure(threshold.aggregation)?, measured)));
    let Some((figure, measured)) = found else {
        if threshold.allow_empty {
            let text = format!("{subject} has no samples, which is allowed");
            return Ruling::without_figure("no-data", Outcome::Pass, text);
        }
        if let Sight::Partial(why) = sight {
            return Ruling::invalid("not-observed", format!("{subject} could not be judged: {why}"));
        }
        let what = if threshold.window.is_some() { "no window with enough samples" } else { "no samples" };
        return Ruling::invalid("no-data", format!("{subject} has {what}, so it could not be judged"));
    };
    let unseen = if let Sight::Partial(why) = sight { Some(why) } else { None };
    let case = Case { plan, results, threshold, measured: &measured, subject, figure, bound, unseen };
    let (kind, outcome, reason) = case.rule();
    Ruling {
        kind,
        judged: Judged {
            outcome,
            observed: Some(figure),
            bound: Some(bound),
            margin: margin(threshold, figure, bound),
            samples: measured.samples(),
            reason,
        },
    }
}

impl Ruling {
    pub(super) fn without_figure(kind: &'static str, outcome: Outcome, reason: String) -> Self {
        Self {
            kind,
            judged: Judged { outcome, observed: None, bound: None, margin: None, samples: None, reason },
        }
    }

    fn invalid(kind: &'static str, reason: String) -> Self {
        Self::without_figure(kind, Outcome::Invalid, reason)
    }

    /// What this makes of the run.
    pub(super) fn reason(&self, index: usize, section: Section) -> Option<Reason> {
        let verdict = match self.judged.outcome {
            Outcome::Pass | Outcome::Skipped => return None,
            Outcome::Warn => Verdict::Warn,
            Outcome::Fail => Verdict::Fail,
            Outcome::Invalid => Verdict::Invalid,
        };
        Some(Reason {
            kind: self.kind,
            verdict,
            section: Some(section),
            text: self.judged.reason.clone(),
            threshold: Some(index),
        })
    }
}

/// What was measured over the run, or in the worst of the windows; `None` without a sample.
fn worst(plan: &Plan, results: &Results, threshold: &Threshold, bound: f64) -> Option<Measured> {
    let Some(length) = threshold.window else {
        return Some(over_run(plan, results, threshold.metric, &threshold.selection));
    };
    let enough = |measured: &Measured| {
        let least = least_samples(threshold);
        measured.samples().is_none_or(|samples| samples >= least)
    };
    let distance = |measured: &Measured| {
        let figure = measured.figure(threshold.aggregation).unwrap_or(bound);
        if threshold.operator.is_upper_bound() {
            figure - bound
        } else if threshold.operator.is_lower_bound() {
            bound - figure
        } else if threshold.operator.holds(figure, bound) {
            0.0
        } else {
            (figure - bound).abs().max(f64::MIN_POSITIVE)
        }
    };
    let windows = over_windows(plan, results, threshold.metric, &threshold.selection, length);
    let judged = windows.into_iter().filter(|window| window.figure(threshold.aggregation).is_some());
    judged.filter(enough).max_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// Fewer samples than this prevent a pass.
fn least_samples(threshold: &Threshold) -> u64 {
    let needed = match threshold.aggregation.quantile() {
        // The greatest value is a figure from the first sample on.
        Some(q) if q < 1.0 => (BEYOND_QUANTILE / (1.0 - q) - 1e-6).ceil(),
        Some(_) | None => 1.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive; saturates at most"
    )]
    threshold.min_samples.unwrap_or(needed as u64)
}

fn margin(threshold: &Threshold, figure: f64, bound: f64) -> Option<f64> {
    if bound == 0.0 {
        None
    } else if threshold.operator.is_upper_bound() {
        Some((bound - figure) / bound)
    } else if threshold.operator.is_lower_bound() {
        Some((figure - bound) / bound)
    } else {
        None
    }
}

/// A threshold with its figure.
struct Case<'a> {
    plan: &'a Plan,
    results: &'a Results,
    threshold: &'a Threshold,
    measured: &'a Measured,
    subject: String,
    figure: f64,
    bound: f64,
    /// What an observer did not see of what is judged.
    unseen: Option<String>,
}

impl Case<'_> {
    fn rule(&self) -> (&'static str, Outcome, String) {
        let Self { threshold, subject, .. } = self;
        let shown = observed(threshold, self.figure, self.bound);
        let must = condition(threshold);
        let holds = threshold.operator.holds(self.figure, self.bound);
        let samples = self.measured.samples().unwrap_or(u64::MAX);
        let least = least_samples(threshold);

        if samples < least && (holds || !self.chance_is_ruled_out(samples)) {
            let text = format!(
                "{subject} is {shown}, but {samples} samples are too few to say so: it takes {least}"
            );
            return ("few-samples", Outcome::Invalid, text);
        }
        if threshold.section == Section::Performance
            && let Some(short) = validity::load_not_offered(self.plan, self.results)
        {
            return (
                "load-not-offered",
                Outcome::Invalid,
                format!("{subject} is {shown}, which says nothing: {short}"),
            );
        }
        // A bound that is exceeded in what was seen is exceeded.
        if let Some(unseen) = self.unseen.as_ref().filter(|_| holds || !self.is_final()) {
            let text = format!("{subject} is {shown}, but {unseen}: whether it is {must} is not known");
            return ("not-observed", Outcome::Invalid, text);
        }
        if holds {
            if let Some(unknown) = self.rests_on_lower_bounds() {
                let text =
                    format!("{subject} is at least {shown}, but {unknown}, so it may be beyond {must}");
                return ("lower-bounds", Outcome::Invalid, text);
            }
            if let Some(early) = validity::ended_early(self.plan, self.results) {
                return (
                    "ended-early",
                    Outcome::Invalid,
                    format!("{subject} was {shown} until {early}: {must} was not seen through"),
                );
            }
            return ("threshold", Outcome::Pass, format!("{subject} is {shown}, as it must be: {must}"));
        }
        if let Some(own) = self.explained_by_ourselves() {
            let text = format!("{subject} is {shown} and must be {must}, but {own}");
            return ("generator", Outcome::Invalid, text);
        }
        let beyond = distance(threshold, self.figure, self.bound, margin(threshold, self.figure, self.bound));
        let outcome = match threshold.level {
            Level::Fail => Outcome::Fail,
            Level::Warn => Outcome::Warn,
        };
        ("threshold", outcome, format!("{subject} is {shown}{beyond}, but must be {must}"))
    }

    /// Whether no more samples could mend what does not hold: too many events stay too many.
    fn is_final(&self) -> bool {
        let Threshold { operator, aggregation, .. } = self.threshold;
        match (self.measured, aggregation) {
            (Measured::Counter { .. }, Aggregation::Count) | (Measured::Gauge(_), Aggregation::Max) => {
                operator.is_upper_bound() || *operator == Operator::Equal && self.figure > self.bound
            }
            (Measured::Gauge(_), Aggregation::Min) => operator.is_lower_bound(),
            _ => false,
        }
    }

    /// Whether so many samples lie beyond the bound that this is no accident of there being few (one-sided
    /// binomial test).
    fn chance_is_ruled_out(&self, samples: u64) -> bool {
        let upper = self.threshold.operator.is_upper_bound();
        match (self.measured, self.threshold.aggregation.quantile()) {
            (Measured::Trend { trend, .. }, Some(q)) => {
                let bound = std::time::Duration::try_from_secs_f64(self.bound / 1e3).unwrap_or_default();
                let above = trend.histogram().count_above(bound);
                let (beyond, expected) = if upper { (above, 1.0 - q) } else { (samples - above, q) };
                binomial_at_least(samples, beyond, expected) < CHANCE
            }
            (Measured::Rate { yes, total }, _) => {
                let (beyond, expected) =
                    if upper { (*yes, self.bound) } else { (total - yes, 1.0 - self.bound) };
                binomial_at_least(*total, beyond, expected) < CHANCE
            }
            // A mean or an extreme that the user wants more samples for says nothing with fewer.
            (Measured::Trend { .. } | Measured::Gauge(_) | Measured::Counter { .. }, _) => false,
        }
    }

    /// A quantile that holds only if what timed out or was cut would have been answered soon.
    fn rests_on_lower_bounds(&self) -> Option<String> {
        let Measured::Trend { trend, lower_bounds } = self.measured else { return None };
        if *lower_bounds == 0 || !self.threshold.operator.is_upper_bound() {
            return None;
        }
        let aggregation = self.threshold.aggregation;
        let q = if aggregation == Aggregation::Max { 1.0 } else { aggregation.quantile()? };
        // Had each of them taken for ever, the figure would stand so many ranks further up.
        let worst = q + *lower_bounds as f64 / trend.count() as f64;
        let worst_figure = if worst > 1.0 { None } else { trend.quantile(worst).map(millis) };
        let holds = worst_figure.is_some_and(|figure| self.threshold.operator.holds(figure, self.bound));
        (!holds).then(|| format!("{lower_bounds} of {} requests were given up unanswered", trend.count()))
    }

    /// What palier's own delay may have added to the figure, in milliseconds.
    ///
    /// For one answer it is what a heartbeat waited at the same point of its distribution, or what the probe did,
    /// whichever is more: the one is what users who come by the clock see, the other is what those see who ask again
    /// as soon as they are answered.
    fn own_delay(&self) -> Option<f64> {
        let generator = &self.results.generator;
        let lag = figure_of(&generator.lag, self.threshold.aggregation)?;
        let each =
            figure_of(&generator.delay, self.threshold.aggregation).map_or(lag, |delay| delay.max(lag));
        let metric = self.threshold.metric;
        Some(if metric == Metric::HttpReqCorrected {
            // Late to begin, and then late to be read.
            lag + each
        } else if metric == Metric::IterationDuration {
            // Each of its requests had its own.
            each * validity::most_requests_each(self.plan, self.results)
        } else {
            each
        })
    }

    /// A breach for which palier's own delay, or its own lack of speed, is enough of an explanation.
    fn explained_by_ourselves(&self) -> Option<String> {
        let Self { threshold, results, .. } = self;
        // What palier says of itself, it says of nobody else.
        if threshold.metric.is_of_generator() {
            return None;
        }
        match threshold.metric.kind() {
            MetricKind::Trend if threshold.operator.is_upper_bound() => {
                let own = self.own_delay()?;
                if threshold.operator.holds(self.figure - own, self.bound) {
                    return Some(format!(
                        "palier itself was late by {} at that point, which may be all of the excess",
                        value(threshold, own)
                    ));
                }
                // A quantile of a sum is no sum of quantiles. Where palier could not keep up and most of the figure is
                // its own, what is left of it is no figure of the target's.
                let limit = validity::saturated(results).filter(|_| own >= self.figure / 2.0)?;
                Some(format!(
                    "palier itself was late by {} at that point, which is most of it: {limit}",
                    value(threshold, own)
                ))
            }
            MetricKind::Counter if threshold.metric == Metric::DroppedIterations => {
                validity::unstarted_by_ourselves(self.plan, results)
            }
            MetricKind::Counter if threshold.operator.is_lower_bound() => validity::saturated(results),
            MetricKind::Rate if threshold.operator.is_upper_bound() => {
                let Measured::Rate { yes, total } = self.measured else { return None };
                let (own, _, first) = validity::own_errors(self.plan, results)?;
                let others = yes.saturating_sub(own) as f64 / total.saturating_sub(own).max(1) as f64;
                threshold.operator.holds(others, self.bound).then(|| {
                    format!(
                        "{own} requests failed at palier's own limits, not at the target; the first: {first}"
                    )
                })
            }
            MetricKind::Trend | MetricKind::Counter | MetricKind::Rate | MetricKind::Gauge => None,
        }
    }
}

/// A figure that an aggregation makes of a distribution, in milliseconds.
fn figure_of(trend: &Trend, aggregation: Aggregation) -> Option<f64> {
    let time = match aggregation {
        Aggregation::Avg => trend.avg(),
        Aggregation::Min => trend.min(),
        Aggregation::Max => trend.max(),
        Aggregation::Med | Aggregation::Percentile(_) => trend.quantile(aggregation.quantile()?),
        Aggregation::Count | Aggregation::Rate | Aggregation::Value => None,
    };
    time.map(millis)
}

/// Whether a threshold asks to end the run now.
pub(super) fn asks_to_abort(plan: &Plan, results: &Results, threshold: &Threshold) -> bool {
    threshold.level == Level::Fail
        && threshold.abort.is_some_and(|delay| results.elapsed >= delay)
        && rule(plan, results, threshold, None).judged.outcome == Outcome::Fail
}
