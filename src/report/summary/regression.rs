//! How the run differs from what it is compared with.

use serde::{Deserialize, Serialize};

use super::Ms;
use crate::words::{Against, Change, Unit};

data! {
/// How the run differs from a baseline, or from another build that was put under load in the same run.
pub struct Regression {
    /// What it is compared with.
    pub against: Against,
    /// The runs that it is compared with, in the order in which they were given.
    pub base: Vec<ComparedRun>,
    /// `worse` where any figure is; else what can be said of all steps together.
    pub change: Change,
    /// The least change of a time or a rate that matters, as a fraction.
    pub effect: f64,
    /// The least difference of a share that matters; a share is compared by its difference, for it can be 0.
    pub points: f64,
    /// The share of false alarms that is accepted among what is called better or worse.
    pub alpha: f64,
    /// How many windows of time the errors were drawn from; of two builds, how many pairs of slices.
    pub windows: u64,
    /// How long each of them is.
    pub window: Ms,
    /// Every figure: those of all steps together, then those of each step.
    pub differences: Vec<Difference>,
    /// What makes a difference between the runs that does not lie in the target, one sentence each; where there is
    /// any, a change for the worse is a warning at most.
    pub doubts: Vec<String>,
    /// What a reader must know beside that, one sentence each.
    pub notes: Vec<String>,
}

/// A run that another is compared with.
pub struct ComparedRun {
    /// Its id; of another build, its address.
    pub id: String,
    /// The name of its profile.
    pub profile: String,
    /// When it began, RFC 3339.
    pub start: String,
    /// The commit that it belongs to, where that is known.
    pub commit: Option<String>,
}

/// One figure beside that of the baseline.
pub struct Difference {
    /// The step; null for all of them together.
    pub step: Option<String>,
    /// The metric.
    pub metric: String,
    /// What is made of it: `p(95)`, `rate` …
    pub aggregation: String,
    /// The unit of `base` and `new`.
    pub unit: Unit,
    /// What it is in the baseline; of several runs, their mean.
    pub base: Option<f64>,
    /// What it is in the run.
    pub new: Option<f64>,
    /// By how much it differs, as a fraction of the baseline: 0.1 is 10 % more. For a share, the difference itself.
    /// Null, as the two below, where there are too few requests or windows to say.
    pub difference: Option<f64>,
    /// The lower end of the interval that the true difference lies in.
    pub low: Option<f64>,
    /// The upper end of it.
    pub high: Option<f64>,
    /// What became of it.
    pub change: Change,
    /// How many times as long the runs would have to be to say more; null where it is no matter of length.
    pub longer: Option<f64>,
    /// The least true change for the worse that such a comparison finds in four of five cases, as `difference`.
    pub detectable: Option<f64>,
}

/// The run among the earlier ones of its history.
pub struct History {
    /// How many earlier runs there are to judge it by: of its profile and its length, not `invalid`, at most 30.
    pub runs: u64,
    /// How many it takes.
    pub least: u64,
    /// The figures of the run; empty where there are too few earlier ones.
    pub figures: Vec<Expected>,
}

/// A figure, and where it was expected.
pub struct Expected {
    /// Its name, as that of a threshold on it: `http_req_duration p(95)`.
    pub name: String,
    /// What it is.
    pub value: f64,
    /// The mean of the earlier runs; of times and rates the geometric one.
    pub mean: f64,
    /// The lower end of where it was expected.
    pub low: f64,
    /// The upper end of it.
    pub high: f64,
    /// `worse` or `better` where it lies outside, and by more than matters; else `same`.
    pub change: Change,
}
}

impl Difference {
    /// Whether it is compared by its difference in points, and not in percent.
    pub fn is_share(&self) -> bool {
        self.unit == Unit::Fraction
    }

    /// Its name within its step: `p(95)`, or the metric where that says more.
    pub fn label(&self) -> String {
        if self.metric == "http_req_duration" {
            self.aggregation.clone()
        } else {
            format!("{} {}", self.metric, self.aggregation)
        }
    }
}
