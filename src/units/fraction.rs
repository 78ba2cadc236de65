//! Shares: `10%` is 0.1.

use std::fmt;
use std::str::FromStr;

use super::UnitError;
use super::number::{digits, shifted};

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
        if self.0.fract() == 0.0 && self.0 <= 1.0 {
            return format!("{:.0} %", self.0 * 100.0);
        }
        // One digit, and more only where fewer would say that nothing, or everything, is meant.
        (1..=15)
            .map(|digits| format!("{:.digits$}", self.0 * 100.0))
            .find(|text| !text.trim_matches(['0', '.']).is_empty() && !text.starts_with("100."))
            .map_or_else(|| self.to_string(), |text| format!("{text} %"))
    }
}

impl FromStr for Fraction {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let unreadable = || UnitError("is no share: write it like `10%`".into());
        let (number, after) = digits(text.trim());
        if number.parse::<f64>().is_err() {
            return Err(unreadable());
        }
        match after.trim() {
            // The point is moved in the text: 99.9 / 100 is not 0.999.
            "%" => format!("{number}e-2").parse().ok().and_then(Self::new).ok_or_else(unreadable),
            "" => Err(UnitError(format!("needs a percent sign: `{number}%`"))),
            _ => Err(unreadable()),
        }
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", shifted(self.0, 2))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_read_as_decimals() {
        for (text, share) in [("10%", 0.1), ("99.9 %", 0.999), ("0%", 0.0), ("150%", 1.5), ("0.07%", 0.0007)]
        {
            assert_eq!(text.parse(), Ok(Fraction(share)), "{text}");
        }
    }

    #[test]
    fn what_is_no_share_is_said_exactly() {
        for (text, reason) in [
            ("", "is no share: write it like `10%`"),
            ("some %", "is no share: write it like `10%`"),
            ("10", "needs a percent sign: `10%`"),
            ("10 percent", "is no share: write it like `10%`"),
        ] {
            assert_eq!(text.parse::<Fraction>().expect_err(text).to_string(), reason);
        }
    }

    #[test]
    fn only_all_is_shown_as_all_and_only_nothing_as_nothing() {
        for (share, human) in [
            (0.0, "0 %"),
            (0.000_3, "0.03 %"),
            (0.032, "3.2 %"),
            (0.61, "61.0 %"),
            (0.9997, "99.97 %"),
            (1.0, "100 %"),
            (1.5, "150.0 %"),
        ] {
            assert_eq!(Fraction(share).human(), human);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(share in 0.0..10.0_f64) {
            prop_assert_eq!(Fraction(share).to_string().parse(), Ok(Fraction(share)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*", near in "[0-9.]{0,400} ?%?", share in 0.0..1e300_f64) {
            let _ = text.parse::<Fraction>();
            let _ = near.parse::<Fraction>();
            prop_assert!(!Fraction(share).human().is_empty());
        }
    }
}
