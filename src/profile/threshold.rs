//! `[thresholds]` and `[warnings]`: assertions on metrics.

use std::time::Duration;

use super::expression::{Bound, Expression};
use super::place::Place;
use super::selector::Selection;
use crate::words::{Level, Metric, Section, Unit};

/// One assertion on one metric.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// From `[thresholds]` or from `[warnings]`.
    pub level: Level,
    /// What is judged.
    pub metric: Metric,
    /// Which of its values; empty for all.
    pub selector: Vec<Selection>,
    /// The assertion.
    pub expression: Expression,
    /// The assertion as written: `p(95)<500ms`.
    pub text: String,
    /// Judges the worst such window instead of the whole run.
    pub window: Option<Duration>,
    /// Whether a fail ends the run early.
    pub abort: bool,
    /// How long after the start of the load `abort` begins to look.
    pub delay: Duration,
    /// How many samples it takes to pass, where not the default.
    pub min_samples: Option<u64>,
    /// Whether having no samples is a pass.
    pub allow_empty: bool,
    /// Where it is reported, where not the metric's own section.
    pub section: Option<Section>,
    /// A name of its own for reports.
    pub name: Option<String>,
    /// Where the assertion stands.
    pub place: Place,
    /// Where the key `metric{selector}` stands.
    pub key_place: Place,
}

impl Threshold {
    /// The unit of the observed value and of [`Threshold::bound`].
    pub fn unit(&self) -> Unit {
        self.expression.aggregation.unit(self.metric)
    }

    /// The bound in [`Threshold::unit`]; `None` for one that is relative to a baseline.
    pub fn bound(&self) -> Option<f64> {
        match self.expression.bound {
            Bound::Absolute(quantity) => quantity.in_unit(self.unit()),
            Bound::Baseline(_) => None,
        }
    }
}
