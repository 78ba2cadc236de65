//! Thresholds, resolved: which cells of the results they judge, by which figure, against which bound.

use std::fmt;
use std::time::Duration;

use super::{Place, SpanId, StepId};
use crate::words::{Level, Metric, Section};

/// An assertion on a metric.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// Its stable name in reports: the text, or the `name` that the profile gives it.
    pub name: String,
    /// The metric.
    pub metric: Metric,
    /// The selector as written, for reports: `step` → `create employee`.
    pub selector: Vec<(String, String)>,
    /// The cells of the results that the selector picks.
    pub selection: Selection,
    /// The expression as written.
    pub expression: String,
    /// The figure that is judged.
    pub aggregation: Aggregation,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub bound: Bound,
    /// Where it is reported.
    pub section: Section,
    /// What it leads to when it does not hold.
    pub level: Level,
    /// Judge the worst such window instead of the whole run.
    pub window: Option<Window>,
    /// End the run early when it does not hold; looked at every second, not before that time.
    pub abort: Option<Duration>,
    /// Fewer samples than this prevent a pass; by default what the aggregation needs.
    pub min_samples: Option<u64>,
    /// No samples are no reason for `invalid`.
    pub allow_empty: bool,
    /// Whether the profile left it to the defaults.
    pub default: bool,
    /// Where it is written; of a default: where the thresholds are, or the profile begins.
    pub place: Place,
}

/// The cells of the results that a selector picks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The spans; requests in a grace span count in no rate per second.
    pub spans: Vec<SpanId>,
    /// The steps.
    pub steps: Vec<StepId>,
    /// Only answers with this status.
    pub status: Option<u16>,
}

/// A window that slides over the load in steps of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its length; at least a second.
    pub length: Duration,
}

/// The figure of a metric that is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// How many.
    Count,
    /// Of a counter: per second of the load. Of a rate: the share.
    Rate,
    /// The last value.
    Value,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// A quantile between 0 and 1; the median is 0.5.
    Quantile(f64),
}

impl fmt::Display for Aggregation {
    /// As a profile writes it: `p(95)`, `rate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Rate => f.write_str("rate"),
            Self::Value => f.write_str("value"),
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            #[expect(clippy::float_cmp, reason = "0.5 is exact, and only `med` and `p(50)` make it")]
            Self::Quantile(q) if *q == 0.5 => f.write_str("med"),
            // Rounded, because 0.999 × 100 is 99.9 only nearly.
            Self::Quantile(q) => write!(f, "p({})", (q * 1e8).round() / 1e6),
        }
    }
}

/// How a figure is compared with its bound.
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
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Operator {
    /// Whether the comparison holds.
    pub fn holds(self, observed: f64, bound: f64) -> bool {
        match self {
            Self::Less => observed < bound,
            Self::LessOrEqual => observed <= bound,
            Self::Greater => observed > bound,
            Self::GreaterOrEqual => observed >= bound,
            #[expect(
                clippy::float_cmp,
                reason = "the user asked for equality: counts and replicas are exact"
            )]
            Self::Equal => observed == bound,
            #[expect(clippy::float_cmp, reason = "see above")]
            Self::NotEqual => observed != bound,
        }
    }

    /// The sign that a profile writes.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

/// What a figure is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A value in the metric's unit: milliseconds, a fraction, a count, bytes, per second.
    Value(f64),
    /// The same figure of the baseline, times this: 1.1 for `baseline+10%`.
    Baseline(f64),
}
