//! Thresholds, resolved: which cells of the results they judge, by which figure, against which bound.

use std::time::Duration;

use super::{Place, SpanId, StepId};
pub use crate::profile::{Aggregation, Operator};
use crate::words::{Level, Metric, ObservedPhase, Section, Unit};

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
    /// The unit of figure and bound.
    pub unit: Unit,
    /// Where it is reported.
    pub section: Section,
    /// What it leads to when it does not hold.
    pub level: Level,
    /// Judge the worst window of that length instead of the whole run; windows slide in steps of a second.
    pub window: Option<Duration>,
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
    /// Only requests cut for this cause.
    pub cause: Option<Cause>,
    /// Of a metric that an observer samples: only tracks with these labels.
    pub labels: Vec<(String, String)>,
    /// Of a metric that an observer samples: only what was seen in this part of the run.
    pub observed: ObservedPhase,
}

/// Why a request was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was still open at a hard end of the load.
    End,
    /// A signal.
    Interrupt,
    /// A threshold that aborts the run.
    Abort,
}

impl Cause {
    /// The names that a selector knows, in the order of declaration.
    pub const NAMES: [&str; 3] = ["end", "interrupt", "abort"];

    /// The cause of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "end" => Some(Self::End),
            "interrupt" => Some(Self::Interrupt),
            "abort" => Some(Self::Abort),
            _ => None,
        }
    }
}

impl Aggregation {
    /// The quantile that it is, from 0 to 1.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::Med => Some(0.5),
            Self::Percentile(percentile) => Some(percentile.quantile()),
            Self::Count | Self::Rate | Self::Value | Self::Avg | Self::Min | Self::Max => None,
        }
    }
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

    /// Whether smaller figures are better: `<` and `<=`.
    pub const fn is_upper_bound(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }

    /// Whether greater figures are better: `>` and `>=`.
    pub const fn is_lower_bound(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
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
