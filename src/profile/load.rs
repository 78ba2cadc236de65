//! `[load]` and `[[loads]]`: which executor starts iterations, and when.

use std::time::Duration;

use super::place::{Place, Placed};
use crate::units::Rate;

/// One load: an executor that runs one scenario.
#[derive(Clone, Debug)]
pub struct Load {
    /// The name in `[[loads]]`; `default` for `[load]`.
    pub name: Placed<String>,
    /// Which of the profile's scenarios it runs: an index into `Profile::scenarios`.
    pub scenario: usize,
    /// How long after the start of the run it begins.
    pub start_after: Duration,
    /// How long running iterations may go on after its end; 30 s by default.
    pub graceful_stop: Duration,
    /// Tags of all its requests.
    pub tags: Vec<(Placed<String>, String)>,
    /// The rule that starts iterations.
    pub executor: Executor,
    /// The value of `executor`.
    pub place: Place,
}

/// The rule that starts iterations. Names, fields and defaults are k6's, in `snake_case`.
#[derive(Clone, Debug)]
pub enum Executor {
    /// VUs follow stages; each VU runs one iteration after another.
    RampingVus {
        /// VUs at the start; 1 by default.
        start_vus: u32,
        /// At least one.
        stages: Vec<Stage<u32>>,
        /// How long a VU that is asked to stop may finish its iteration; 30 s by default.
        graceful_ramp_down: Duration,
    },
    /// A fixed number of VUs for a fixed time.
    ConstantVus {
        /// At least 1, the default.
        vus: u32,
        /// How long; above 0.
        duration: Duration,
    },
    /// Each VU runs so many iterations.
    PerVuIterations {
        /// At least 1, the default.
        vus: u32,
        /// A VU; at least 1, the default.
        iterations: u64,
        /// The end for those that take longer; 10 min by default.
        max_duration: Duration,
    },
    /// All VUs together run so many iterations.
    SharedIterations {
        /// At least 1, the default, and no more than `iterations`.
        vus: u32,
        /// Of all VUs together; at least 1, the default.
        iterations: u64,
        /// The end for those that take longer; 10 min by default.
        max_duration: Duration,
    },
    /// Iterations start at a fixed rate, whatever the answers.
    ConstantArrivalRate {
        /// Above 0: `"200/s"`, or a number per `time_unit`.
        rate: Rate,
        /// How long; above 0.
        duration: Duration,
        /// VUs that exist from the start; required.
        pre_allocated_vus: u32,
        /// VUs at most; `pre_allocated_vus` by default.
        max_vus: u32,
    },
    /// Iterations start at a rate that follows stages.
    RampingArrivalRate {
        /// The rate at the start; 0 by default.
        start_rate: Rate,
        /// At least one.
        stages: Vec<Stage<Rate>>,
        /// VUs that exist from the start; required.
        pre_allocated_vus: u32,
        /// VUs at most; `pre_allocated_vus` by default.
        max_vus: u32,
    },
}

/// A span of time over which the number of VUs, or the rate, goes linearly to a new value.
#[derive(Clone, Debug)]
pub struct Stage<T> {
    /// Its name, unique within the load.
    pub name: Option<Placed<String>>,
    /// How long it takes; zero is a jump.
    pub duration: Duration,
    /// The value at its end.
    pub target: T,
    /// The stage's table.
    pub place: Place,
}

impl Executor {
    /// Its name in profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RampingVus { .. } => "ramping-vus",
            Self::ConstantVus { .. } => "constant-vus",
            Self::PerVuIterations { .. } => "per-vu-iterations",
            Self::SharedIterations { .. } => "shared-iterations",
            Self::ConstantArrivalRate { .. } => "constant-arrival-rate",
            Self::RampingArrivalRate { .. } => "ramping-arrival-rate",
        }
    }
}
