//! A scenario: the ordered steps that one virtual user goes through.

use std::time::Duration;

use super::step::Step;

/// The ordered steps that one virtual user goes through, and what runs once before and after.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called in plans: the file's path as written, or `this profile`.
    pub name: String,
    /// Steps that run once before the load; what they capture is visible to every VU.
    pub setup: Vec<Step>,
    /// The steps of one iteration; at least one.
    pub steps: Vec<Step>,
    /// Steps that run once after the load, whatever became of it.
    pub teardown: Vec<Step>,
    /// Pause between two iterations of a VU.
    pub pause: Option<Pause>,
    /// An iteration starts no sooner than this after the VU's last one started.
    pub pace: Option<Duration>,
}

/// How long a VU waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pause {
    /// Always as long.
    Fixed(Duration),
    /// Anything between the two, each length as likely.
    Uniform {
        /// The shortest.
        min: Duration,
        /// The longest, not below `min`.
        max: Duration,
    },
    /// Exponentially distributed, as the time between independent arrivals is.
    Exponential {
        /// The mean; above 0.
        mean: Duration,
    },
}
