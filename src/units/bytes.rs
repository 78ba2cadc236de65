//! Sizes: `512 B`, `64 KiB`, `1.5 MB`.

use std::fmt;
use std::str::FromStr;

use super::UnitError;
use super::number::{digits, exact};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// The units of a size with their length in bytes; the written form uses the largest binary one that fits.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Bytes {
    /// The form for reports, in powers of 1,000: `512 B`, `1.4 MB`.
    pub fn human(self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let value = self.0 as f64;
        let mut scaled = value;
        let mut unit = "B";
        for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
            // What would be shown as 1000 goes up to the next unit.
            if scaled < 999.5 {
                break;
            }
            scaled /= 1e3;
            unit = larger;
        }
        if unit == "B" || scaled >= 9.95 {
            format!("{scaled:.0} {unit}")
        } else {
            format!("{scaled:.1} {unit}")
        }
    }
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (number, unit) = digits(text);
        let unit = unit.trim_start();
        if number.is_empty() {
            return Err(UnitError("is no size: write it like `64 KiB` or `1.5 MB`".into()));
        }
        if unit.is_empty() {
            return Err(UnitError(format!("needs a unit: `{number} B`, `{number} KiB` or `{number} MB`")));
        }
        let Some((_, length)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
            return Err(UnitError(format!(
                "has the unknown unit `{unit}`: sizes have B, kB, KiB, MB, MiB, GB, GiB, TB or TiB"
            )));
        };
        exact(number, *length)
            .and_then(|bytes| u64::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| UnitError("is no whole number of bytes that palier can count".into()))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, length) = UNITS
            .into_iter()
            .find(|(_, length)| self.0 != 0 && self.0.is_multiple_of(*length))
            .unwrap_or(("B", 1));
        write!(f, "{} {name}", self.0 / length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_with_any_unit() {
        for (text, bytes) in [
            ("512 B", 512),
            ("64 KiB", 65_536),
            ("64KiB", 65_536),
            ("1.5 MB", 1_500_000),
            ("1kb", 1_000),
            ("0 B", 0),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_said_exactly() {
        for (text, reason) in [
            ("", "is no size: write it like `64 KiB` or `1.5 MB`"),
            ("64", "needs a unit: `64 B`, `64 KiB` or `64 MB`"),
            ("64 K", "has the unknown unit `K`: sizes have B, kB, KiB, MB, MiB, GB, GiB, TB or TiB"),
            ("0.5 B", "is no whole number of bytes that palier can count"),
            ("99999999999 TiB", "is no whole number of bytes that palier can count"),
        ] {
            assert_eq!(text.parse::<Bytes>().expect_err(text).to_string(), reason);
        }
    }

    #[test]
    fn human_sizes_are_in_powers_of_a_thousand() {
        for (bytes, human) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (14_200, "14 kB"),
            (999_600, "1.0 MB"),
            (1_400_000, "1.4 MB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(Bytes(bytes).human(), human);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: u64) {
            prop_assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*", near in "[0-9.]{0,25} ?[kKMGT]?i?B?") {
            let _ = text.parse::<Bytes>();
            let _ = near.parse::<Bytes>();
        }
    }
}
