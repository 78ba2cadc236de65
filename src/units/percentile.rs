//! Percentiles: the 95 of `p(95)`.

use std::fmt;
use std::str::FromStr;

use super::UnitError;
use super::number::{digits, shifted};

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
        // The point is moved in the text: 99.9 / 100 is not 0.999.
        shifted(self.0, -2).parse().unwrap_or(self.0 / 100.0)
    }
}

impl FromStr for Percentile {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (number, after) = digits(text);
        after
            .is_empty()
            .then(|| number.parse().ok())
            .flatten()
            .and_then(Self::new)
            .ok_or_else(|| UnitError("is no percentile: it lies above 0 and is at most 100".into()))
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_lie_above_0_and_up_to_100() {
        assert_eq!("95".parse(), Ok(Percentile(95.0)));
        assert_eq!("99.9".parse().map(Percentile::quantile), Ok(0.999));
        for text in ["0", "100.1", "-5", "NaN", "inf", "1e1", "", "95%"] {
            let reason = text.parse::<Percentile>().expect_err(text).to_string();
            assert_eq!(reason, "is no percentile: it lies above 0 and is at most 100", "{text}");
        }
    }

    #[test]
    fn a_percentile_is_shown_as_k6_writes_it() {
        assert_eq!(Percentile(95.0).to_string(), "p(95)");
        assert_eq!(Percentile(99.9).to_string(), "p(99.9)");
    }

    proptest! {
        #[test]
        fn quantiles_lie_between_0_and_1(percentile in 0.001..=100.0_f64, text in "\\PC*") {
            let quantile = Percentile(percentile).quantile();
            prop_assert!(quantile > 0.0 && quantile <= 1.0);
            let _ = text.parse::<Percentile>();
        }
    }
}
