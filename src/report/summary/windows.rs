//! The run in windows of time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

data! {
/// The run in at most 120 windows of time. A request belongs to the window it was started in.
pub struct Windows {
    /// How many seconds each lasts: a power of two; 1 in a run of up to two minutes.
    pub length: u32,
    /// The steps, by the names that they have in `histograms`.
    pub steps: BTreeMap<String, StepWindows>,
}

/// One step by window: lists of the same length, in order of time, the first window at the start of the load.
pub struct StepWindows {
    /// Requests started.
    pub requests: Vec<u64>,
    /// Of them without an answer, or with a status that nobody expects (`http_req_failed`).
    pub failed: Vec<u64>,
    /// Of them failed, or with a check that did not hold (`errors`).
    pub errors: Vec<u64>,
    /// Their `http_req_duration` in nanoseconds, to two significant digits: an `HdrHistogram` in its V2 encoding,
    /// base64; empty where no request was answered.
    pub http_req_duration: Vec<String>,
}
}
