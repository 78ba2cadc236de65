//! Rates: `200/s`, `10/m`, `1.5/s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::UnitError;
use super::duration::parse_duration;
use super::number::{digits, human_number};

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
        format!("{}/s", human_number(self.0))
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let unreadable = || UnitError("is no rate: write it like `200/s` or `10/m`".into());
        let text = text.trim();
        let (number, after) = digits(text);
        let count: f64 = number.parse().map_err(|_| unreadable())?;
        let after = after.trim_start();
        if after.is_empty() {
            return Err(UnitError(format!("needs a time: `{number}/s` for so many a second")));
        }
        let time = after.strip_prefix('/').ok_or_else(unreadable)?.trim_start();
        let one = if time.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1" };
        let time = parse_duration(&format!("{one}{time}"))
            .map_err(|_| UnitError(format!("has the unknown time `{time}`: rates are per s, m, h or d")))?;
        Self::per(count, time).ok_or_else(|| UnitError("is a rate that palier cannot count".into()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read_per_any_time() {
        for (text, per_second) in
            [("200/s", 200.0), ("10/m", 10.0 / 60.0), ("1.5 / h", 1.5 / 3600.0), ("100/500ms", 200.0)]
        {
            assert_eq!(text.parse(), Ok(Rate(per_second)), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_said_exactly() {
        for (text, reason) in [
            ("", "is no rate: write it like `200/s` or `10/m`"),
            ("fast", "is no rate: write it like `200/s` or `10/m`"),
            ("200", "needs a time: `200/s` for so many a second"),
            ("200/minute", "has the unknown time `minute`: rates are per s, m, h or d"),
            ("1/0s", "is a rate that palier cannot count"),
        ] {
            assert_eq!(text.parse::<Rate>().expect_err(text).to_string(), reason);
        }
    }

    #[test]
    fn human_rates_are_per_second() {
        assert_eq!(Rate(31.13).human(), "31.1/s");
        assert_eq!(Rate(6543.0).human(), "6543/s");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(count in 0.0..1e12_f64) {
            prop_assert_eq!(Rate(count).to_string().parse(), Ok(Rate(count)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*", near in "[0-9.]{0,400} ?/ ?[0-9]{0,3}[smh]?") {
            let _ = text.parse::<Rate>();
            let _ = near.parse::<Rate>();
        }
    }
}
