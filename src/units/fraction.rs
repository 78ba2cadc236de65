//! Shares: `10%` is 0.1.

use std::fmt;
use std::str::FromStr;

use super::UnitError;

/// A share of a whole: 0.1 is written `10%`. Finite; above 1 where more than the whole is meant (`baseline+150%`).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Fraction(f64);

impl Fraction {
    /// The share itself, not its percentage; `None` if it is negative, infinite or no number.
    pub fn new(share: f64) -> Option<Self> {
        (share.is_finite() && share >= 0.0).then_some(Self(share))
    }

    /// The share: 0.1 for `10%`.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The form for reports: `3.2 %`. What is not all or nothing is never shown as 100 % or 0 %.
    pub fn human(self) -> String {
        String::new()
    }
}

impl FromStr for Fraction {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let _ = text;
        Err(UnitError(String::new()))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}
