//! The rules that start iterations, resolved: durations scaled, defaults filled in.
//!
//! Names and meaning are k6's. What starts when follows from these by arithmetic in `engine::schedule`.

use std::fmt;
use std::time::Duration;

use crate::units::{human_duration, human_number};

/// The rule that starts the iterations of a load.
#[derive(Clone, Debug, PartialEq)]
pub enum Executor {
    /// Virtual users go from stage to stage linearly, each running iterations one after another.
    RampingVus {
        /// Virtual users at the start.
        start_vus: u32,
        /// The stages, in order.
        stages: Vec<Stage<u32>>,
        /// How long a virtual user that is no longer wanted may go on with its iteration.
        graceful_ramp_down: Duration,
    },
    /// A fixed number of virtual users, for a fixed time.
    ConstantVus {
        /// Virtual users.
        vus: u32,
        /// How long.
        duration: Duration,
    },
    /// Each virtual user runs a fixed number of iterations.
    PerVuIterations {
        /// Virtual users.
        vus: u32,
        /// Iterations of each.
        iterations: u64,
        /// The most time that it may take.
        max_duration: Duration,
    },
    /// A fixed number of iterations, shared by the virtual users.
    SharedIterations {
        /// Virtual users.
        vus: u32,
        /// Iterations of all together.
        iterations: u64,
        /// The most time that it may take.
        max_duration: Duration,
    },
    /// Iterations start at a fixed rate, whether earlier ones are answered or not.
    ConstantArrivalRate {
        /// Iterations started per second.
        rate: f64,
        /// How long.
        duration: Duration,
        /// Virtual users made before the start.
        preallocated_vus: u32,
        /// The most virtual users.
        max_vus: u32,
    },
    /// Iterations start at a rate that goes from stage to stage linearly.
    RampingArrivalRate {
        /// Iterations started per second at the start.
        start_rate: f64,
        /// The stages, in order; targets per second.
        stages: Vec<Stage<f64>>,
        /// Virtual users made before the start.
        preallocated_vus: u32,
        /// The most virtual users.
        max_vus: u32,
    },
}

/// A span of time over which the number of virtual users, or the rate, goes linearly to a new value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage<T> {
    /// How long it takes; zero is a jump.
    pub duration: Duration,
    /// The value at its end.
    pub target: T,
}

impl Executor {
    /// The name in profiles and reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RampingVus { .. } => "ramping-vus",
            Self::ConstantVus { .. } => "constant-vus",
            Self::PerVuIterations { .. } => "per-vu-iterations",
            Self::SharedIterations { .. } => "shared-iterations",
            Self::ConstantArrivalRate { .. } => "constant-arrival-rate",
            Self::RampingArrivalRate { .. } => "ramping-arrival-rate",
        }
    }

    /// How long the load lasts, graceful stop not counted; for iterations the most that it may last.
    pub fn duration(&self) -> Duration {
        match self {
            Self::RampingVus { stages, .. } => stages.iter().map(|stage| stage.duration).sum(),
            Self::RampingArrivalRate { stages, .. } => stages.iter().map(|stage| stage.duration).sum(),
            Self::ConstantVus { duration, .. } | Self::ConstantArrivalRate { duration, .. } => *duration,
            Self::PerVuIterations { max_duration, .. } | Self::SharedIterations { max_duration, .. } => {
                *max_duration
            }
        }
    }

    /// The most virtual users that may exist at once.
    pub fn max_vus(&self) -> u32 {
        match self {
            Self::RampingVus { start_vus, stages, .. } => {
                stages.iter().map(|stage| stage.target).max().unwrap_or(0).max(*start_vus)
            }
            Self::ConstantVus { vus, .. }
            | Self::PerVuIterations { vus, .. }
            | Self::SharedIterations { vus, .. } => *vus,
            Self::ConstantArrivalRate { max_vus, .. } | Self::RampingArrivalRate { max_vus, .. } => *max_vus,
        }
    }

    /// The iterations that it is planned to run, where that is what it plans.
    pub fn iterations(&self) -> Option<u64> {
        match self {
            Self::PerVuIterations { vus, iterations, .. } => {
                Some(u64::from(*vus).saturating_mul(*iterations))
            }
            Self::SharedIterations { iterations, .. } => Some(*iterations),
            Self::RampingVus { .. }
            | Self::ConstantVus { .. }
            | Self::ConstantArrivalRate { .. }
            | Self::RampingArrivalRate { .. } => None,
        }
    }

    /// Whether it is over as soon as its iterations are done, and its duration only the most that it may take.
    pub fn ends_by_itself(&self) -> bool {
        self.iterations().is_some()
    }

    /// Virtual users of the open model that are there from the start; none in the closed model.
    pub const fn preallocated_vus(&self) -> u32 {
        match self {
            Self::ConstantArrivalRate { preallocated_vus, .. }
            | Self::RampingArrivalRate { preallocated_vus, .. } => *preallocated_vus,
            Self::RampingVus { .. }
            | Self::ConstantVus { .. }
            | Self::PerVuIterations { .. }
            | Self::SharedIterations { .. } => 0,
        }
    }

    /// Whether iterations start by the clock, and not when an earlier one has ended (the open model).
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::ConstantArrivalRate { .. } | Self::RampingArrivalRate { .. })
    }
}

impl fmt::Display for Executor {
    /// What it is planned to do: `3 stages over 30 s, up to 30 VUs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = human_duration(self.duration());
        let many = |count: u64, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
        let vus = many(u64::from(self.max_vus()), "VU");
        match self {
            Self::RampingVus { stages, .. } => {
                write!(f, "{} over {time}, up to {vus}", many(stages.len() as u64, "stage"))
            }
            Self::ConstantVus { .. } => write!(f, "{vus} for {time}"),
            Self::PerVuIterations { iterations, .. } => {
                write!(f, "{vus}, {} each, {time} at most", many(*iterations, "iteration"))
            }
            Self::SharedIterations { iterations, .. } => {
                write!(f, "{vus}, {} together, {time} at most", many(*iterations, "iteration"))
            }
            Self::ConstantArrivalRate { rate, .. } => {
                write!(f, "{} iterations/s for {time}, up to {vus}", human_number(*rate))
            }
            Self::RampingArrivalRate { stages, .. } => {
                write!(f, "{} of iterations/s over {time}, up to {vus}", many(stages.len() as u64, "stage"))
            }
        }
    }
}
