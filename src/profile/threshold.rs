//! `[thresholds]` and `[warnings]`: assertions on metrics.

use std::time::Duration;

use super::place::{Place, Placed};
use crate::units::{Bytes, Fraction, Percentile, Rate};
use crate::words::{Level, Metric, MetricKind, Section, Unit};

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

impl Aggregation {
    /// The unit of what it makes of that metric. A counter's `rate` is per second of the counter's own unit.
    pub fn unit(self, metric: Metric) -> Unit {
        match (self, metric.kind()) {
            (Self::Rate, MetricKind::Counter) => Unit::PerSecond,
            (Self::Count, MetricKind::Trend) => Unit::Count,
            _ => metric.unit(),
        }
    }
}

impl Quantity {
    /// The number in that unit, where what was written fits it. A bare number always does.
    pub fn in_unit(self, unit: Unit) -> Option<f64> {
        match (self, unit) {
            (Self::Number(number), _) => Some(number),
            (Self::Duration(duration), Unit::Milliseconds) => Some(duration.as_secs_f64() * 1e3),
            (Self::Fraction(fraction), Unit::Fraction) => Some(fraction.get()),
            #[expect(clippy::cast_precision_loss, reason = "observed bytes are compared as f64 too")]
            (Self::Bytes(bytes), Unit::Bytes | Unit::PerSecond) => Some(bytes.0 as f64),
            (Self::Rate(rate), Unit::PerSecond) => Some(rate.get()),
            _ => None,
        }
    }
}

/// One `key:value` of a selector.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// By what is selected.
    pub key: SelectorKey,
    /// The value it must have.
    pub value: Placed<String>,
}

/// By what a selector selects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectorKey {
    /// The step's name.
    Step,
    /// The load's name.
    Load,
    /// The stage's name.
    Stage,
    /// The phase: `setup`, `load`, `grace`, `teardown`, `cleanup`.
    Phase,
    /// The status of the answer.
    Status,
    /// Why a request was cut: `end`, `interrupt` or `abort`.
    Cause,
    /// A tag of the profile's own.
    Tag(String),
}

/// `aggregation operator bound`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expression {
    /// What is made of the metric's values.
    pub aggregation: Aggregation,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub bound: Bound,
}

/// What is made of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// `count`
    Count,
    /// `rate`: per second for a counter, a share for a rate.
    Rate,
    /// `value`: the last one.
    Value,
    /// `avg`
    Avg,
    /// `min`
    Min,
    /// `med`
    Med,
    /// `max`
    Max,
    /// `p(N)`
    Percentile(Percentile),
}

/// How a value is compared with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`, and k6's `===`
    Equal,
    /// `!=`
    NotEqual,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A value of its own.
    Absolute(Quantity),
    /// The baseline's value times this: 1.1 for `baseline+10%` and for `baseline*1.1`.
    Baseline(f64),
}

/// A number with the unit it was written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// No unit: milliseconds for a duration (as in k6), per second for a counter's rate, a share, a count.
    Number(f64),
    /// `500ms`
    Duration(Duration),
    /// `10%`
    Fraction(Fraction),
    /// `64KiB`
    Bytes(Bytes),
    /// `100/s`
    Rate(Rate),
}
