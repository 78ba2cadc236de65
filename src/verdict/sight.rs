//! What an observer could see of what a threshold asks.

use crate::metrics::{Results, stretches_of};
use crate::plan::{Aggregation, Plan, Threshold};
use crate::units::Fraction;

/// An observer may leave this share of what is judged unsampled.
const UNSAMPLED: f64 = 0.25;

/// What an observer could see of what a threshold asks.
pub(super) enum Sight {
    /// All of it; or palier measures it itself.
    Clear,
    /// Too little to say that it holds.
    Partial(String),
    /// Nothing at all.
    Nothing(String),
    /// It was not asked to look.
    NotAsked(String),
}

/// What could be seen of what a threshold asks.
pub(super) fn sight(plan: &Plan, results: &Results, threshold: &Threshold) -> Sight {
    let Some(kind) = threshold.metric.observer() else { return Sight::Clear };
    let found = plan.observers.iter().position(|observer| observer.kind() == kind);
    let Some(index) = found.filter(|index| plan.observers[*index].active) else {
        return Sight::NotAsked(format!("`{kind}` was not observed (`--observe {kind}`)"));
    };
    let watch = results.observed.watches.get(index);
    let Some(watch) = watch.filter(|watch| !watch.is_blind()) else {
        let why = watch.and_then(|watch| watch.trouble.as_deref()).unwrap_or("it never came to look");
        return Sight::Nothing(format!("the observer `{kind}` saw nothing: {why}"));
    };
    if let Some((metric, why)) = watch.missing.iter().find(|(metric, _)| *metric == threshold.metric) {
        return Sight::Nothing(format!("`{metric}` could not be read: {why}"));
    }
    let stretches = stretches_of(plan, results, &threshold.selection);
    let (share, end) = watch.unsampled(threshold.metric, &stretches);
    let mut of_feeds = watch.feeds.iter().filter(|feed| feed.metrics.contains(&threshold.metric));
    let trouble = watch.trouble.as_ref().or_else(|| of_feeds.find_map(|feed| feed.trouble.as_ref()));
    let trouble = trouble.map(|why| format!(" ({why})")).unwrap_or_default();
    if share > UNSAMPLED {
        let share = Fraction::new(share).map(Fraction::human).unwrap_or_default();
        return Sight::Partial(format!("the observer `{kind}` did not see {share} of the time{trouble}"));
    }
    if end && threshold.aggregation == Aggregation::Value {
        return Sight::Partial(format!("the observer `{kind}` did not see the end{trouble}"));
    }
    Sight::Clear
}
