//! Rates: `200/s`, `10/m`, `1.5/s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::UnitError;

/// How often something happens; finite and not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// So many per second; `None` if that is negative, infinite or no number.
    pub fn per_second(count: f64) -> Option<Self> {
        (count.is_finite() && count >= 0.0).then_some(Self(count))
    }

    /// So many in that time; `None` as for [`Rate::per_second`], or if the time is zero.
    pub fn per(count: f64, time: Duration) -> Option<Self> {
        Self::per_second(count / time.as_secs_f64())
    }

    /// How many per second.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The form for reports: `31.1/s`.
    pub fn human(self) -> String {
        String::new()
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let _ = text;
        Err(UnitError(String::new()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}
