//! From plan, results and judgement to the [`Summary`] that every report is rendered from.
//!
//! The one place that knows both sides: what was measured, in ids and durations, and what reports read, in names
//! and milliseconds. A function of its arguments.

use std::time::{Duration, SystemTime};

use crate::metrics::Results;
use crate::plan::Plan;
use crate::report::Summary;
use crate::report::summary::{Environment, Host};
use crate::verdict::Judgement;

/// What is known of a run beside its plan and its results.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// When the run began.
    pub start: SystemTime,
    /// How long it took in all, on the monotonic clock.
    pub duration: Duration,
    /// The pipeline and the commit.
    pub environment: Environment,
    /// The machine.
    pub host: Host,
    /// The most memory that the process held, in bytes.
    pub memory: Option<u64>,
    /// What a reader must know of how the run differed from its profile, one sentence each.
    pub notes: Vec<String>,
    /// The code that the process will exit with.
    pub exit_code: u8,
}

/// Builds the summary. Secrets are masked in every text that may hold one.
pub fn summarize(
    plan: &Plan,
    results: &Results,
    judgement: &Judgement,
    circumstances: &Circumstances,
) -> Summary {
    let _ = (plan, results, judgement, circumstances);
    unimplemented!("being written")
}
