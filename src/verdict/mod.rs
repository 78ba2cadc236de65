//! What was measured against what was asked: the verdict.
//!
//! A function of plan and results; no I/O, no clock. It fails closed: what could not be measured is never a
//! pass. Every outcome comes with one sentence that gives the figure, the bound and the margin.
//!
//! - `judge`: thresholds against their figures
//! - `among`: the run among the earlier ones of its history
//! - `beside`: the run beside a baseline, or beside another build
//! - `validity`: whether what was measured can carry a verdict at all
//! - `sight`: what an observer could see of what a threshold asks
//! - [`diagnosis`]: what explains that something does not hold, and what happened
//! - `statistics`: how sure a figure of few samples is

mod among;
mod beside;
pub mod diagnosis;
mod judge;
mod sentence;
mod sight;
mod statistics;
mod validity;

#[cfg(test)]
mod beside_tests;
#[cfg(test)]
mod tests;

use self::judge::rule;
use crate::metrics::{Results, Stop};
use crate::plan::Plan;
use crate::words::{Outcome, Section, Verdict};

/// The verdict on a run, with all that led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The worst of the reasons; pass without any.
    pub verdict: Verdict,
    /// Why it is not a pass, the worst first.
    pub reasons: Vec<Reason>,
    /// What became of each threshold, in the order of [`Plan::thresholds`].
    pub thresholds: Vec<Judged>,
    /// Whether palier itself kept up: what was measured says something about the target.
    pub sound: bool,
}

/// What became of one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What became of it.
    pub outcome: Outcome,
    /// The figure, in the threshold's unit; of windows, that of the worst one.
    pub observed: Option<f64>,
    /// What it is compared with; none where there is no figure, or the bound is that of the plan.
    pub bound: Option<f64>,
    /// How far inside the bound the figure is, as a fraction of the bound; negative beyond it.
    pub margin: Option<f64>,
    /// How many samples the figure rests on, where it consists of samples.
    pub samples: Option<u64>,
    /// One sentence on the outcome.
    pub reason: String,
}

impl Judgement {
    /// The same of a run whose load was not that of its plan, for these reasons. Its figures say nothing of
    /// performance under that plan, as they would not if palier had not kept up; the worst reason still comes first.
    #[must_use]
    pub fn of_other_load(mut self, plan: &Plan, reasons: Vec<Reason>) -> Self {
        let Some(first) = reasons.first() else { return self };
        let is_moot = |index: usize| {
            matches!(plan.thresholds[index].section, Section::Performance | Section::Regression)
        };
        for (index, judged) in self.thresholds.iter_mut().enumerate() {
            if is_moot(index) && judged.outcome != Outcome::Skipped {
                judged.outcome = Outcome::Invalid;
                judged.reason = format!("{}; this says nothing: {}", judged.reason, first.text);
            }
        }
        for reason in &mut self.reasons {
            if let Some(index) = reason.threshold.filter(|index| is_moot(*index)) {
                reason.verdict = Verdict::Invalid;
                reason.text.clone_from(&self.thresholds[index].reason);
            }
        }
        self.sound = false;
        self.reasons.splice(0..0, reasons);
        self.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict));
        self.verdict = self.reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::Pass);
        self
    }
}

/// One reason for a verdict that is not a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// A stable word for the sort of reason: `threshold`, `no-data`, `interrupted` …
    pub kind: &'static str,
    /// What this reason alone makes of the run.
    pub verdict: Verdict,
    /// The section it is reported in; none where it is about the run as a whole.
    pub section: Option<Section>,
    /// One sentence.
    pub text: String,
    /// The threshold that it is about, by its place in [`Plan::thresholds`].
    pub threshold: Option<usize>,
}

/// Judges a run by itself.
pub fn judge(plan: &Plan, results: &Results) -> Judgement {
    judge_beside(plan, results, None, None)
}

/// Judges a run, beside what it is compared with and among the earlier ones of its history, if there are any.
pub fn judge_beside(
    plan: &Plan,
    results: &Results,
    beside: Option<&Beside>,
    among: Option<&Among>,
) -> Judgement {
    let mut reasons = validity::reasons(plan, results);
    reasons.extend(beside.and_then(|beside| beside::reason(plan, beside)));
    reasons.extend(among.and_then(among::reason));
    let mut thresholds = Vec::new();
    for (index, threshold) in plan.thresholds.iter().enumerate() {
        let ruling = rule(plan, results, threshold, beside);
        // That no load was made is said once, not once more for every threshold.
        if !matches!(results.stop, Stop::NotStarted(_)) {
            reasons.extend(ruling.reason(index, threshold.section));
        }
        thresholds.push(ruling.judged);
    }
    let margin = |reason: &Reason| {
        reason.threshold.and_then(|index| thresholds[index].margin).unwrap_or(f64::NEG_INFINITY)
    };
    reasons.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| margin(a).total_cmp(&margin(b))));
    let verdict = reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::Pass);
    let sound = is_sound(plan, results);
    Judgement { verdict, reasons, thresholds, sound }
}

pub use self::among::Among;
pub use self::beside::Beside;
pub use self::validity::{is_sound, saturated};

/// The name of a threshold that asks to end the run early, and no longer holds; looked at every second.
pub fn asks_to_abort(plan: &Plan, results: &Results) -> Option<String> {
    let asking = plan.thresholds.iter().find(|threshold| judge::asks_to_abort(plan, results, threshold));
    asking.map(|threshold| threshold.name.clone())
}
