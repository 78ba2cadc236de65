//! Durations: `90s`, `1m30s`, `250ms`, `1h`, `500us`, `1.5s`.

use std::time::Duration;

use super::UnitError;
use super::number::{digits, exact};

/// The units of a duration, the longest first, with their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Nothing in a load test takes longer, and clocks can add this without overflow.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

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
        let after = after.trim_start();
        let end = after.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(end);
        if unit.is_empty() {
            return Err(UnitError(format!(
                "needs a unit: `{number}s` for seconds, `{number}ms` for milliseconds"
            )));
        }
        // Both the micro sign and the Greek letter are in use.
        let plain = if matches!(unit, "µs" | "μs") { "us" } else { unit };
        let Some(index) = UNITS.iter().position(|(name, _)| *name == plain) else {
            return Err(UnitError(format!(
                "has the unknown unit `{unit}`: durations have d, h, m, s, ms, us or ns"
            )));
        };
        if longest != usize::MAX && index <= longest {
            return Err(UnitError("has its units out of order: the longest comes first, each once".into()));
        }
        longest = index;
        let part = exact(number, UNITS[index].1).ok_or_else(|| {
            UnitError(format!("holds `{number}{unit}`, which palier cannot count in nanoseconds"))
        })?;
        nanos += part;
        rest = tail.trim_start();
    }
    match u64::try_from(nanos) {
        Ok(nanos) if nanos <= LONGEST.as_secs() * 1_000_000_000 => Ok(Duration::from_nanos(nanos)),
        _ => Err(UnitError("is longer than a year".into())),
    }
}

/// The written form, which [`parse_duration`] reads back exactly: `1m30s`, `250ms`, `0s`.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (name, length) in UNITS {
        let count = rest / u128::from(length);
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(name);
            rest %= u128::from(length);
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// The form for reports: `85 µs`, `0.4 ms`, `612 ms`, `1.2 s`, `48 s`, `3m30s`, `1h2m`.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let millis = seconds * 1e3;
    let with_unit = |value: f64, unit: &str| {
        if value >= 9.95 || value.fract() == 0.0 {
            format!("{value:.0} {unit}")
        } else {
            format!("{value:.1} {unit}")
        }
    };
    if duration.is_zero() {
        "0 ms".into()
    } else if duration < Duration::from_micros(1) {
        format!("{} ns", duration.as_nanos())
    } else if millis < 0.0995 {
        format!("{:.0} µs", millis * 1e3)
    } else if millis < 999.5 {
        with_unit(millis, "ms")
    } else if seconds < 59.5 {
        with_unit(seconds, "s")
    } else if seconds < 3_599.5 {
        let whole = (duration + Duration::from_millis(500)).as_secs();
        show_duration(Duration::from_secs(whole))
    } else {
        let minutes = (duration + Duration::from_secs(30)).as_secs() / 60;
        show_duration(Duration::from_secs(minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn rejected(text: &str, reason: &str) {
        assert_eq!(parse_duration(text).expect_err(text).to_string(), reason);
    }

    #[test]
    fn durations_are_read_exactly() {
        for (text, nanos) in [
            ("90s", 90_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1m 30s", 90_000_000_000),
            ("250 ms", 250_000_000),
            ("250ms", 250_000_000),
            ("1h", 3_600_000_000_000),
            ("1d", 86_400_000_000_000),
            ("500us", 500_000),
            ("500µs", 500_000),
            ("7ns", 7),
            ("1.5s", 1_500_000_000),
            ("0.1s", 100_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_said_exactly() {
        rejected("", "is empty where a duration belongs, for example `90s` or `250ms`");
        rejected("soon", "is no duration: write it like `90s`, `1m30s` or `250ms`");
        rejected("-5s", "is no duration: write it like `90s`, `1m30s` or `250ms`");
        rejected("90", "needs a unit: `90s` for seconds, `90ms` for milliseconds");
        rejected("1m30", "needs a unit: `30s` for seconds, `30ms` for milliseconds");
        rejected("10 sec", "has the unknown unit `sec`: durations have d, h, m, s, ms, us or ns");
        rejected("5min", "has the unknown unit `min`: durations have d, h, m, s, ms, us or ns");
        rejected("30s1m", "has its units out of order: the longest comes first, each once");
        rejected("1s1s", "has its units out of order: the longest comes first, each once");
        rejected("0.5ns", "holds `0.5ns`, which palier cannot count in nanoseconds");
        rejected("366d", "is longer than a year");
    }

    #[test]
    fn human_durations_have_the_digits_that_matter() {
        for (nanos, human) in [
            (0, "0 ms"),
            (500, "500 ns"),
            (85_000, "85 µs"),
            (400_000, "0.4 ms"),
            (2_000_000, "2 ms"),
            (9_960_000, "10 ms"),
            (612_400_000, "612 ms"),
            (999_600_000, "1.0 s"),
            (1_234_000_000, "1.2 s"),
            (48_000_000_000, "48 s"),
            (59_700_000_000, "1m"),
            (210_000_000_000, "3m30s"),
            (3_720_000_000_000, "1h2m"),
        ] {
            assert_eq!(human_duration(Duration::from_nanos(nanos)), human, "{nanos}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(nanos in 0..=LONGEST.as_secs() * 1_000_000_000) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC*", near in "[0-9.]{0,30}(ms|[dhmsnuµ]){0,3}[0-9 ]{0,3}[msh]?") {
            let _ = parse_duration(&text);
            if let Ok(duration) = parse_duration(&near) {
                prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
            }
        }

        #[test]
        fn every_duration_can_be_shown(seconds: u64, nanos in 0..1_000_000_000_u32) {
            let duration = Duration::new(seconds / 2, nanos);
            prop_assert!(!human_duration(duration).is_empty());
            prop_assert!(!show_duration(duration).is_empty());
        }
    }
}
