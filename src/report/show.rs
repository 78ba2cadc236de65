//! Numbers as people read them in reports, and text from outside made harmless.
//!
//! Two manners: prose (`612 ms`, `97.1 %`, `31.1/s`, `1.4 MB`) for tables and sentences, and [`compact`], k6's
//! (`125.31ms`, `97.10%`), for the metric lines of the console. Rounding never tells a lie that matters: a share
//! is shown as 0 % or 100 % only where it is exactly that, and [`beside_bound`] shows as many digits as it takes
//! to tell a value from its bound.

use crate::report::summary::{Ms, ObserverState, Summary, Threshold};
use crate::words::{Metric, Outcome, Unit};

/// Digits that prose shows where nothing asks for more.
const DIGITS: usize = 3;

/// What stands where there is no value.
pub const NONE: &str = "–";

/// The observers that the profile has and this run did not ask for.
fn inactive(summary: &Summary) -> impl Iterator<Item = &str> {
    let inactive = summary.observers.iter().filter(|it| it.state == ObserverState::Inactive);
    inactive.map(|it| it.name.as_str())
}

/// What is said of so many thresholds that wait for an observer, with the flag that asks for it in the middle.
pub fn want_of_observer(summary: &Summary, unobserved: usize) -> [String; 3] {
    let names: Vec<String> = inactive(summary).map(|it| one_line(it, 60)).collect();
    [
        format!("{unobserved} not judged, for want of an observer: "),
        format!("--observe {}", names.join(",")),
        " asks for it".to_owned(),
    ]
}

/// Whether a threshold was skipped because its observer was not asked for.
pub fn is_unobserved(summary: &Summary, threshold: &Threshold) -> bool {
    let observer = Metric::from_name(&threshold.metric).and_then(Metric::observer);
    threshold.outcome == Outcome::Skipped
        && observer.is_some_and(|kind| inactive(summary).any(|name| name == kind.name()))
}

/// A value in its unit.
pub fn value(value: f64, unit: Unit) -> String {
    with_digits(value, unit, DIGITS)
}

/// A value in its unit, or a dash.
pub fn value_or_none(observed: Option<f64>, unit: Unit) -> String {
    observed.map_or_else(|| NONE.to_owned(), |it| value(it, unit))
}

/// A time, or a dash.
pub fn time_or_none(time: Option<Ms>) -> String {
    value_or_none(time.map(|it| it.0), Unit::Milliseconds)
}

/// A share, or a dash.
pub fn share_or_none(share: Option<f64>) -> String {
    value_or_none(share, Unit::Fraction)
}

/// A time since the start of the load: `1m41s`.
pub fn offset(time: Ms) -> String {
    let seconds = time.seconds().round();
    format!("{}m{:02}s", (seconds / 60.0).floor(), seconds % 60.0)
}

/// The observed value with as many digits as it takes to tell it from the bound.
pub fn beside_bound(observed: f64, bound: f64, unit: Unit) -> String {
    (DIGITS..=9)
        .map(|digits| (with_digits(observed, unit, digits), with_digits(bound, unit, digits)))
        .find(|(observed, bound)| observed != bound)
        .map_or_else(|| value(observed, unit), |(observed, _)| observed)
}

/// The observed value of a threshold and how far it is from the bound: `612 ms, 22 % over`.
pub fn observed(threshold: &Threshold) -> String {
    let Some(observed) = threshold.observed else { return "no value".to_owned() };
    let Some(bound) = threshold.bound else { return value(observed, threshold.unit) };
    let shown = beside_bound(observed, bound, threshold.unit);
    match distance(threshold, observed, bound) {
        Some(distance) => format!("{shown}, {distance}"),
        None => shown,
    }
}

/// What to show beside a threshold: its figures, or why there are none.
pub fn figure(threshold: &Threshold) -> String {
    match threshold.outcome {
        Outcome::Pass | Outcome::Warn | Outcome::Fail => observed(threshold),
        Outcome::Invalid | Outcome::Skipped => one_line(&threshold.reason, 120),
    }
}

/// A part of a whole; `None` of nothing.
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Where a threshold was asked for.
pub fn place(threshold: &Threshold) -> String {
    match (&threshold.file, threshold.line) {
        (Some(file), Some(line)) => format!("{}:{line}", one_line(file, 100)),
        (Some(file), None) => one_line(file, 100),
        (None, _) => "by default".to_owned(),
    }
}

/// The place of an outcome in a list that has the worst first.
pub fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Fail => 0,
        Outcome::Invalid => 1,
        Outcome::Warn => 2,
        Outcome::Skipped => 3,
        Outcome::Pass => 4,
    }
}

/// How far a value is from its bound, in percent of it; shares in points, because a percentage of a percentage
/// misleads.
fn distance(threshold: &Threshold, observed: f64, bound: f64) -> Option<String> {
    threshold.margin?;
    let (distance, noun) = match threshold.unit {
        Unit::Fraction => ((observed - bound) * 100.0, "points"),
        Unit::Milliseconds | Unit::PerSecond | Unit::Count | Unit::Bytes | Unit::Cores => {
            ((observed - bound) / bound.abs() * 100.0, "%")
        }
    };
    if distance == 0.0 || !distance.is_finite() {
        return None;
    }
    let side = if distance > 0.0 { "over" } else { "under" };
    if threshold.unit != Unit::Fraction && distance > 999.0 {
        return Some(format!("{} times the bound", significant(observed / bound, 2)));
    }
    // What is not all of it is never rounded to all of it.
    let amount = if (99.5..100.0).contains(&distance.abs()) {
        "99".to_owned()
    } else {
        significant(distance.abs(), 2)
    };
    let noun = if amount == "1" { noun.trim_end_matches('s') } else { noun };
    Some(format!("{amount} {noun} {side}"))
}

fn with_digits(value: f64, unit: Unit, digits: usize) -> String {
    match unit {
        Unit::Milliseconds => millis(value, digits),
        Unit::PerSecond => format!("{}/s", significant(value, digits)),
        Unit::Fraction => format!("{} %", percent(value, digits - 2)),
        Unit::Count => significant(value, digits),
        Unit::Bytes => bytes(value, digits),
        Unit::Cores => format!("{} cores", significant(value, digits)),
    }
}

fn millis(value: f64, digits: usize) -> String {
    // Rounding first keeps 999.9 ms from being shown as 1000 ms.
    if value.abs() < 999.5 || digits > DIGITS && value.abs() < 1000.0 {
        format!("{} ms", significant(value, digits))
    } else if value.abs() < 60_000.0 || digits > DIGITS {
        format!("{} s", significant(value / 1e3, digits))
    } else {
        offset(Ms(value))
    }
}

fn bytes(value: f64, digits: usize) -> String {
    let (scaled, prefix) = scale(value);
    format!("{} {prefix}B", significant(scaled, digits))
}

/// A number cut to decimal thousands, as k6 does with bytes.
fn scale(value: f64) -> (f64, &'static str) {
    match value.abs() {
        size if size < 1e3 => (value, ""),
        size if size < 1e6 => (value / 1e3, "k"),
        size if size < 1e9 => (value / 1e6, "M"),
        size if size < 1e12 => (value / 1e9, "G"),
        _ => (value / 1e12, "T"),
    }
}

/// A share as a percentage without its sign; never 0 or 100 unless it is exactly that.
#[expect(clippy::float_cmp, reason = "exactly nothing and exactly all are meant")]
fn percent(share: f64, decimals: usize) -> String {
    if share == 0.0 || share == 1.0 {
        return format!("{:.0}", share * 100.0);
    }
    (decimals..=9)
        .map(|decimals| format!("{:.decimals$}", share * 100.0))
        .find(|shown| shown.parse().is_ok_and(|it: f64| it != 0.0 && it.abs() != 100.0))
        .unwrap_or_else(|| format!("{:.decimals$}", share * 100.0))
}

/// A number with at least so many significant digits, none of them behind the point a trailing zero; whole
/// digits are never rounded away.
fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { NONE.to_owned() };
    }
    // The text of the number in scientific notation has its exponent after rounding.
    let scientific = format!("{value:.*e}", digits - 1);
    let exponent = scientific.split_once('e').and_then(|(_, it)| it.parse::<i32>().ok()).unwrap_or(0);
    let decimals = i32::try_from(digits).unwrap_or(i32::MAX) - 1 - exponent;
    trimmed(format!("{value:.*}", usize::try_from(decimals).unwrap_or(0)))
}

fn trimmed(number: String) -> String {
    if !number.contains('.') {
        return number;
    }
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// k6's manner, for the metric lines of the console.
pub mod compact {
    use super::{Ms, NONE, scale, trimmed};
    use crate::words::Unit;

    /// `980.12µs`, `125.31ms`, `1.24s`, `2m5s`.
    pub fn time(time: Option<Ms>) -> String {
        match time {
            None => NONE.to_owned(),
            Some(Ms(0.0)) => "0s".to_owned(),
            Some(Ms(ms)) if ms < 1.0 => format!("{}µs", two(ms * 1e3)),
            Some(Ms(ms)) if ms < 1e3 => format!("{}ms", two(ms)),
            Some(Ms(ms)) if ms < 60e3 => format!("{}s", two(ms / 1e3)),
            Some(Ms(ms)) => format!("{}m{}s", (ms / 60e3).floor(), two((ms % 60e3) / 1e3)),
        }
    }

    /// `99.50%`, cut and not rounded, so that only a whole is `100.00%`.
    pub fn share(share: Option<f64>) -> String {
        // The tiny addend mends products such as 0.29 × 10000 = 2899.9999999999995.
        share.map_or_else(|| NONE.to_owned(), |it| format!("{:.2}%", (it * 1e4 + 1e-9).floor() / 100.0))
    }

    /// `6543`, `1.4 MB`.
    pub fn amount(amount: f64, unit: Unit) -> String {
        match unit {
            Unit::Bytes => {
                let (scaled, prefix) = scale(amount);
                let decimals = usize::from(!prefix.is_empty());
                format!("{scaled:.decimals$} {prefix}B")
            }
            Unit::Fraction => share(Some(amount)),
            Unit::Milliseconds => time(Some(Ms(amount))),
            Unit::PerSecond | Unit::Count | Unit::Cores => two(amount),
        }
    }

    /// `31.1/s`, `6.7 kB/s`.
    pub fn rate(rate: Option<f64>, unit: Unit) -> String {
        rate.map_or_else(|| NONE.to_owned(), |it| format!("{}/s", amount(it, unit)))
    }

    fn two(number: f64) -> String {
        trimmed(format!("{number:.2}"))
    }
}

/// Text as the content of an element or of an attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text from outside, such as a message of the target, on one line and harmless on a terminal and in the log of
/// a pipeline: no escape sequence, no control character, no mark that turns the direction of writing, and no
/// `##`, which Azure and GitHub take as the beginning of a command wherever it stands. At most `max` characters.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(4 * max));
    let mut last = ' ';
    for character in WithoutEscapes(text.chars()) {
        let character = match character {
            it if it.is_whitespace() || it.is_control() => ' ',
            it if is_invisible(it) => continue,
            it => it,
        };
        if character == ' ' && last == ' ' {
            continue;
        }
        if character == '#' && last == '#' {
            line.push(' ');
        }
        line.push(character);
        last = character;
    }
    shortened(line.trim_end(), max)
}

/// At most `max` characters, the last of them an ellipsis where something is left out.
pub fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Marks of direction and width, and what XML does not allow: seen by nobody, and used to deceive.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// Leaves out terminal escape sequences (ECMA-48: CSI, and the strings that OSC, DCS, SOS, PM and APC open).
struct WithoutEscapes<'a>(std::str::Chars<'a>);

impl Iterator for WithoutEscapes<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            match self.0.next()? {
                '\u{1b}' => match self.0.next()? {
                    '[' => self.skip_until_final(),
                    ']' | 'P' | 'X' | '^' | '_' => self.skip_string(),
                    _ => {}
                },
                '\u{9b}' => self.skip_until_final(),
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => self.skip_string(),
                other => return Some(other),
            }
        }
    }
}

impl WithoutEscapes<'_> {
    fn skip_until_final(&mut self) {
        let _final = self.0.find(|it| matches!(it, '\u{40}'..='\u{7e}'));
    }

    /// Up to BEL or ST. A string that is never ended takes nothing but its opening with it, or a target could
    /// hide the rest of its message.
    fn skip_string(&mut self) {
        let mut rest = self.0.clone();
        while let Some(character) = rest.next() {
            let ends = match character {
                '\u{7}' | '\u{9c}' => true,
                '\u{1b}' => rest.clone().next() == Some('\\'),
                _ => false,
            };
            if ends {
                if character == '\u{1b}' {
                    rest.next();
                }
                self.0 = rest;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_with_their_units() {
        for (number, unit, shown) in [
            (0.0, Unit::Milliseconds, "0 ms"),
            (0.4123, Unit::Milliseconds, "0.412 ms"),
            (45.26, Unit::Milliseconds, "45.3 ms"),
            (612.0, Unit::Milliseconds, "612 ms"),
            (999.7, Unit::Milliseconds, "1 s"),
            (1_200.0, Unit::Milliseconds, "1.2 s"),
            (90_000.0, Unit::Milliseconds, "1m30s"),
            (31.06, Unit::PerSecond, "31.1/s"),
            (12_345.6, Unit::PerSecond, "12346/s"),
            (0.971, Unit::Fraction, "97.1 %"),
            (1.0, Unit::Fraction, "100 %"),
            (0.0, Unit::Fraction, "0 %"),
            (0.9999, Unit::Fraction, "99.99 %"),
            (0.000_02, Unit::Fraction, "0.002 %"),
            (6543.0, Unit::Count, "6543"),
            (1_437_000.0, Unit::Bytes, "1.44 MB"),
            (512.0, Unit::Bytes, "512 B"),
            (1.5, Unit::Cores, "1.5 cores"),
        ] {
            assert_eq!(value(number, unit), shown);
        }
    }

    #[test]
    fn a_value_beyond_its_bound_never_looks_like_the_bound() {
        for (observed, bound, unit, shown) in [
            (500.2, 500.0, Unit::Milliseconds, "500.2 ms"),
            (500.000_4, 500.0, Unit::Milliseconds, "500.0004 ms"),
            (60_010.0, 60_000.0, Unit::Milliseconds, "60.01 s"),
            (0.100_04, 0.1, Unit::Fraction, "10.004 %"),
            (99.99, 100.0, Unit::PerSecond, "99.99/s"),
            (612.0, 500.0, Unit::Milliseconds, "612 ms"),
        ] {
            assert_eq!(beside_bound(observed, bound, unit), shown);
        }
    }

    #[test]
    fn the_compact_manner_is_that_of_k6() {
        let times = [0.0, 0.980_12, 125.311, 98.0, 1_240.0, 125_000.0].map(|ms| compact::time(Some(Ms(ms))));
        assert_eq!(times, ["0s", "980.12µs", "125.31ms", "98ms", "1.24s", "2m5s"]);
        let shares = [1.0, 0.999_99, 0.29, 0.0].map(|share| compact::share(Some(share)));
        assert_eq!(shares, ["100.00%", "99.99%", "29.00%", "0.00%"]);
        assert_eq!(compact::amount(1_440_000.0, Unit::Bytes), "1.4 MB");
        assert_eq!(compact::rate(Some(31.1), Unit::Count), "31.1/s");
        assert_eq!(compact::time(None), NONE);
    }

    #[test]
    fn text_from_outside_is_made_harmless() {
        for (text, harmless) in [
            ("Too many connections", "Too many connections"),
            ("a\r\n\t b", "a b"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}2Jgone", "gone"),
            ("\u{1b}]8;;http://evil\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]0;never ended", "0;never ended"),
            ("nul\0bell\u{7}", "nul bell"),
            ("\u{202e}txt.exe\u{feff}", "txt.exe"),
            ("##[add-mask]x ##vso[task]", "# #[add-mask]x # #vso[task]"),
            ("#\u{200b}#[x]", "# #[x]"),
            ("end \u{1b}", "end"),
        ] {
            assert_eq!(one_line(text, 80), harmless, "{text:?}");
        }
        assert_eq!(one_line("0123456789", 5), "0123…");
        assert_eq!(one_line("日本語日本語", 4), "日本語…");
    }

    proptest::proptest! {
        #[test]
        fn no_text_leaves_its_line(text in r"(\PC|[\x00-\x9f#]|\x1b[\[\]PX])*", max in 1_usize..40) {
            let line = one_line(&text, max);
            assert!(line.chars().count() <= max);
            assert!(!line.chars().any(|it| it.is_control() || is_invisible(it)), "{line:?}");
            assert!(!line.contains("##"), "{line:?}");
        }
    }
}
