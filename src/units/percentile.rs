//! Percentiles: the 95 of `p(95)`.

use std::fmt;
use std::str::FromStr;

use super::UnitError;

/// A percentile above 0 and up to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percentile(f64);

impl Percentile {
    /// The percentile, if it is above 0 and at most 100.
    pub fn new(percentile: f64) -> Option<Self> {
        (percentile > 0.0 && percentile <= 100.0).then_some(Self(percentile))
    }

    /// The percentile: 95 for `p(95)`.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The quantile: 0.95 for `p(95)`.
    pub fn quantile(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percentile {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.trim()
            .parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| UnitError("is no percentile: it lies above 0 and is at most 100".into()))
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p({})", self.0)
    }
}
